"""Recipes: what a site gives to them, what an environment leaves out, what they are refused for."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from bundles.format.recipe import load_recipe
from bundles.format.recipe_filling import Given
from bundles.format.reference import parse_reference
from foundation.problems import InputProblem

TEXT = """\
solution: pm4ml
version: "1"
images:
  - docker.io/library/redis:7
  - {name: quay.io/a/b:1, environments: [production]}
git:
  - {name: site, url: "{{ git_url }}", ref: "{{ git_revision }}", when: applications}
snaps:
  - {name: microk8s, channel: "{{ channel }}"}
  - {name: microceph, when: not external}
"""
VALUES: dict[str, Given] = {
    "git_url": "https://git.example.org/x.git",
    "git_revision": "main",
    "applications": True,
    "channel": "1.31/stable",
    "external": "no",
}


def write(folder: Path, text: str = TEXT) -> Path:
    (folder / "bundle.yaml").write_text(text)
    return folder


def test_values_of_a_site_are_put_in(tmp_path: Path) -> None:
    recipe = load_recipe(write(tmp_path), VALUES)
    assert (recipe.git[0].url, recipe.git[0].ref) == ("https://git.example.org/x.git", "main")
    assert [snap.name for snap in recipe.snaps] == ["microk8s", "microceph"]


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ({"applications": False}, ["microk8s", "microceph"]),
        ({"applications": False, "external": True}, ["microk8s"]),
    ],
)
def test_lines_hang_on_settings(given: dict[str, bool], names: list[str], tmp_path: Path) -> None:
    values = {key: value for key, value in VALUES.items() if not key.startswith("git_")}
    recipe = load_recipe(write(tmp_path), values | given)
    assert recipe.git == ()
    assert [snap.name for snap in recipe.snaps] == names


def test_every_value_that_is_missing_is_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(InputProblem) as caught:
        load_recipe(write(tmp_path), {"applications": True, "git_revision": "main"})
    assert "channel, external, git_url" in caught.value.cause
    assert "--set git_url=…" in caught.value.remedy


def test_a_value_stays_the_text_that_it_is(tmp_path: Path) -> None:
    evil = "x}, {name: evil, url: 'https://evil.example.org/'"
    with pytest.raises(InputProblem):
        load_recipe(write(tmp_path), {**VALUES, "git_revision": evil})


def test_lines_of_another_environment_ask_for_nothing(tmp_path: Path) -> None:
    text = TEXT.replace("when: applications", "environments: [production]")
    values = {key: value for key, value in VALUES.items() if not key.startswith("git_")}
    recipe = load_recipe(write(tmp_path, text), values, environment="staging")
    assert recipe.git == ()
    assert [image.name for image in recipe.images] == ["docker.io/library/redis:7"]


def test_a_site_adds_lines_of_its_own(tmp_path: Path) -> None:
    (more := tmp_path / "more").mkdir()
    write(more, "solution: pm4ml\nversion: '1'\nimages: [quay.io/own/thing:2]\n")
    whole = load_recipe(write(tmp_path), VALUES).together_with(load_recipe(more))
    assert [image.name for image in whole.images][-1] == "quay.io/own/thing:2"
    assert len(whole.git) == 1


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("snaps: [{name: Micro_K8s}]", "snaps"),
        ("git: [{name: x, url: 'https://x/y', reff: main}]", "reff"),
        ("charts: [{name: a, repository: 'https://r', version: '1', without: ['$x']}]", "without"),
        ("files: [{name: ../x, url: 'https://x/y', sha256: '" + "0" * 64 + "'}]", "name"),
        ("wheels: [{requirements: ['-r/etc/passwd']}]", "requirements"),
        ("debs: [{release: noble, sources: [], packages: [x]}]", "sources"),
        ("debs: [{release: noble, sources: [{url: 'http://x', suites: [s]}], packages: ['-o']}]",
         "packages"),
    ],
)  # fmt: skip
def test_a_line_that_is_none_is_named(line: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(InputProblem, match=said):
        load_recipe(write(tmp_path, f"solution: t\nversion: '1'\n{line}\n"))


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("git: [{name: r, url: 'git@x.org:a/b.git'}]", "ssh://git@HOST/PATH"),
        ("git: [{name: r, url: 'https://x.org/r', ref: 'a..b'}]", "no name of a branch or a tag"),
        ("git: [{name: r, url: 'https://x.org/r', ref: -x}]", "the name of a branch or a tag"),
        ("charts: [{name: c, repository: 'https://x.org', version: '>=1.2'}]", "no range"),
        ("images: [a]\nplatforms: [amd64]", "as linux/amd64, and it is 'amd64'$"),
        (
            "debs: [{release: noble, sources: [{url: 'ppa:a/b', suites: [noble]}], packages: [a]}]",
            "of a PPA: .*and it is 'ppa:a/b'$",
        ),
    ],
)
def test_a_word_of_another_form_is_told_by_what_is_meant(
    line: str, meant: str, tmp_path: Path
) -> None:
    with pytest.raises(InputProblem) as caught:
        load_recipe(write(tmp_path, f"solution: t\nversion: '1'\n{line}\n"))
    assert re.search(meant, caught.value.cause)
    assert "pattern" not in caught.value.cause
    assert "at least" not in caught.value.cause


@pytest.mark.parametrize("ref", ["v1.30.2+k3s1", "feature/#1", "refs/tags/v1", "a@b", "ünï", "(a)"])
def test_a_branch_may_be_called_what_git_lets_it_be_called(ref: str, tmp_path: Path) -> None:
    line = f"git: [{{name: r, url: 'https://x.org/r', ref: '{ref}'}}]"
    recipe = load_recipe(write(tmp_path, f"solution: t\nversion: '1'\n{line}\n"))
    assert recipe.git[0].ref == ref
    subprocess.run(["git", "check-ref-format", f"refs/heads/{ref}"], check=True)


def test_a_recipe_that_asks_for_nothing_is_none(tmp_path: Path) -> None:
    with pytest.raises(InputProblem, match="asks for nothing"):
        load_recipe(write(tmp_path, "solution: t\nversion: '1'\n"))


def test_a_site_does_without_images_whoever_names_them(tmp_path: Path) -> None:
    lines = (
        "images: [docker.io/bitnami/redis:1, redis:7]\n"
        "charts: [{name: a, repository: 'https://r.org', version: '1', without: ['q.io/*']}]\n"
        "git: [{name: g, url: 'https://x.org/g', images: true}]\n"
    )
    recipe = load_recipe(write(tmp_path, f"solution: t\nversion: '1'\n{lines}"))
    less = recipe.doing_without(["docker.io/bitnami/*", "*:snapshot"])
    assert [image.name for image in less.images] == ["redis:7"]
    assert less.charts[0].without == ("q.io/*", "docker.io/bitnami/*", "*:snapshot")
    assert less.git[0].without == ("docker.io/bitnami/*", "*:snapshot")
    assert recipe.doing_without([]) == recipe
    with pytest.raises(InputProblem, match="no pattern"):
        recipe.doing_without(["$(id)"])


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('wheels: [{python: "3.11", requirements: ["-r req.txt"]}]', "one Python package"),
        ('snaps: [{name: microk8s, channel: "1.31 stable"}]', "a channel of the snap store"),
        ("images: ghcr.io/a/b:1", "it should be a list"),
        ("without: [{a: b}]", "without"),
    ],
)
def test_what_does_not_fit_is_told_in_words_and_not_by_a_pattern(
    line: str, said: str, tmp_path: Path
) -> None:
    with pytest.raises(InputProblem, match=said) as caught:
        load_recipe(write(tmp_path, f'solution: a\nversion: "1"\n{line}\n'))
    told = str(caught.value)
    assert "pattern" not in told
    assert "tuple" not in told


@pytest.mark.parametrize("way", ["oci://", "docker://", "https://", "docker-archive:"])
def test_how_an_image_is_reached_is_told_to_be_left_out(way: str) -> None:
    with pytest.raises(InputProblem, match=f"{way} says how it is reached"):
        parse_reference(f"{way}ghcr.io/a/b:1")

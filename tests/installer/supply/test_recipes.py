"""The recipes of the solutions: they can be read, and say what the solutions' own data say."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import pytest

from bundles.format.recipe import Recipe, load_recipe
from foundation.problems import InputProblem
from installer.catalogue.solution import Solution, load_solution, solution_ids
from installer.commands import bundle_recipe
from installer.commands.bundle_options import add_bundle_options
from installer.supply.recipe_values import recipe_values

GIT = {"git_url": "https://git.example.org/site.git"}
GIVEN = {"pm4ml": GIT}


def recipe_of(solution: Solution, environment: str) -> Recipe:
    values = recipe_values(solution, GIVEN.get(solution.id, {}))
    found = load_recipe(solution.folder, values, environment=environment)
    return found.for_environment(environment)


def with_recipes() -> list[tuple[str, str]]:
    return [
        (name, environment.id)
        for name in solution_ids()
        if ((solution := load_solution(name)).folder / "bundle.yaml").exists()
        for environment in solution.environments
    ]


@pytest.mark.parametrize(("name", "environment"), with_recipes())
def test_a_recipe_pins_all_that_it_names(name: str, environment: str) -> None:
    solution = load_solution(name)
    recipe = recipe_of(solution, environment)
    assert recipe.solution == name
    assert recipe.sitewright, "install.sh must work from the bundle"
    for image in recipe.images:
        tag = image.name.rpartition(":")[2]
        assert tag not in ("latest", "alpine", "stable"), image.name
    # The release of the hub's charts is a setting: there is one hash of a chart for each, and the
    # bundle's lock holds that of the one that came.
    assert all(chart.sha256 for chart in recipe.charts) or name in {"miniloop", "helm-deploy"}


def test_whatever_can_be_installed_has_a_recipe_or_says_why_not() -> None:
    every = [load_solution(name) for name in solution_ids()]
    without = {one.id for one in every if one.file.no_bundle}
    recipes = {name for name, _ in with_recipes()}
    assert {one.id for one in every if one.installable} <= recipes | without
    assert not recipes & without


def test_every_package_that_the_playbooks_install_is_in_the_recipe() -> None:
    solution = load_solution("pm4ml")
    packages = {p for line in recipe_of(solution, "production").debs for p in line.packages}
    named = set()
    for path in (solution.folder / "playbooks").rglob("*.yml"):
        for found in re.finditer(r"^ +packages: (.+)", path.read_text(), re.MULTILINE):
            words = re.findall(r"'([a-z][a-z0-9-]+)'", found[1])
            named |= set(words or re.findall(r"[a-z][a-z0-9-]+", found[1]))
    assert {"chrony", "haproxy", "keepalived"} <= named
    assert named <= packages


def test_the_recipe_follows_the_settings() -> None:
    solution = load_solution("pm4ml")
    values = recipe_values(solution, {"ceph": "no", "applications": "no"})
    recipe = load_recipe(solution.folder, values, environment="staging")
    assert [snap.name for snap in recipe.snaps] == ["microk8s"]
    assert "ceph-csi-rbd" not in [chart.name for chart in recipe.charts]
    assert recipe.git == ()
    channel = recipe_values(solution, {"microk8s_channel": "1.31/candidate", **GIT})
    recipe = load_recipe(solution.folder, channel, environment="staging")
    assert recipe.snaps[0].channel == "1.31/candidate"


def test_a_setting_that_there_is_not_is_told_with_the_nearest() -> None:
    with pytest.raises(InputProblem, match='"git_url" may be meant'):
        recipe_values(load_solution("pm4ml"), {"git_ul": "x"})


def test_a_value_that_is_none_is_refused() -> None:
    with pytest.raises(InputProblem, match="microk8s_channel"):
        recipe_values(load_solution("pm4ml"), {"microk8s_channel": "newest"})


def test_secrets_have_no_place_in_a_recipe() -> None:
    values = recipe_values(load_solution("pm4ml"), {**GIT, "git_user": "u", "git_password": "p"})
    assert "git_password" not in values


def test_the_harness_comes_at_the_version_that_its_solution_names() -> None:
    solution = load_solution("core-test-harness")
    (line,) = recipe_of(solution, solution.default_environment.id).git
    assert any(line.ref in document.version for document in solution.documents)
    assert line.commit
    assert Path(line.url).stem == "ml-core-test-harness"


def named_by(*words: str | Path) -> tuple[Recipe | None, str | None]:
    parser = argparse.ArgumentParser()
    add_bundle_options(parser)
    options = parser.parse_args(["create", "--output", "x", *map(str, words)])
    recipe, environment, _ = bundle_recipe.recipe_of(options)
    return recipe, environment


def test_the_command_says_what_the_recipe_asks_the_site_for() -> None:
    with pytest.raises(InputProblem, match="asks the site for git_url"):
        named_by("--solution", "pm4ml")
    recipe, environment = named_by("--solution", "pm4ml", "--set", "applications=no")
    assert recipe is not None
    assert environment == "production"


def test_a_site_file_gives_settings_and_environment_and_more_lines_are_added(
    tmp_path: Path,
) -> None:
    site = tmp_path / "site.yaml"
    site.write_text(
        "solution: pm4ml\nenvironment: staging\n"
        "settings: {git_url: 'https://git.example.org/a.git', git_revision: v7}\n"
    )
    more = tmp_path / "more.yaml"
    more.write_text("solution: pm4ml\nversion: '1'\nimages: ['quay.io/own/{{ git_revision }}:1']\n")
    recipe, environment = named_by(
        "--solution", "pm4ml", "--site", site, "--with", more, "--set", "git_revision=v8"
    )
    assert recipe is not None
    assert environment == "staging"
    assert (recipe.git[0].url, recipe.git[0].ref) == ("https://git.example.org/a.git", "v8")
    assert recipe.images[-1].name == "quay.io/own/v8:1"


def test_a_site_alone_says_what_the_bundle_is_for(tmp_path: Path) -> None:
    site = tmp_path / "site.yaml"
    site.write_text("solution: pm4ml\nenvironment: staging\nsettings: {applications: 'no'}\n")
    recipe, environment = named_by("--site", site)
    assert recipe is not None
    assert (recipe.solution, environment) == ("pm4ml", "staging")
    with pytest.raises(InputProblem, match="the site is one of pm4ml"):
        named_by("--site", site, "--solution", "core-test-harness")
    with pytest.raises(InputProblem, match="not said what the bundle is for"):
        named_by()


def test_the_command_leaves_out_what_the_site_does_without() -> None:
    recipe, _ = named_by(
        *("--solution", "pm4ml", "--set", "applications=no"),
        *("--without", "docker.io/calico/*", "--without", "ghcr.io/dexidp/*"),
    )
    assert recipe is not None
    assert not [image for image in recipe.images if "calico" in image.name]
    assert "ghcr.io/dexidp/*" in recipe.files[0].without


def test_a_solution_without_a_recipe_says_so() -> None:
    with pytest.raises(InputProblem, match=r"no recipe is known for.*clone GitHub while they run"):
        named_by("--solution", "mosip")

"""`sitewright bundle` as a person types it, without the front door."""

from __future__ import annotations

import argparse
import json
import subprocess
from pathlib import Path

import pytest

from bundles.format.lock import Gathered
from bundles.format.problems import BundleProblem, SignatureProblem
from bundles.format.untold import told
from bundles.make.drafts import Drafts
from bundles.read.store import Store
from foundation.paths import config_folder
from foundation.problems import InputProblem
from installer.commands import bundle as command
from installer.commands.bundle_options import size_in_bytes
from tests.bundles.conftest import Keys


def sitewright_bundle(*words: str | Path) -> int:
    parser = argparse.ArgumentParser()
    command.add_options(parser)
    return command.run(parser.parse_args([str(word) for word in words]))


def recipe_file(folder: Path, text: bytes) -> Path:
    import hashlib

    folder.mkdir(exist_ok=True)
    (folder / "tool").write_bytes(text)
    file = folder / "bundle.yaml"
    file.write_text(
        "solution: test\nversion: '1'\nfiles:\n"
        f"  - name: tool\n    url: {(folder / 'tool').as_uri()}\n"
        f"    sha256: {hashlib.sha256(text).hexdigest()}\n    licence: Apache-2.0\n"
    )
    return file


def test_the_whole_way_of_a_bundle(
    keys: Keys, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Create, split, damage a volume, join, verify, look inside, and make a difference."""
    recipe = recipe_file(tmp_path / "r", b"tool " * 60_000)
    sitewright_bundle(
        *("create", "--recipe", recipe, "--output", tmp_path / "b", "--key", keys.key),
        *("--write-lock", tmp_path / "lock", "--format", "json"),
    )
    made = json.loads(capsys.readouterr().out)
    assert made["signed"]
    sitewright_bundle(
        "split", tmp_path / "b", "--size", "128KiB", "--output", tmp_path / "v", "--keys",
        keys.allowed,
    )  # fmt: skip
    first = sorted((tmp_path / "v").iterdir())[0]
    first.write_bytes(b"scratched" + first.read_bytes()[9:])
    sitewright_bundle(
        "join", tmp_path / "v", "--output", tmp_path / "j.tar", "--keys", keys.allowed
    )
    assert "was damaged" in capsys.readouterr().out
    sitewright_bundle("verify", tmp_path / "j.tar", "--keys", keys.allowed, "--format", "json")
    verified = json.loads(capsys.readouterr().out)
    assert verified["signer"] == "maker@example.org"
    assert verified["index"] == made["index"]
    sitewright_bundle("inspect", tmp_path / "j.tar")
    shown = capsys.readouterr().out
    assert "tool" in shown
    assert "Apache-2.0" in shown
    assert "NOT checked" in shown
    sitewright_bundle("inspect", tmp_path / "j.tar", "--sbom")
    sbom = json.loads(capsys.readouterr().out)
    assert sbom["spdxVersion"] == "SPDX-2.3"
    assert [package["name"] for package in sbom["packages"]] == ["tool"]
    newer = recipe_file(tmp_path / "r2", b"newer")
    sitewright_bundle("create", "--recipe", newer, "--output", tmp_path / "n", "--key", keys.key)
    sitewright_bundle("diff", tmp_path / "n", "--have", tmp_path / "b", "--output", tmp_path / "d")
    sitewright_bundle(
        *("join", tmp_path / "d", "--base", tmp_path / "b", "--output", tmp_path / "whole"),
        *("--keys", keys.allowed),
    )
    sitewright_bundle(
        "create", "--lock", tmp_path / "lock", "--output", tmp_path / "again", "--key", keys.key
    )
    assert (tmp_path / "again/index.json").read_bytes() == (tmp_path / "b/index.json").read_bytes()


def test_the_keys_of_this_machine_are_asked_without_being_named(keys: Keys, tmp_path: Path) -> None:
    sitewright_bundle(
        "create", "--recipe", recipe_file(tmp_path / "r", b"x"), "--output", tmp_path / "b"
    )
    sitewright_bundle("verify", tmp_path / "b")
    config_folder().mkdir(parents=True)
    (config_folder() / "allowed_signers").write_text(keys.allowed.read_text())
    for words in (
        ("verify", tmp_path / "b"),
        ("inspect", tmp_path / "b"),
        ("split", tmp_path / "b", "--size", "1MB", "--output", tmp_path / "v"),
        ("push", tmp_path / "b", "127.0.0.1:1"),
    ):
        with pytest.raises(SignatureProblem) as caught:
            sitewright_bundle(*words)
        assert caught.value.exit_code == 6


def test_a_join_that_cannot_be_verified_leaves_nothing(keys: Keys, tmp_path: Path) -> None:
    sitewright_bundle(
        "create", "--recipe", recipe_file(tmp_path / "r", b"x"), "--output", tmp_path / "b"
    )
    sitewright_bundle("split", tmp_path / "b", "--size", "1MB", "--output", tmp_path / "v")
    with pytest.raises(BundleProblem):
        sitewright_bundle(
            "join", tmp_path / "v", "--output", tmp_path / "j.tar", "--keys", keys.allowed
        )
    assert not (tmp_path / "j.tar").exists()


def test_a_recipe_with_a_mistake_is_explained(tmp_path: Path) -> None:
    file = tmp_path / "bundle.yaml"
    file.write_text("solution: test\nversion: '1'\nfile: []\n")
    with pytest.raises(InputProblem, match='did you mean "files"'):
        sitewright_bundle("create", "--recipe", file, "--output", tmp_path / "b")
    file.write_text("solution: test\nversion: '1'\n")
    with pytest.raises(InputProblem, match="asks for nothing"):
        sitewright_bundle("create", "--recipe", file, "--output", tmp_path / "b")


def test_a_folder_with_something_else_in_it_is_left_alone(tmp_path: Path) -> None:
    recipe = recipe_file(tmp_path / "r", b"x")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("precious")
    with pytest.raises(InputProblem, match=r"thesis\.txt"):
        sitewright_bundle("create", "--recipe", recipe, "--output", tmp_path / "mine")
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize(
    ("text", "size"),
    [("4.7GB", 4_700_000_000), ("700mb", 700_000_000), ("16GiB", 16 << 30), ("128KiB", 1 << 17)],
)
def test_sizes_are_read_as_media_state_them(text: str, size: int) -> None:
    assert size_in_bytes(text) == size


def test_what_is_missing_is_told_with_the_exit_code_of_a_check(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = recipe_file(tmp_path / "r", b"tool")
    sitewright_bundle("create", "--recipe", recipe, "--output", tmp_path / "b", "--quiet")
    assert sitewright_bundle("check", tmp_path / "b", "--recipe", recipe) == 0
    assert "Nothing is missing." in capsys.readouterr().out
    more = recipe.read_text() + "images: [docker.io/library/redis:7]\n"
    (tmp_path / "more.yaml").write_text(more)
    words = ("check", tmp_path / "b", "--recipe", tmp_path / "more.yaml")
    assert sitewright_bundle(*words) == 3
    out = capsys.readouterr().out
    assert "1 missing:" in out
    assert "image docker.io/library/redis:7, needed by the recipe" in out
    assert sitewright_bundle(*words, "--format", "json") == 3
    value = json.loads(capsys.readouterr().out)
    assert value["complete"] is False
    assert value["missing"][0]["kind"] == "image"


def test_a_bundle_of_a_solution_that_nobody_knows_needs_its_recipe(tmp_path: Path) -> None:
    recipe = recipe_file(tmp_path / "r", b"tool")
    sitewright_bundle("create", "--recipe", recipe, "--output", tmp_path / "b", "--quiet")
    with pytest.raises(InputProblem, match='no solution "test" here'):
        sitewright_bundle("check", tmp_path / "b")


def test_what_cannot_be_told_is_printed_repeated_and_strictly_a_failure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A filter of git stands for whatever was seen and is not in the bundle."""
    (source := tmp_path / "source").mkdir()
    (source / ".gitattributes").write_text("*.bin filter=git-crypt\n")
    (source / "a.bin").write_text("a")
    for words in (("init", "-q", "-b", "main"), ("add", "."), ("commit", "-q", "-m", "one")):
        identity = ("-c", "user.name=T", "-c", "user.email=t@example.org")
        subprocess.run(["git", *identity, *words], cwd=source, check=True)
    recipe = tmp_path / "recipe.yaml"
    line = f"{{name: site, url: '{source.as_uri()}', ref: main}}"
    recipe.write_text(f"solution: test\nversion: '1'\ngit: [{line}]\n")
    create = ("create", "--recipe", recipe, "--output", tmp_path / "b", "--quiet")
    assert sitewright_bundle(*create) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "1 cannot be told, so it may be missing:" in lines
    assert "the repository site: files go through the filter git-crypt" in lines[-1]
    assert sitewright_bundle(*create, "--strict") == 3
    capsys.readouterr()
    assert sitewright_bundle(*create, "--format", "json") == 0
    (entry,) = json.loads(capsys.readouterr().out)["untold"]
    assert (entry["kind"], entry["of"]) == ("untold", "the repository site")
    check = ("check", tmp_path / "b", "--recipe", recipe)
    assert sitewright_bundle(*check) == 0
    out = capsys.readouterr().out
    assert "Nothing is missing." in out
    assert "the filter git-crypt" in out
    assert sitewright_bundle(*check, "--strict", "--format", "json") == 3
    assert json.loads(capsys.readouterr().out)["untold"] == [entry]


def test_a_line_that_was_finished_before_is_still_told(tmp_path: Path) -> None:
    """Of a run that broke off, what was told is remembered with the line."""
    store = Store(tmp_path)
    entry = told("the chart x 1", "something")
    Drafts(store).save(Gathered(f"sha256:{1:064x}", (), (entry,)))
    kept = Drafts(store).load(f"sha256:{1:064x}")
    assert kept is not None
    assert kept.untold == (entry,)
    (store.work / "drafts" / f"{1:064x}.untold").unlink()
    assert Drafts(store).load(f"sha256:{1:064x}") is None


def test_links_on_a_foreign_medium_are_not_written_through(tmp_path: Path) -> None:
    recipe = recipe_file(tmp_path / "r", b"tool")
    (mine := tmp_path / "mine").write_text("untouched")
    words = ("create", "--recipe", recipe, "--output", tmp_path / "b", "--quiet")
    (work := tmp_path / "b" / ".work").mkdir(parents=True)
    for name in ("index.json", "oci-layout", "index.json.sig"):
        (work / name).symlink_to(mine)
    assert sitewright_bundle(*words) == 0
    assert mine.read_text() == "untouched"
    (elsewhere := tmp_path / "elsewhere").mkdir()
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / ".work").symlink_to(elsewhere)
    with pytest.raises(InputProblem, match="a link lies where a bundle has none"):
        sitewright_bundle("create", "--recipe", recipe, "--output", tmp_path / "c", "--quiet")
    assert not list(elsewhere.iterdir())

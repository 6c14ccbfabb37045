"""What is used for the first time is told apart from one's own, once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from foundation.paths import data_folder, state_folder
from installer import cli
from installer.supply.opened_before import first_time, remember, remember_own
from tests.installer.engine_site import plan, step

MADE = replace(
    plan(step("a")),
    carries=(("site", "/srv/repo", "a" * 64),),
    supplies=(("bundle", "/media/b"), ("keys", ""), ("index", "sha256:" + "b" * 64)),
)


def test_each_thing_is_told_until_a_person_took_it(tmp_path: Path) -> None:
    file = tmp_path / "site.yaml"
    told = first_time(MADE, file)
    assert [word in said for word, said in zip(("site.yaml", "/srv/repo", "/media/b"), told,
                                               strict=True)] == [True] * 3  # fmt: skip
    assert first_time(MADE, file) == told  # looking takes nothing
    remember(MADE, file)
    assert first_time(MADE, file) == []
    other = replace(MADE, supplies=(*MADE.supplies[:2], ("index", "sha256:" + "c" * 64)))
    assert first_time(other, file) == ["The bundle /media/b is used here for the first time."]


def test_what_was_written_here_is_ones_own(tmp_path: Path) -> None:
    file = tmp_path / "site.yaml"
    remember_own(file)
    assert first_time(plan(step("a")), file) == []
    assert first_time(plan(step("a")), data_folder() / "sites" / "x.yaml") == []


@pytest.mark.parametrize("text", ["", "[]", "{", '{"a": {}}', "[" * 5000])
def test_a_note_that_cannot_be_read_only_costs_the_sentence(tmp_path: Path, text: str) -> None:
    state_folder().mkdir(parents=True, exist_ok=True)
    (state_folder() / "opened.json").write_text(text)
    assert len(first_time(MADE, tmp_path / "site.yaml")) == 3
    remember(MADE, tmp_path / "site.yaml")
    assert first_time(MADE, tmp_path / "site.yaml") == []


def test_the_command_tells_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "site.yaml"
    file.write_text(
        "solution: core-test-harness\nhosts: [{name: local, address: local, roles: [box]}]\n"
    )
    code = cli.main(["plan", "--site", str(file)])
    err = capsys.readouterr().err
    assert code == 0, err
    assert "used here for the first time" in err

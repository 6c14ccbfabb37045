"""A repository begun, and brought on by a later starter: what people changed is never lost."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from foundation.problems import InputProblem, Refused
from installer.cli import main
from installer.repository import git
from installer.repository.create import create
from installer.repository.kept_base import NAME, as_text, base_of, read_base
from installer.repository.update import Fate, apply, changes
from tests.installer.repository.made import production

OLD = {
    "same": "a\n", "taken": "a\n", "kept": "a\n", "both": "a\n", "gone": "a\n", "removed": "a\n",
    "merged": "1\n2\n3\n4\n5\n",
}  # fmt: skip
NEW = {
    "same": "a\n", "taken": "b\n", "kept": "a\n", "both": "b\n", "removed": "b\n", "new/n": "n\n",
    "merged": "1\n2\n3\n4\nfive\n",
}  # fmt: skip
THEIRS = {"kept": "c\n", "both": "c\n", "merged": "one\n2\n3\n4\n5\n"}


@pytest.fixture(autouse=True)
def at_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


@pytest.fixture
def begun(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    made = create(folder, "pm4ml", (production(),), OLD)
    assert made.without_commit == ""
    return folder


def commit(folder: Path) -> None:
    words = ["-c", "user.name=x", "-c", "user.email=x@x.test", "commit", "-qam", "theirs"]
    subprocess.run(["git", "-C", str(folder), *words], check=True, timeout=60)


def test_what_both_changed_stays_and_is_shown_again(begun: Path) -> None:
    for name, text in THEIRS.items():
        (begun / name).write_text(text)
    (begun / "removed").unlink()
    base = read_base(begun)
    found = {one.path: one for one in changes(begun, base, NEW)}
    assert {path: str(one.fate) for path, one in found.items()} == {
        "same": "same", "taken": "taken", "kept": "kept", "both": "both", "gone": "gone",
        "removed": "both", "new/n": "new", "merged": "merged",
    }  # fmt: skip
    assert "-a\n+b" in found["both"].difference
    with pytest.raises(Refused, match="4 files of it are changed and not committed"):
        apply(begun, base, (production(),), NEW, tuple(found.values()))
    commit(begun)
    assert apply(begun, base, (production(),), NEW, tuple(found.values())) == 3
    assert (begun / "merged").read_text() == "one\n2\n3\n4\nfive\n"
    assert (begun / "taken").read_text() == "b\n"
    assert (begun / "new/n").read_text() == "n\n"
    for kept in ("kept", "both"):
        assert (begun / kept).read_text() == "c\n"
    assert (begun / "gone").exists()
    assert not (begun / "removed").exists()
    commit(begun) if git.not_committed(begun) else None
    again = {one.path: one.fate for one in changes(begun, read_base(begun), NEW)}
    assert {path for path, fate in again.items() if fate is Fate.BOTH} == {"both", "removed"}
    assert again["taken"] is Fate.SAME


def test_nothing_is_written_through_a_link(begun: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (begun / "new").symlink_to(outside)
    subprocess.run(["git", "-C", str(begun), "add", "-A"], check=True, timeout=60)
    commit(begun)
    base = read_base(begun)
    with pytest.raises(InputProblem, match="cannot be written"):
        apply(begun, base, (production(),), NEW, changes(begun, base, NEW))
    assert list(outside.iterdir()) == []
    (begun / "taken").unlink()
    (begun / "taken").symlink_to(outside / "x")
    with pytest.raises(InputProblem, match="it is a link"):
        changes(begun, base, NEW)


def test_a_folder_that_holds_something_is_left_as_it_is(begun: Path, tmp_path: Path) -> None:
    with pytest.raises(InputProblem, match="wrote a repository there before"):
        create(begun, "pm4ml", (production(),), NEW)
    assert (begun / "taken").read_text() == "a\n"
    other = tmp_path / "other"
    other.mkdir()
    (other / "theirs").write_text("x")
    with pytest.raises(InputProblem, match="not empty: it holds 1 name, theirs"):
        create(other, "pm4ml", (production(),), NEW)
    assert [one.name for one in other.iterdir()] == ["theirs"]
    with pytest.raises(InputProblem, match="Not a directory"):
        create(other / "theirs", "pm4ml", (production(),), NEW)
    clone = tmp_path / "clone"
    subprocess.run(["git", "init", "-q", str(clone)], check=True, timeout=60)
    assert create(clone, "pm4ml", (production(),), NEW).without_commit == ""
    assert git.not_committed(clone) == ()


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"files": {"../x": ["a"]}}, "lies outside the repository"),
        ({"files": {".git/hooks/pre-commit": ["a"]}}, "lies outside the repository"),
        ({"files": {"a": "b"}}, "valid list"),
        ({"environments": []}, "at least 1"),
        ({"format": "sitewright.repository/9"}, "sitewright.repository/9"),
    ],
)
def test_what_was_kept_is_read_as_a_file_of_others(
    tmp_path: Path, change: dict[str, object], word: str
) -> None:
    kept = json.loads(as_text(base_of("pm4ml", (production(),), OLD)))
    (tmp_path / NAME).parent.mkdir()
    (tmp_path / NAME).write_text(json.dumps({**kept, **change}))
    with pytest.raises(InputProblem, match=word):
        read_base(tmp_path)
    (tmp_path / NAME).write_text('{"format": ')
    with pytest.raises(InputProblem, match="cannot be read"):
        read_base(tmp_path)
    (tmp_path / NAME).unlink()
    with pytest.raises(InputProblem, match="was not written by Sitewright"):
        read_base(tmp_path)


def test_the_command_from_end_to_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site = tmp_path / "site.yaml"
    site.write_text(
        "solution: pm4ml\nsettings: {domain: pm4ml.bank.test, pm4ml_id: bank-one,"
        " git_url: 'https://git.bank.test/site.git'}\n"
    )
    folder = str(tmp_path / "new")
    assert main(["repository", "create", str(site), folder]) == 2
    assert "hub_domain" in capsys.readouterr().err
    words = ["hub_domain=hub.test", "currencies=USD", "backend_endpoint=core.test:3000"]
    given = [word for one in words for word in ("--set", one)]
    assert main(["repository", "create", str(site), folder, *given]) == 0
    assert "no secret among them" in capsys.readouterr().out
    assert main(["repository", "check", folder]) == 0
    assert "nothing is denied" in capsys.readouterr().out
    assert main(["repository", "update", folder]) == 0
    assert "has nothing that this repository has not" in capsys.readouterr().out
    assert main(["repository", "update", folder, "--set", "currencies=EUR", "--apply"]) == 0
    assert "+      SUPPORTED_CURRENCIES: EUR" in capsys.readouterr().out
    assert main(["repository", "check", folder, "--format", "json"]) == 0

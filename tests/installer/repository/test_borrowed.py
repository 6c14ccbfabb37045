"""A clone whose objects or own files lie elsewhere is refused, with a way out to paste."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from foundation.problems import Refused
from installer.repository import git
from installer.updates.applying.commits import Edit, commit
from tests.installer.repository.test_hostile_clone import _git


def made(folder: Path) -> Path:
    folder.mkdir()
    _git(folder, "init", "-q", "-b", "main")
    (folder / "a.yaml").write_text(f"image: x/{folder.name}:1.0\n")
    _git(folder, "add", ".")
    _git(folder, "commit", "-q", "-m", "x")
    return folder


def refused(clone: Path, place: Path) -> str:
    """What is advised where a clone is refused for a place, whatever is asked of it."""
    for ask in (git.has_commits, git.diverged):
        with pytest.raises(Refused, match=re.escape(str(place))):
            ask(clone)
    with pytest.raises(Refused):
        commit(clone, [Edit("a.yaml", "a", "b")], "update", "why")
    with pytest.raises(Refused, match=re.escape(str(place))) as caught:
        git.not_committed(clone)
    advised = caught.value.remedy or ""
    look = re.search(r"Look at it: (find .*?)\. If ", advised)
    assert look is not None
    shown = subprocess.run(["sh", "-c", look[1]], check=True, capture_output=True, text=True)
    assert shown.stdout
    return advised


def test_objects_of_another_repository_are_not_read_as_its_own(tmp_path: Path) -> None:
    theirs, clone = made(tmp_path / "theirs"), made(tmp_path / "clone")
    secret = _git(theirs, "rev-parse", "HEAD:a.yaml").strip()
    alternates = clone / ".git/objects/info/alternates"
    for line in (
        f"{theirs}/.git/objects", "../../../theirs/.git/objects", f'"{theirs}/.git/objects"',
        "# a comment\n\n../../../theirs/.git/objects\n",
    ):  # fmt: skip
        alternates.write_text(line)
        refused(clone, Path("/") if line.startswith('"') else theirs / ".git/objects")
    # By way of a store of its own, too.
    inner = clone / "inner/info"
    inner.mkdir(parents=True)
    (inner / "alternates").write_text(f"{theirs}/.git/objects\n")
    alternates.write_text("../../inner\n")
    assert _git(clone, "cat-file", "-t", secret) == "blob\n"
    refused(clone, theirs / ".git/objects")
    alternates.unlink()
    assert git.has_commits(clone)


def test_a_clone_that_shares_objects_is_its_own_once_what_is_advised_was_pasted(
    tmp_path: Path,
) -> None:
    theirs, clone = made(tmp_path / "theirs"), tmp_path / "it's a clone"
    _git(tmp_path, "clone", "-q", "--shared", str(theirs), str(clone))
    advised = refused(clone, theirs / ".git/objects")
    way = re.search(r"--reference\): (git .*?)\. If you did not", advised)
    assert way is not None
    subprocess.run(["sh", "-ec", way[1]], check=True, capture_output=True)
    theirs.rename(tmp_path / "gone")
    assert git.not_committed(clone) == ()
    assert git.asked(clone, "show", "HEAD:a.yaml") == "image: x/theirs:1.0\n"


@pytest.mark.parametrize(
    "name",
    ["index", "COMMIT_EDITMSG", "logs/HEAD", "refs/heads", "objects/pack", "objects/info",
     "packed-refs", "info/exclude", "config", "shallow", "objects"],
)  # fmt: skip
def test_a_link_among_its_own_files_is_written_through_by_nobody(tmp_path: Path, name: str) -> None:
    clone, kept = made(tmp_path / "clone"), tmp_path / "kept"
    own = clone / ".git" / name
    if own.exists():
        own.rename(kept)
    else:
        kept.write_text("")
    own.symlink_to(kept)
    refused(clone, kept)


def test_links_within_it_and_its_hooks_are_left_alone(tmp_path: Path) -> None:
    clone = made(tmp_path / "clone")
    (clone / ".git/ORIG_HEAD").symlink_to("HEAD")
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    (clone / ".git/hooks/pre-commit").unlink(missing_ok=True)
    (clone / ".git/hooks/pre-commit").symlink_to(hooks)
    assert git.not_committed(clone) == ()


def test_grafts_and_replacements_make_no_other_history(tmp_path: Path) -> None:
    clone = made(tmp_path / "clone")
    first = _git(clone, "rev-parse", "HEAD").strip()
    (clone / "a.yaml").write_text("image: x/clone:2.0\n")
    _git(clone, "commit", "-q", "-a", "-m", "y")
    second = _git(clone, "rev-parse", "HEAD").strip()
    (clone / ".git/info/grafts").write_text(f"{second}\n")
    _git(clone, "replace", _git(clone, "rev-parse", "HEAD:a.yaml").strip(),
         _git(clone, "rev-parse", f"{first}:a.yaml").strip())  # fmt: skip
    assert git.asked(clone, "log", "--format=%H", "HEAD").split() == [second, first]
    assert git.asked(clone, "show", "HEAD:a.yaml") == "image: x/clone:2.0\n"

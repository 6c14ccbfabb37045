"""A clone that somebody handed over, `.git` and all, has the real Git start nothing here."""

from __future__ import annotations

import ast
import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from foundation.problems import InputProblem, Refused
from installer.repository import git
from installer.updates.applying.commits import Edit, commit, edits_of
from installer.updates.applying.workloads import Change

CHANGE = Change("main", False, "x/ledger:1.0", "x/ledger:1.1", "1.1", "newer")


def _git(folder: Path, *words: str) -> str:
    known = ("-c", "user.name=a", "-c", "user.email=a@b.example")
    return subprocess.run(["git", "-C", str(folder), *known, *words], check=True, timeout=60,
                          capture_output=True, text=True).stdout  # fmt: skip


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    folder = tmp_path / "clone"
    folder.mkdir()
    _git(folder, "init", "-q", "-b", "main")
    (folder / "a.yaml").write_text("image: x/ledger:1.0\n")
    _git(folder, "add", ".")
    _git(folder, "commit", "-q", "-m", "x")
    return folder


def _touched(folder: Path) -> None:
    """Of the same length and another time: Git has to look into it."""
    (folder / "a.yaml").write_text("image: x/ledger:1.9\n")
    os.utime(folder / "a.yaml", (1, 1))


@pytest.mark.parametrize("kind", ["clean", "process"])
@pytest.mark.parametrize("place", ["config", "included"])
def test_a_filter_of_the_clone_is_refused_by_its_name(clone: Path, kind: str, place: str) -> None:
    mark = clone.parent / "PWNED"
    more = clone / ".git" / "more"
    (clone / ".git/info/attributes").write_text("* filter=evil\n")
    if place == "included":
        _git(clone, "config", "include.path", str(more))
    file = ("--file", str(more)) if place == "included" else ()
    _git(clone, "config", *file, f"filter.evil.{kind}", f"sh -c 'touch {mark}; cat'")
    _touched(clone)
    with pytest.raises(Refused, match=f"filter.evil.{kind}") as refused:
        git.not_committed(clone)
    # What is advised can be typed, and shows the line.
    advised = re.search(r"Look at it: (git .*?)\. Where it is yours", refused.value.remedy)
    assert advised is not None
    shown = subprocess.run(shlex.split(advised[1]), check=True, capture_output=True, text=True)
    assert f"touch {mark}" in shown.stdout
    with pytest.raises(Refused, match=f"filter.evil.{kind}"):
        edits_of(clone, [CHANGE])
    assert not mark.exists()


def test_what_the_clone_lacks_is_fetched_by_no_program_of_its_configuration(clone: Path) -> None:
    mark = clone.parent / "PWNED"
    blob = _git(clone, "rev-parse", "HEAD:a.yaml").strip()
    (clone / ".git/objects" / blob[:2] / blob[2:]).unlink()
    for key, value in (
        ("core.repositoryFormatVersion", "1"), ("extensions.partialClone", "origin"),
        ("remote.origin.promisor", "true"), ("remote.origin.url", "ssh://nowhere/x"),
        ("core.sshCommand", f"touch {mark}; false"),
    ):  # fmt: skip
        _git(clone, "config", key, value)
    with pytest.raises(InputProblem):
        edits_of(clone, [CHANGE])
    assert not mark.exists()


def test_the_configuration_of_a_submodule_starts_nothing(clone: Path) -> None:
    mark, inner = clone.parent / "PWNED", clone / "inner"
    inner.mkdir()
    _git(inner, "init", "-q")
    (inner / "b").write_text("b")
    _git(inner, "add", ".")
    _git(inner, "commit", "-q", "-m", "x")
    _git(clone, "add", "inner")
    _git(clone, "commit", "-q", "-m", "y")
    _git(inner, "config", "filter.evil.clean", f"sh -c 'touch {mark}; cat'")
    (inner / ".git/info/attributes").write_text("* filter=evil\n")
    (inner / "b").write_text("c")
    os.utime(inner / "b", (1, 1))
    assert git.not_committed(clone) == ()
    assert not mark.exists()


def test_a_file_that_would_not_come_back_as_it_was_is_not_changed(clone: Path) -> None:
    (clone / "a.yaml").write_bytes(b"image: x/ledger:1.0\r\n")
    (clone / "b.yaml").write_bytes(b"# \xe9\nimage: x/ledger:1.0\n")
    (clone / "c.yaml").write_bytes(b"image: x/ledger:1.0\n#".ljust((4 << 20) + 1, b" "))
    _git(clone, "-c", "core.autocrlf=false", "add", ".")
    _git(clone, "commit", "-q", "-m", "y")
    found = edits_of(clone, [CHANGE])
    assert found.passed_over == (
        "b.yaml names these images and is no text in UTF-8: it is not changed",
        "c.yaml names these images and has more than 4 MiB: it is not changed",
    )
    # What stands beside them is changed all the same.
    assert [(one.file, one.after) for one in found.edits] == [("a.yaml", "image: x/ledger:1.1\r\n")]


def test_a_submodule_of_the_clone_is_not_looked_into_whatever_its_configuration_says(
    clone: Path,
) -> None:
    inner = clone / "inner"
    inner.mkdir()
    _git(inner, "init", "-q")
    (inner / "b.yaml").write_text("image: x/ledger:1.0\n")
    _git(inner, "add", ".")
    _git(inner, "commit", "-q", "-m", "x")
    url = ("-c", "protocol.file.allow=always")
    _git(clone, *url, "submodule", "--quiet", "add", str(inner), "part")
    _git(clone, "commit", "-q", "-m", "y")
    _git(clone, "config", "submodule.recurse", "true")
    found = edits_of(clone, [CHANGE])
    assert ([one.file for one in found.edits], found.passed_over) == (["a.yaml"], ())
    assert git.asked(clone, "grep", "-l", "ledger", "HEAD") == "HEAD:a.yaml\n"


@pytest.mark.parametrize("end", ["clean", "process"])
def test_the_attributes_of_a_clone_choose_no_filter_of_the_operators_own(
    clone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    """Git LFS is one of most people, and would read what else the clone says of it."""
    mark, home = tmp_path / "STARTED", tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    own = ("--file", str(home / ".gitconfig"))
    _git(clone, "config", *own, f"filter.lfs.{end}", f"sh -c 'touch {mark}; cat'")
    _git(clone, "config", *own, "filter.lfs.required", "true")
    (clone / ".gitattributes").write_text("*.yaml filter=lfs\n")
    _touched(clone)
    assert sorted(git.not_committed(clone)) == [".gitattributes", "a.yaml"]
    assert not mark.exists()


def test_what_is_always_off_is_off_whatever_the_clone_says(clone: Path) -> None:
    """Options that nobody may leave out, whatever is asked: each is one that a clone could say."""
    for key in ("core.fsmonitor", "core.hooksPath", "submodule.recurse", "maintenance.auto"):
        _git(clone, "config", key, "true")
        value = git.asked(clone, "config", key).strip()
        assert value == ("/dev/null" if key == "core.hooksPath" else "false")


def test_a_clone_that_leads_git_elsewhere_is_refused_and_nothing_is_written_there(
    clone: Path, tmp_path: Path
) -> None:
    """Into a folder of the operator's: by its work tree, its `.git`, and what it shares."""
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    _git(theirs, "init", "-q", "-b", "main")
    (theirs / "secret.yaml").write_text("image: x/ledger:1.0\n")
    _git(theirs, "add", ".")
    _git(theirs, "commit", "-q", "-m", "x")
    before = _git(theirs, "for-each-ref")

    def refused(folder: Path) -> None:
        for ask in (git.has_commits, git.diverged):
            with pytest.raises(Refused, match=re.escape(str(tmp_path))):
                ask(folder)
        with pytest.raises(Refused) as caught:
            git.not_committed(folder)
        advised = re.search(r"Look at it: (git .*?)\. If you", caught.value.remedy or "")
        assert advised is not None
        subprocess.run(shlex.split(advised[1]), check=True, capture_output=True)
        with pytest.raises(Refused):
            commit(folder, [Edit("a.yaml", "a", "b")], "update", "why")

    for place in (theirs, tmp_path, "/"):
        _git(clone, "config", "core.worktree", str(place))
        refused(clone)
    _git(clone, "config", "--unset", "core.worktree")
    assert git.not_committed(clone) == ()
    (clone / ".git/commondir").write_text(f"{theirs}/.git\n")
    refused(clone)
    (clone / ".git").rename(tmp_path / "kept")
    (clone / ".git").symlink_to(theirs / ".git")
    refused(clone)
    (clone / ".git").unlink()
    (clone / ".git").write_text(f"gitdir: {theirs}/.git\n")
    refused(clone)
    assert _git(theirs, "for-each-ref") == before


def test_a_work_tree_that_git_linked_itself_and_a_submodule_are_clones_too(
    clone: Path, tmp_path: Path
) -> None:
    linked = tmp_path / "linked"
    _git(clone, "worktree", "add", "-q", str(linked))
    assert git.not_committed(linked) == ()
    (linked / "below").mkdir()
    assert git.has_commits(linked / "below")
    other = tmp_path / "other"
    subprocess.run(["git", "clone", "-q", str(clone), str(other)], check=True)
    url = ("-c", "protocol.file.allow=always")
    _git(other, *url, "submodule", "--quiet", "add", str(clone), "part")
    assert git.not_committed(other / "part") == ()
    bare = tmp_path / "bare.git"
    subprocess.run(["git", "clone", "-q", "--bare", str(clone), str(bare)], check=True)
    assert git.has_commits(bare)


def test_git_is_started_on_a_folder_of_others_in_one_place() -> None:
    """The other two have a repository that they made themselves, and settings of their own."""
    root = Path(git.__file__).parents[2]
    places = set()
    for floor in ("foundation", "preflight", "bundles", "installer", "screens"):
        for file in (root / floor).rglob("*.py"):
            if "solutions" in file.parts:
                continue  # these run on machines
            source = file.read_text("utf-8")
            for node in ast.walk(ast.parse(source)) if '"git"' in source else ():
                if isinstance(node, ast.List) and len(node.elts) > 1:
                    first = node.elts[0]
                    if isinstance(first, ast.Constant) and first.value == "git":
                        places.add(file.relative_to(root).as_posix())
    assert places == {
        "installer/repository/git.py", "bundles/serve/git.py", "bundles/sources/git_repository.py",
        "bundles/sources/git_settings.py",
    }  # fmt: skip


@pytest.mark.parametrize(
    "key", ["lfs.extension.evil.clean", "lfs.customtransfer.evil.path", "hook.evil.command"]
)
def test_a_program_of_what_stands_beside_git_is_refused_too(clone: Path, key: str) -> None:
    _git(clone, "config", key, "/bin/false")
    with pytest.raises(Refused, match=key):
        git.not_committed(clone)


def test_a_git_that_does_not_tell_its_configuration_is_no_clean_one(
    clone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before 2.26 it cannot say which words are the clone's own; this stands in for one."""
    old = tmp_path / "old"
    old.mkdir()
    (old / "git").write_text("#!/bin/sh\necho 'error: unknown option show-scope' >&2\nexit 129\n")
    (old / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{old}:{os.environ['PATH']}")
    with pytest.raises(InputProblem, match="does not tell its configuration"):
        git.not_committed(clone)

"""Git of this machine, in the folder of a repository: a first commit, what is not committed yet.

The folder may be a clone that somebody handed over, `.git` and all. What its configuration names is
read and never run: no hook, no helper, no program that filters files, no server that is asked for
what the clone lacks, no Git in a submodule, whose configuration is another. Nor do its attributes
choose among the filters that the operator's own configuration has, and what would have Git read or
write elsewhere than in the folder is refused.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from bundles.sources.git_borrowed import borrows, elsewhere, way_out
from foundation import bounded_files
from foundation.isolation import child_environment
from foundation.problems import InputProblem, Problem, Refused
from foundation.terminal import clean_line

_SECONDS: Final = 60
_LARGEST: Final = 64 << 20
"""Bytes of one answer of Git."""
_ALWAYS: Final = (
    # A folder that somebody else filled says nothing about what runs here.
    "-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c", "gc.auto=0",
    "-c", "commit.gpgSign=false", "-c", "core.autocrlf=false", "-c", "core.pager=cat",
    "-c", "diff.ignoreSubmodules=all", "-c", "submodule.recurse=false",
    "-c", "maintenance.auto=false", "-c", "log.showSignature=false", "--no-pager",
    # No command of ours starts these; nor does one that is added later.
    "-c", "core.sshCommand=false", "-c", "core.alternateRefsCommand=false",
    "-c", "core.askPass=false", "-c", "core.editor=false", "-c", "credential.helper=",
    "-c", "core.attributesFile=/dev/null",
)  # fmt: skip
_OWN: Final = {
    "GIT_TERMINAL_PROMPT": "0",
    # A clone that has only a part would fetch the rest by whatever its configuration names.
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_ALLOW_PROTOCOL": "none",
    "GIT_NO_REPLACE_OBJECTS": "1",
    # Other parents than those that a commit names.
    "GIT_GRAFT_FILE": "/dev/null",
}
_PROGRAM: Final = re.compile(
    r"(filter|lfs\.extension)\..*\.(clean|smudge|process)|lfs\.customtransfer\..*\.path"
    r"|hook\..*\.command",
    re.IGNORECASE | re.DOTALL,
)
"""What no option and no variable can turn off without knowing its name."""
_FILTER: Final = re.compile(r"filter\.([^=]+)\.(?:clean|smudge|process|required)", re.DOTALL)
"""Of the operator's own, which a clone's attributes would choose from: Git LFS as a rule."""
_NOBODY: Final = ("-c", "user.name=Sitewright", "-c", "user.email=sitewright@localhost")
"""Who commits where Git knows no name of the person."""


def is_here() -> bool:
    """Whether this machine has Git."""
    return shutil.which("git") is not None


def _git(
    folder: Path, *words: str, stdin: str = "", more: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    _stays_there(folder, more)
    options = _without_programs(folder, more)
    return _run(folder, *words, stdin=stdin, more=more, options=options)


def _run(
    folder: Path,
    *words: str,
    stdin: str = "",
    more: Mapping[str, str] | None = None,
    options: Sequence[str] = (),
) -> subprocess.CompletedProcess[str]:
    with tempfile.TemporaryFile(prefix="sitewright-") as out:
        try:
            done = subprocess.run(
                ["git", "-C", str(folder), *_ALWAYS, *options, *words],
                env=child_environment("git", {**_OWN, **(more or {})}),
                input=stdin.encode("utf-8", "surrogateescape"),
                stdout=out,
                stderr=subprocess.PIPE,
                timeout=_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise InputProblem(
                f"git {words[0]} did not end within {_SECONDS} seconds",
                where=str(folder),
                remedy="See whether the disk of that folder is well, and do it again.",
            ) from error
        if out.seek(0, 2) > _LARGEST:
            raise InputProblem(
                f"git {words[0]} says more than {_LARGEST >> 20} MiB",
                where=str(folder),
                remedy="Look at it by hand: a repository that a site is deployed from is text.",
            )
        out.seek(0)
        said = out.read(_LARGEST).decode("utf-8", "replace")
    return subprocess.CompletedProcess(
        done.args, done.returncode, said, done.stderr.decode("utf-8", "replace")
    )


def _stays_there(folder: Path, more: Mapping[str, str] | None) -> None:
    """Raise Refused where the repository has Git read or write elsewhere than in its folder.

    `core.worktree`, a `.git` that is a file or a link, and `commondir` can each name any folder of
    this computer. Work trees that Git linked itself are known by the way back, and submodules.
    """
    asking = ("rev-parse", "--absolute-git-dir", "--git-common-dir", "--show-toplevel")
    told = _run(folder, *asking, more=more).stdout.splitlines()
    if len(told) < 2:
        return  # no repository, or none that Git would open: each command says so itself
    here, own = folder.resolve(), Path(told[0])
    common = (here / told[1]).resolve()
    # A bare one has no work tree.
    top = Path(told[2]) if len(told) > 2 else own.parent if own.name == ".git" else own
    mark = own if own == top else top / ".git"
    at_home = mark.is_dir() and not mark.is_symlink() and own == mark and common == own
    linked = mark.is_file() and own.parent == common / "worktrees" and _names(own / "gitdir", mark)
    part = (
        mark.is_file()
        and common == own
        and not _run(folder, "config", "--local", "core.worktree", more=more).returncode
    )
    if top in (here, *here.parents) and (at_home or linked or part):
        _borrows_nothing(folder, common, (top, common, own))
        return
    shown = shlex.join(["git", "-C", str(folder), *asking])
    away = next((one for one in (top, own, common) if not one.is_relative_to(here)), common)
    raise Refused(
        f"it would have Git read and write in another place: {clean_line(str(away))}",
        where=str(folder),
        remedy=f"Look at it: {shown}. If you did not set it so, clone the repository anew from its "
        "server, and name that clone.",
    )


def _borrows_nothing(folder: Path, store: Path, within: Sequence[Path]) -> None:
    """Raise Refused where its objects or its own files lie elsewhere: they would be read as its
    own, and written through a link."""
    try:
        place = elsewhere(store, within)
    except InputProblem as problem:
        raise Refused(problem.cause, where=str(folder), remedy=problem.remedy) from problem
    if place is None:
        return
    look = f"find {shlex.quote(str(store))} -type l -o -path '*objects/info/alternates'"
    keep = f" If you had it borrow objects (git clone --shared or --reference): {way_out(store)}."
    raise Refused(
        f"what it holds lies in another place: {clean_line(str(place))}",
        where=str(folder),
        remedy=f"Look at it: {look}.{keep if borrows(store) else ''} If you did not set it so, "
        "clone the repository anew from its server, and name that clone.",
    )


def _names(file: Path, path: Path) -> bool:
    """Whether a small file of Git names this path."""
    try:
        text = bounded_files.read_text(file, 4096).strip()
    except (OSError, ValueError, Problem):
        return False
    return (file.parent / text).resolve() == path.resolve()


def _without_programs(folder: Path, more: Mapping[str, str] | None = None) -> list[str]:
    """Options by which no filter of the operator's own runs; raises Refused for the folder's."""
    words = ("config", "--includes", "--show-scope", "--name-only", "--list", "-z")
    told = _run(folder, *words, more=more)
    if told.returncode:
        # One that cannot say whose word a setting is, or cannot read it, says nothing of none.
        raise InputProblem(
            f"Git does not tell its configuration: {clean_line(told.stderr.strip()[-300:])}",
            where=str(folder),
            remedy="It must be Git 2.26 or newer, and its .git/config must be whole.",
        )
    parts = told.stdout.split("\0")
    filters: dict[str, None] = {}
    for scope, key in zip(parts[::2], parts[1::2], strict=False):
        if scope in ("local", "worktree") and _PROGRAM.fullmatch(key):
            raise Refused(
                f"its own configuration would have Git start a program: {clean_line(key)}",
                where=str(folder),
                remedy=f"Look at it: git -C {shlex.quote(str(folder))} config --show-origin"
                f" --get-all {shlex.quote(clean_line(key))}. Where it is yours, keep it in your own"
                " ~/.gitconfig (git config --global); else clone the repository anew from its"
                " server.",
            )
        if found := _FILTER.fullmatch(key):
            filters[found[1]] = None
    return [
        word
        for name in filters
        for end in ("clean=", "smudge=", "process=", "required=false")
        for word in ("-c", f"filter.{name}.{end}")
    ]


def asked(
    folder: Path,
    *words: str,
    stdin: str = "",
    more: Mapping[str, str] | None = None,
    may_end: tuple[int, ...] = (0,),
) -> str:
    """What Git writes; raises InputProblem where it ends with another status than these."""
    if not is_here():
        raise InputProblem("this computer has no git", where=str(folder), remedy="Install git.")
    known = words[0] != "commit-tree" or _git(folder, "config", "user.email").stdout.strip()
    done = _git(folder, *(() if known else _NOBODY), *words, stdin=stdin, more=more)
    # `git grep` ends with 1 for "nothing" and for "what I could not read" alike.
    if done.returncode not in may_end or (done.returncode and done.stderr.strip()):
        raise InputProblem(
            f"git {words[0]}: {_said(done)}",
            where=str(folder),
            remedy="Name a clone of the repository that the site is deployed from.",
        )
    return done.stdout


def is_repository(folder: Path) -> bool:
    """Whether the folder is the top of a Git repository."""
    return (folder / ".git").exists()


def has_commits(folder: Path) -> bool:
    """Whether anything was committed there yet."""
    return _git(folder, "rev-parse", "--verify", "--quiet", "HEAD").returncode == 0


def first_commit(folder: Path, branch: str, message: str) -> str:
    """Make a repository of a folder and commit all of it; what went wrong, or ""."""
    known = re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._/-]*", branch) is not None
    if not is_repository(folder):
        began = _git(folder, "init", "--quiet", "--template=", f"--initial-branch={branch}"
                     if known else "--initial-branch=main")  # fmt: skip
        if began.returncode:
            return _said(began)
    named = _git(folder, "config", "user.email").stdout.strip()
    for words in (
        ("add", "--all", "--", "."),
        (*(() if named else _NOBODY), "commit", "--quiet", "--message", message),
    ):
        done = _git(folder, *words)
        if done.returncode:
            return _said(done)
    return ""


def not_committed(folder: Path) -> tuple[str, ...]:
    """Files that differ from the last commit or are in none; raises InputProblem."""
    told = _git(folder, "status", "--porcelain=v1", "-z", "--untracked-files=all",
                "--ignore-submodules=all")  # fmt: skip
    if told.returncode:
        raise InputProblem(
            f"Git cannot say what was changed in it: {_said(told)}",
            where=str(folder),
            remedy="Look at it by hand: git status",
        )
    return tuple(line[3:] for line in told.stdout.split("\0") if len(line) > 3)


def diverged(folder: Path) -> tuple[int, int]:
    """Commits that the remote branch has and this one has not, and the other way round.

    It is what the last fetch brought; nobody is asked now. None where the branch follows no other.
    """
    told = _git(folder, "rev-list", "--left-right", "--count", "@{upstream}...HEAD")
    numbers = told.stdout.split()
    if told.returncode or len(numbers) != 2:
        return (0, 0)
    return (int(numbers[0]), int(numbers[1]))


def merged(ours: str, base: str, theirs: str) -> str | None:
    """Three texts made one by Git, line by line; None where both changed the same lines."""
    with tempfile.TemporaryDirectory(prefix="sitewright-") as name:
        folder = Path(name)
        for file, text in (("ours", ours), ("base", base), ("theirs", theirs)):
            (folder / file).write_text(text, encoding="utf-8", newline="")
        # Whatever repository lies above the folder of temporary files has no say in it.
        alone = {"GIT_CEILING_DIRECTORIES": str(folder.parent)}
        done = _git(folder, "merge-file", "-p", "ours", "base", "theirs", more=alone)
    return done.stdout if done.returncode == 0 else None


def _said(done: subprocess.CompletedProcess[str]) -> str:
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    return "; ".join(lines[:3]) or f"git ended with {done.returncode}"

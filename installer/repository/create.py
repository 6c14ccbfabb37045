"""Create: a repository written into a folder that holds nothing, with a first commit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from foundation.problems import InputProblem
from foundation.wording import counted
from installer.repository import git
from installer.repository.kept_base import NAME, as_text, base_of
from installer.repository.starter import Environment


@dataclass(frozen=True, slots=True)
class Created:
    """A repository that was written."""

    folder: Path
    files: int
    without_commit: str
    """Why it has no first commit; empty where it has one."""


def create(
    folder: Path, solution: str, environments: tuple[Environment, ...], files: Mapping[str, str]
) -> Created:
    """Write every file and commit them; raises InputProblem, and writes over nothing."""
    _holds_nothing(folder)
    whole = {**files, NAME: as_text(base_of(solution, environments, files))}
    try:
        for path, text in whole.items():
            put(folder, path, text)
    except OSError as error:
        raise InputProblem(
            f"it cannot be written: {error.strerror or error}; what was written stays there",
            where=str(error.filename or folder),
            remedy="Name a new folder on a disk that has room and that you may write to.",
        ) from error
    return Created(folder, len(whole), _committed(folder, environments[0]))


def _holds_nothing(folder: Path) -> None:
    try:
        there = sorted(one.name for one in folder.iterdir())
    except FileNotFoundError:
        return
    except OSError as error:
        raise InputProblem(
            f"no repository can be written there: {error.strerror or error}",
            where=str(folder),
            remedy="Name a folder that does not exist yet.",
        ) from error
    if there == [".git"] and git.is_here() and not git.has_commits(folder):
        return  # the clone of a repository in which nothing is yet
    if (folder / NAME).exists():
        raise InputProblem(
            "Sitewright wrote a repository there before, and it is left as it is",
            where=str(folder),
            remedy="See what a later starter would bring: sitewright repository update FOLDER",
        )
    if there:
        raise InputProblem(
            f"the folder is not empty: it holds {counted(len(there), 'name')}, {there[0]} among"
            " them, and all of it is left as it is",
            where=str(folder),
            remedy="Name a folder that does not exist yet, or the clone of an empty repository.",
        )


def put(folder: Path, path: str, text: str) -> None:
    """Write one file of a repository, through no link that lies in it; raises OSError."""
    place = folder
    for part in Path(path).parts[:-1]:
        place.mkdir(exist_ok=True, parents=True)
        place = place / part
        if place.is_symlink():
            raise NotADirectoryError(0, "it is a link, and nothing is written through it", place)
    place.mkdir(exist_ok=True, parents=True)
    file = folder / path
    if file.is_symlink():
        raise FileExistsError(0, "it is a link, and nothing is written through it", file)
    new = file.with_name(f".{file.name}.new")
    new.write_text(text, encoding="utf-8", newline="")
    new.replace(file)


def _committed(folder: Path, first: Environment) -> str:
    if not git.is_here():
        return "this machine has no Git"
    return git.first_commit(
        folder,
        str(first.values["git_revision"]),
        "Begin with Sitewright's starter\n\nEvery file is explained in README.md.",
    )

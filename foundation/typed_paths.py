"""Typed paths: the name of a file or folder as a person types it, with ~ for a home."""

from __future__ import annotations

import os.path
from pathlib import Path

from foundation.problems import InputProblem


def typed_path(text: str) -> Path:
    """The path that a person typed; raises InputProblem for what is none, and for nobody's home."""
    if "\0" in text:
        raise InputProblem(
            "no name of a file holds a NUL",
            where=text.replace("\0", "?"),
            remedy="Type the name anew, without what stands here as a question mark.",
        )
    try:
        return Path(text).expanduser()
    except RuntimeError as error:  # "~name" of nobody, or "~" where no home is told
        home = text.partition("/")[0]
        raise InputProblem(
            f"{home} is the home of no user of this machine",
            where=text,
            remedy="Write the whole path, from / on.",
        ) from error


def is_there(path: Path) -> bool:
    """Whether something has this name, as far as one may see; whoever writes there is told why not.

    Those of `Path` raise for a name that is too long, and in a folder that one may not enter.
    """
    return os.path.exists(path)  # noqa: PTH110 - it raises nothing


def is_folder(path: Path) -> bool:
    """Whether it is a folder, as far as one may see."""
    return os.path.isdir(path)  # noqa: PTH112 - it raises nothing

"""Typed paths: the name of a file or folder as a person types it, with ~ for a home."""

from __future__ import annotations

from pathlib import Path

from foundation.problems import InputProblem


def typed_path(text: str) -> Path:
    """The path that a person typed; raises InputProblem for the home of a user not known here."""
    try:
        return Path(text).expanduser()
    except RuntimeError as error:  # "~name" of nobody, or "~" where no home is told
        home = text.partition("/")[0]
        raise InputProblem(
            f"{home} is the home of no user of this machine",
            where=text,
            remedy="Write the whole path, from / on.",
        ) from error

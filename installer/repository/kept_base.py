"""Kept base: what was written into a repository, so that what people changed since can be told.

It lies in the repository itself, in a file that nothing is deployed from, and goes wherever the
repository goes. It is read as what it is, a file that anybody may have changed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Annotated, Final, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from foundation import bounded_files
from foundation.problems import InputProblem
from foundation.version import __version__
from installer.catalogue.settings import Value
from installer.repository.starter import OWN, Environment

FORMAT: Final = "sitewright.repository/1"
NAME: Final = f"{OWN}/starter.base"
"""No reader of manifests takes a file of that name for one."""
_LARGEST: Final = 16 * 1024 * 1024
"""Bytes; a starter has a hundredth of it."""


def _inside(path: str) -> str:
    parts = PurePosixPath(path).parts
    odd = not parts or path.startswith("/") or {"..", ".git"} & set(parts) or "\0" in path
    if odd or str(PurePosixPath(path)) != path:
        raise ValueError("it names a file that lies outside the repository, or in Git's own folder")
    return path


FilePath = Annotated[str, Field(max_length=500), AfterValidator(_inside)]


class _Data(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)


class KeptEnvironment(_Data):
    """One environment as it was written."""

    folder: FilePath
    environment: str
    values: dict[str, Value]
    workers: int = Field(ge=0, le=100_000)

    def environment_then(self) -> Environment:
        """It, as the starter takes it."""
        return Environment(self.folder, self.environment, dict(self.values), self.workers)


class KeptBase(_Data):
    """`.sitewright/starter.base`."""

    format: str
    written_by: str
    solution: str
    environments: tuple[KeptEnvironment, ...] = Field(min_length=1, strict=False)
    files: dict[FilePath, list[str]]
    """Each file as the starter had it, line by line with their ends."""

    @model_validator(mode="after")
    def _each_folder_once(self) -> Self:
        folders = [one.folder for one in self.environments]
        if len(set(folders)) < len(folders):
            raise ValueError("two environments have one folder")
        return self

    def text(self, path: str) -> str | None:
        """What the starter had for a file; None where it had none."""
        lines = self.files.get(path)
        return None if lines is None else "".join(lines)


def base_of(
    solution: str, environments: tuple[Environment, ...], files: Mapping[str, str]
) -> KeptBase:
    """The base of files that are written now."""
    return KeptBase(
        format=FORMAT,
        written_by=__version__,
        solution=solution,
        environments=tuple(
            KeptEnvironment(
                folder=one.folder,
                environment=one.environment,
                values=dict(one.values),
                workers=one.workers,
            )
            for one in environments
        ),
        files={path: text.splitlines(keepends=True) for path, text in sorted(files.items())},
    )


def as_text(base: KeptBase) -> str:
    """The base as a file, a line of a starter's file in a line of its own."""
    return json.dumps(base.model_dump(), indent=1, ensure_ascii=False) + "\n"


def read_base(folder: Path) -> KeptBase:
    """What a repository says that was written into it; raises InputProblem."""
    path = folder / NAME
    try:
        text = bounded_files.read_text(path, _LARGEST)
    except FileNotFoundError as error:
        there = "there is no such folder" if not folder.is_dir() else (
            f"this repository was not written by Sitewright: it has no {NAME}"
        )  # fmt: skip
        raise InputProblem(
            there,
            where=str(folder),
            remedy="Name the folder that `sitewright repository create` wrote, at its top; or look "
            "at another repository by its site: sitewright repository check FOLDER --site FILE",
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(path, getattr(error, "strerror", None) or "it is no text") from error
    try:
        base = KeptBase.model_validate(json.loads(text))
    except (ValidationError, ValueError, RecursionError) as error:
        raise _unreadable(path, _first(error)) from error
    if base.format != FORMAT:
        raise InputProblem(
            f"it was written in the form {base.format[:60]}, and this Sitewright "
            f"({__version__}) knows {FORMAT}",
            where=str(path),
            remedy="Use the Sitewright that wrote it, or a later one.",
        )
    return base


def _first(error: Exception) -> str:
    if isinstance(error, ValidationError):
        told = error.errors(include_url=False, include_input=False)[0]
        return f"{'.'.join(str(part) for part in told['loc'])[:100]}: {told['msg']}"
    return str(error) or "it is nested too deep"


def _unreadable(path: Path, why: str) -> InputProblem:
    return InputProblem(
        f"what was kept of the starter cannot be read: {why}",
        where=str(path),
        remedy=f"It is Sitewright's own file. Bring back the one of the last commit: "
        f"git checkout HEAD -- {NAME}",
    )

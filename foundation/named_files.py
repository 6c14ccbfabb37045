"""Named files: what is written where a person says; what is somebody else's there stays.

A file is replaced where it is still as Sitewright wrote it, by its digest, or where the person says
that it may be. So a report is made again under its name, and a key, a recipe or a site file that
stands there by a slip of the hand is not lost.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from foundation import bounded_files
from foundation.paths import state_folder, write_private
from foundation.problems import InputProblem

OVERWRITE: Final = "--overwrite"
"""The word by which a person says that a file may be replaced."""
_MEMORY: Final = "written.json"
_MOST: Final = 500
"""Files that are remembered, the latest."""
_BYTES: Final = 1024 * 1024
_CHUNK: Final = 1024 * 1024


def write_named(
    path: Path, text: str | bytes | Iterable[str], *, mode: int = 0o644, overwrite: bool = False
) -> None:
    """Write a file that a person named, whole or not at all; a pipe or a device is written into.

    A text may come in pieces. Raises InputProblem where something else stands there, or it cannot
    be written.
    """
    raw = _raw(text)
    try:
        if _is_written_into(path):
            with path.open("wb") as pipe:
                pipe.writelines(raw)
            return
        check_named(path, overwrite=overwrite)
        temporary, digest = _beside(path, raw, mode)
        try:
            if overwrite or os.path.lexists(path):
                temporary.replace(path)
            else:
                _put(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise InputProblem(
            f"the result cannot be written: {error.strerror or error}",
            where=str(path),
            remedy="Name a file in a folder that exists and that you may write to.",
        ) from error
    remember_named(path, digest)


def _raw(text: str | bytes | Iterable[str]) -> Iterable[bytes]:
    if isinstance(text, bytes):
        return (text,)
    return (text.encode(),) if isinstance(text, str) else (piece.encode() for piece in text)


def check_named(path: Path, *, overwrite: bool = False) -> None:
    """Raise InputProblem where a file stands that is not as Sitewright wrote it there.

    For what takes long: asked before the work as well, so that nothing is made in vain.
    """
    if overwrite or _is_written_into(path) or not os.path.lexists(path):
        return
    known = _remembered().get(_key(path))
    with contextlib.suppress(OSError):
        if known is not None and known == _digest(path):
            return
    raise _stands_there(path)


def remember_named(path: Path, digest: str) -> None:
    """Note that this file is ours as it is now; where that fails, a person is asked next time."""
    memory = _remembered()
    memory.pop(_key(path), None)
    memory[_key(path)] = digest
    latest = dict(list(memory.items())[-_MOST:])
    with contextlib.suppress(OSError):
        write_private(state_folder() / _MEMORY, json.dumps(latest, indent=0) + "\n")


def _is_written_into(path: Path) -> bool:
    """Whether it is a pipe, a device, or what a shell opened (/dev/stdout), and no file's name."""
    return (path.exists() and not path.is_file()) or path.parent in (Path("/dev"), Path("/dev/fd"))


def _beside(path: Path, raw: Iterable[bytes], mode: int) -> tuple[Path, str]:
    found = hashlib.sha256()
    temporary = path.with_name(f".{path.name[:100]}.{secrets.token_hex(6)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    with os.fdopen(descriptor, "wb") as file:
        try:
            for piece in raw:
                found.update(piece)
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    return temporary, found.hexdigest()


def _put(temporary: Path, path: Path) -> None:
    """Give a file its name, which nobody else has taken meanwhile."""
    try:
        path.hardlink_to(temporary)
    except FileExistsError:
        raise _stands_there(path) from None
    except OSError:  # a file system without links
        temporary.replace(path)


def _remembered() -> dict[str, str]:
    try:
        told = json.loads(bounded_files.read_text(state_folder() / _MEMORY, _BYTES))
    except (OSError, ValueError, RecursionError):
        return {}
    return {str(k): str(v) for k, v in told.items()} if isinstance(told, dict) else {}


def _key(path: Path) -> str:
    # The file itself and not what a link there leads to: a link is somebody's too.
    return str(path.parent.resolve() / path.name)


def _digest(path: Path) -> str:
    """Of a file that is no link."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    found = hashlib.sha256()
    with os.fdopen(descriptor, "rb") as file:
        while piece := file.read(_CHUNK):
            found.update(piece)
    return found.hexdigest()


def _stands_there(path: Path) -> InputProblem:
    return InputProblem(
        "there is a file of this name, and it is not as Sitewright wrote it there; it is left "
        "as it is",
        where=str(path),
        remedy="Name another file; if that one may go, give the same command again with "
        f"{OVERWRITE}.",
    )

"""Witnessed notes: what we note of our own work lies twice, so that one that is gone is told.

A note that is not there reads as "never": nothing was given out, no fault is set, no run was here.
So each has a witness in the other of our two folders: of one in the data folder in the state
folder, and the other way round. A note that was deleted, cut or put back to an earlier one is told
by it. Who changes both is not found out; a note of an earlier version has no witness, and counts.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from foundation import bounded_files
from foundation.paths import data_folder, make_private, state_folder, write_private

LARGEST: Final = 64 * 1024
"""Bytes of a note of which the witness keeps every word; of a longer one it knows the digest."""
_WITNESS_BYTES: Final = 512 * 1024
_MOST: Final = 100_000
"""Witnesses that are looked through."""
_FOLDER: Final = "witnesses"
_SECONDS: Final = 10.0
"""For which another that writes a note is waited for; it takes milliseconds."""
_SHA256: Final = r"^([0-9a-f]{64})?$"


class _Witness(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    note: str = Field(max_length=4096)
    """Which of our folders it lies in, and its path there."""
    sha256: str = Field(pattern=_SHA256)
    """Of the note as it was written; "" while the first is being written."""
    coming: str = Field(pattern=_SHA256, default="")
    """Of one that is being written: who is killed in between has left either."""
    text: str | None = Field(default=None, max_length=LARGEST)
    at: str = Field(max_length=40)


@dataclass(frozen=True, slots=True)
class Found:
    """A note as it is found, and what its witness says of it."""

    text: str | None
    """Every word of it; where it is gone, what the witness kept of it. None for nothing."""
    wrong: str = ""
    """What became of it, as the end of a sentence; "" where it is as it was written, or never
    was."""
    gone: bool = False
    """Whether it was deleted."""

    @property
    def exchanged(self) -> bool:
        """Whether it is there, and not as it was written."""
        return bool(self.wrong) and not self.gone


def write_note(path: Path, text: str) -> None:
    """Write a note of ours and what bears witness to it; raises OSError."""
    make_private(path.parent)
    base, witness = _base(path), witness_of(path)
    if base is None or witness is None:
        write_private(path, text)
        return
    make_private(witness.parent)
    now = _sha256(text)
    with _alone(witness.parent):
        before = _read(witness)
        kept = text if len(text.encode()) <= LARGEST else None
        at = datetime.now(UTC).isoformat(timespec="seconds")
        one = _Witness(
            note=_named(path, base),
            sha256=before.sha256 if before else "",
            coming=now,
            text=kept,
            at=at,
        )
        write_private(witness, one.model_dump_json() + "\n")
        write_private(path, text)
        sure = one.model_copy(update={"sha256": now, "coming": ""})
        write_private(witness, sure.model_dump_json() + "\n")


def read_note(path: Path, most: int = LARGEST) -> Found:
    """A note of at most that many bytes, held against its witness.

    Raises OSError or ValueError where it is there and cannot be read.
    """
    witness = witness_of(path)
    found = _held(path, witness, most)
    if not found.wrong or witness is None:
        return found
    # Somebody may be writing it: then both are read once that is done.
    with _alone(witness.parent):
        return _held(path, witness, most)


def was_noted(path: Path) -> bool:
    """Whether there is a note, or there was one."""
    of = witness_of(path)
    witness = _read(of) if of is not None else None
    return os.path.lexists(path) or (witness is not None and bool(witness.sha256))


def drop_note(path: Path) -> None:
    """Take a note away that counts no more, and what bears witness to it; raises OSError."""
    witness = witness_of(path)
    if witness is not None:
        witness.unlink(missing_ok=True)
    path.unlink(missing_ok=True)


def gone_notes(folder: Path) -> list[Path]:
    """The notes that lay in a folder or beneath it, and were deleted; in order of their paths."""
    base = _base(folder)
    if base is None:
        return []
    beneath, there = f"{_named(folder, base)}/", _witnesses(base)
    try:
        names = sorted(one.name for one in there.iterdir())[:_MOST]
    except (FileNotFoundError, NotADirectoryError):
        return []
    found = []
    for name in names:
        witness = _read(there / name) if name.endswith(".json") else None
        if witness is None or not witness.sha256 or not witness.note.startswith(beneath):
            continue
        path = base.joinpath(witness.note.partition("/")[2])
        # What tells of another place than its own is nobody's witness.
        if witness_of(path) == there / name and not os.path.lexists(path):
            found.append(path)
    return sorted(found)


def witness_of(path: Path) -> Path | None:
    """Where the witness of a note lies; None for what is in no folder of ours."""
    base = _base(path)
    if base is None:
        return None
    name = hashlib.sha256(_named(path, base).encode("utf-8", "surrogateescape")).hexdigest()
    return _witnesses(base) / f"{name[:40]}.json"


def _held(path: Path, of: Path | None, most: int) -> Found:
    witness = _read(of) if of is not None else None
    try:
        text = bounded_files.read_text(path, most)
    except (FileNotFoundError, NotADirectoryError):
        # One that never came to be has no digest yet.
        if witness is None or not witness.sha256:
            return Found(None)
        return Found(witness.text, f"its note of {witness.at} is gone", gone=True)
    if witness is not None and _sha256(text) not in (witness.sha256, witness.coming):
        return Found(text, f"its note is another than the one that was written at {witness.at}")
    return Found(text)


def _read(witness: Path) -> _Witness | None:
    try:
        return _Witness.model_validate_json(bounded_files.read_bytes(witness, _WITNESS_BYTES))
    except (OSError, ValidationError, RecursionError):
        return None


def _witnesses(base: Path) -> Path:
    """The folder of the witnesses of what lies in one of our two folders: in the other."""
    return (state_folder() if base == data_folder() else data_folder()) / _FOLDER


def _base(path: Path) -> Path | None:
    return next((one for one in (data_folder(), state_folder()) if path.is_relative_to(one)), None)


def _named(path: Path, base: Path) -> str:
    return f"{'data' if base == data_folder() else 'state'}/{path.relative_to(base)}"


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Nobody else writes a note meanwhile; raises OSError where somebody does for too long."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        until = time.monotonic() + _SECONDS
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.01)
        yield
    finally:
        os.close(descriptor)

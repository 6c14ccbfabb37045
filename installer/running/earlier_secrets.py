"""Secrets of a run's earlier sessions: told where they are others now, and masked all the same.

A run that goes on with another value of a secret may still meet the old one: a job that began
under it prints it late. So each session leaves two things of every secret in the run's folder,
both made with a key that lies outside of every run and support bundle, so that from neither
anybody gets the value: a keyed hash of the whole, by which another one is known, and marks of its
lines, a length and a keyed BLAKE2, for which a text can be searched.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import os
import secrets as randomness
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from foundation import bounded_files
from foundation.paths import data_folder
from foundation.secret_forms import SHORTEST
from foundation.secrets import Secret, know_marks
from foundation.wording import counted
from installer.record.witnessed import read_note, write_note

FILE: Final = "secret-marks.json"
_OLD_FILE: Final = "secrets.json"
_KEY_BYTES: Final = 32
_LARGEST: Final = 8 * 1024 * 1024
_SCHEMA: Final = "sitewright.secret-marks/1"
_MOST_MARKS: Final = 30_000
"""Marks that a run's folder keeps: some thousand lines of keys and chains, in a few sessions."""


class _Mark(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(max_length=200)
    length: int = Field(ge=SHORTEST, le=1 << 20)
    mark: str = Field(pattern=r"^[0-9a-f]{32}$")


class _Marks(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_: str = Field(alias="schema", pattern=_SCHEMA)
    marks: tuple[_Mark, ...] = Field(max_length=_MOST_MARKS)
    whole: dict[str, Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]] = Field(
        default_factory=dict, max_length=1_000
    )
    """By name: the hash of the value that the run works with."""
    made_with: str = Field(default="", pattern=r"^([0-9a-f]{32})?$")
    """Which key; an earlier version did not say."""


def remember(folder: Path, secrets: Mapping[str, Secret]) -> list[str]:
    """Note the secrets of this session in a run's folder, and know those of the earlier ones.

    Sentences on those that are others than before. Raises OSError.
    """
    key = own_key()
    values = {name: _hash_of(name, secret, key) for name, secret in secrets.items()}
    before, told = _read(folder)
    if before.made_with not in ("", _which(key)):
        told.append(
            "The key with which earlier sessions of this run noted their secrets is gone from this "
            "computer: where another secret is given now, the log is not searched for the first "
            "one, and whether it is another cannot be told."
        )
        before = before.model_copy(update={"marks": (), "whole": {}})
    now = {name: list(_marks(name, secret, key)) for name, secret in secrets.items()}
    current = {one for marks in now.values() for one in marks}
    # A command asks only for what it needs; what it did not ask for has no other value now.
    gone = [one for one in before.marks if one.name in secrets and one not in current]
    know_marks(key, {(one.length, one.mark) for one in gone})
    changed = [name for name, value in values.items() if before.whole.get(name, value) != value]
    kept = list(before.marks)
    for name, marks in now.items():
        new = sorted(set(marks) - set(kept), key=lambda one: one.mark)
        if len(kept) + len(new) > _MOST_MARKS:
            told.append(
                f"The secret {name} has {counted(len(marks), 'line')}, more than this run's "
                "folder keeps marks of. Should another be given later, the log of that session "
                "is not searched for this one."
            )
        else:
            kept += new
    if len(kept) > len(before.marks) or values.items() - before.whole.items():
        value = {
            "schema": _SCHEMA,
            "made_with": _which(key),
            "marks": [one.model_dump() for one in kept],
            "whole": {**before.whole, **values},
        }
        write_note(folder / FILE, json.dumps(value, indent=1) + "\n")
    return told + [
        f"The secret {name} is another than the one with which this run worked before. What was "
        "done with the first stands as it is."
        for name in changed
    ]


def own_key() -> bytes:
    """The key of the hashes and marks, which lies outside of every run; raises OSError."""
    path = data_folder() / "secrets.key"
    with contextlib.suppress(FileNotFoundError):
        key = bounded_files.read_bytes(path, _LARGEST)
        if len(key) == _KEY_BYTES:
            return key
    key = randomness.token_bytes(_KEY_BYTES)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(key)
    return key


def _which(key: bytes) -> str:
    """What tells a key from another, and nothing of it."""
    return hashlib.blake2b(b"which key", key=key, digest_size=16).hexdigest()


def _hash_of(name: str, secret: Secret, key: bytes) -> str:
    return hmac.digest(key, f"{name}\0{secret.reveal()}".encode(), "sha256").hex()


def _marks(name: str, secret: Secret, key: bytes) -> Iterator[_Mark]:
    for line in dict.fromkeys(secret.reveal().splitlines()):
        if len(line) >= SHORTEST:
            yield _Mark(name=name, length=len(line), mark=mark_of(line, key))


def mark_of(text: str, key: bytes) -> str:
    """The mark of a text."""
    raw = text.encode("utf-8", "surrogatepass")
    return hashlib.blake2b(raw, key=key, digest_size=16).hexdigest()


def _read(folder: Path) -> tuple[_Marks, list[str]]:
    """What earlier sessions noted, and what is to be told of it where it cannot be read."""
    found, told = _Marks.model_validate({"schema": _SCHEMA, "marks": ()}), []
    unsearched = "where another secret is given now, the log is not searched for the first one."
    noted = f"What earlier sessions of this run noted of their secrets ({FILE})"
    try:
        note = read_note(folder / FILE, _LARGEST)
        if note.wrong and (note.exchanged or note.text is None):
            told.append(f"{noted} is not there as it was written, since {note.wrong}: {unsearched}")
        if note.text is not None:
            found = _Marks.model_validate_json(note.text)
    except (OSError, ValueError):
        told.append(f"{noted} cannot be read: {unsearched}")
    if found.whole:
        return found, told
    # Runs of earlier versions kept the hashes apart.
    try:
        with bounded_files.opened(folder / _OLD_FILE) as file:
            old = json.loads(file.read(_LARGEST))
        kept = {"schema": _SCHEMA, "marks": (), "whole": old}
        return found.model_copy(update={"whole": _Marks.model_validate(kept).whole}), told
    except (OSError, ValueError, RecursionError):
        return found, told

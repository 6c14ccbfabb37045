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

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from foundation.paths import data_folder, write_private
from foundation.secret_forms import SHORTEST
from foundation.secrets import Secret, know_marks

FILE: Final = "secret-marks.json"
_OLD_FILE: Final = "secrets.json"
_KEY_BYTES: Final = 32
_LARGEST: Final = 4 * 1024 * 1024
_SCHEMA: Final = "sitewright.secret-marks/1"
_MOST_LINES: Final = 100
"""Lines of a secret that is a file; the first of a key's lines are what a log would show."""


class _Mark(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(max_length=200)
    length: int = Field(ge=SHORTEST, le=1 << 20)
    mark: str = Field(pattern=r"^[0-9a-f]{32}$")


class _Marks(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_: str = Field(alias="schema", pattern=_SCHEMA)
    marks: tuple[_Mark, ...] = Field(max_length=10_000)
    whole: dict[str, Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]] = Field(
        default_factory=dict, max_length=1_000
    )
    """By name: the hash of the value that the run works with."""


def remember(folder: Path, secrets: Mapping[str, Secret]) -> list[str]:
    """Note the secrets of this session in a run's folder, and know those of the earlier ones.

    Sentences on those that are others than before. Raises OSError.
    """
    key = own_key()
    now = {one for name, secret in secrets.items() for one in _marks(name, secret, key)}
    values = {name: _hash_of(name, secret, key) for name, secret in secrets.items()}
    before = _read(folder)
    # A command asks only for what it needs; what it did not ask for has no other value now.
    gone = [one for one in before.marks if one.name in secrets and one not in now]
    know_marks(key, {(one.length, one.mark) for one in gone})
    changed = [name for name, value in values.items() if before.whole.get(name, value) != value]
    new = sorted(now - set(before.marks), key=lambda one: (one.name, one.mark))
    if new or values.items() - before.whole.items():
        marks = [one.model_dump() for one in (*before.marks, *new)]
        value = {"schema": _SCHEMA, "marks": marks, "whole": {**before.whole, **values}}
        write_private(folder / FILE, json.dumps(value, indent=1) + "\n")
    return [
        f"The secret {name} is another than the one with which this run worked before. What was "
        "done with the first stands as it is."
        for name in changed
    ]


def own_key() -> bytes:
    """The key of the hashes and marks, which lies outside of every run; raises OSError."""
    path = data_folder() / "secrets.key"
    with contextlib.suppress(FileNotFoundError):
        key = path.read_bytes()
        if len(key) == _KEY_BYTES:
            return key
    key = randomness.token_bytes(_KEY_BYTES)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(key)
    return key


def _hash_of(name: str, secret: Secret, key: bytes) -> str:
    return hmac.digest(key, f"{name}\0{secret.reveal()}".encode(), "sha256").hex()


def _marks(name: str, secret: Secret, key: bytes) -> Iterator[_Mark]:
    for line in secret.reveal().splitlines()[:_MOST_LINES]:
        if len(line) >= SHORTEST:
            yield _Mark(name=name, length=len(line), mark=mark_of(line, key))


def mark_of(text: str, key: bytes) -> str:
    """The mark of a text."""
    raw = text.encode("utf-8", "surrogatepass")
    return hashlib.blake2b(raw, key=key, digest_size=16).hexdigest()


def _read(folder: Path) -> _Marks:
    """What earlier sessions noted; nothing where the file is not there or is none of ours."""
    nothing = _Marks.model_validate({"schema": _SCHEMA, "marks": ()})
    try:
        with (folder / FILE).open("rb") as file:
            found = _Marks.model_validate_json(file.read(_LARGEST))
    except (FileNotFoundError, ValidationError):
        found = nothing
    if found.whole:
        return found
    # Runs of earlier versions kept the hashes apart.
    try:
        with (folder / _OLD_FILE).open("rb") as file:
            old = json.loads(file.read(_LARGEST))
        kept = {"schema": _SCHEMA, "marks": (), "whole": old}
        return found.model_copy(update={"whole": _Marks.model_validate(kept).whole})
    except (OSError, ValueError, RecursionError):
        return found

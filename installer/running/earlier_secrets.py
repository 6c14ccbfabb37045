"""Secrets of a run's earlier sessions: known to the redactor again, and kept by nobody.

A run that goes on with another value of a secret may still meet the old one: a job that began
under it prints it late. So each session leaves a mark of every secret in the run's folder: its
length, and its BLAKE2 keyed with a key that lies outside of every run and support bundle. From a
mark nobody gets the value, and a text can be searched for it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from foundation.paths import write_private
from foundation.secret_forms import SHORTEST
from foundation.secrets import Secret, know_marks
from installer.secrets_noted import own_key

FILE: Final = "secret-marks.json"
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


def remember(folder: Path, secrets: Mapping[str, Secret]) -> None:
    """Mark the secrets of this session in a run's folder, and know those of the earlier ones.

    Raises OSError.
    """
    key = own_key()
    now = {one for name, secret in secrets.items() for one in _marks(name, secret, key)}
    before = _read(folder / FILE)
    # A command asks only for what it needs; what it did not ask for has no other value now.
    gone = [one for one in before if one.name in secrets and one not in now]
    know_marks(key, {(one.length, one.mark) for one in gone})
    if new := sorted(now - set(before), key=lambda one: (one.name, one.mark)):
        value = {"schema": _SCHEMA, "marks": [one.model_dump() for one in (*before, *new)]}
        write_private(folder / FILE, json.dumps(value, indent=1) + "\n")


def _marks(name: str, secret: Secret, key: bytes) -> Iterator[_Mark]:
    for line in secret.reveal().splitlines()[:_MOST_LINES]:
        if len(line) >= SHORTEST:
            yield _Mark(name=name, length=len(line), mark=mark_of(line, key))


def mark_of(text: str, key: bytes) -> str:
    """The mark of a text."""
    raw = text.encode("utf-8", "surrogatepass")
    return hashlib.blake2b(raw, key=key, digest_size=16).hexdigest()


def _read(path: Path) -> tuple[_Mark, ...]:
    """The marks of earlier sessions; none where the file is not there or is none of ours."""
    try:
        return _Marks.model_validate_json(path.read_bytes()).marks
    except (FileNotFoundError, ValidationError):
        return ()

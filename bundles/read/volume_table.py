"""The table at the end of every volume: what was cut, and the hash of every block."""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from bundles.format import budgets
from bundles.format.layout import Digest, Size
from bundles.format.problems import CorruptBundle, HostileBundle
from bundles.format.strict_json import canonical_json, parse_model
from foundation import bounded_files
from foundation.problems import InputProblem

_MAGIC: Final = b"SITEWRIGHT-VOLUME-1\n"
_TAIL: Final = struct.Struct(">Q32s20s")
"""Bytes of the table, its SHA-256, the magic word."""
TABLE_LIMIT: Final = budgets.VOLUME_TABLE_BYTES

_File = Annotated[
    str, StringConstraints(pattern=r"^[^/\x00-\x1f]{1,200}\.volume(P[0-9]{3}|[0-9]{4})$")
]
_Hash = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class Volume(BaseModel):
    """One volume: its file, the bytes of the bundle that it holds, the hash of each block."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    file: _File
    size: Size
    blocks: tuple[_Hash, ...]


class Table(BaseModel):
    """All volumes of one cut."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    schema_: Literal["sitewright.bundle-volumes/1"] = Field(
        default="sitewright.bundle-volumes/1", alias="schema"
    )
    name: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    length: Size
    stream: Digest
    payload: Annotated[int, Field(gt=0)]
    block: Annotated[int, Field(gt=0, le=1 << 30)]
    group: Annotated[int, Field(ge=1, le=100)]
    data: Annotated[tuple[Volume, ...], Field(min_length=1, max_length=9999)]
    parity: Annotated[tuple[Volume, ...], Field(max_length=9999)]

    @model_validator(mode="after")
    def _agrees(self) -> Table:
        count = len(self.data)
        if sum(volume.size for volume in self.data) != self.length:
            raise ValueError("the volumes are not as long as the bundle")
        if any(volume.size != self.payload for volume in self.data[:-1]):
            raise ValueError("the volumes are not of one size")
        if len(self.parity) != -(-count // self.group):
            raise ValueError("a group has no parity volume")
        for volume in (*self.data, *self.parity):
            if volume.size > self.payload or len(volume.blocks) != -(-volume.size // self.block):
                raise ValueError("a volume has another number of blocks")
        if len({volume.file for volume in (*self.data, *self.parity)}) != count + len(self.parity):
            raise ValueError("a volume stands twice")
        return self


def pack_table(table: Table) -> bytes:
    """The table as it follows the contents of every volume."""
    raw = canonical_json(table.model_dump(mode="json", by_alias=True))
    return raw + _TAIL.pack(len(raw), hashlib.sha256(raw).digest(), _MAGIC)


def table_size(data: int, parity: int, payload: int, block: int) -> int:
    """Bytes that a table may have at most; for planning."""
    a_volume = 400 + 80 * -(-payload // block)
    return 2000 + (data + parity) * a_volume


def read_table(files: Sequence[Path]) -> Table:
    """The table that the volumes agree on; raises CorruptBundle, HostileBundle, InputProblem."""
    found: dict[bytes, Path] = {}
    for path in files:
        raw = _raw_table(path)
        if raw is not None:
            found.setdefault(raw, path)
    if not found:
        raise CorruptBundle(
            "no volume has a table that can be read: all are cut off or damaged at their end",
            where=str(files[0].parent),
        )
    if len(found) > 1:
        one, other = list(found.values())[:2]
        raise InputProblem(
            f"{one.name} and {other.name} come from different cuts",
            where=str(one.parent),
            remedy="Give the volumes of one cut only.",
        )
    raw, path = next(iter(found.items()))
    return parse_model(Table, raw, where=str(path), limit=TABLE_LIMIT)


def _raw_table(path: Path) -> bytes | None:
    try:
        with bounded_files.opened(path) as file:
            size = os.fstat(file.fileno()).st_size
            if size < _TAIL.size:
                return None
            file.seek(size - _TAIL.size)
            length, digest, magic = _TAIL.unpack(file.read(_TAIL.size))
            if magic != _MAGIC or length > size - _TAIL.size:
                return None
            if length > TABLE_LIMIT:
                raise HostileBundle(f"its table would have {length} bytes", where=str(path))
            file.seek(size - _TAIL.size - length)
            raw = file.read(length)
    except OSError as error:
        raise InputProblem(
            f"the volume cannot be read: {error.strerror or error}", where=str(path)
        ) from error
    return raw if hashlib.sha256(raw).digest() == digest else None

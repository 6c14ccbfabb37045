"""What can be had at an address: a small document, a blob of the bundle, or a file made for it.

A request is answered by looking its path up in a table; no path of a request ever becomes a path
of this machine.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bundles.format.problems import HostileBundle

OCTETS: Final = "application/octet-stream"
TEXT: Final = "text/plain; charset=utf-8"
HTML: Final = "text/html; charset=utf-8"
JSON: Final = "application/json"

_FILE_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+~!@=-]{0,254}")


@dataclass(frozen=True, slots=True)
class Written:
    """A document that was written at the start and is kept in memory."""

    body: bytes
    media_type: str = TEXT


@dataclass(frozen=True, slots=True)
class Stored:
    """A blob of the bundle; its digest and size in bytes are those of the verified index."""

    digest: str
    size: int
    item: str
    """The kind and name of the item that it belongs to, for the log."""
    media_type: str = OCTETS


@dataclass(frozen=True, slots=True)
class Local:
    """A file that was made from the bundle for serving, in a private folder; size in bytes."""

    path: Path
    size: int
    item: str
    media_type: str = OCTETS


Resource = Written | Stored | Local
Table = Mapping[str, Resource]
"""Resources by their paths, without the first slash."""


def is_file_name(text: str) -> bool:
    """Whether a name may be the last part of an address: no slash, no sign that needs care."""
    return _FILE_NAME.fullmatch(text) is not None


def add(table: dict[str, Resource], path: str, resource: Resource, *, where: str) -> None:
    """Put a resource into a table; raises HostileBundle where another one has its path."""
    if table.setdefault(path, resource) != resource:
        raise HostileBundle(f"two things of it would be served as {path}", where=where)

"""A packaged Helm chart, read as a hostile archive: in memory, bounded, ordinary files only."""

from __future__ import annotations

import gzip
import io
import tarfile
import zlib
from typing import Any, BinaryIO, Final

from bundles.format import budgets
from bundles.format.problems import HostileBundle
from bundles.format.tar_stream import Budget, TooMuch, members

_MOST_BYTES: Final = budgets.CHART_UNPACKED_BYTES
_MOST_FILES: Final = budgets.CHART_FILES
DEEPEST: Final = budgets.CHART_DEPTH
"""Charts inside charts."""
READ: Final = (".yaml", ".yml", ".tpl", ".json")
"""What the files end with that are looked into."""


def is_read(path: str) -> bool:
    """Whether a file of a chart is looked into; of templates Helm renders all but the notes."""
    name = path.rpartition("/")[2]
    return path.endswith(READ) or ("/templates/" in path and name != "NOTES.txt")


def unpack_chart(file: BinaryIO, where: str, *, whole: bool = False) -> dict[str, bytes]:
    """The files of a chart that may name something, and of those inside it, by their paths.

    `whole` gives every file as it lies there instead, charts inside as the archives that they are.
    Raises HostileBundle for an archive that no chart is.
    """
    files: dict[str, bytes] = {}
    budget = Budget(_MOST_BYTES, _MOST_FILES)
    _unpack(file, files, "", where, budget, depth=0, whole=whole)
    return files


def _unpack(
    file: Any,
    files: dict[str, bytes],
    prefix: str,
    where: str,
    budget: Budget,
    *,
    depth: int,
    whole: bool = False,
) -> None:
    try:
        # Helm writes an extra field into gzip's header, which tarfile's own reader stumbles over.
        with (
            gzip.GzipFile(fileobj=file, mode="rb") as unpacked,
            members(unpacked, budget) as (tar, found),
        ):
            for member in found:
                parts = member.name.split("/")
                if member.isdir():
                    continue
                if not member.isreg() or member.name.startswith("/") or ".." in parts:
                    raise HostileBundle(f"{member.name[:100]!r} leaves the chart", where=where)
                if member.size > budget.bytes:
                    raise HostileBundle("unpacked it would be too large for a chart", where=where)
                content = tar.extractfile(member)
                raw = content.read() if content else b""
                inner = prefix + member.name
                if inner in files:
                    raise HostileBundle(f"{member.name[:100]!r} stands in it twice", where=where)
                if whole:
                    files[inner] = raw
                elif len(parts) > 2 and parts[-2] == "charts" and inner.endswith(".tgz"):
                    if depth >= DEEPEST:
                        raise HostileBundle("charts are in charts without end", where=where)
                    folder = inner.rpartition("/")[0] + "/"
                    _unpack(io.BytesIO(raw), files, folder, where, budget, depth=depth + 1)
                elif is_read(inner):
                    files[inner] = raw
    except TooMuch as error:
        raise HostileBundle(f"it is too large for a chart: {error}", where=where) from error
    except (tarfile.TarError, zlib.error, OSError, EOFError, ValueError) as error:
        raise HostileBundle(f"it cannot be unpacked: {error}", where=where) from error

"""A packaged Helm chart, read as a hostile archive: in memory, bounded, ordinary files only."""

from __future__ import annotations

import gzip
import io
import tarfile
import zlib
from typing import Any, BinaryIO, Final

from bundles import budgets
from bundles.problems import HostileBundle

_MOST_BYTES: Final = budgets.CHART_UNPACKED_BYTES
_MOST_FILES: Final = budgets.CHART_FILES
DEEPEST: Final = budgets.CHART_DEPTH
"""Charts inside charts."""
READ: Final = (".yaml", ".yml", ".tpl", ".json")
"""What the files end with that are looked into."""


def unpack_chart(file: BinaryIO, where: str) -> dict[str, bytes]:
    """The files of a chart that may name something, and of those inside it, by their paths.

    Raises HostileBundle for an archive that no chart is.
    """
    files: dict[str, bytes] = {}
    _unpack(file, files, "", where, depth=0)
    return files


def _unpack(file: Any, files: dict[str, bytes], prefix: str, where: str, *, depth: int) -> None:
    try:
        # Helm writes an extra field into gzip's header, which tarfile's own reader stumbles over.
        with (
            gzip.GzipFile(fileobj=file, mode="rb") as unpacked,
            tarfile.open(fileobj=unpacked, mode="r|") as tar,
        ):
            used = sum(map(len, files.values()))
            for member in tar:
                parts = member.name.split("/")
                if member.isdir():
                    continue
                if not member.isreg() or member.name.startswith("/") or ".." in parts:
                    raise HostileBundle(f"{member.name[:100]!r} leaves the chart", where=where)
                if used + member.size > _MOST_BYTES or len(files) >= _MOST_FILES:
                    raise HostileBundle("unpacked it would be too large for a chart", where=where)
                content = tar.extractfile(member)
                raw = content.read() if content else b""
                used += len(raw)
                inner = prefix + member.name
                if inner in files:
                    raise HostileBundle(f"{member.name[:100]!r} stands in it twice", where=where)
                if len(parts) > 2 and parts[-2] == "charts" and inner.endswith(".tgz"):
                    if depth >= DEEPEST:
                        raise HostileBundle("charts are in charts without end", where=where)
                    folder = inner.rpartition("/")[0] + "/"
                    _unpack(io.BytesIO(raw), files, folder, where, depth=depth + 1)
                elif inner.endswith(READ):
                    files[inner] = raw
    except (tarfile.TarError, zlib.error, OSError, EOFError, ValueError) as error:
        raise HostileBundle(f"it cannot be unpacked: {error}", where=where) from error

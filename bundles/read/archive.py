"""A bundle as one file: a tar in one canonical form, so that every byte of it is known.

The order is oci-layout, index.json, its signature, install.sh, then the blobs by digest; every
header is the one that this module writes, the padding is zero, and nothing follows the end. `tar`,
`skopeo` and `podman` read it; a link, a device, a foreign path, a name given twice or a flipped bit
in a header cannot be expressed in it, so all of them are refused in the same way.
"""

from __future__ import annotations

import os
import re
import stat
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from bundles.format import budgets
from bundles.format.layout import LARGEST_BLOB
from bundles.format.problems import HostileBundle
from bundles.read.opened import DOCUMENTS, BlobReader, Bundle, document_limit
from foundation.problems import InputProblem

_BLOCK: Final = tarfile.BLOCKSIZE
_END: Final = bytes(2 * _BLOCK)
_BLOB: Final = re.compile(r"blobs/sha256/([0-9a-f]{64})")
_MOST_BLOBS: Final = budgets.ARCHIVE_BLOBS


def header(name: str, size: int) -> bytes:
    """The one tar header that a file of this name and size in bytes may have."""
    info = tarfile.TarInfo(name)
    info.size = size
    info.mode = 0o644
    return info.tobuf(tarfile.GNU_FORMAT, "ascii", "strict")


def padding(size: int) -> int:
    """Zero bytes that follow a file of this size in bytes."""
    return -size % _BLOCK


def archive_size(sizes: Mapping[str, int], documents: Mapping[str, int]) -> int:
    """Bytes of the file that a bundle becomes."""
    contents = [*sizes.values(), *documents.values()]
    return sum(_BLOCK + size + padding(size) for size in contents) + len(_END)


def archive_chunks(bundle: Bundle) -> Iterator[bytes | memoryview]:
    """A bundle as the bytes of one file, in pieces; a piece is valid until the next is taken."""
    for name in DOCUMENTS:
        raw = bundle.document(name)
        if raw is not None:
            yield header(name, len(raw)) + raw + bytes(padding(len(raw)))
    for digest in sorted(bundle.blobs):
        with bundle.blob(digest) as reader:
            yield header(f"blobs/sha256/{digest.removeprefix('sha256:')}", reader.size)
            done = 0
            for chunk in reader.chunks():
                done += len(chunk)
                yield chunk
            if done != reader.size:
                raise HostileBundle(f"{digest} became shorter", where=str(bundle.path))
            yield bytes(padding(reader.size))
    yield _END


class ArchiveBundle:
    """A bundle in one file, read in place."""

    strays: tuple[str, ...] = ()

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            self._places = self._scan()
        except BaseException:
            self.close()
            raise
        self._sizes = {
            "sha256:" + found[1]: size
            for name, (_, size) in self._places.items()
            if (found := _BLOB.fullmatch(name))
        }

    @property
    def blobs(self) -> Mapping[str, int]:
        """Digest and size in bytes of every blob that is there."""
        return self._sizes

    def document(self, name: str) -> bytes | None:
        """A document of the bundle; None where it is missing."""
        place = self._places.get(name)
        return BlobReader(self._descriptor, *place).read() if place else None

    @contextmanager
    def blob(self, digest: str) -> Iterator[BlobReader]:
        """One blob, open for reading; raises HostileBundle if it is not there."""
        place = self._places.get("blobs/sha256/" + digest.removeprefix("sha256:"))
        if place is None:
            raise self._hostile(f"{digest[:100]} is missing")
        yield BlobReader(self._descriptor, *place)

    def close(self) -> None:
        """Let go of the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _scan(self) -> dict[str, tuple[int, int]]:
        found = os.fstat(self._descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise InputProblem(
                "it is neither a folder nor a file", where=str(self.path), remedy="Name a bundle."
            )
        places: dict[str, tuple[int, int]] = {}
        last = -1, ""
        at = 0
        while at + len(_END) < found.st_size:
            name, size = self._header(at)
            order = (DOCUMENTS.index(name) if name in DOCUMENTS else len(DOCUMENTS), name)
            if order <= last:
                raise self._hostile(f"{name} stands twice, or in the wrong place")
            if len(places) > _MOST_BLOBS:
                raise self._hostile(f"it has more than {_MOST_BLOBS} files")
            end = at + _BLOCK + size + padding(size)
            if end + len(_END) > found.st_size:
                raise self._hostile(f"it ends in the middle of {name}: it was cut off")
            if any(os.pread(self._descriptor, padding(size), at + _BLOCK + size)):
                raise self._hostile(f"something stands between {name} and the next file")
            places[name] = (at + _BLOCK, size)
            last, at = order, end
        if os.pread(self._descriptor, len(_END), at) != _END or at + len(_END) != found.st_size:
            raise self._hostile("it does not end as a bundle ends: it was cut off, or changed")
        return places

    def _header(self, at: int) -> tuple[str, int]:
        raw = os.pread(self._descriptor, _BLOCK, at)
        try:
            info = tarfile.TarInfo.frombuf(raw, "ascii", "strict")
        except (tarfile.HeaderError, UnicodeError, ValueError) as error:
            raise self._hostile(
                f"no file begins at byte {at}: it is damaged, or no bundle"
            ) from error
        name = info.name if info.name.isprintable() else repr(info.name)
        if info.name not in DOCUMENTS and not _BLOB.fullmatch(info.name):
            raise self._hostile(f"{name[:200]} has no place in a bundle")
        limit = document_limit(info.name) if info.name in DOCUMENTS else LARGEST_BLOB
        if not 0 <= info.size <= limit:
            raise self._hostile(f"{name} would have {info.size} bytes, more than {limit}")
        if header(info.name, info.size) != raw:
            what = "no ordinary file" if not info.isreg() else "not written as a bundle writes it"
            raise self._hostile(f"{name} is {what}")
        return info.name, info.size

    def _hostile(self, cause: str) -> HostileBundle:
        return HostileBundle(cause, where=str(self.path))

"""A bundle opened to be read: the same few questions, whether it is a folder or one file.

Nothing of a bundle is reached by a path: a folder is opened once, and everything below it through
that descriptor, without following a link; a file is read at the places that its headers state,
after all of them were found to be canonical.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from bundles.format.layout import (
    INDEX_LIMIT,
    INDEX_NAME,
    INSTALL_LIMIT,
    INSTALL_NAME,
    LAYOUT_NAME,
    LAYOUT_TEXT,
    SIGNATURE_LIMIT,
    SIGNATURE_NAME,
)
from bundles.format.problems import HostileBundle
from foundation.problems import InputProblem

CHUNK: Final = 1 << 20
"""Bytes read at a time: large enough that hashing lets the other threads run."""


@dataclass(frozen=True, slots=True)
class BlobReader:
    """The bytes of one blob: a range of an open file."""

    descriptor: int
    offset: int
    size: int

    def chunks(self, buffer: bytearray | None = None) -> Iterator[memoryview]:
        """The bytes in order, in one buffer that is used again; ends early if the file does."""
        view = memoryview(buffer if buffer is not None else bytearray(min(CHUNK, self.size or 1)))
        at = 0
        while at < self.size:
            wanted = min(len(view), self.size - at)
            got = os.preadv(self.descriptor, [view[:wanted]], self.offset + at)
            if not got:
                return
            yield view[:got]
            at += got

    def read(self) -> bytes:
        """All of it; for what is known to be small."""
        return b"".join(bytes(chunk) for chunk in self.chunks())


class Bundle(Protocol):
    """An open bundle."""

    path: Path

    @property
    def blobs(self) -> Mapping[str, int]:
        """Digest and size in bytes of every blob that is there."""

    @property
    def strays(self) -> tuple[str, ...]:
        """Names of whatever else lies in it and belongs to no bundle."""

    def document(self, name: str) -> bytes | None:
        """One of DOCUMENTS; None where it is missing."""

    def blob(self, digest: str) -> AbstractContextManager[BlobReader]:
        """One blob, open for reading; raises HostileBundle if it is not there."""

    def close(self) -> None:
        """Let go of every descriptor."""


def document_limit(name: str) -> int:
    """The largest size in bytes that a document of a bundle may have."""
    limits = {
        INDEX_NAME: INDEX_LIMIT,
        SIGNATURE_NAME: SIGNATURE_LIMIT,
        INSTALL_NAME: INSTALL_LIMIT,
    }
    return limits.get(name, len(LAYOUT_TEXT))


DOCUMENTS: Final = (LAYOUT_NAME, INDEX_NAME, SIGNATURE_NAME, INSTALL_NAME)


@contextmanager
def open_bundle(path: Path) -> Iterator[Bundle]:
    """Open a bundle, a folder or one file; raises InputProblem, HostileBundle."""
    from bundles.read.archive import ArchiveBundle
    from bundles.read.folder import FolderBundle

    try:
        bundle: Bundle = FolderBundle(path) if path.is_dir() else ArchiveBundle(path)
    except OSError as error:
        raise InputProblem(
            f"the bundle cannot be opened: {error.strerror or error}",
            where=str(path),
            remedy="Name the folder or the file that `sitewright bundle create` made.",
        ) from error
    try:
        yield bundle
    finally:
        bundle.close()


def read_document(bundle: Bundle, name: str) -> bytes:
    """A document that must be there; raises HostileBundle if it is missing or too large."""
    raw = bundle.document(name)
    if raw is None:
        raise HostileBundle(
            f"{name} is missing",
            where=str(bundle.path),
            remedy="If it is being made, run `sitewright bundle create` again to finish it; "
            "else copy it again, whole.",
        )
    return raw


def read_small(bundle: Bundle, digest: str, size: int, limit: int) -> bytes:
    """A small blob whose bytes were compared with its digest; raises HostileBundle."""
    from bundles.format.strict_json import digest_of

    if size > limit:
        raise HostileBundle(f"{digest} has {size} bytes, more than {limit}", where=str(bundle.path))
    with bundle.blob(digest) as reader:
        if reader.size != size:
            raise HostileBundle(
                f"{digest} has {reader.size} bytes, and the index says {size}",
                where=str(bundle.path),
            )
        raw = reader.read()
    if digest_of(raw) != digest:
        raise HostileBundle(f"the bytes of {digest} are not its own", where=str(bundle.path))
    return raw

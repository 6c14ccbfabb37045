"""Whether a blob is still the one that was verified, asked each time before it is given out.

The file system changes a file's times, and its inode when it is replaced, whenever somebody
writes; so a look at them tells, and only what was touched is hashed again. Bytes that rot on the
medium without a write are beyond it: there, the clients' own digests tell.
"""

from __future__ import annotations

import hashlib
import os
import threading
from typing import Final

from bundles.format.problems import CorruptBundle
from bundles.read.opened import BlobReader, Bundle

_Mark = tuple[int, int, int, int, int]
_LOCKS: Final = 16


class Unchanged:
    """What the files of a bundle looked like when they were verified."""

    def __init__(self, bundle: Bundle) -> None:
        self._where = str(bundle.path)
        self._marks: dict[str, _Mark] = {}
        # Two requests for one blob need not hash it twice; two blobs seldom wait for each other.
        self._locks = tuple(threading.Lock() for _ in range(_LOCKS))
        for digest in bundle.blobs:
            with bundle.blob(digest) as reader:
                self._marks[digest] = _mark(reader)

    def check(self, digest: str, reader: BlobReader) -> None:
        """Raise CorruptBundle if the blob is not what its digest says any more."""
        if self._marks.get(digest) == _mark(reader):
            return
        with self._locks[int(digest[-2:], 16) % _LOCKS]:
            before = _mark(reader)
            if self._marks.get(digest) == before:
                return
            digesting = hashlib.sha256()
            for chunk in reader.chunks():
                digesting.update(chunk)
            if "sha256:" + digesting.hexdigest() != digest or _mark(reader) != before:
                raise CorruptBundle(
                    f"{digest} was changed while the bundle was served", where=self._where
                )
            self._marks[digest] = before

    def same(self, digest: str, reader: BlobReader) -> bool:
        """Whether it was not touched since `check`."""
        return self._marks.get(digest) == _mark(reader)


def _mark(reader: BlobReader) -> _Mark:
    found = os.fstat(reader.descriptor)
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)

"""The blobs of a bundle that is being made: content-addressed, written once, resumable.

A blob is written to a file of its own in the work folder, compared with its digest, and only then
given its name. A large one is synced before that; small ones are synced together at the end, and
one that an earlier run left is read again before it counts; so whatever counts is whole, after any
interruption. A download that broke off keeps what it has and goes on from there; the whole is
compared again at its end.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bundles.format.problems import WrongContent
from bundles.format.strict_json import digest_of
from bundles.read.folder import WORK_NAME
from bundles.read.opened import CHUNK
from foundation.problems import InputProblem

LARGE: Final = 1 << 20
"""Bytes from which on a blob is synced by itself, and not read again."""


@dataclass(frozen=True, slots=True)
class Blob:
    """One blob of a store: its digest and its size in bytes."""

    digest: str
    size: int


class Partial:
    """A blob on its way into the store; `received` bytes of it are there already.

    A context: leaving it without `finish` keeps what is there for the next attempt.
    """

    def __init__(self, store: Store, path: Path, digest: str | None, size: int | None) -> None:
        self._store = store
        self._path = path
        self._digest = digest
        self._size = size
        self._file = path.open("ab", buffering=0)
        self._hash = hashlib.sha256()
        self._other = _other_hash(digest)
        self.received = 0
        self._read_again()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Append bytes; raises WrongContent when there are more than there may be."""
        self.received += len(data)
        if self._size is not None and self.received > self._size:
            self.restart()
            raise WrongContent(f"more than the {self._size} bytes that were announced came in")
        self._update(data)
        view = memoryview(data)
        try:
            while view:
                view = view[self._file.write(view) or 0 :]
        except OSError as error:
            raise cannot_write(error, self._store.root) from error

    def expect(self, size: int) -> None:
        """Set the size that a server announced, where none was known."""
        if self._size is None:
            self._size = size

    def restart(self) -> None:
        """Forget what is there."""
        self._file.truncate(0)
        self._hash = hashlib.sha256()
        self._other = _other_hash(self._digest)
        self.received = 0

    def finish(self) -> Blob:
        """Compare the whole with its digest and give it its name; raises WrongContent."""
        digest = "sha256:" + self._hash.hexdigest()
        came = "sha3-384:" + self._other.hexdigest() if self._other else digest
        size = self.received
        if (self._digest or came) != came or (self._size is not None and self._size != size):
            self.restart()
            raise WrongContent(
                f"{size} bytes with the digest {came} came in, and "
                f"{self._digest or 'any digest'} with {self._size} bytes was expected"
            )
        try:
            if size >= LARGE:
                os.fsync(self._file.fileno())
            self._store.name(self._path, digest, size)
            if came != digest:
                self._store.note(came, digest)
        except OSError as error:
            raise cannot_write(error, self._store.root) from error
        return Blob(digest, size)

    def __enter__(self) -> Partial:
        return self

    def __exit__(self, *details: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file; what is in it stays for the next attempt."""
        self._file.close()

    def _read_again(self) -> None:
        buffer = memoryview(bytearray(CHUNK))
        with self._path.open("rb", buffering=0) as there:
            while got := there.readinto(buffer):
                self._update(buffer[:got])
                self.received += got
        if self._size is not None and self.received > self._size:
            self.restart()

    def _update(self, data: bytes | bytearray | memoryview) -> None:
        self._hash.update(data)
        if self._other is not None:
            self._other.update(data)


class Store:
    """The folder of a bundle under construction."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.work = root / WORK_NAME
        self._blobs = root / "blobs" / "sha256"
        self._partial = self.work / "partial"
        self._others = self.work / "others"
        self._unsynced: set[str] = set()
        self._sure: set[str] = set()
        """Small blobs that this run wrote, or read again."""
        try:
            for folder in (self._blobs, self._partial):
                folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputProblem(
                f"the bundle's folder cannot be made: {error.strerror or error}", where=str(root)
            ) from error

    def path(self, digest: str) -> Path:
        """Where a blob is, or would be."""
        return self._blobs / digest.removeprefix("sha256:")

    def has(self, digest: str, size: int | None = None) -> bool:
        """Whether a blob is there, whole."""
        path = self.path(digest)
        try:
            found = path.lstat().st_size
            if (size is not None and found != size) or found >= LARGE or digest in self._sure:
                return size is None or found == size
            # It may be of a run that ended with the power, before its bytes were on the medium.
            if digest_of(path.read_bytes()) != digest:
                path.unlink()
                return False
        except FileNotFoundError:
            return False
        self._sure.add(digest)
        return True

    def find(self, digest: str, size: int) -> Blob | None:
        """A blob that is there, whole, by its digest or by the other hash that it came under."""
        if digest.startswith("sha3-384:"):
            try:
                digest = (self._others / _hexadecimal(digest)).read_text("ascii")
            except OSError:
                return None
        return Blob(digest, size) if self.has(digest, size) else None

    def note(self, other: str, digest: str) -> None:
        """Remember, until the bundle is finished, which blob came under another hash."""
        self._others.mkdir(exist_ok=True)
        (self._others / _hexadecimal(other)).write_text(digest, "ascii")

    def read(self, digest: str) -> bytes:
        """A small blob that is there."""
        return self.path(digest).read_bytes()

    def begin(self, digest: str, size: int | None) -> Partial:
        """Begin, or go on with, a blob of a known digest: its own, or a sha3-384:…"""
        return Partial(self, self._partial / _hexadecimal(digest), digest, size)

    def add(self, data: bytes) -> Blob:
        """Bytes as a blob."""
        blob = Blob(digest_of(data), len(data))
        if not self.has(blob.digest, blob.size):
            with Partial(self, self._fresh(blob.digest), blob.digest, blob.size) as partial:
                partial.write(data)
                partial.finish()
        return blob

    def adopt(self, source: Path, *, digest: str | None = None, size: int | None = None) -> Blob:
        """A file from elsewhere as a blob, copied; raises WrongContent, OSError."""
        if digest is not None and self.has(digest, size):
            return Blob(digest, self.path(digest).stat().st_size)
        name = digest or "sha256:" + hashlib.sha256(str(source).encode()).hexdigest()
        buffer = memoryview(bytearray(CHUNK))
        with (
            source.open("rb", buffering=0) as there,
            Partial(self, self._fresh(name), digest, size) as partial,
        ):
            while got := there.readinto(buffer):
                partial.write(buffer[:got])
            return partial.finish()

    def name(self, path: Path, digest: str, size: int) -> None:
        """Give a compared file the name of its digest; a large one is synced already."""
        path.chmod(0o644)
        path.replace(self.path(digest))
        if size < LARGE:
            self._unsynced.add(digest)
            self._sure.add(digest)

    def sync(self) -> None:
        """Bring the small blobs of this run onto the medium; raises OSError."""
        # Side by side, since a file system writes its journal once for all who wait for it.
        with ThreadPoolExecutor(8, thread_name_prefix="sync") as pool:
            for _ in pool.map(_sync_file, map(self.path, sorted(self._unsynced))):
                pass
        self._unsynced.clear()

    def keep_only(self, digests: Iterable[str]) -> None:
        """Remove every blob that is not named, and the work folder: the bundle is finished."""
        kept = {digest.removeprefix("sha256:") for digest in digests}
        for entry in self._blobs.iterdir():
            if entry.name not in kept:
                entry.unlink()
        shutil.rmtree(self.work, ignore_errors=True)
        for folder in (self._blobs, self.root):
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def _fresh(self, digest: str) -> Path:
        path = self._partial / (digest.removeprefix("sha256:") + ".new")
        path.unlink(missing_ok=True)
        return path


def _sync_file(path: Path) -> None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return  # nothing asked for it in the end
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _other_hash(digest: str | None) -> hashlib._Hash | None:
    # The snap store names its files by another hash than a bundle does.
    return hashlib.sha3_384() if digest and digest.startswith("sha3-384:") else None


def _hexadecimal(digest: str) -> str:
    return digest.partition(":")[2]


def cannot_write(error: OSError, root: Path) -> InputProblem:
    """The problem of a medium that takes no more."""
    return InputProblem(
        f"the bundle cannot be written: {error.strerror or error}",
        where=str(root),
        remedy="Make room, or check the medium, and run the same command again: what is there "
        "already is not fetched twice.",
    )

"""A bundle as a folder, read through descriptors that cannot leave it."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from bundles.format.problems import HostileBundle
from bundles.read.opened import DOCUMENTS, BlobReader, document_limit

_HEX: Final = re.compile(r"[0-9a-f]{64}")
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
# Without O_NONBLOCK, opening a named pipe would wait for a writer for ever.
_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK

DIFFERENCE_NAME: Final = "difference.json"
WORK_NAME: Final = ".work"
"""Where an unfinished bundle keeps what is half there; a finished one has none."""


class FolderBundle:
    """A folder in the form of an OCI image layout."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._open: list[int] = []
        try:
            self._root = self._keep(os.open(path, _FOLDER))
            self._blobs = self._below(self._below(self._root, "blobs"), "sha256")
            self.strays: tuple[str, ...] = ()
            self._sizes = self._look()
        except BaseException:
            self.close()
            raise

    @property
    def blobs(self) -> Mapping[str, int]:
        """Digest and size in bytes of every blob that is there."""
        return self._sizes

    def document(self, name: str) -> bytes | None:
        """A document of the bundle; None where it is missing."""
        return self._read(name, document_limit(name))

    def difference(self) -> bytes | None:
        """The note that says what this bundle is the difference from; None for a whole bundle."""
        return self._read(DIFFERENCE_NAME, 65536)

    @contextmanager
    def blob(self, digest: str) -> Iterator[BlobReader]:
        """One blob, open for reading; raises HostileBundle if it is not a file of this folder."""
        name = digest.removeprefix("sha256:")
        if not _HEX.fullmatch(name):
            raise self._hostile(f"{digest[:100]!r} is no digest")
        descriptor = self._open_file(self._blobs, name)
        if descriptor is None:
            raise self._hostile(f"{digest} is missing")
        try:
            yield BlobReader(descriptor, 0, os.fstat(descriptor).st_size)
        finally:
            os.close(descriptor)

    def close(self) -> None:
        """Let go of the folder."""
        while self._open:
            os.close(self._open.pop())

    def _read(self, name: str, limit: int) -> bytes | None:
        descriptor = self._open_file(self._root, name)
        if descriptor is None:
            return None
        try:
            if (size := os.fstat(descriptor).st_size) > limit:
                raise self._hostile(f"{name} has {size} bytes, more than {limit}")
            return BlobReader(descriptor, 0, size).read()
        finally:
            os.close(descriptor)

    def _open_file(self, folder: int, name: str) -> int | None:
        try:
            descriptor = os.open(name, _FILE, dir_fd=folder)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._hostile(f"{name} cannot be opened: {error.strerror}") from error
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise self._hostile(f"{name} is no ordinary file")
        return descriptor

    def _below(self, folder: int, name: str) -> int:
        try:
            return self._keep(os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=folder))
        except OSError as error:
            raise self._hostile(f"there is no folder {name} in it") from error

    def _look(self) -> dict[str, int]:
        sizes = {}
        strays = []
        for folder, prefix in ((self._root, ""), (self._blobs, "blobs/sha256/")):
            with os.scandir(folder) as entries:
                for entry in entries:
                    if not prefix and entry.name in (*DOCUMENTS, "blobs", DIFFERENCE_NAME):
                        continue
                    if prefix and _HEX.fullmatch(entry.name):
                        sizes["sha256:" + entry.name] = self._size(entry)
                    else:
                        strays.append(prefix + entry.name)
        with os.scandir(self._below(self._root, "blobs")) as entries:
            strays += [f"blobs/{entry.name}" for entry in entries if entry.name != "sha256"]
        self.strays = tuple(sorted(strays))
        return sizes

    def _size(self, entry: os.DirEntry[str]) -> int:
        found = entry.stat(follow_symlinks=False)
        if not stat.S_ISREG(found.st_mode):
            raise self._hostile(f"blobs/sha256/{entry.name} is no ordinary file")
        return found.st_size

    def _keep(self, descriptor: int) -> int:
        self._open.append(descriptor)
        return descriptor

    def _hostile(self, cause: str) -> HostileBundle:
        return HostileBundle(cause, where=str(self.path))

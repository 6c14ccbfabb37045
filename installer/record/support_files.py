"""The archive of a support bundle: a .tar.gz in one plain form, written and read by its own rules.

Read as hostile: only the names that Sitewright writes, only regular files, no link, each no larger
than its bound, all together bounded too, and every byte as its manifest says.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import shutil
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from foundation import bounded_files
from foundation.problems import InputProblem

SCHEMA: Final = "sitewright.support-bundle/1"
MANIFEST: Final = "manifest.json"
MACHINE: Final = "this-machine.json"
OWN_LOG: Final = "sitewright.log"
RUN: Final = "run"

NAME: Final = re.compile(
    r"this-machine\.json|sitewright\.log|run/(site\.yaml|plan\.json|facts\.json|events\.jsonl)"
    r"|run/logs/[A-Za-z0-9_][A-Za-z0-9_.-]{0,119}\.log"
)
"""The only names there are in a bundle besides its manifest."""

MOST_FILES: Final = 20_000
LARGEST_FILE: Final = 2 * 1024**3
LARGEST_WHOLE: Final = 4 * 1024**3
"""Bytes; a million lines of a run take about 0.4 GB."""
SPARE: Final = 256 * 1024**2
"""Bytes that stay free on the disk where one is unpacked."""
_LARGEST_MANIFEST: Final = 8 * 1024**2
_BLOCK: Final = tarfile.BLOCKSIZE
_CHUNK: Final = 1024 * 1024
_REMEDY: Final = "Ask for it again: it is written with `sitewright support-bundle`."


class FileEntry(BaseModel):
    """A file of the bundle."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(max_length=200)
    bytes: int = Field(ge=0, le=LARGEST_FILE)
    sha256: str = Field(pattern=r"[0-9a-f]{64}")


class Manifest(BaseModel):
    """What is in a support bundle."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_: str = Field(alias="schema", pattern=re.escape(SCHEMA))
    made_at: str = Field(max_length=40)
    version: str = Field(max_length=40)
    """Of the Sitewright that wrote it."""
    run: str = Field(pattern=r"^\d{8}-\d{6}-[0-9a-f]{4}(-dry)?$")
    """The run's id."""
    solution: str = Field(max_length=80)
    environment: str = Field(max_length=80)
    files: tuple[FileEntry, ...] = Field(max_length=MOST_FILES)


# ---- writing


@dataclass(frozen=True, slots=True)
class Source:
    """A file for the bundle: its text, or where it lies with what it held when it was searched."""

    name: str
    size: int
    sha256: str
    path: Path | None = None
    text: bytes = b""


def write_archive(target: BinaryIO, manifest: Manifest, sources: Mapping[str, Source]) -> None:
    """Write the bundle; raises InputProblem where a file has changed since it was searched."""
    # No time and no name of this machine in the container: the same bundle has the same bytes.
    with gzip.GzipFile(filename="", fileobj=target, mode="wb", compresslevel=6, mtime=0) as packed:
        head = manifest.model_dump_json(by_alias=True, indent=1).encode() + b"\n"
        packed.write(_header(MANIFEST, len(head)) + head + _padding(len(head)))
        for entry in manifest.files:
            source = sources[entry.name]
            packed.write(_header(entry.name, entry.bytes))
            digest = hashlib.sha256()
            written = 0
            for found in _chunks(source):
                chunk = found[: entry.bytes - written]  # a journal that is written to grows
                digest.update(chunk)
                written += len(chunk)
                packed.write(chunk)
            if written != entry.bytes or digest.hexdigest() != entry.sha256:
                raise InputProblem(
                    "the file changed while it was read",
                    where=str(source.path),
                    remedy="Wait until the run has ended or stop it, and write the bundle again.",
                )
            packed.write(_padding(entry.bytes))
        packed.write(bytes(2 * _BLOCK))


def _chunks(source: Source) -> Iterator[bytes]:
    if source.path is None:
        yield source.text
        return
    with bounded_files.opened(source.path) as file:
        while chunk := file.read(_CHUNK):
            yield chunk


def _header(name: str, size: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size = size
    info.mode = 0o600
    return info.tobuf(tarfile.GNU_FORMAT, "ascii", "strict")


def _padding(size: int) -> bytes:
    return bytes(-size % _BLOCK)


# ---- reading


@contextmanager
def opened_archive(path: Path) -> Iterator[tuple[Path, Manifest]]:
    """A bundle unpacked into a private folder for the time of the block; raises InputProblem."""
    with TemporaryDirectory(prefix="sitewright-support-") as name:
        folder = Path(name)
        yield folder, unpack(path, folder)


def unpack(path: Path, folder: Path) -> Manifest:
    """Unpack a bundle into an empty folder; raises InputProblem, and then the folder is useless."""
    try:
        with bounded_files.opened(path) as raw, gzip.GzipFile(fileobj=raw, mode="rb") as packed:
            return _unpack(_Reader(packed, path), folder)
    except (OSError, EOFError, zlib.error) as error:
        if isinstance(error, OSError) and error.errno is not None:
            cause = f"it cannot be read or unpacked: {error.strerror}"
        else:
            cause = "it is no whole .tar.gz"
        raise _wrong(path, cause) from error


class _Reader:
    """The unpacked bytes of an archive, counted."""

    def __init__(self, packed: gzip.GzipFile, path: Path) -> None:
        self.packed = packed
        self.path = path
        self.left = LARGEST_WHOLE

    def take(self, size: int) -> bytes:
        """Exactly so many bytes, at most a chunk."""
        self.left -= size
        if self.left < 0:
            raise _wrong(self.path, f"it unpacks to more than {LARGEST_WHOLE} bytes")
        data = self.packed.read(size)
        while len(data) < size:
            more = self.packed.read(size - len(data))
            if not more:
                raise _wrong(self.path, "it ends too early")
            data += more
        return data

    def skip_padding(self, size: int) -> None:
        """The rest of a file's last block, which must be empty."""
        if self.take(-size % _BLOCK).strip(b"\0"):
            raise _wrong(self.path, "there is something between its files")

    def header(self) -> tuple[str, int] | None:
        """The next file's name and size, or None at the end."""
        block = self.take(_BLOCK)
        if not block.strip(b"\0"):
            return None
        try:
            info = tarfile.TarInfo.frombuf(block, "ascii", "strict")
        except (tarfile.TarError, ValueError) as error:
            raise _wrong(self.path, "a header in it is damaged") from error
        # Anything but a plain file (a link, a device, a long name) has a header that differs.
        if block != _header(info.name, info.size):
            raise _wrong(self.path, "there is something in it that is no plain file of ours")
        return info.name, info.size


def _unpack(reader: _Reader, folder: Path) -> Manifest:
    first = reader.header()
    if first is None or first[0] != MANIFEST or first[1] > _LARGEST_MANIFEST:
        raise _wrong(reader.path, "it does not begin with a manifest of ours")
    manifest = _manifest(reader.take(first[1]), reader.path)
    reader.skip_padding(first[1])
    if sum(entry.bytes for entry in manifest.files) > LARGEST_WHOLE:
        raise _wrong(reader.path, f"it unpacks to more than {LARGEST_WHOLE} bytes")
    need = sum(entry.bytes for entry in manifest.files)
    room = shutil.disk_usage(folder).free
    if need + SPARE > room:
        raise InputProblem(
            f"it unpacks to {need / 1e6:.0f} MB, and {folder.parent} has {room / 1e6:.0f} MB free",
            where=str(reader.path),
            remedy="Make room there, or name a folder with more: TMPDIR=/folder sitewright replay "
            "FILE",
        )
    names = [entry.name for entry in manifest.files]
    if len(set(names)) != len(names) or not all(NAME.fullmatch(name) for name in names):
        raise _wrong(reader.path, "its manifest names a file that does not belong in it")
    (folder / RUN / "logs").mkdir(mode=0o700, parents=True)
    for entry in manifest.files:
        if reader.header() != (entry.name, entry.bytes):
            raise _wrong(reader.path, f"{entry.name} is not where its manifest says")
        _unpack_file(reader, folder, entry)
    if reader.header() is not None:
        raise _wrong(reader.path, "there is more in it than its manifest says")
    return manifest


def _unpack_file(reader: _Reader, folder: Path, entry: FileEntry) -> None:
    digest = hashlib.sha256()
    with (folder / entry.name).open("xb") as file:
        left = entry.bytes
        while left:
            chunk = reader.take(min(left, _CHUNK))
            left -= len(chunk)
            digest.update(chunk)
            file.write(chunk)
    reader.skip_padding(entry.bytes)
    if digest.hexdigest() != entry.sha256:
        raise _wrong(reader.path, f"{entry.name} is not what its manifest says")


def _manifest(raw: bytes, path: Path) -> Manifest:
    try:
        return Manifest.model_validate(json.loads(raw))
    except (ValueError, RecursionError, ValidationError) as error:
        raise _wrong(path, "its manifest is damaged, or of another version") from error


def _wrong(path: Path, cause: str) -> InputProblem:
    return InputProblem(cause, where=str(path), remedy=_REMEDY)

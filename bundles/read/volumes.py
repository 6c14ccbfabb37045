"""A bundle cut into volumes of equal size for media, with parity that replaces one that is lost.

The bundle is cut as one file into data volumes; to every group of them belongs one parity volume,
the exclusive or of the group. Each volume ends with the same table: the hashes of every block of
every volume. So a volume that is lost, cut off or damaged is made again from the others, and even
several damaged volumes are, as long as no two of a group are damaged in the same block.

The table is not signed: it repairs, and proves nothing. Whoever joins a bundle verifies it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from bundles.format import budgets
from bundles.format.problems import CorruptBundle
from bundles.read.archive import archive_chunks, archive_size
from bundles.read.opened import DOCUMENTS, open_bundle
from bundles.read.structure import read_structure
from bundles.read.volume_table import Table, Volume, pack_table, read_table, table_size
from foundation.problems import InputProblem

_SMALLEST: Final = 64 * 1024
_MIB: Final = 1 << 20
_LARGEST_BLOCK: Final = budgets.VOLUME_BLOCK_BYTES
"""Bytes; a block of each volume of a group is in memory while one is made again."""
_MOST: Final = budgets.VOLUMES
_PIECE: Final = 1 << 16
"""Bytes that are combined at once: they stay in the processor's cache."""

Progress = Callable[[int, int], None]


def split_bundle(
    path: Path,
    folder: Path,
    volume_size: int,
    *,
    group: int = 10,
    progress: Progress | None = None,
) -> list[Path]:
    """Cut a bundle into volume files of at most `volume_size` bytes; raises InputProblem.

    `group` is the number of data volumes that share one parity volume.
    """
    name = path.name.removesuffix(".tar")
    folder.mkdir(parents=True, exist_ok=True)
    if stale := sorted(p.name for p in folder.iterdir() if p.name.startswith(f"{name}.volume")):
        raise InputProblem(
            f"volumes of an earlier cut are there: {stale[0]}",
            where=str(folder),
            remedy="Remove them, or name another folder: volumes of two cuts must not mix.",
        )
    with open_bundle(path) as bundle:
        read_structure(bundle)
        documents = {n: len(raw) for n in DOCUMENTS if (raw := bundle.document(n)) is not None}
        length = archive_size(bundle.blobs, documents)
        payload, block = _measures(length, volume_size, group)
        count = -(-length // payload)
        volumes = [
            Volume(file=f"{name}.volume{number:04d}", size=min(payload, length - at), blocks=())
            for number, at in enumerate(range(0, length, payload), 1)
        ]
        parities = -(-count // group)
        free, need = shutil.disk_usage(folder).free, length + parities * payload
        if need > free:
            raise InputProblem(f"{need} bytes are needed and {free} are free", where=str(folder))
        meter = _Meter(need, progress)
        chunks = archive_chunks(bundle)
        stream = hashlib.sha256()
        data = _write_data(folder, volumes, chunks, block, stream.update, meter)
    parity = [
        _write_parity(folder, f"{name}.volumeP{number:03d}", data[at : at + group], block, meter)
        for number, at in enumerate(range(0, count, group), 1)
    ]
    table = Table(
        name=name,
        length=length,
        stream="sha256:" + stream.hexdigest(),
        payload=payload,
        block=block,
        group=group,
        data=tuple(data),
        parity=tuple(parity),
    )
    trailer = pack_table(table)
    paths = [folder / volume.file for volume in (*data, *parity)]
    for written in paths:
        with written.open("ab") as file:
            file.write(trailer)
            file.flush()
            os.fsync(file.fileno())
    return paths


def join_volumes(
    places: Iterable[Path], output: Path, *, progress: Progress | None = None
) -> tuple[str, ...]:
    """Join volumes into one file, repairing what can be repaired; what was repaired, in sentences.

    `places` are the volumes, or folders with them. Raises CorruptBundle where too much is lost,
    with everything that is; InputProblem for volumes of different cuts.
    """
    files = _files(places)
    table = read_table(files)
    if output.exists():
        raise InputProblem("the output is there already", where=str(output))
    if table.length > shutil.disk_usage(output.parent).free:
        raise InputProblem(f"{table.length} bytes are needed there", where=str(output.parent))
    temporary = output.with_name(f".{output.name}.{os.getpid()}")
    with ExitStack() as stack:
        joining = _Joining(table, {path.name: path for path in files}, stack)
        stream = hashlib.sha256()
        meter = _Meter(table.length, progress)
        stack.callback(temporary.unlink, missing_ok=True)
        with temporary.open("xb") as file:
            for chunk in joining.chunks():
                stream.update(chunk)
                file.write(chunk)
                meter.add(len(chunk))
            file.flush()
            os.fsync(file.fileno())
        if joining.lost or "sha256:" + stream.hexdigest() != table.stream:
            lost = joining.lost or ["the joined file is not the one that was cut"]
            raise CorruptBundle(
                f"{lost[0]}" + (f", and {len(lost) - 1} more places" if len(lost) > 1 else ""),
                wrong=lost,
                where=str(output),
                remedy="Bring the volumes that are named again; of each group, one volume may be "
                "missing or damaged.",
            )
        temporary.rename(output)
    return tuple(joining.repaired())


def _measures(length: int, volume_size: int, group: int) -> tuple[int, int]:
    if volume_size < _SMALLEST:
        raise InputProblem(f"a volume has at least {_SMALLEST} bytes")
    if not 1 <= group <= 100:
        raise InputProblem("a parity volume serves 1 to 100 volumes")
    payload = volume_size
    for _ in range(8):
        block = min(payload, _LARGEST_BLOCK, max(_MIB, -(-payload // 4096 // _MIB) * _MIB))
        count = -(-length // payload)
        trailer = table_size(count, -(-count // group), payload, block)
        if payload + trailer <= volume_size:
            if count > _MOST:
                break
            return payload, block
        payload = volume_size - trailer
        if payload < _SMALLEST // 2:
            break
    raise InputProblem(
        f"volumes of {volume_size} bytes are too small for a bundle of {length} bytes",
        remedy="Choose larger volumes.",
    )


def _write_data(
    folder: Path,
    volumes: list[Volume],
    chunks: Iterator[bytes | memoryview],
    block: int,
    hashed: Callable[[bytes | memoryview], None],
    meter: _Meter,
) -> list[Volume]:
    source = _Pieces(chunks)
    done = []
    for volume in volumes:
        blocks = []
        with (folder / volume.file).open("xb") as file:
            left = volume.size
            while left:
                digest = hashlib.sha256()
                for piece in source.take(min(block, left)):
                    digest.update(piece)
                    hashed(piece)
                    file.write(piece)
                    left -= len(piece)
                    meter.add(len(piece))
                blocks.append(digest.hexdigest())
        done.append(volume.model_copy(update={"blocks": tuple(blocks)}))
    return done


def _write_parity(
    folder: Path, name: str, group: list[Volume], block: int, meter: _Meter
) -> Volume:
    size = max(volume.size for volume in group)
    blocks = []
    with ExitStack() as stack:
        files = [stack.enter_context((folder / v.file).open("rb")) for v in group]
        target = stack.enter_context((folder / name).open("xb"))
        for at in range(0, size, block):
            wanted = min(block, size - at)
            parity = combine(
                (
                    file.read(max(0, min(wanted, v.size - at)))
                    for file, v in zip(files, group, strict=True)
                ),
                wanted,
            )
            blocks.append(hashlib.sha256(parity).hexdigest())
            target.write(parity)
            meter.add(wanted)
    return Volume(file=name, size=size, blocks=tuple(blocks))


def combine(parts: Iterable[bytes], size: int) -> bytes:
    """The exclusive or of byte strings, each continued with zeros to `size` bytes."""
    kept = list(parts)
    result = bytearray()
    for at in range(0, size, _PIECE):
        length = min(_PIECE, size - at)
        value = 0
        for part in kept:
            value ^= int.from_bytes(part[at : at + length], "little")
        result += value.to_bytes(length, "little")
    return bytes(result)


class _Joining:
    def __init__(self, table: Table, files: dict[str, Path], stack: ExitStack) -> None:
        self._table = table
        self._open = {
            volume.file: os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            for volume in (*table.data, *table.parity)
            if (path := files.get(volume.file)) is not None
        }
        for descriptor in self._open.values():
            stack.callback(os.close, descriptor)
        self._bad: dict[str, int] = {}
        self.lost: list[str] = []

    def chunks(self) -> Iterator[bytes]:
        """The blocks of all data volumes in order; a lost one is told and given as zeros."""
        table = self._table
        for number, volume in enumerate(table.data):
            group = number // table.group
            members = [
                *table.data[group * table.group : (group + 1) * table.group],
                table.parity[group],
            ]
            for index in range(len(volume.blocks)):
                raw = self._block(volume, index)
                if raw is None:
                    raw = self._again(volume, index, members)
                yield raw

    def repaired(self) -> Iterator[str]:
        """What had to be repaired."""
        for volume in self._table.data:
            count = self._bad.get(volume.file, 0)
            if volume.file not in self._open:
                yield f"{volume.file} was missing and was made again"
            elif count:
                yield f"{volume.file} was damaged in {count} of {len(volume.blocks)} blocks"

    def _block(self, volume: Volume, index: int) -> bytes | None:
        descriptor = self._open.get(volume.file)
        if descriptor is None:
            return None
        raw = os.pread(descriptor, *self._place(volume, index))
        return raw if hashlib.sha256(raw).hexdigest() == volume.blocks[index] else None

    def _again(self, volume: Volume, index: int, members: list[Volume]) -> bytes:
        size, _ = self._place(volume, index)
        self._bad[volume.file] = self._bad.get(volume.file, 0) + 1
        parts = []
        for other in members:
            if other is volume or index >= len(other.blocks):
                continue
            raw = self._block(other, index)
            if raw is None:
                self.lost.append(
                    f"block {index + 1} of {volume.file} cannot be repaired, since {other.file} "
                    "is missing or damaged there too"
                )
                return bytes(size)
            parts.append(raw)
        widest = max(map(len, parts), default=size)
        raw = combine(parts, max(widest, size))[:size]
        if hashlib.sha256(raw).hexdigest() != volume.blocks[index]:
            self.lost.append(f"block {index + 1} of {volume.file} cannot be repaired")
        return raw

    def _place(self, volume: Volume, index: int) -> tuple[int, int]:
        at = index * self._table.block
        return min(self._table.block, volume.size - at), at


class _Pieces:
    """A stream of pieces from which any number of bytes can be taken."""

    def __init__(self, chunks: Iterator[bytes | memoryview]) -> None:
        self._chunks = chunks
        self._rest = memoryview(b"")

    def take(self, count: int) -> Iterator[memoryview]:
        while count:
            if not self._rest:
                self._rest = memoryview(next(self._chunks))
                continue
            piece = self._rest[:count]
            self._rest = self._rest[len(piece) :]
            count -= len(piece)
            yield piece


class _Meter:
    def __init__(self, total: int, progress: Progress | None) -> None:
        self._total = total
        self._done = 0
        self._progress = progress

    def add(self, count: int) -> None:
        self._done += count
        if self._progress:
            self._progress(self._done, self._total)


def _files(places: Iterable[Path]) -> list[Path]:
    files: list[Path] = []
    for place in places:
        if place.is_dir():
            files += sorted(p for p in place.iterdir() if ".volume" in p.name and p.is_file())
        elif place.is_file():
            files.append(place)
        else:
            raise InputProblem("there is no such volume", where=str(place))
    names = [path.name for path in files]
    if twice := [name for name in names if names.count(name) > 1]:
        raise InputProblem(f"the volume {twice[0]} is given twice")
    if not files:
        raise InputProblem("there are no volumes there", remedy="Name the folder with the volumes.")
    return files

"""Mounted filesystems and the room in them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from preflight.facts import Fact, Filesystem
from preflight.parse.frames import Answer
from preflight.parse.text import ITEM_LIMIT, plain, unique, whole

_FAR: Final = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "ceph", "9p", "afs", "gfs2", "ocfs2", "lustre", "glusterfs"}
)
"""Filesystems that another machine serves; they are not measured, because they may hang."""

_ROW: Final = re.compile(
    r"^(.{1,1000}?)\s+(\d{1,19})\s+(\d{1,19})\s+(-?\d{1,19})\s+(?:\d+%|-)\s+(/.*)$"
)


@dataclass(frozen=True, slots=True)
class Mount:
    """A line of /proc/self/mountinfo."""

    number: str
    """major:minor of the device."""
    point: str
    options: tuple[str, ...]
    kind: str
    source: str


def mounts_of(answer: Answer) -> Sequence[Mount]:
    """The mounts that the probe lists: those of real devices, of memory and of other machines."""
    return answer.once(_mounts)


def _mounts(answer: Answer) -> Sequence[Mount]:
    found = []
    for line in answer.lines("mounts")[:ITEM_LIMIT]:
        before, dash, after = line.removeprefix("/proc/self/mountinfo:").partition(" - ")
        left, right = before.split(" "), after.split(" ")
        if not dash or len(left) < 6 or len(right) < 2:
            continue
        found.append(
            Mount(
                number=left[2],
                point=_unescaped(left[4]),
                options=unique(plain(word, 80) for word in left[5].split(",")[:40]),
                kind=plain(right[0], 40),
                source=_unescaped(right[1]),
            )
        )
    return found


def far_mounts(answer: Answer) -> list[Mount]:
    """The mounts that another machine serves."""
    return [
        mount
        for mount in mounts_of(answer)
        if mount.kind in _FAR or mount.kind.startswith("fuse.") or mount.kind.startswith("nfs")
    ]


def parse_filesystems(answer: Answer) -> Fact[tuple[Filesystem, ...]]:
    """The filesystems from the sections room (df or stat) and mounts."""
    if not answer.succeeded("room") and not answer.lines("room"):
        return answer.why_not("room", "df")
    # The last mount on a point is the one that is seen.
    mounts = {mount.point: mount for mount in mounts_of(answer)}
    found: dict[str, Filesystem] = {}
    for line in answer.lines("room")[:ITEM_LIMIT]:
        measured = _measured(line)
        if measured is None:
            continue
        point, device, size, available = measured
        mount = mounts.get(point)
        found[point] = Filesystem(
            mount=plain(point),
            device=plain(mount.source if mount else device),
            kind=mount.kind if mount else "",
            size_bytes=size,
            available_bytes=available,
            read_only=mount is not None and "ro" in mount.options,
            options=mount.options if mount else (),
        )
    if not found:
        return answer.why_not("room", "df")
    return tuple(found.values())


def _measured(line: str) -> tuple[str, str, int, int] | None:
    """Mount point, device, size and available bytes of a line of `df -P -k` or of `stat -f`."""
    if line.startswith("stat "):
        words = line.split(" ", 4)
        numbers = [whole(word) for word in words[1:4]]
        block, blocks, free = numbers if len(numbers) == 3 else (None, None, None)
        if len(words) < 5 or block is None or blocks is None or free is None:
            return None
        return words[4], "", block * blocks, max(0, block * free)
    match = _ROW.match(line)
    if not match:
        return None
    device, size, _, available, point = match.groups()
    return point, device, int(size) * 1024, max(0, int(available) * 1024)


def _unescaped(text: str) -> str:
    """A path with the kernel's \\040 for a blank turned back."""
    if "\\" not in text:
        return text
    return plain(re.sub(r"\\([0-7]{3})", lambda match: chr(int(match.group(1), 8) & 0x7F), text))

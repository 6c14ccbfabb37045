"""Disk matching: which disk serves which need, so that as many needs as possible are served.

One device serves one need. A disk fits a need certainly, possibly (its kind or size is hidden), or
not at all; the needs are met when distinct disks can be given to all of them, and it is unknown
when that works only with the possible ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from preflight.checks.wording import GB
from preflight.facts import Disk, DiskKind, known
from preflight.needs import DiskNeed

NOMINAL: Final = 0.97
"""A disk sold as 500 GB may report 3 % less; 480 GB is the next size below and does not pass."""
SYSTEM_MOUNTS: Final = frozenset({"/", "/boot", "/boot/efi", "/boot/firmware", "/usr", "/var"})
_HIDDEN: Final = (DiskKind.VIRTUAL, DiskKind.UNKNOWN)


class Fit(IntEnum):
    """How well a disk fits a need."""

    NO = 0
    POSSIBLE = 1
    CERTAIN = 2


@dataclass(frozen=True, slots=True)
class Share:
    """What one need is given."""

    need: DiskNeed
    certain: tuple[Disk, ...]
    possible: tuple[Disk, ...]
    spare: tuple[Disk, ...]
    """Further disks that certainly fit it and that no need uses."""

    @property
    def fit(self) -> Fit:
        """Whether the need is met, may be met, or is not."""
        if self._met(self.certain):
            return Fit.CERTAIN
        return Fit.POSSIBLE if self._met((*self.certain, *self.possible)) else Fit.NO

    def _met(self, disks: tuple[Disk, ...]) -> bool:
        if len(disks) < self.need.count:
            return False
        if not self.need.total:
            return True
        sizes = [known(disk.size_bytes) for disk in disks]
        hidden = any(size is None for size in sizes)
        summed = sum(size or 0 for size in sizes)
        return hidden or summed >= NOMINAL * self.need.size_gb * GB


def holds_system(disk: Disk) -> bool:
    """Whether the running system lives on it."""
    return bool(SYSTEM_MOUNTS.intersection(disk.mounts)) or "swap" in disk.in_use_by


def for_data(need: DiskNeed) -> bool:
    """Whether the need is for something other than the operating system."""
    purpose = need.purpose.lower()
    return bool(purpose) and not any(
        word in purpose.replace("-", " ").split() for word in ("os", "operating", "system", "root")
    )


def usable(disk: Disk) -> bool:
    """Whether a disk can serve any need: not removable, not read-only, not a memory card."""
    return not (disk.removable or disk.read_only or disk.name.startswith(("mmcblk", "sr", "fd")))


def fits(disk: Disk, need: DiskNeed) -> Fit:
    """How well one disk fits one need."""
    if not usable(disk) or (for_data(need) and holds_system(disk)):
        return Fit.NO
    size = known(disk.size_bytes)
    if size is not None and not need.total and size < NOMINAL * need.size_gb * GB:
        return Fit.NO
    if not need.kinds or disk.kind in need.kinds:
        return Fit.CERTAIN if size is not None else Fit.POSSIBLE
    return Fit.POSSIBLE if disk.kind in _HIDDEN else Fit.NO


def distinct(disks: Iterable[Disk]) -> tuple[Disk, ...]:
    """The devices: without second paths to one that is there, or further parts of it.

    Of several namespaces of one NVMe device the largest that is least in use stands for it.
    """
    seen: set[object] = set()
    kept: list[Disk] = []
    for disk in _whole(disks):
        wwid, serial = known(disk.wwid), known(disk.serial)
        identity = wwid or ((known(disk.model), serial) if serial else disk.name)
        if identity not in seen:
            seen.add(identity)
            kept.append(disk)
    return tuple(kept)


def _whole(disks: Iterable[Disk]) -> list[Disk]:
    """The disks, the namespaces of one NVMe controller as one."""
    kept: list[Disk] = []
    at: dict[str, int] = {}
    for disk in disks:
        controller = known(disk.controller)
        if controller is None:
            kept.append(disk)
        elif controller not in at:
            at[controller] = len(kept)
            kept.append(disk)
        else:
            other = kept[at[controller]]
            size, before = known(disk.size_bytes) or 0, known(other.size_bytes) or 0
            if (not disk.in_use_by, size) > (not other.in_use_by, before):
                kept[at[controller]] = disk
    return kept


def match_disks(disks: Iterable[Disk], needs: Sequence[DiskNeed]) -> tuple[Share, ...]:
    """Give disks to needs: first all that can be served with certainty, then with possible ones.

    Disks are offered in a fixed order, those least wanted elsewhere first (the system's own, then
    free and small before used and large), and each joins when some exchange makes room for it.
    So the disks in use are the best possible set, and a further disk never makes a result worse.
    """
    offered = sorted(distinct(disks), key=_order)
    slots = [at for at, need in enumerate(needs) if not need.total for _ in range(need.count)]
    table = [[fits(disk, need) for need in needs] for disk in offered]
    held: dict[int, int] = {}  # slot -> disk
    for least in (Fit.CERTAIN, Fit.POSSIBLE):
        _augment(held, slots, [[fit >= least for fit in row] for row in table])
    in_use = set(held.values())
    free = [at for at in range(len(offered)) if at not in in_use]
    for at, need in enumerate(needs):
        if need.total:
            wanted = [d for d in free if table[d][at] is not Fit.NO]
            slots.extend([at] * len(wanted))
            held.update({len(slots) - len(wanted) + i: d for i, d in enumerate(wanted)})
            free = [d for d in free if d not in wanted]
    shares = []
    for at, need in enumerate(needs):
        mine = sorted(d for slot, d in held.items() if slots[slot] == at)
        shares.append(
            Share(
                need,
                tuple(offered[d] for d in mine if table[d][at] is Fit.CERTAIN),
                tuple(offered[d] for d in mine if table[d][at] is Fit.POSSIBLE),
                tuple(offered[d] for d in free if table[d][at] is Fit.CERTAIN),
            )
        )
    return tuple(shares)


def _order(disk: Disk) -> tuple[bool, bool, int, str]:
    return (not holds_system(disk), bool(disk.in_use_by), known(disk.size_bytes) or 0, disk.name)


def _augment(held: dict[int, int], slots: list[int], joins: list[list[bool]]) -> None:
    """Let each disk that holds no slot take one, moving others where that makes room."""

    def place(disk: int, tried: set[int]) -> bool:
        for slot, need in enumerate(slots):
            if slot in tried or not joins[disk][need]:
                continue
            tried.add(slot)
            if slot not in held or place(held[slot], tried):
                held[slot] = disk
                return True
        return False

    holding = set(held.values())
    for disk in range(len(joins)):
        if disk not in holding:
            place(disk, set())

"""Checks of filesystems: room where the solution writes, fullness, being writable."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Final

from foundation.wording import listed
from preflight.checks.case import Case
from preflight.checks.check import FAIL, PASS, UNKNOWN, WARN, Say, check
from preflight.checks.wording import GB, disk_gb, disk_size, word
from preflight.facts import Filesystem, known, why_unknown
from preflight.findings import Finding
from preflight.needs import SpaceNeed

USAGE_WARN, USAGE_FAIL = 80, 90
"""Percent: image garbage collection of a kubelet begins at 85, eviction soon after 90."""
_WATCHED: Final = ("/", "/var", "/var/lib", "/var/log", "/var/snap", "/tmp", "/home", "/opt")  # noqa: S108 - looked at, never written
_NOT_ROOM: Final = frozenset({"squashfs", "iso9660", "tmpfs", "ramfs", "devtmpfs", "efivarfs"})


def holding(path: str, filesystems: Iterable[Filesystem]) -> Filesystem | None:
    """The filesystem that holds a folder, or would: the deepest mount above it."""
    wanted = _parts(path)
    above = [(parts, fs) for fs in filesystems if wanted[: len(parts := _parts(fs.mount))] == parts]
    # Of two at one place the later mount hides the earlier one.
    _, deepest = max(reversed(above), key=lambda one: len(one[0]), default=((), None))
    return deepest


@lru_cache(maxsize=4096)
def _parts(path: str) -> tuple[str, ...]:
    # Hundreds of machines have the same few mounts, each asked of several times.
    return PurePosixPath(path).parts


def _tiers(needs: Iterable[SpaceNeed]) -> tuple[float, float, tuple[SpaceNeed, ...]]:
    """The least and the comfortable room in GB over distinct folders, and the needs they come from.

    Two needs of one folder are tiers of one another; needs of two folders add up.
    """
    least: dict[str, float] = defaultdict(float)
    comfort: dict[str, float] = defaultdict(float)
    kept = tuple(needs)
    for need in kept:
        if need.severity == "fail":
            least[need.path] = max(least[need.path], need.free_gb)
        comfort[need.path] = max(comfort[need.path], need.free_gb)
    return sum(least.values()), sum(comfort.values()), kept


@check("disk.space", title="Free space", severities=(PASS, WARN, FAIL, UNKNOWN))
def space(case: Case, say: Say) -> Iterator[Finding]:
    """Room on each filesystem for all folders that the solution writes on it."""
    if not case.demand.space:
        return
    filesystems = known(case.facts.filesystems)
    by_mount: dict[str, list[SpaceNeed]] = defaultdict(list)
    found: dict[str, Filesystem] = {}
    for need in case.demand.space:
        fs = holding(need.path, filesystems or ())
        by_mount[fs.mount if fs else ""].append(need)
        if fs:
            found[fs.mount] = fs
    for mount, needs in by_mount.items():
        least, comfort, kept = _tiers(needs)
        paths = tuple(dict.fromkeys(need.path for need in kept))
        source = "; ".join(dict.fromkeys(need.source for need in kept))
        evidence = f"df -h {' '.join(paths)}"
        expected = f"{disk_gb(least or comfort)} free"
        if comfort > least > 0:
            expected += f", better {disk_gb(comfort)}"
        folders = listed(paths)
        if mount not in found:
            yield say.unknown(
                f"It could not be told how much room {case.name} has for {folders};"
                f" {disk_gb(least or comfort)} are needed.",
                subject=paths[0],
                expected=expected,
                reason=why_unknown(case.facts.filesystems) or "no filesystem holds it",
                source=source,
                evidence=evidence,
            )
            continue
        free = found[mount].available_bytes
        severity = FAIL if free < least * GB else WARN if free < comfort * GB else PASS
        where = f" on {mount}" if mount not in paths else ""
        goal = least if severity is FAIL else comfort
        growth = disk_gb(comfort).replace(" ", "").removesuffix("B")
        yield say.at(
            severity,
            f"{case.name} has {disk_size(free)} free{where} for {folders};"
            f" {disk_gb(goal)} {'are needed' if severity is not WARN else 'would be better'}.",
            subject=paths[0],
            expected=expected,
            actual=f"{disk_size(free)} free on {mount} ({found[mount].device})",
            source=source,
            evidence=evidence,
            remedy=f"Make room on {mount}, or give {paths[0]} a larger filesystem of its own. What"
            f" takes the room: `sudo du -xh --max-depth=2 {word(mount)} | sort -h | tail`. A volume"
            f" can be grown: `sudo lvextend --resizefs --size +{growth}"
            f" {word(found[mount].device)}`.",
            undo="A volume that was grown stays grown; nothing else was changed.",
        )


def _watched(case: Case) -> Iterator[Filesystem]:
    filesystems = known(case.facts.filesystems) or ()
    paths = (*_WATCHED, *(need.path for need in case.demand.space))
    held = {fs.mount: fs for path in paths if (fs := holding(path, filesystems))}
    for fs in held.values():
        if fs.kind not in _NOT_ROOM and fs.size_bytes > 0:
            yield fs


@check("disk.usage", title="How full filesystems are", severities=(PASS, WARN, FAIL))
def usage(case: Case, say: Say) -> Iterator[Finding]:
    """Filesystems that the system and the solution write to."""
    for fs in _watched(case):
        at = word(fs.mount)
        percent = 100 * (fs.size_bytes - fs.available_bytes) / fs.size_bytes
        severity = FAIL if percent > USAGE_FAIL else WARN if percent > USAGE_WARN else PASS
        yield say.at(
            severity,
            f"{fs.mount} on {case.name} is {percent:.0f} % full.",
            subject=fs.mount,
            expected=f"at most {USAGE_WARN} %",
            actual=f"{percent:.0f} % of {disk_size(fs.size_bytes)}",
            source=f"Sitewright: above {USAGE_WARN} % Kubernetes begins to clear images, above"
            f" {USAGE_FAIL} % it evicts pods",
            evidence=f"df -h {at}; sudo du -xh --max-depth=2 {at} | sort -h | tail",
            remedy="Free room: `sudo journalctl --vacuum-size=200M`, `sudo apt-get clean`, and what"
            " the command above shows; or make the filesystem larger.",
            undo="What was deleted is gone; a filesystem that was grown stays grown.",
        )


@check("disk.read-only", title="Filesystems can be written", severities=(PASS, FAIL))
def read_only(case: Case, say: Say) -> Iterator[Finding]:
    """A filesystem that the kernel switched to read-only after an error, or that is mounted so."""
    for fs in _watched(case):
        if fs.mount != "/" and not fs.read_only:
            continue
        yield say.at(
            FAIL if fs.read_only else PASS,
            f"{fs.mount} on {case.name} is {'mounted read-only' if fs.read_only else 'writable'}.",
            subject=fs.mount,
            expected="writable",
            actual="read-only" if fs.read_only else "writable",
            source="Sitewright: an installation writes there",
            evidence=f"findmnt --target {word(fs.mount)};"
            " sudo dmesg | grep -i -E 'remount|I/O error'",
            remedy="Look for a disk error first (`sudo dmesg`). If there is none, mount it"
            f" writable: `sudo mount -o remount,rw {word(fs.mount)}`, and mend /etc/fstab.",
            undo=f"sudo mount -o remount,ro {word(fs.mount)}",
        )


@check("disk.ftype", title="XFS made with ftype=1", severities=(PASS, FAIL))
def ftype(case: Case, say: Say) -> Iterator[Finding]:
    """Overlay filesystems of containers need XFS with ftype=1."""
    for fs in _watched(case):
        option = next((o for o in fs.options if o.startswith("ftype=")), None)
        if fs.kind != "xfs" or option is None:
            continue
        good = option == "ftype=1"
        yield say.at(
            PASS if good else FAIL,
            f"The XFS filesystem {fs.mount} on {case.name} was made with {option}"
            f"{'' if good else '; containers need ftype=1'}.",
            subject=fs.mount,
            expected="ftype=1",
            actual=option,
            source="overlayfs documentation of the Linux kernel: the upper filesystem must give"
            " file types",
            evidence=f"xfs_info {word(fs.mount)} | grep ftype",
            remedy="The option is fixed when the filesystem is made. Make one on an empty disk:"
            " `sudo mkfs.xfs -n ftype=1 /dev/NEW` (it refuses a disk on which it sees a"
            f" filesystem), copy {fs.mount} onto it, and mount it there instead in /etc/fstab; the"
            " old one stays as it is until all is seen on the new.",
            undo="Mount the old filesystem again: its line in /etc/fstab as it was.",
        )

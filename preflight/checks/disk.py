"""Checks of disks: distinct devices of the kind and size that the sizing table asks for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from foundation.wording import how_many, listed, shortened
from preflight.checks.case import Case
from preflight.checks.check import FAIL, PASS, UNKNOWN, WARN, Say, check
from preflight.checks.disk_matching import (
    NOMINAL,
    Fit,
    Share,
    distinct,
    for_data,
    holds_system,
    match_disks,
    usable,
)
from preflight.checks.wording import GB, disk_gb, disk_size, word
from preflight.facts import Disk, DiskKind, known, why_unknown
from preflight.findings import Finding
from preflight.needs import DiskNeed
from preflight.parse.disk_evidence import is_raid_model

LIST_DISKS: Final = "lsblk -dno NAME,SIZE,ROTA,TRAN,TYPE,MODEL,SERIAL,WWN"
_NOUNS: Final = {DiskKind.NVME: "NVMe disk", DiskKind.SSD: "SSD", DiskKind.HDD: "hard disk"}
_STRICTNESS: Final = (DiskKind.HDD, DiskKind.SSD, DiskKind.NVME)


def asked_kind(need: DiskNeed) -> str:
    """The kind that a document asks for, the better ones it also takes left out."""
    return next((kind.value for kind in _STRICTNESS if kind in need.kinds), "any")


def asked_noun(need: DiskNeed) -> str:
    """What a document asks for in words: NVMe disk, SSD, hard disk, disk."""
    return next((_NOUNS[kind] for kind in _STRICTNESS if kind in need.kinds), "disk")


def described(disk: Disk) -> str:
    """A disk in words: "nvme0n1 (500 GB NVMe)"."""
    size = known(disk.size_bytes)
    kind = {DiskKind.UNKNOWN: "of unknown kind", DiskKind.VIRTUAL: "virtual"}.get(disk.kind)
    if kind is None:
        kind = _NOUNS[disk.kind].removesuffix(" disk")
    marks = ["removable"] if disk.removable else []
    return f"{disk.name} ({' '.join([disk_size(size) if size else 'size unknown', kind, *marks])})"


def is_raid_volume(disk: Disk) -> bool:
    """Whether a RAID controller shows it, with real disks hidden beneath."""
    return is_raid_model(known(disk.model) or "")


@check(
    "disk.nvme",
    "disk.ssd",
    "disk.hdd",
    "disk.any",
    title="Disks by count, size and kind",
    severities=(PASS, FAIL, UNKNOWN),
)
def devices(case: Case, say: Say) -> Iterator[Finding]:
    """Distinct devices for every need of the sizing table; one device serves one need."""
    needs = case.demand.disks
    if not needs:
        return
    disks = known(case.facts.disks)
    if disks is None:
        for need in needs:
            yield say.unknown(
                f"It could not be told which disks {case.name} has; {case.who} needs"
                f" {_wanted(need)}.",
                id=f"disk.{asked_kind(need)}",
                subject=need.purpose,
                expected=_wanted(need),
                reason=why_unknown(case.facts.disks),
                source=case.sizing_source,
                evidence=LIST_DISKS,
            )
        return
    for share in match_disks(disks, needs):
        yield _judged(case, say, share, disks)


def _wanted(need: DiskNeed) -> str:
    purpose = f" for {need.purpose}" if need.purpose else ""
    noun = asked_noun(need)
    if need.total:
        return f"{disk_gb(need.size_gb)} of {noun} space in all{purpose}"
    each = " each" if need.count > 1 else ""
    return f"{need.count} × {disk_gb(need.size_gb)} {noun}{each if not purpose else ''}{purpose}"


def _judged(case: Case, say: Say, share: Share, disks: tuple[Disk, ...]) -> Finding:
    need = share.need
    noun, size = asked_noun(need), disk_gb(need.size_gb)
    disks = distinct(disks)
    purpose = f" for {need.purpose}" if need.purpose else ""
    kind_id = f"disk.{asked_kind(need)}"
    actual = shortened(map(described, distinct(disks)), 8) or "no disks"
    if share.fit is Fit.CERTAIN or (share.fit is Fit.NO and not _behind_raid(share)):
        found = len(share.certain) + len(share.spare)
        if need.total:
            summed = sum(known(disk.size_bytes) or 0 for disk in share.certain)
            title = (
                f"{case.name} has {disk_size(summed)} of {noun} space{purpose};"
                f" {case.who} needs {size}."
            )
        else:
            title = (
                f"{case.name} has {how_many(found, noun)} of at least {size}{purpose}"
                f"{_near_misses(share, disks)}; {case.who} needs {need.count}."
            )
        good = share.fit is Fit.CERTAIN
        return say.at(
            PASS if good else FAIL,
            title,
            id=kind_id,
            subject=need.purpose,
            expected=_wanted(need),
            actual=actual,
            source=case.sizing_source,
            evidence=LIST_DISKS,
            remedy=_remedy(share),
            undo="Detach the added disk again; nothing has been written to it.",
        )
    hidden = share.possible or share.certain
    reasons = {disk.kind_reason for disk in hidden if disk.kind_reason}
    reason = next(iter(sorted(reasons)), "the machine does not show what is beneath")
    names = shortened(disk.name for disk in hidden)
    return say.unknown(
        f"{case.name} has disks that may be enough{purpose}, but what {names}"
        f" {'is' if len(hidden) == 1 else 'are'} made of cannot be seen;"
        f" {case.who} needs {_wanted(need)}.",
        id=kind_id,
        subject=need.purpose,
        expected=_wanted(need),
        reason=f"{reason}: {actual}",
        source=case.sizing_source,
        evidence=LIST_DISKS,
        remedy=f"Ask whoever runs the hypervisor, the storage or the RAID controller whether"
        f" {names} really {'is' if len(hidden) == 1 else 'are'} {_wanted(need)} on separate"
        f" devices, and record the answer as a waiver of {kind_id} with that person's name.",
    )


def _behind_raid(share: Share) -> bool:
    """Whether a controller's mirror stands for the pair that a document asks for."""
    return share.need.raid1 and any(map(is_raid_volume, (*share.certain, *share.possible)))


def _near_misses(share: Share, disks: tuple[Disk, ...]) -> str:
    """What falls short, so that nobody has to look for it: " (nvme1n1 has only 480 GB)"."""
    need = share.need
    if share.fit is not Fit.NO:
        return ""
    notes = []
    for disk in distinct(disks):
        size = known(disk.size_bytes)
        if need.kinds and disk.kind not in need.kinds:
            continue
        if not usable(disk):
            why = "removable" if disk.removable else "read-only" if disk.read_only else "a card"
            notes.append(f"{disk.name} is {why}")
        elif size is not None and size < NOMINAL * need.size_gb * GB:
            notes.append(f"{disk.name} has only {disk_size(size)}")
        elif for_data(need) and holds_system(disk):
            notes.append(f"{disk.name} holds the system")
    notes += [f"the kind of {disk.name} cannot be told" for disk in share.possible]
    return f" ({shortened(notes, 3)})" if notes else ""


def _remedy(share: Share) -> str:
    need = share.need
    if need.total:
        return (
            f"Attach block storage until {disk_gb(need.size_gb)} are there in all, then see it"
            f" with `{LIST_DISKS}`."
        )
    missing = need.count - len(share.certain)
    return (
        f"Add {how_many(missing, asked_noun(need))} of {disk_gb(need.size_gb)} or more as"
        f" {'a device' if missing == 1 else 'devices'} of its own, not as a partition: in the"
        " machine, or in the hypervisor on storage of that kind (passed through, so that the"
        f" machine sees what it is). Then see it with `{LIST_DISKS}`."
    )


@check("disk.in-use", title="Disks for data are empty", severities=(PASS, WARN, FAIL))
def in_use(case: Case, say: Say) -> Iterator[Finding]:
    """Disks that a data need is given and that somebody already uses."""
    disks = known(case.facts.disks)
    if disks is None:
        return
    for share in match_disks(disks, case.demand.disks):
        if not for_data(share.need):
            continue
        given = (*share.certain, *share.possible)
        used = [disk for disk in given if disk.in_use_by or disk.mounts]
        ceph = "ceph" in share.need.purpose.lower()
        expected = f"empty disks for {share.need.purpose}"
        source = "Sitewright: what is on a disk given to the storage cluster is lost"
        if not used and given:
            yield say.at(
                PASS,
                f"The disks of {case.name} for {share.need.purpose} are empty.",
                subject=share.need.purpose,
                expected=expected,
                actual=f"{shortened(disk.name for disk in given)}: nobody uses them",
                source=source,
                evidence="lsblk -f",
            )
        for disk in used:
            device = word(f"/dev/{disk.name}")
            users = listed((*disk.in_use_by, *(f"mounted at {m}" for m in disk.mounts)))
            installed = any("ceph" in user.lower() for user in disk.in_use_by)
            yield say.at(
                FAIL if ceph and not installed else WARN,
                f"{disk.name} on {case.name} is meant for {share.need.purpose} and is already"
                f" used by {'Ceph: it may be installed already' if installed else users}.",
                subject=disk.name,
                expected=expected,
                actual=f"{disk.name}: {users}",
                source=source,
                evidence=f"lsblk -f {device}; sudo wipefs --no-act {device}",
                remedy=f"Make sure that nobody needs what is on it, save it elsewhere, unmount it"
                f" and take it out of /etc/fstab, then clear it: `sudo umount {device}?*`"
                f" and `sudo wipefs --all --backup {device}`. Or give another disk.",
                undo="wipefs --backup leaves the old signatures in ~/wipefs-*.bak; write each back"
                f" with `sudo dd if=FILE of={device} seek=$((OFFSET)) bs=1 conv=notrunc`.",
            )


@check("disk.raid1", title="Mirrored system disks", severities=(PASS, WARN, UNKNOWN))
def mirrored(case: Case, say: Say) -> Iterator[Finding]:
    """Whether the disks that a document wants mirrored are members of one RAID 1."""
    disks = known(case.facts.disks)
    if disks is None:
        return
    for share in match_disks(disks, case.demand.disks):
        given = (*share.certain, *share.possible)
        if not share.need.raid1 or not given:
            continue
        expected = f"{share.need.purpose or 'disks'} on RAID 1"
        arrays = {known(disk.raid) for disk in given}
        names = listed(disk.name for disk in given)
        if any(map(is_raid_volume, given)):
            yield say.unknown(
                f"The RAID controller of {case.name} hides whether {names}"
                f" {'is' if len(given) == 1 else 'are'} mirrored.",
                subject=share.need.purpose,
                expected=expected,
                reason="a RAID controller shows one volume",
                source=case.sizing_source,
                evidence="sudo perccli64 /c0 show || sudo storcli64 /c0 show || sudo ssacli ctrl"
                " all show config",
            )
            continue
        good = len(given) > 1 and len(arrays) == 1 and "raid1" in (next(iter(arrays)) or "")
        yield say.at(
            PASS if good else WARN,
            f"{names} on {case.name} {'mirror each other' if good else 'are not mirrored'}"
            f"{'' if good else '; the sizing table asks for RAID 1'}."
            if len(given) > 1
            else f"{names} on {case.name} has no mirror; the sizing table asks for RAID 1.",
            subject=share.need.purpose,
            expected=expected,
            actual=listed(sorted(array for array in arrays if array)) or "no RAID",
            source=case.sizing_source,
            evidence="cat /proc/mdstat; lsblk -o NAME,TYPE,SIZE,MOUNTPOINTS",
            remedy="Mirror the system disks when the operating system is installed (the installer's"
            " storage page: create software RAID, level 1), or in the RAID controller. It cannot"
            " be added safely to a system that runs.",
            undo="None: it is a new installation of the operating system.",
        )


@check("disk.array", title="Software RAID is whole", severities=(PASS, FAIL))
def arrays_whole(case: Case, say: Say) -> Iterator[Finding]:
    """Degraded arrays."""
    for array in known(case.facts.arrays) or ():
        device = word(f"/dev/{array.name}")
        yield say.at(
            FAIL if array.degraded else PASS,
            f"The array {array.name} of {case.name} "
            f"{'has lost a disk' if array.degraded else 'is whole'}.",
            subject=array.name,
            expected="all members present",
            actual=f"{array.level} of {listed(array.members)}"
            f"{', degraded' if array.degraded else ''}",
            source="Sitewright: a degraded mirror loses everything with the next disk",
            evidence=f"cat /proc/mdstat; sudo mdadm --detail {device}",
            remedy=f"Replace the lost disk and add the new one:"
            f" `sudo mdadm {device} --add /dev/NEW`, then wait until /proc/mdstat shows"
            " the array whole.",
            undo=f"sudo mdadm {device} --fail /dev/NEW --remove /dev/NEW",
        )


WEAR_WARN, WEAR_FAIL = 80, 100


@check("disk.wear", title="Wear of flash disks", severities=(PASS, WARN, FAIL))
def wear(case: Case, say: Say) -> Iterator[Finding]:
    """The part of its life that a flash disk has used, where it tells."""
    for disk in known(case.facts.disks) or ():
        percent = known(disk.wear_percent)
        if percent is None:
            continue
        severity = FAIL if percent >= WEAR_FAIL else WARN if percent >= WEAR_WARN else PASS
        yield say.at(
            severity,
            f"{disk.name} on {case.name} has used {percent} % of the life its maker gives it.",
            subject=disk.name,
            expected=f"below {WEAR_WARN} %",
            actual=f"{percent} %",
            source=f"Sitewright: databases wear flash; {WEAR_WARN} % is the time to plan, "
            f"{WEAR_FAIL} % the end of the warranty",
            evidence=f"sudo smartctl -a {word(f'/dev/{disk.name}')} |"
            " grep -i -E 'percentage used|wear'",
            remedy="Replace the disk before data is put on it.",
            undo="Put the old disk back before anything is written.",
        )

"""Named disks: whether the disks that a site names by serial are there, empty, and each alone.

Such a disk is taken whole, so that what stands on it is told before anything starts. A name such as
nvme1n1 may be another disk after a restart; a serial is not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from foundation.wording import listed
from installer.catalogue.settings import Value, load_settings
from installer.planning import kubernetes_end, release_lines
from installer.planning.demands import demanded, is_demand, settings_said
from installer.planning.kubernetes_end import end_of_kubernetes
from installer.planning.release_lines import ends_of_lines, skipped_steps
from preflight.facts import Disk, known, why_unknown
from preflight.findings import Finding, Severity

if TYPE_CHECKING:
    from datetime import date

    from installer.catalogue.solution import Solution
    from installer.catalogue.stages import NamedDisks, Setting
    from installer.sites.site import Site
    from preflight.assessment import Seen

LIST_SERIALS: Final = "lsblk -dno NAME,SIZE,MODEL,SERIAL"
ID: Final = "disk.by-serial"


@dataclass(frozen=True, slots=True)
class Named:
    """A disk that the site names: the machine, and the serial that it is to have there."""

    machine: str
    serial: str


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a site says of its named disks under one setting."""

    setting: Setting
    marks: NamedDisks
    disks: tuple[Named, ...]
    wiped: tuple[Named, ...]
    group: str

    def finding(
        self,
        severity: Severity,
        host: str | None,
        title: str,
        actual: str,
        remedy: str,
        **more: str,
    ) -> Finding:
        return Finding(
            id=ID,
            severity=severity,
            title=title,
            expected=f"what {self.setting.name} names: a whole disk, there and empty",
            actual=actual,
            source=self.marks.source,
            host=host,
            evidence=more.get("evidence", LIST_SERIALS),
            remedy=remedy,
            subject=more.get("subject", ""),
        )


def read_named(text: str) -> tuple[Named, ...]:
    """The disks of MACHINE=SERIAL, parted by commas, in their order; doubles stay doubles."""
    pairs = (one.strip().partition("=") for one in text.split(",") if one.strip())
    return tuple(Named(machine, serial) for machine, _, serial in pairs)


def judged_settings(
    solution: Solution, site: Site, seen: Sequence[Seen], today: date
) -> tuple[Finding, ...]:
    """All that the settings of a site come to as findings on a day.

    What they lack, what they name, and whether what they choose is still mended.
    """
    values, asked = settings_said(load_settings(solution).settings, site)
    counting = {name: value for name, value in values.items() if name in asked}
    return (
        *demanded(solution, site),
        *named_disks(solution, site, seen),
        *end_of_kubernetes(solution, counting, today),
        *ends_of_lines(solution, counting, seen, today),
        *skipped_steps(solution, site, counting),
    )


def judged_defaults(
    solution: Solution, today: date, seen: Sequence[Seen] = ()
) -> tuple[Finding, ...]:
    """What is to be said on a day where nobody has set anything yet."""
    settings = load_settings(solution).settings
    values = {one.name: one.default for one in settings if one.default is not None}
    return (
        *end_of_kubernetes(solution, values, today),
        *ends_of_lines(solution, values, seen, today),
    )


def of_settings(finding: Finding) -> bool:
    """Whether a finding is one of those, which say nothing once the settings are others."""
    mine = (ID, kubernetes_end.ID, release_lines.PATH)
    return finding.id in mine or is_demand(finding)


def named_disks(solution: Solution, site: Site, seen: Sequence[Seen]) -> tuple[Finding, ...]:
    """What is to be said of each disk that the site names, and of machines without one."""
    settings = load_settings(solution).settings
    values, asked = settings_said(settings, site)
    found: list[Finding] = []
    for setting in settings:
        if setting.disks is not None and setting.name in asked and values.get(setting.name):
            found += _judged(_asked(setting, setting.disks, values), site, seen)
    return tuple(found)


def _asked(setting: Setting, marks: NamedDisks, values: Mapping[str, Value]) -> _Asked:
    return _Asked(
        setting,
        marks,
        read_named(str(values[setting.name])),
        read_named(str(values.get(marks.wiped) or "")),
        str(values.get(marks.group) or ""),
    )


def _judged(asked: _Asked, site: Site, seen: Sequence[Seen]) -> Iterator[Finding]:
    name = asked.setting.name
    roles = {host.name: tuple(host.roles) for host in site.hosts}
    facts = {one.host.name: one for one in seen}
    times = Counter(asked.disks)
    serials = Counter(one.serial for one in set(asked.disks))
    for one in dict.fromkeys((*asked.disks, *asked.wiped)):
        said = f"{one.machine}={one.serial}"
        if one.machine not in roles and one.machine not in facts:
            yield asked.finding(
                Severity.FAIL, None, f"{name} names a disk of {one.machine}, which is no machine of"
                " this site.", said, f"Name one of {listed(sorted(roles))}, as the site file does.",
                subject=said,
            )  # fmt: skip
        elif one not in times:
            yield asked.finding(
                Severity.FAIL, one.machine, f"{asked.marks.wiped} names a disk of {one.machine}"
                f" that {name} does not name.", said,
                f"Name it in {name} as well, or take it out of {asked.marks.wiped}.", subject=said,
            )  # fmt: skip
        elif times[one] > 1 or serials[one.serial] > 1:
            yield asked.finding(
                Severity.FAIL, one.machine, f"{name} names the serial {one.serial} more than once.",
                said, "One disk is in one machine, and is named once.", subject=said,
            )  # fmt: skip
        else:
            given = roles.get(one.machine, ())
            if given and not set(given) & set(asked.marks.roles):
                yield asked.finding(
                    Severity.FAIL, one.machine, f"{name} names a disk of {one.machine}, which is"
                    f" {listed(given)}.", said,
                    f"Disks are taken of machines that are {' or '.join(asked.marks.roles)}.",
                    subject=said,
                )  # fmt: skip
            elif one.machine in facts:
                yield _of_machine(asked, one, facts[one.machine], seen)
    have = {one.machine for one in asked.disks}
    for machine, given in roles.items():
        if asked.marks.roles[0] in given and machine not in have:
            yield asked.finding(
                Severity.WARN, machine, f"{name} names no disk of {machine}: no local volume can be"
                " made there.", "none",
                f"Name one: {machine}=SERIAL, as `{LIST_SERIALS}` shows it.",
            )  # fmt: skip


def _of_machine(asked: _Asked, named: Named, seen: Seen, everybody: Sequence[Seen]) -> Finding:
    host, serial, name = named.machine, named.serial, asked.setting.name
    disks = known(seen.facts.disks) if seen.facts is not None else None
    if disks is None:
        why = "it was not seen" if seen.facts is None else why_unknown(seen.facts.disks)
        return asked.finding(
            Severity.UNKNOWN, host, f"It could not be told whether {host} has the disk {serial}.",
            why, "Run preflight again when the machine answers, with root.", subject=serial,
        )  # fmt: skip
    own = [disk for disk in disks if known(disk.serial) == serial]
    if not own:
        elsewhere = [
            one.host.name
            for one in everybody
            if one.host.name != host and one.facts is not None
            for disk in known(one.facts.disks) or ()
            if known(disk.serial) == serial
        ]
        there = f" It is in {listed(elsewhere)}." if elsewhere else ""
        return asked.finding(
            Severity.FAIL, host, f"{host} has no disk with the serial {serial}.{there}",
            _shown(disks) or "no disks",
            f"Name a disk that is in {host}, or put that one in. A disk without a serial cannot be"
            " named: have the hypervisor give it one.", subject=serial,
        )  # fmt: skip
    if len(own) > 1:
        return asked.finding(
            Severity.FAIL, host, f"{len(own)} disks of {host} have the serial {serial}, so that it"
            f" names none of them: {listed(disk.name for disk in own)}.", _shown(tuple(own)),
            "Have the hypervisor or the storage give each a serial of its own, or name another.",
            subject=serial,
        )  # fmt: skip
    return _of_disk(asked, named, own[0], name)


def _of_disk(asked: _Asked, named: Named, disk: Disk, name: str) -> Finding:
    host, serial = named.machine, named.serial
    device = f"/dev/{disk.name}"
    uses = listed((*disk.in_use_by, *(f"mounted at {point}" for point in disk.mounts)))
    evidence = f"lsblk -f {device}; sudo wipefs --no-act {device}"

    def say(severity: Severity, title: str, remedy: str = "") -> Finding:
        return asked.finding(
            severity, host, title, uses or "nobody uses it", remedy, subject=serial,
            evidence=evidence,
        )  # fmt: skip

    if disk.read_only:
        return say(
            Severity.FAIL, f"{disk.name} on {host} ({serial}) cannot be written to.",
            f"Give another disk in {name}, or take the write protection away.",
        )  # fmt: skip
    if not uses:
        return say(Severity.PASS, f"{disk.name} on {host} ({serial}) is there and empty.")
    if not disk.mounts and set(disk.in_use_by) == {f"lvm {asked.group}"}:
        return say(
            Severity.PASS,
            f"{disk.name} on {host} ({serial}) carries the volume group {asked.group} already.",
        )
    if not disk.mounts and set(disk.in_use_by) == {"lvm"}:
        return say(
            Severity.WARN, f"{disk.name} on {host} ({serial}) belongs to LVM already; if that is"
            f" not the volume group {asked.group} of an earlier run, it is refused before any"
            " disk is taken.", f"See whose it is: `sudo pvs {device}`.",
        )  # fmt: skip
    held = disk.mounts or any(
        use not in _LEFT and not use.endswith(_REST) for use in disk.in_use_by
    )
    if named in asked.wiped and not held:
        return say(
            Severity.WARN, f"{disk.name} on {host} ({serial}) carries {uses}, and is wiped, since"
            f" {asked.marks.wiped} names it.", f"Take it out of {asked.marks.wiped} to keep it.",
        )  # fmt: skip
    if held:
        return say(
            Severity.FAIL, f"{disk.name} on {host} ({serial}) is in use: {uses}.",
            f"Name another disk in {name}. What is in use is never wiped.",
        )  # fmt: skip
    return say(
        Severity.FAIL, f"{disk.name} on {host} ({serial}) is not empty: {uses}.",
        f"Name another disk in {name}. Only if nobody needs what is on it: put {host}={serial} into"
        f" {asked.marks.wiped} as well, and it is wiped when it is taken.",
    )  # fmt: skip


_LEFT: Final = frozenset(("partition table",))
_REST: Final = ", not mounted"
"""What is left on a disk and held by nobody, as the facts call it."""


def _shown(disks: Sequence[Disk]) -> str:
    return ", ".join(f"{disk.name}: {known(disk.serial) or 'no serial'}" for disk in disks)

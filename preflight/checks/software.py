"""Checks of software: what must not be there, what must, and what acts behind one's back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from foundation.wording import listed
from preflight.checks.case import Case
from preflight.checks.check import FAIL, PASS, UNKNOWN, WARN, Say, check
from preflight.checks.removal import removal
from preflight.facts import Software, known, why_unknown
from preflight.findings import Finding, Severity
from preflight.needs import ConflictNeed

EVIDENCE: Final = "dpkg -l | grep ^ii; snap list; systemctl list-units --type=service"


def installed(case: Case, *names: str) -> Software | None:
    """The first of the programs named that is on the machine."""
    there = known(case.facts.software) or ()
    return next((one for name in names for one in there if one.name == name), None)


def _described(one: Software) -> str:
    version = known(one.version)
    active = known(one.active)
    state = {True: ", running", False: ", not running", None: ""}[active]
    return f"{one.name}{f' {version}' if version else ''}{state}"


@check("software.conflict.*", title="Conflicting software", severities=(PASS, WARN, FAIL, UNKNOWN))
def conflicts(case: Case, say: Say) -> Iterator[Finding]:
    """Programs that stand in the way of what the machine is meant for."""
    needs = [need for need in case.platform.conflicts if case.concerns(need.roles)]
    if needs and known(case.facts.software) is None:
        names = listed((need.software for need in needs), "or")
        yield say.unknown(
            f"It could not be told whether {names} is on {case.name}.",
            id=f"software.conflict.{needs[0].software}",
            expected=f"no {names}",
            reason=why_unknown(case.facts.software),
            source=needs[0].source,
            evidence=EVIDENCE,
        )
        return
    for need in needs:
        yield _conflict(case, say, need)


def _conflict(case: Case, say: Say, need: ConflictNeed) -> Finding:
    name, found = need.software, installed(case, need.software)
    state = ""
    if found is not None:
        state = {True: " and runs", False: " and does not run"}.get(
            known(found.active) or False, ""
        )
        state = "" if known(found.active) is None else state
    return say.at(
        Severity(need.severity) if found else PASS,
        f"{name} is installed on {case.name}{state}."
        if found
        else f"{name} is not on {case.name}.",
        id=f"software.conflict.{name}",
        subject=name,
        expected=f"no {name}",
        actual=_described(found) if found else "not there",
        source=need.source,
        evidence=f"command -v {name}; systemctl status '{name}*' --no-pager; snap list {name}",
        remedy=f"{need.reason} {need.remedy or removal(name)}".strip(),
        undo=f"What was only stopped is started again: `sudo systemctl enable --now {name}`. What"
        " was removed is installed again from the same package; data that went with it comes back"
        " only from a copy made before.",
    )


@check("software.commands", title="Programs that must be there", severities=(PASS, FAIL, UNKNOWN))
def commands(case: Case, say: Say) -> Iterator[Finding]:
    """Programs on the path before the installation."""
    roles = case.platform.command_roles
    needed = [name for name in case.platform.commands if case.concerns(roles.get(name, ()))]
    if not needed:
        return
    source = case.platform.commands_source or "Sitewright: the installation calls them"
    evidence = f"command -v {' '.join(needed)}"
    there = known(case.facts.commands)
    if there is None:
        yield say.unknown(
            f"It could not be told whether {listed(needed)} are on {case.name}.",
            expected=listed(needed),
            reason=why_unknown(case.facts.commands),
            source=source,
            evidence=evidence,
        )
        return
    missing = [name for name in needed if name not in there]
    packages = {"snap": "snapd", "docker": "docker.io", "psql": "postgresql-client"}
    wanted = " ".join(packages.get(name, name) for name in missing)
    yield say.at(
        FAIL if missing else PASS,
        f"{case.name} lacks {listed(missing)}, which must be there before the installation."
        if missing
        else f"{listed(needed)} {'are' if len(needed) > 1 else 'is'} on {case.name}.",
        expected=listed(needed),
        actual=f"missing: {listed(missing)}" if missing else "all there",
        source=source,
        evidence=evidence,
        remedy=f"Install what is missing: `sudo apt-get update && sudo apt-get install {wanted}`.",
        undo=f"sudo apt-get remove {wanted} (apt shows what else would go, and asks first)",
    )


@check("software.unattended-upgrades", title="Unattended upgrades", severities=(PASS, WARN))
def unattended_upgrades(case: Case, say: Say) -> Iterator[Finding]:
    """Packages and kernels that change by night, and hold the package lock by day."""
    if known(case.facts.software) is None:
        return
    found = installed(case, "unattended-upgrades", "unattended-upgrade")
    runs = found is not None and known(found.active) is not False
    if found is None and case.needs.single_machine:
        return
    yield say.at(
        WARN if runs else PASS,
        f"{case.name} upgrades itself: packages may change, and be locked, during the installation."
        if runs
        else f"{case.name} does not upgrade itself unasked.",
        expected="upgrades in a maintenance window",
        actual=_described(found) if found else "not there",
        source="Mojaloop documentation, infrastructure appendix: unattended upgrades destabilise"
        " clusters",
        evidence="systemctl is-active unattended-upgrades apt-daily.timer apt-daily-upgrade.timer",
        remedy="Hold it for the time of the installation, and upgrade node by node afterwards:"
        " `sudo systemctl disable --now unattended-upgrades apt-daily.timer"
        " apt-daily-upgrade.timer`.",
        undo="sudo systemctl enable --now unattended-upgrades apt-daily.timer"
        " apt-daily-upgrade.timer",
    )


SETTING_UP: Final = {
    "cloud-init": "cloud-init gives it its settings",
    "apt-daily": "it brings its packages up to date",
    "snapd-seeding": "snapd installs the snaps that came with it",
}


@check("software.setting-up", title="Set up and at rest", severities=(PASS, WARN))
def setting_up(case: Case, say: Say) -> Iterator[Finding]:
    """A machine that was started for the first time still changes itself for some minutes."""
    software = known(case.facts.software)
    if software is None:
        return
    busy = [SETTING_UP[one.name] for one in software if one.name in SETTING_UP]
    yield say.at(
        WARN if busy else PASS,
        f"{case.name} still sets itself up: {listed(busy)}."
        if busy
        else f"{case.name} is set up and at rest.",
        expected="nothing that still changes names, packages or snaps",
        actual=listed(busy) if busy else "at rest",
        source="Ubuntu Server documentation: automatic updates; cloud-init: boot stages",
        evidence="systemctl list-jobs; cloud-init status",
        remedy="Wait until it has ended, then look again: `systemctl is-system-running --wait;"
        " systemctl list-jobs`.",
        undo="None: nothing is changed on this machine.",
    )


@check("software.multipath", title="Multipath", severities=(PASS, WARN))
def multipath(case: Case, say: Say) -> Iterator[Finding]:
    """multipathd claims the disks that Ceph and Longhorn attach."""
    if not (case.kubernetes or "storage" in case.roles) or known(case.facts.software) is None:
        return
    found = installed(case, "multipathd", "multipath-tools", "multipath")
    runs = found is not None and known(found.active) is not False
    yield say.at(
        WARN if runs else PASS,
        f"multipathd runs on {case.name} and may claim the disks of volumes."
        if runs
        else f"multipathd does not run on {case.name}.",
        expected="no multipathd, or one that leaves volumes alone",
        actual=_described(found) if found else "not there",
        source="Longhorn documentation: volume mount failure caused by multipathd",
        evidence="systemctl is-active multipathd; sudo multipath -ll",
        remedy="If no storage here is attached over several paths, switch it off: `sudo systemctl"
        " disable --now multipathd.socket multipathd`. Else add a blacklist of the volumes'"
        " devices to /etc/multipath.conf.",
        undo="sudo systemctl enable --now multipathd.socket multipathd",
    )


@check("software.docker-snap", title="Docker as a package", severities=(PASS, WARN))
def docker_snap(case: Case, say: Say) -> Iterator[Finding]:
    """Docker from a snap sees only part of the files, so that mounts of containers are empty."""
    if case.platform.docker is None and "docker" not in case.platform.commands:
        return
    found = installed(case, "docker")
    if found is None:
        return
    path = known(found.path) or ""
    snap = path.startswith(("/snap/", "/var/lib/snapd/"))
    yield say.at(
        WARN if snap else PASS,
        f"Docker on {case.name} is a snap, which sees only part of the files."
        if snap
        else f"Docker on {case.name} is not a snap.",
        expected="Docker from a package",
        actual=path or _described(found),
        source="MicroK8s inspect.sh and Docker's documentation: the snap is confined",
        evidence="command -v docker; snap list docker",
        remedy="Its containers, images and volumes go with it: save them first. Then replace it by"
        " the package: `sudo apt-get update && sudo snap remove docker && sudo apt-get install"
        " docker.io docker-compose-v2`.",
        undo="sudo apt-get remove docker.io docker-compose-v2 && sudo snap install docker",
    )

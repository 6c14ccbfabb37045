"""Checks of the operating system: release, architecture, kernel version, init."""

from __future__ import annotations

import re
from collections.abc import Iterator

from foundation.wording import listed, shortened
from preflight.checks.case import Case
from preflight.checks.check import FAIL, PASS, UNKNOWN, WARN, Say, check
from preflight.facts import OsFacts, known, why_unknown
from preflight.findings import Finding, Severity

_ALIASES = {"amd64": "x86_64", "x86-64": "x86_64", "arm64": "aarch64"}


def version_key(text: str) -> tuple[int, ...]:
    """A version as numbers for comparison: 6.8.0-45-generic is (6, 8, 0, 45).

    Numbers are compared, not texts (5.9 is below 5.15), and trailing zeros do not count.
    """
    match = re.match(r"\d+(?:[.\-]\d+)*", text.strip())
    numbers = [int(part) for part in re.split(r"[.\-]", match.group())] if match else []
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


@check("os.release", title="Operating system", severities=(PASS, WARN, FAIL, UNKNOWN))
def release(case: Case, say: Say) -> Iterator[Finding]:
    """Distribution and version against those that the solution is documented to run on."""
    needs = case.platform.os
    if not needs:
        return
    expected = listed(
        (f"{need.id.capitalize()} {listed(need.versions, 'or')}".strip() for need in needs), "or"
    )
    source = case.platform.os_source or "Sitewright: the systems this was written for"
    evidence = "cat /etc/os-release"
    name, version = known(case.facts.os.id), known(case.facts.os.version)
    if name is None or version is None:
        yield say.unknown(
            f"It could not be told which operating system {case.name} runs; {expected} is needed.",
            expected=expected,
            reason=why_unknown(case.facts.os.id) or why_unknown(case.facts.os.version),
            source=source,
            evidence=evidence,
        )
        return
    good = any(
        need.id == name and (not need.versions or version in need.versions) for need in needs
    )
    shown = known(case.facts.os.pretty_name) or f"{name} {version}"
    yield say.at(
        PASS if good else Severity(case.platform.os_severity),
        f"{case.name} runs {shown}; {expected} is needed.",
        expected=expected,
        actual=shown,
        source=source,
        evidence=evidence,
        remedy=f"Install {expected} anew on the machine. An upgrade in place (`sudo"
        " do-release-upgrade`) is possible from the release just before; save what is on it first.",
        undo="Bring the machine back from the copy made before: there is no way back in place.",
    )


@check("os.architecture", title="Architecture", severities=(PASS, FAIL, UNKNOWN), waivable=False)
def architecture(case: Case, say: Say) -> Iterator[Finding]:
    """What the images are built for: nothing starts on another."""
    allowed = case.platform.architectures
    if not allowed:
        return
    expected = listed(allowed, "or")
    source = case.platform.architecture_source or "Sitewright: what the images are built for"
    have = known(case.facts.os.architecture)
    if have is None:
        yield say.unknown(
            f"It could not be told which architecture {case.name} has; {expected} is needed.",
            expected=expected,
            reason=why_unknown(case.facts.os.architecture),
            source=source,
            evidence="uname -m",
        )
        return
    yield say.at(
        PASS if _ALIASES.get(have, have) in {_ALIASES.get(a, a) for a in allowed} else FAIL,
        f"{case.name} is {have}; {expected} is needed.",
        expected=expected,
        actual=have,
        source=source,
        evidence="uname -m",
        remedy=f"Use another machine: the programs are built for {expected} and do not start on"
        f" {have}. No setting changes that.",
        undo="None: nothing is changed on this machine.",
    )


@check("os.kernel", title="Kernel version", severities=(PASS, FAIL, UNKNOWN))
def kernel(case: Case, say: Say) -> Iterator[Finding]:
    """The kernel's version against the least one."""
    least = case.platform.kernel_min
    if least is None:
        return
    source = case.platform.kernel_source or "Sitewright: the least kernel"
    have = known(case.facts.os.kernel)
    if have is None or not version_key(have):
        yield say.unknown(
            f"It could not be told which kernel {case.name} runs; {least} or newer is needed.",
            expected=f"{least} or newer",
            reason=why_unknown(case.facts.os.kernel) or "its name has no version",
            source=source,
            evidence="uname -r",
        )
        return
    yield say.at(
        PASS if version_key(have) >= version_key(least) else FAIL,
        f"{case.name} runs kernel {have}; {least} or newer is needed.",
        expected=f"{least} or newer",
        actual=have,
        source=source,
        evidence="uname -r",
        remedy="Install the distribution's current kernel and start anew: `sudo apt-get"
        " update && sudo apt-get install linux-generic && sudo reboot` (on Debian the package is"
        " linux-image-amd64).",
        undo="Choose the old kernel in the boot menu, and remove the new one with apt-get.",
    )


def due_for(facts: OsFacts) -> str:
    """For what a machine waits to be restarted, in words; "" for nothing that is known."""
    running, newest = known(facts.kernel), known(facts.newest_kernel)
    found = []
    if running and newest and version_key(newest) > version_key(running):
        found.append(f"kernel {newest} is installed and {running} runs")
    if asked := known(facts.restart_for):
        found.append(f"asked for by {shortened(asked, 4)}")
    return "; ".join(found)


@check("os.restart", title="A restart that is due", severities=(PASS, WARN))
def restart(case: Case, say: Say) -> Iterator[Finding]:
    """A newer kernel, or a package that asks for it; unknown it is no objection."""
    facts = case.facts.os
    if known(facts.restart_for) is None:
        return
    due = due_for(facts)
    yield say.at(
        WARN if due else PASS,
        f"{case.name} waits to be restarted: {due}." if due else f"{case.name} needs no restart.",
        expected="no restart that is due",
        actual=due or "none is due",
        source="Ubuntu and Debian: /run/reboot-required; the newest kernel in /boot",
        evidence="cat /run/reboot-required.pkgs; uname -r; ls /boot/vmlinuz-*",
        remedy="Before anything is installed on it: `sudo reboot`. In a site that runs, one machine"
        " after another: `sitewright reboot --site FILE`.",
        undo="Choose the old kernel in the boot menu.",
    )


@check("os.init", title="systemd", severities=(PASS, FAIL, UNKNOWN))
def init(case: Case, say: Say) -> Iterator[Finding]:
    """systemd as process 1, where the solution's services need it."""
    if not case.platform.systemd:
        return
    source = case.platform.systemd_source or "Sitewright: services are systemd units"
    have = known(case.facts.os.init)
    evidence = "ps -p 1 -o comm="
    if have is None:
        yield say.unknown(
            f"It could not be told whether {case.name} was started by systemd.",
            expected="systemd",
            reason=why_unknown(case.facts.os.init),
            source=source,
            evidence=evidence,
        )
        return
    good = have == "systemd"
    yield say.at(
        PASS if good else FAIL,
        f"{case.name} was started by {have}{'' if good else '; systemd is needed'}.",
        expected="systemd",
        actual=have,
        source=source,
        evidence=evidence,
        remedy="Use a system that starts with systemd, as Ubuntu and Debian servers do. A container"
        " that runs a single program has none.",
        undo="None: nothing is changed on this machine.",
    )

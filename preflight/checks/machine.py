"""Checks of the machine itself: virtual or physical, and what only people know."""

from __future__ import annotations

from collections.abc import Iterator

from foundation.hosts.model import Host
from preflight.checks.case import Case
from preflight.checks.check import FAIL, PASS, UNKNOWN, WARN, Say, check
from preflight.facts import ABSENT, Facts, known, why_unknown
from preflight.findings import Finding
from preflight.needs import MachineKind

_WORDS = {MachineKind.VM: "a virtual machine", MachineKind.PHYSICAL: "a physical machine"}


def machine_kind(host: Host, facts: Facts) -> MachineKind | None:
    """Virtual or physical: what the site file states, else what the machine shows; None if hidden.

    A container counts as neither.
    """
    if host.machine is not None:
        return MachineKind(host.machine)
    if known(facts.cpu.is_container):
        return None
    if facts.cpu.virtualization is ABSENT:
        return MachineKind.PHYSICAL
    return MachineKind.VM if known(facts.cpu.virtualization) else None


@check("machine.kind", title="Virtual or physical", severities=(PASS, WARN, FAIL, UNKNOWN))
def kind(case: Case, say: Say) -> Iterator[Finding]:
    """What the table asks the machine to be.

    A physical machine where a virtual one is asked for is only a deviation to be noted; the other
    way round disks and network may be shared with strangers.
    """
    need = case.demand.machine
    if need not in _WORDS:
        return
    have = machine_kind(case.host, case.facts)
    seen = known(case.facts.cpu.virtualization)
    evidence = "systemd-detect-virt; sudo dmidecode -s system-product-name"
    if have is None and not known(case.facts.cpu.is_container):
        yield say.unknown(
            f"It could not be told whether {case.name} is {_WORDS[need]}, as {case.who} should be.",
            expected=_WORDS[need],
            reason=why_unknown(case.facts.cpu.virtualization) or "the machine does not show it",
            source=case.sizing_source,
            evidence=evidence,
            remedy=f"State it in the site file: `machine: vm` or `machine: physical` for"
            f" {case.name}.",
        )
    elif have is not None:
        title = (
            f"{case.name} is {_WORDS[have]}, as {case.who} should be."
            if have is need
            else f"{case.name} is {_WORDS[have]}; the sizing table asks for {_WORDS[need]}."
        )
        severity = PASS if have is need else FAIL if need is MachineKind.PHYSICAL else WARN
        yield say.at(
            severity,
            title,
            expected=_WORDS[need],
            actual=f"{_WORDS[have]}{f' ({seen})' if seen else ''}",
            source=case.sizing_source,
            evidence=evidence,
            remedy=f"Use {_WORDS[need]} for this role, or have the deviation approved and record"
            " it as a waiver of machine.kind; if what is seen is wrong, state `machine:` for"
            f" {case.name} in the site file.",
            undo="Take the waiver or the `machine:` line out of the site file.",
        )


@check("machine.container", title="Not a container", severities=(PASS, WARN, FAIL))
def container(case: Case, say: Say) -> Iterator[Finding]:
    """A container shares its kernel, clock and disks with its host: its facts are not its own."""
    inside = known(case.facts.cpu.is_container)
    if inside is None:
        return
    name = known(case.facts.cpu.virtualization) or "a container runtime"
    strict = case.demand.machine in _WORDS
    yield say.at(
        (FAIL if strict else WARN) if inside else PASS,
        f"{case.name} is a container ({name}), not a machine of its own."
        if inside
        else f"{case.name} is a machine of its own, not a container.",
        expected="a machine with its own kernel",
        actual=f"container: {name}" if inside else "no container",
        source="Sitewright: kernel, modules, disks and clock seen in a container are its host's",
        evidence="systemd-detect-virt --container; ls /.dockerenv /run/.containerenv",
        remedy="Use a virtual or physical machine; a container serves for trying things out only.",
        undo="None: nothing is changed by choosing another machine.",
    )


@check("machine.conditions", title="What only people can confirm", severities=(WARN,))
def conditions(case: Case, say: Say) -> Iterator[Finding]:
    """Conditions of the document that no program sees; a waiver records who confirmed them."""
    if not case.demand.conditions:
        return
    which = f" as {case.demand.shape_title}" if case.demand.shape_title else ""
    yield say.at(
        WARN,
        f"{case.name}{which} must meet {len(case.demand.conditions)} conditions that nobody can"
        " see from here.",
        expected=" ".join(case.demand.conditions),
        actual="not confirmed",
        source=case.sizing_source,
        evidence="none: ask whoever runs the platform, and keep the answer",
        remedy="Have each condition confirmed in writing, and record it as a waiver of"
        " machine.conditions with the name of who confirmed it.",
        undo="Take the waiver out of the site file.",
    )

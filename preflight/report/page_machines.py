"""The machines one by one as the HTML report takes them: what each told, and every check."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from preflight.assessment import Assessment, HostResult
from preflight.checks.wording import disk_size, link_speed, memory_size
from preflight.facts import Disk, Fact, Facts, Nic, Unknown, known
from preflight.findings import Severity
from preflight.report.page_findings import Line, lines, numbers_of_sources
from preflight.report.words import Colored, count, moment, verdict_word


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine: what it told, and every check."""

    name: str
    plays: str
    """Its roles, and where it is reached."""
    verdict: Colored
    unseen: str
    """Why nothing was seen of it; then it told nothing."""
    told: Sequence[tuple[str, str]]
    disks: Sequence[Sequence[str]]
    nics: Sequence[Sequence[str]]
    notes: Sequence[str]
    open: Sequence[Line]
    passed: Sequence[Line]
    passed_words: str


def machines(assessment: Assessment) -> list[Machine]:
    """The machines in their order."""
    numbers = numbers_of_sources(assessment)
    return [_machine(host, numbers) for host in assessment.hosts]


def _machine(host: HostResult, numbers: Mapping[str, int]) -> Machine:
    seen, facts = host.seen, host.seen.facts
    why = ""
    if facts is None:
        problem = seen.problem
        why = f"{problem.title}: {problem.cause}" if problem else "It was not looked at."
    passed = [f for f in host.findings if f.severity is Severity.PASS]
    return Machine(
        name=seen.host.name,
        plays=f"{', '.join(host.roles) or 'no role'}, {seen.host.endpoint}",
        verdict=verdict_word(host.verdict),
        unseen=why,
        told=_told(facts, moment(seen.seen_at)) if facts else (),
        disks=[_disk(disk) for disk in known(facts.disks) or ()] if facts else (),
        nics=[_nic(nic) for nic in known(facts.network.nics) or ()] if facts else (),
        notes=facts.notes if facts else (),
        open=lines((f for f in host.findings if f.severity is not Severity.PASS), numbers),
        passed=lines(passed, numbers),
        passed_words=count(len(passed), "check"),
    )


def _told(facts: Facts, when: str) -> list[tuple[str, str]]:
    """The machine in short: system, processors and memory."""
    return [
        ("Seen", when),
        ("Host name", _text(facts.identity.hostname)),
        ("System", _system(facts)),
        ("Processors", _processors(facts)),
        ("Memory", _memory(facts)),
    ]


def _text(fact: Fact[str]) -> str:
    if isinstance(fact, Unknown):
        return f"unknown: {fact.reason}"
    return known(fact) or ""


def _system(facts: Facts) -> str:
    named = known(facts.os.pretty_name) or _text(facts.os.id)
    kernel = known(facts.os.kernel)
    parts = [named, f"kernel {kernel}" if kernel else "", known(facts.os.architecture) or ""]
    return ", ".join(filter(None, parts))


def _processors(facts: Facts) -> str:
    logical = known(facts.cpu.logical)
    virtual = known(facts.cpu.virtualization)
    parts = [
        count(logical, "CPU") if logical is not None else _text(_as_text(facts.cpu.logical)),
        known(facts.cpu.model) or "",
        f"virtualised by {virtual}" if virtual else "",
    ]
    return ", ".join(filter(None, parts))


def _as_text(fact: Fact[int]) -> Fact[str]:
    return str(fact) if isinstance(fact, int) else fact


def _memory(facts: Facts) -> str:
    parts = []
    for label, fact in (
        ("installed", facts.memory.installed_bytes),
        ("usable", facts.memory.total_bytes),
        ("swap", facts.memory.swap_bytes),
    ):
        value = known(fact)
        if value:
            parts.append(f"{memory_size(value)} {label}")
    return ", ".join(parts) or _text(_as_text(facts.memory.total_bytes))


def _disk(disk: Disk) -> tuple[str, ...]:
    size = known(disk.size_bytes)
    return (
        disk.name,
        disk_size(size) if size is not None else _text(_as_text(disk.size_bytes)),
        disk.kind.value,
        known(disk.model) or "",
        ", ".join(disk.in_use_by) or "nothing",
    )


def _nic(nic: Nic) -> tuple[str, ...]:
    speed = known(nic.speed_mbps)
    mtu = known(nic.mtu)
    return (
        nic.name,
        nic.kind.value,
        link_speed(speed) if speed is not None else _text(_as_text(nic.speed_mbps)),
        str(mtu) if mtu is not None else "",
        ", ".join(map(str, nic.addresses)),
    )

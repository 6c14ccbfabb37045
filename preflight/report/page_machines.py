"""The machines one by one in the HTML report: what each told, and every check."""

from __future__ import annotations

from collections.abc import Mapping

from preflight.assessment import Assessment, HostResult
from preflight.checks.wording import disk_size, link_speed, memory_size
from preflight.facts import Disk, Fact, Facts, Nic, Unknown, known
from preflight.findings import Severity
from preflight.report.markup import (
    definitions,
    paragraph,
    safe,
    scrolling,
    section,
    table,
    verdict_word,
)
from preflight.report.page_findings import findings_table, numbers_of_sources
from preflight.report.words import count, moment


def machines(assessment: Assessment) -> str:
    """A section for each machine, in their order."""
    if not assessment.hosts:
        return ""
    numbers = numbers_of_sources(assessment)
    made = [_machine(host, number, numbers) for number, host in enumerate(assessment.hosts, 1)]
    return section("Machine by machine", *made, name="new-page")


def _machine(host: HostResult, number: int, numbers: Mapping[str, int]) -> str:
    seen = host.seen
    name = seen.host.name
    roles = ", ".join(host.roles) or "no role"
    parts = [
        f'<section class="machine" id="machine-{number}"><h3>{safe(name)}</h3>',
        f'<p>{verdict_word(host.verdict)} <span class="dim">',
        f"{safe(f'{roles}, {seen.host.endpoint}')}</span></p>",
    ]
    if seen.facts is None:
        problem = seen.problem
        why = f"{problem.title}: {problem.cause}" if problem else "It was not looked at."
        parts.append(paragraph(why))
    else:
        parts.append(_seen_of(seen.facts, moment(seen.seen_at)))
    open_ones = [f for f in host.findings if f.severity is not Severity.PASS]
    passed = [f for f in host.findings if f.severity is Severity.PASS]
    if open_ones:
        parts.append(findings_table(open_ones, f"Findings on {name}", numbers))
    if passed:
        parts.append(
            f"<details><summary>{count(len(passed), 'check')} passed</summary>"
            f"{findings_table(passed, f'Passed on {name}', numbers)}</details>"
        )
    return "".join(parts) + "</section>"


def _seen_of(facts: Facts, when: str) -> str:
    """The machine in short: system, processors, memory, disks and interfaces."""
    parts = [
        definitions(
            [
                ("Seen", safe(when)),
                ("Host name", safe(_text(facts.identity.hostname))),
                ("System", safe(_system(facts))),
                ("Processors", safe(_processors(facts))),
                ("Memory", safe(_memory(facts))),
            ]
        ),
        _disks(facts),
        _nics(facts),
    ]
    if facts.notes:
        notes = "".join(f"<li>{safe(note)}</li>" for note in facts.notes)
        parts.append(
            f"<details><summary>What could not be seen</summary><ul>{notes}</ul></details>"
        )
    return "".join(parts)


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


def _disks(facts: Facts) -> str:
    disks = known(facts.disks)
    if not disks:
        return ""
    rows = [[safe(part) for part in _disk(disk)] for disk in disks]
    return scrolling(table(["Disk", "Size", "Kind", "Model", "In use by"], rows), "Disks")


def _disk(disk: Disk) -> tuple[str, ...]:
    size = known(disk.size_bytes)
    return (
        disk.name,
        disk_size(size) if size is not None else _text(_as_text(disk.size_bytes)),
        disk.kind.value,
        known(disk.model) or "",
        ", ".join(disk.in_use_by) or "nothing",
    )


def _nics(facts: Facts) -> str:
    nics = known(facts.network.nics)
    if not nics:
        return ""
    rows = [[safe(part) for part in _nic(nic)] for nic in nics]
    head = ["Interface", "Kind", "Speed", "MTU", "Addresses"]
    return scrolling(table(head, rows), "Network interfaces")


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

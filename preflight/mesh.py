"""Mesh: who can reach whom on the ports of the table, and who must not.

The plan and the judgement are pure; `measure` alone acts, by a TCP connection attempt from each
machine that is closed at once. UDP answers nothing that could be judged, and is only noted.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from foundation.hosts.connection import Connector, Dialled, PortState
from foundation.hosts.model import Host
from foundation.problems import Problem
from foundation.wording import how_many, listed, shortened
from preflight.checks.check import FAIL, PASS, UNKNOWN, WARN, Say
from preflight.findings import Finding, Severity
from preflight.needs import PortNeed, SolutionNeeds

PER_MACHINE: Final = 16
"""Attempts under way from one machine."""
IN_ALL: Final = 256
"""Attempts under way in all."""
DIAL_TIMEOUT: Final = 3.0
OUTSIDE: Final = frozenset({"internet", "operator"})
"""Those outside the site, from where nothing can be tried."""


class Expectation(StrEnum):
    """What a port table says of a pair."""

    REACH = "reach"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Dial:
    """One attempt of the plan."""

    start: str
    """The machine that tries, by its name."""
    target: str
    """The machine that is tried, by its name."""
    address: str
    port: int
    expectation: Expectation
    line: PortNeed
    """The line of the port table that asks for it."""
    from_role: str
    to_role: str


@dataclass(frozen=True, slots=True)
class Mesh:
    """What the attempts met, in the order of the plan."""

    dials: tuple[tuple[Dial, Dialled], ...] = ()
    untried: tuple[PortNeed, ...] = ()
    """Lines that cannot be tried: UDP."""


def plan(
    hosts: Iterable[Host],
    roles: Mapping[str, tuple[str, ...]],
    needs: SolutionNeeds,
    addresses: Mapping[str, str] | None = None,
) -> tuple[Dial, ...]:
    """Every attempt that the port table asks for, each pair and port once per expectation.

    `addresses` gives the address by which the others know a machine where that is not the one we
    log in by. Of a range the first and the last port are tried. A pair that some line lets in is
    not held to be closed by another role of the same machines.
    """
    machines = tuple(hosts)
    known_by = addresses or {}
    reach: dict[tuple[str, str, int], Dial] = {}
    closed: dict[tuple[str, str, int], Dial] = {}
    for line in needs.ports.ports:
        if line.protocol != "tcp" or line.when:
            continue
        for to_role, target in _players(line.on, machines, roles, needs.platform.kubernetes_roles):
            address = known_by.get(target.name, target.address)
            nodes = needs.nodes_beside(to_role)
            for wanted, expectation, found in (
                (line.reached_from, Expectation.REACH, reach),
                (line.closed_to, Expectation.CLOSED, closed),
            ):
                for from_role, start in _players(wanted, machines, roles, nodes):
                    if start.name == target.name or target.local:
                        continue
                    for port in dict.fromkeys((line.first, line.last)):
                        found.setdefault(
                            (start.name, target.name, port),
                            Dial(
                                start=start.name,
                                target=target.name,
                                address=address,
                                port=port,
                                expectation=expectation,
                                line=line,
                                from_role=from_role,
                                to_role=to_role,
                            ),
                        )
    return (*reach.values(), *(dial for key, dial in closed.items() if key not in reach))


def _players(
    wanted: Iterable[str],
    hosts: Sequence[Host],
    roles: Mapping[str, tuple[str, ...]],
    nodes: Sequence[str],
) -> Iterator[tuple[str, Host]]:
    """The machines of some roles, each with the role by which it was chosen.

    "cluster" is whoever has one of the roles in `nodes`: those of one cluster, where there are
    several.
    """
    for role in wanted:
        if role in OUTSIDE:
            continue
        members = nodes if role == "cluster" else (role,)
        for host in hosts:
            played = next((one for one in roles.get(host.name, host.roles) if one in members), None)
            if played is not None:
                yield ("cluster" if role == "cluster" else played), host


async def measure(
    pool: Connector,
    hosts: Sequence[Host],
    roles: Mapping[str, tuple[str, ...]],
    needs: SolutionNeeds,
    *,
    addresses: Mapping[str, str] | None = None,
    timeout: float = DIAL_TIMEOUT,
) -> Mesh:
    """Try the whole plan, bounded per machine and in all; a machine's problem is its own result.

    Changes nothing on any machine: every attempt is a connection that is closed at once.
    """
    by_name = {host.name: host for host in hosts}
    at_once = asyncio.Semaphore(IN_ALL)
    bounds = {name: asyncio.Semaphore(PER_MACHINE) for name in by_name}

    async def attempt(dial: Dial) -> tuple[Dial, Dialled]:
        async with bounds[dial.start], at_once:
            try:
                connection = await pool.connect(by_name[dial.start])
                met = await connection.dial(dial.address, dial.port, timeout=timeout)
            except Problem as problem:
                met = Dialled(PortState.UNKNOWN, "none", detail=problem.cause)
        return dial, met

    dials = plan(hosts, roles, needs, addresses)
    # Machines take turns, so that one which hangs does not hold all places.
    ordered = sorted(range(len(dials)), key=lambda at: (dials[at].port, dials[at].target))
    done = await asyncio.gather(*(attempt(dials[at]) for at in ordered))
    met = dict(zip(ordered, done, strict=True))
    played = {role for host in hosts for role in roles.get(host.name, host.roles)}
    untried = tuple(
        line
        for line in needs.ports.ports
        if line.protocol == "udp" and not line.when and played.intersection(line.on)
    )
    return Mesh(tuple(met[at] for at in range(len(dials))), untried)


def outcome(expectation: Expectation, state: PortState) -> Severity:
    """What one attempt says against one expectation.

    Refused means that the way is open and nothing listens yet, which is all that can be asked
    before an installation; for a port that must be closed, an answer of either kind means that no
    firewall stands between.
    """
    if state is PortState.UNKNOWN:
        return UNKNOWN
    silent = state in (PortState.FILTERED, PortState.UNREACHABLE)
    if expectation is Expectation.REACH:
        return FAIL if silent else PASS
    return PASS if silent else WARN


def judge_mesh(mesh: Mesh) -> tuple[Finding, ...]:
    """One finding for each line of the port table between two roles, however many pairs fail."""
    groups: dict[tuple[str, str, str, str, str], list[tuple[Dial, Dialled]]] = defaultdict(list)
    for dial, met in mesh.dials:
        line = dial.line
        key = (dial.expectation, line.port, line.source, dial.from_role, dial.to_role)
        groups[key].append((dial, met))
    ajar = [group for group in groups.values() if _ajar(group)]
    found = [_judged(group) for group in groups.values() if group not in ajar]
    if ajar:
        found.append(_not_yet_closed(ajar))
    if found and mesh.untried:
        # Said once, and not as an unknown: nobody could ever make it known from here.
        udp = listed(f"{line.port}/udp" for line in mesh.untried)
        found[0] = replace(found[0], actual=f"{found[0].actual} (not tried, as UDP: {udp})")
    return tuple(found)


def _ajar(group: list[tuple[Dial, Dialled]]) -> bool:
    """Whether ways that must be closed stand open only because nothing listens there yet."""
    return (
        group[0][0].expectation is Expectation.CLOSED
        and any(met.state is PortState.REFUSED for _, met in group)
        and all(met.state not in (PortState.OPEN, PortState.UNKNOWN) for _, met in group)
    )


def _not_yet_closed(groups: list[list[tuple[Dial, Dialled]]]) -> Finding:
    """One warning for all of them: before an installation no firewall of it can be there."""
    dials = [dial for group in groups for dial, met in group if met.state is PortState.REFUSED]
    lines = sorted({(dial.line.first, dial.line.port) for dial in dials})
    ports = shortened((port for _, port in lines), 12)
    sources = listed(sorted({dial.line.source for dial in dials}))
    first = dials[0]
    return Say("mesh.closed", None).at(
        WARN,
        f"No firewall shuts {how_many(len(dials), 'way')} yet that must be closed once the"
        " installation listens there.",
        subject="nothing listens yet",
        expected="these ports are closed to the machines that have no business there",
        actual=f"open, with nothing listening yet: ports {ports}",
        source=sources,
        evidence=f"on {first.start}: nc -vz -w 3 {first.address} {first.port}",
        remedy="Nothing has to be done before the installation. Have the rules of the port table"
        " in the firewall between the machines, or on each of them, before it serves anybody, and"
        " run this again then.",
        undo="None: nothing is changed.",
    )


_WORST: Final = (FAIL, UNKNOWN, WARN, PASS)


def _judged(group: list[tuple[Dial, Dialled]]) -> Finding:
    first = group[0][0]
    line, expectation = first.line, first.expectation
    by_severity: dict[Severity, list[tuple[Dial, Dialled]]] = defaultdict(list)
    for dial, met in group:
        by_severity[outcome(expectation, met.state)].append((dial, met))
    severity = next(one for one in _WORST if by_severity[one])
    if line.correction is not None and severity is FAIL:
        severity = WARN  # the document's own wrong port: the line beside it decides
    worst = next(by_severity[one] for one in _WORST if by_severity[one])
    dial, met = worst[0]
    pairs = shortened((f"{d.start} → {d.target}:{d.port} {m.state}" for d, m in worst), 6)
    port = f"{'ports' if line.first != line.last else 'port'} {line.port}"
    ways = f"{_plural(first.from_role)} to {_plural(first.to_role)}"
    note = ""
    if line.correction is not None:
        note = f" (the document's port; {listed(line.correction.ports)} is used)"
    elif line.corrects:
        note = f" (used where the document says {line.corrects})"
    number = len({(d.start, d.target) for d, _ in worst})
    if expectation is Expectation.REACH:
        expected = f"the way from {ways} on {port} is open"
        title = {
            PASS: f"The way from {ways} on {port} is open{note}.",
            UNKNOWN: f"It could not be told whether {_plural(first.from_role)} reach"
            f" {_plural(first.to_role)} on {port}{note}.",
        }.get(
            severity,
            f"{dial.start} cannot reach {dial.target} on port {dial.port}{_others(number)}{note}.",
        )
    else:
        expected = f"{_plural(first.from_role)} do not reach {_plural(first.to_role)} on {port}"
        title = {
            PASS: f"{_plural(first.from_role).capitalize()} do not reach"
            f" {_plural(first.to_role)} on {port}{note}.",
            UNKNOWN: f"It could not be told whether {_plural(first.from_role)} are kept from"
            f" {port} of {_plural(first.to_role)}{note}.",
        }.get(
            severity,
            f"{dial.start} can reach {dial.target} on port {dial.port}{_others(number)}, and must"
            f" not{note}.",
        )
    states: Counter[PortState] = Counter()
    for _, one in group:
        states[one.state] += 1
    summary = ", ".join(f"{count} {_MEANING[state]}" for state, count in sorted(states.items()))
    say = Say("mesh.reach" if expectation is Expectation.REACH else "mesh.closed", None)
    family = "-6 " if ":" in dial.address else ""
    return say.at(
        severity,
        title,
        subject=f"{line.port} {first.from_role}→{first.to_role}",
        expected=expected,
        actual=f"{summary}. {pairs}" if severity is not PASS else summary,
        source=line.source,
        evidence=f"on {dial.start}: nc {family}-vz -w 3 {dial.address} {dial.port}",
        remedy=_remedy(dial, met, line, expectation),
        undo=f"on {dial.target}: sudo ufw delete"
        f" {_rule(dial, line, expectation).removeprefix('prepend ')}",
    )


_MEANING: Final = {
    PortState.OPEN: "answered",
    PortState.REFUSED: "open, with nothing listening yet",
    PortState.FILTERED: "silent: a firewall drops it",
    PortState.UNREACHABLE: "without a route",
    PortState.UNKNOWN: "not told",
}


def _others(number: int) -> str:
    return f", and {how_many(number - 1, 'more pair')} likewise" if number > 1 else ""


def _plural(role: str) -> str:
    return "cluster nodes" if role == "cluster" else f"{role.replace('-', ' ')} machines"


def _rule(dial: Dial, line: PortNeed, expectation: Expectation) -> str:
    # The first rule that fits decides, so a denial after what let it in would do nothing.
    verb = "allow" if expectation is Expectation.REACH else "prepend deny"
    ports = line.port.replace("-", ":")
    return f"{verb} from ADDRESS-OF-{dial.start} to any port {ports} proto {line.protocol}"


def _remedy(dial: Dial, met: Dialled, line: PortNeed, expectation: Expectation) -> str:
    why = f" {line.correction.reason}" if line.correction else ""
    rule = _rule(dial, line, expectation)
    if met.state is PortState.UNKNOWN:
        return (
            f"Try it by hand with the command shown ({met.detail or 'no means was found'}); a"
            f" hardened sshd forbids what Sitewright tries first.{why}"
        )
    if expectation is Expectation.CLOSED:
        return (
            f"Keep {dial.start} out on {dial.target}: `sudo ufw {rule}`, or in the firewall"
            f" between them.{why}"
        )
    if met.state is PortState.UNREACHABLE:
        return (
            f"See that {dial.start} has a route to {dial.address}: `ip route get {dial.address}`,"
            f" and that the machine is up.{why}"
        )
    return (
        f"Let it in on {dial.target}: `sudo ufw {rule}`; where that is open already, in the"
        f" firewall between them: `tracepath {dial.address}` shows the way.{why}"
    )

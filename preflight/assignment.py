"""Assignment: which machine can play which role, and what those that cannot are short of."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from preflight.assessment import Seen
from preflight.checks import cpu, disk, machine, memory, nic
from preflight.checks.case import Case
from preflight.checks.disk_matching import Fit, match_disks
from preflight.checks.wording import counted, disk_gb, listed, plain, role_phrase
from preflight.facts import known
from preflight.findings import Severity
from preflight.needs import MachineKind, RoleNeed, SolutionNeeds

_CHECKS: Final = (machine.kind, cpu.count, memory.size, disk.devices, nic.count, nic.speed)
_COSTS: Final = {Severity.PASS: 0, Severity.WARN: 1, Severity.UNKNOWN: 10, Severity.FAIL: 1_000}


@dataclass(frozen=True, slots=True)
class Assignment:
    """Machines with their roles, and what is missing, in sentences."""

    roles: dict[str, tuple[str, ...]]
    """By the machine's name; no role for one that is left over or was not seen."""
    shortfalls: tuple[str, ...] = ()
    """What stands against it, one sentence each."""

    @property
    def complete(self) -> bool:
        """Whether every role has its machines and each machine fits."""
        return not self.shortfalls


def assign(seen: Sequence[Seen], needs: SolutionNeeds) -> Assignment:
    """Give roles to machines so that as many as possible fit, keeping roles that are given.

    The least count of every role is filled first, then, where machines are left, roles without an
    upper bound in the order of the table (optional ones last); a machine that fits none is left over.
    """
    given = {one.host.name: one.host.roles for one in seen if one.host.roles}
    rows = [row for row in needs.sizing.roles if _is_played(row)]
    if needs.single_machine:
        every = tuple(row.role for row in rows)
        return Assignment({one.host.name: given.get(one.host.name, every) for one in seen})
    free = [one for one in seen if one.facts is not None and one.host.name not in given]
    slots = _slots(rows, given, len(free))
    cost_of = _Costs(rows, needs)
    table = [[cost_of(one, row) for row in slots] for one in free]
    taken = _cheapest(table, len(slots))
    roles = {one.host.name: given.get(one.host.name, ()) for one in seen}
    shortfalls: list[str] = []
    for at, slot in sorted(taken.items()):
        one, row = free[at], slots[slot]
        roles[one.host.name] = tuple(row.role.split("+"))
        if table[at][slot] >= _COSTS[Severity.FAIL]:
            short = short_of(one, row.role, needs)
            if short:
                shortfalls.append(f"{one.host.name} is short of {short} to be"
                                  f" {role_phrase(row.role.split('+'))}.")
    shortfalls += _missing(rows, roles)
    shortfalls += [f"{one.host.name} was not seen, and was given no role." for one in seen
                   if one.facts is None and not roles[one.host.name]]
    return Assignment(roles, tuple(shortfalls))

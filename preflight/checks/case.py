"""Case: one machine before the checks, with what its roles ask of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product

from foundation.hosts.model import Host
from preflight.assessment import Seen
from preflight.checks.wording import role_phrase
from preflight.facts import Facts
from preflight.needs import (
    DiskNeed,
    MachineKind,
    NicNeed,
    PlatformNeeds,
    RoleNeed,
    Shape,
    SizingTable,
    SolutionNeeds,
    SpaceNeed,
)


@dataclass(frozen=True, slots=True)
class Demand:
    """What one machine must have for all its roles together; None leaves a thing open."""

    cpu: int | None = None
    memory_gb: float | None = None
    memory_recommended_gb: float | None = None
    disks: tuple[DiskNeed, ...] = ()
    nics: tuple[NicNeed, ...] = ()
    machine: MachineKind = MachineKind.ANY
    space: tuple[SpaceNeed, ...] = ()
    conditions: tuple[str, ...] = ()
    shape_title: str = ""
    """Which of the alternatives of a role this is, where there are several."""


@dataclass(frozen=True, slots=True)
class Case:
    """One machine, what it told, the roles it is meant for, and what they ask."""

    host: Host
    facts: Facts
    roles: tuple[str, ...]
    needs: SolutionNeeds
    demand: Demand

    @property
    def name(self) -> str:
        """The machine's name in the site."""
        return self.host.name

    @property
    def platform(self) -> PlatformNeeds:
        """What the solution asks of the system."""
        return self.needs.platform

    @property
    def kubernetes(self) -> bool:
        """Whether the machine becomes a Kubernetes node."""
        return any(role in self.needs.platform.kubernetes_roles for role in self.roles)

    @property
    def who(self) -> str:
        """Who asks, as the subject of a sentence: "a worker", or the solution's title."""
        if self.needs.single_machine:
            return self.needs.title
        return role_phrase(self.roles)

    @property
    def sizing_source(self) -> str:
        """The document that the sizes come from."""
        return sizing_source(self.needs.sizing)

    def concerns(self, roles: Iterable[str]) -> bool:
        """Whether a rule for these roles holds here; a rule without roles holds everywhere."""
        rule = tuple(roles)
        return not rule or any(self.plays(role) for role in rule)

    def plays(self, role: str) -> bool:
        """Whether the machine has the role; "cluster" is any Kubernetes role."""
        return role in self.roles or (role == "cluster" and self.kubernetes)


@dataclass(frozen=True, slots=True)
class SiteCase:
    """All machines of a site before the checks between them."""

    cases: tuple[Case, ...]
    """The machines that were seen."""
    unseen: tuple[Seen, ...]
    roles: dict[str, tuple[str, ...]]
    """The roles of every machine, seen or not, by its name."""
    needs: SolutionNeeds

    @property
    def name(self) -> None:
        """A site has no machine's name."""
        return None


def sizing_source(table: SizingTable) -> str:
    """The document of a sizing table, with its version."""
    return f"{table.source} ({table.version})" if table.version else table.source


def roles_for(host: Host, given: tuple[str, ...], needs: SolutionNeeds) -> tuple[str, ...]:
    """The roles to judge a machine by: those given, its own, or all where one machine is all."""
    if given or host.roles:
        return given or host.roles
    return tuple(row.role for row in needs.sizing.roles) if needs.single_machine else ()


def rows_for(roles: tuple[str, ...], table: SizingTable) -> tuple[RoleNeed, ...]:
    """The rows of a sizing table that one machine must satisfy together.

    A row for the combination ("master+worker") stands for all of it. Where the table expects
    roles together and gives each the same shapes, the document sizes the shared machine once.
    """
    wanted = frozenset(roles)
    for row in table.roles:
        if "+" in row.role and frozenset(row.role.split("+")) == wanted:
            return (row,)
    rows: list[RoleNeed] = []
    for role in dict.fromkeys(roles):
        found = table.role(role)
        if found is None:
            continue
        same = any(
            found.shapes == other.shapes
            and any({role, other.role} <= together for together in table.combined)
            for other in rows
        )
        if not same:
            rows.append(found)
    return tuple(rows)


def demands_for(roles: tuple[str, ...], table: SizingTable) -> tuple[Demand, ...]:
    """The alternatives that a machine of these roles may satisfy, in the table's order."""
    rows = rows_for(roles, table)
    if not rows:
        return (Demand(),)
    space = tuple(need for row in rows for need in row.space)
    return tuple(_together(shapes, space) for shapes in product(*(row.shapes for row in rows)))


def _together(shapes: tuple[Shape, ...], space: tuple[SpaceNeed, ...]) -> Demand:
    cpus = [shape.cpu for shape in shapes if shape.cpu is not None]
    memory = [shape.memory_gb for shape in shapes if shape.memory_gb is not None]
    recommended = [
        shape.memory_recommended_gb or shape.memory_gb or 0
        for shape in shapes
        if any(other.memory_recommended_gb is not None for other in shapes)
    ]
    kinds = [shape.machine for shape in shapes if shape.machine is not MachineKind.ANY]
    return Demand(
        cpu=sum(cpus) if cpus else None,
        memory_gb=sum(memory) if memory else None,
        memory_recommended_gb=sum(recommended) if recommended else None,
        disks=tuple(need for shape in shapes for need in shape.disks),
        nics=tuple(dict.fromkeys(need for shape in shapes for need in shape.nics)),
        machine=kinds[0] if len(set(kinds)) == 1 else MachineKind.ANY,
        space=space,
        conditions=tuple(dict.fromkeys(c for shape in shapes for c in shape.conditions)),
        shape_title=", ".join(
            shape.title or shape.id for shape in shapes if shape.title or shape.id
        ),
    )

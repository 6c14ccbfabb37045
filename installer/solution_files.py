"""The files of a solution's folder, as they must be written: solution, sizing and ports.

Each model refuses unknown keys, so that a slip of the pen is a problem with a line and not a
requirement that silently never holds. What one file alone can contradict is checked here; what
two files can contradict is checked where they meet, in `installer.solution`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from preflight.needs import PlatformNeeds, PortNeed, SizingTable

Id = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]*$")]
"""A name for machines: lower-case letters, digits, dots and hyphens."""

Sentence = Annotated[str, Field(min_length=10)]


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Document(_File):
    """A document or a piece of software that a solution's facts are taken from."""

    title: str
    version: str
    """Its version, date or commit."""
    where: str
    """Where it can be read."""
    note: str = ""


class Role(_File):
    """A part that a machine plays, in the words of the documents."""

    id: Id
    title: str
    description: Sentence
    """One sentence for a person who has not read the documents."""


class Environment(_File):
    """A way of installing the solution: production, staging, one machine."""

    id: Id
    title: str
    description: Sentence
    default: bool = False
    single_machine: bool = False
    """Whether the whole of it runs on one machine."""
    platform: Id
    """The id of the platform among the solution's `platforms`."""
    ports: tuple[Id, ...] = ()
    """The ids of the port tables that hold in it, in order."""


class Platform(_File):
    """What one platform asks of a machine besides size and ports, under an id."""

    id: Id
    needs: PlatformNeeds


class SolutionFile(_File):
    """`solution.yaml`."""

    id: Id
    title: str
    summary: Sentence
    """Two or three sentences: what it is, and for whom."""
    installable: bool
    why_not: str = ""
    """One sentence why it cannot be installed yet; empty exactly where it can."""
    documents: Annotated[tuple[Document, ...], Field(min_length=1)]
    roles: Annotated[tuple[Role, ...], Field(min_length=1)]
    environments: Annotated[tuple[Environment, ...], Field(min_length=1)]
    platforms: Annotated[tuple[Platform, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _consistent(self) -> SolutionFile:
        for kind, ids in (
            ("role", [role.id for role in self.roles]),
            ("environment", [environment.id for environment in self.environments]),
            ("platform", [platform.id for platform in self.platforms]),
        ):
            _unique(kind, ids)
        _one_default("environment", [e.id for e in self.environments if e.default])
        if self.installable == bool(self.why_not):
            raise ValueError("why_not is given exactly where installable is false")
        platforms = {platform.id for platform in self.platforms}
        for environment in self.environments:
            if environment.platform not in platforms:
                raise ValueError(
                    f'environment "{environment.id}" names a platform "{environment.platform}"'
                    f" that is not there (there are {', '.join(sorted(platforms))})"
                )
        return self


class SizingFile(_File):
    """`sizing.yaml`: every published table, each with its source."""

    tables: Annotated[tuple[SizingTable, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _consistent(self) -> SizingFile:
        _unique("table", [table.id for table in self.tables])
        for name in {table.environment for table in self.tables}:
            defaults = [t.id for t in self.tables if t.environment == name and t.default]
            _one_default(f"table for {name}", defaults)
        for table in self.tables:
            roles = [row.role for row in table.roles]
            _unique(f'role in table "{table.id}"', roles)
            for together in (*table.combined, *table.risk_acceptance):
                if not together <= set(roles):
                    raise ValueError(
                        f'table "{table.id}" combines {", ".join(sorted(together))}'
                        " and has no row for one of them"
                    )
        return self


class PortSet(_File):
    """A port table of one document or one piece of software, under an id."""

    id: Id
    title: str
    ports: Annotated[tuple[PortNeed, ...], Field(min_length=1)]
    notes: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> PortSet:
        known = {line.port for line in self.ports}
        for line in self.ports:
            if line.corrects and line.corrects not in known:
                raise ValueError(
                    f'line "{line.port}" corrects a line "{line.corrects}" that is not there'
                )
            for port in line.correction.ports if line.correction else ():
                if port not in known:
                    raise ValueError(
                        f'line "{line.port}" is corrected to "{port}", which has no line'
                    )
        return self


class PortsFile(_File):
    """`ports.yaml`: the port tables, each with its lines."""

    tables: tuple[PortSet, ...]

    @model_validator(mode="after")
    def _consistent(self) -> PortsFile:
        _unique("table", [table.id for table in self.tables])
        return self


def _unique(kind: str, ids: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in ids:
        if name in seen:
            raise ValueError(f'the {kind} "{name}" stands twice')
        seen.add(name)


def _one_default(kind: str, defaults: list[str]) -> None:
    if len(defaults) != 1:
        found = f"{', '.join(defaults)} are" if defaults else "none is"
        raise ValueError(f"exactly one {kind} is the default, and {found}")

"""The files of a solution's folder, as they must be written: solution, sizing and ports.

Each model refuses unknown keys, so that a slip of the pen is a problem with a line and not a
requirement that silently never holds. What one file alone can contradict is checked here; what
two files can contradict is checked where they meet, in `installer.catalogue.solution`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from preflight.needs import ClusterNeed, PlatformNeeds, PortNeed, SizingTable

Id = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]*$")]
"""A name for machines: lower-case letters, digits, dots and hyphens."""

Sentence = Annotated[str, Field(min_length=10)]


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


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
    playbook_groups: tuple[str, ...] = ()
    """Further groups of an Ansible inventory in which the customers' own playbooks look for it."""
    playbook_variables: dict[str, str] = {}
    """Variables by which they tell it from others there; one that two roles of a machine give
    different values is left out."""
    by_hand: str = ""
    """What a person has to know who takes such a machine out by hand; sentences."""


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
    clusters: tuple[Id, ...] = ()
    """The ids of the clusters that it consists of, in order, where there are several."""
    why_not: str = ""
    """One sentence why this one is not installed, where the others of the solution are."""


class Platform(_File):
    """What one platform asks of a machine besides size and ports, under an id."""

    id: Id
    needs: PlatformNeeds


class Page(_File):
    """Something that can be opened in a browser once the solution runs."""

    title: str
    url: str
    """A template, as those of the stages."""
    when: str = ""
    """A setting that must be true, or with "not " before it false."""


class SolutionFile(_File):
    """`solution.yaml`."""

    id: Id
    title: str
    summary: Sentence
    """Two or three sentences: what it is, and for whom."""
    installable: bool
    why_not: str = Field(default="", validate_default=True)
    """One sentence why it cannot be installed yet; empty exactly where it can."""
    proven: str = ""
    """What of it has really been run, and what only against stand-ins; for whoever decides."""
    hub: bool = False
    """Whether it is a Mojaloop hub, whose figures an acceptance proves."""
    no_bundle: str = ""
    """One sentence why there is no recipe of a bundle for it, where it can be installed."""
    documents: Annotated[tuple[Document, ...], Field(min_length=1)]
    roles: Annotated[tuple[Role, ...], Field(min_length=1)]
    environments: Annotated[tuple[Environment, ...], Field(min_length=1)]
    platforms: Annotated[tuple[Platform, ...], Field(min_length=1)]
    clusters: tuple[ClusterNeed, ...] = ()
    """The clusters of an environment that consists of several, each with the roles of its own."""

    pages: tuple[Page, ...] = ()
    playbooks_of: str = ""
    """Another solution whose folder of playbooks it runs, where it has none of its own."""

    @field_validator("why_not")
    @classmethod
    def _reason(cls, why_not: str, info: ValidationInfo) -> str:
        if info.data.get("installable") is bool(why_not):
            raise ValueError("it is given exactly where installable is false")
        return why_not

    @field_validator("roles")
    @classmethod
    def _roles(cls, roles: tuple[Role, ...]) -> tuple[Role, ...]:
        _unique("role", [role.id for role in roles])
        return roles

    @field_validator("environments")
    @classmethod
    def _environments(cls, environments: tuple[Environment, ...]) -> tuple[Environment, ...]:
        _unique("environment", [environment.id for environment in environments])
        _one_default("environment", [e.id for e in environments if e.default])
        return environments

    @field_validator("platforms")
    @classmethod
    def _platforms(
        cls, platforms: tuple[Platform, ...], info: ValidationInfo
    ) -> tuple[Platform, ...]:
        ids = [platform.id for platform in platforms]
        _unique("platform", ids)
        for environment in info.data.get("environments", ()):
            if environment.platform not in ids:
                raise ValueError(
                    f'environment "{environment.id}" names a platform "{environment.platform}"'
                    f" that is not there (there are {', '.join(ids)})"
                )
        return platforms


class SizingFile(_File):
    """`sizing.yaml`: every published table, each with its source."""

    tables: Annotated[tuple[SizingTable, ...], Field(min_length=1)]

    @field_validator("tables")
    @classmethod
    def _consistent(cls, tables: tuple[SizingTable, ...]) -> tuple[SizingTable, ...]:
        _unique("table", [table.id for table in tables])
        for name in dict.fromkeys(table.environment for table in tables):
            defaults = [t.id for t in tables if t.environment == name and t.default]
            _one_default(f"table for {name}", defaults)
        for table in tables:
            roles = [row.role for row in table.roles]
            _unique(f'role in table "{table.id}",', roles)
            for role in sorted(frozenset().union(*table.combined, *table.risk_acceptance)):
                if role not in roles:
                    raise ValueError(
                        f'table "{table.id}" puts "{role}" on one machine with others'
                        f" and has no row for it (there are {', '.join(roles)})"
                    )
        return tables


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

    @field_validator("tables")
    @classmethod
    def _consistent(cls, tables: tuple[PortSet, ...]) -> tuple[PortSet, ...]:
        _unique("table", [table.id for table in tables])
        return tables


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

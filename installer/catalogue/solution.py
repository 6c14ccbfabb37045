"""Solutions: the systems that Sitewright knows, each read from a folder of data.

A solution is a folder `installer/solutions/<id>/` with `solution.yaml`, `sizing.yaml` and
`ports.yaml`; a new system is a new folder, not new code. A folder is read when it is first asked
for, once, and the models that read it are imported no earlier.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from foundation.problems import InputProblem

if TYPE_CHECKING:
    from installer.catalogue.solution_files import (
        Document,
        Environment,
        PortSet,
        PortsFile,
        Role,
        SizingFile,
        SolutionFile,
    )
    from preflight.needs import PlatformNeeds, SizingTable, SolutionNeeds

FOLDER = Path(__file__).resolve().parent.parent / "solutions"
"""Where the solutions that are shipped stand, in a checkout as in an installed package."""

_FILE = "solution.yaml"
"""What makes a folder a solution."""

ORDER = ("pm4ml", "core-test-harness", "miniloop", "helm-deploy", "iac", "mosip")
"""The order in which a person is shown them; any other folder follows, by name."""

OUTSIDE = frozenset({"cluster", "internet", "operator"})
"""Words that stand beside roles in a port table: the Kubernetes nodes, and those off the site."""


@dataclass(frozen=True, slots=True)
class Solution:
    """One system with all its tables, as its folder states it."""

    file: SolutionFile
    sizings: tuple[SizingTable, ...]
    """Every sizing table of every environment, in the order of the file."""
    port_tables: tuple[PortSet, ...]
    folder: Path

    @property
    def id(self) -> str:
        """The name for machines: the name of its folder."""
        return self.file.id

    @property
    def title(self) -> str:
        """The name for people."""
        return self.file.title

    @property
    def summary(self) -> str:
        """What it is and for whom, in two or three sentences."""
        return self.file.summary

    @property
    def installable(self) -> bool:
        """Whether Sitewright can install it, rather than only judge machines for it."""
        return self.file.installable

    @property
    def why_not(self) -> str:
        """One sentence why it cannot be installed yet; empty where it can."""
        return self.file.why_not

    def why_not_in(self, environment: str | None = None) -> str:
        """One sentence why this environment is not installed; empty where it is, or is none."""
        if not self.installable:
            return self.why_not
        name = environment or self.default_environment.id
        return next((one.why_not for one in self.environments if one.id == name), "")

    @property
    def documents(self) -> tuple[Document, ...]:
        """What its facts are taken from."""
        return self.file.documents

    @property
    def roles(self) -> tuple[Role, ...]:
        """Every role of every environment, with a sentence each."""
        return self.file.roles

    @property
    def environments(self) -> tuple[Environment, ...]:
        """The ways of installing it, in the order in which to offer them."""
        return self.file.environments

    @property
    def playbooks(self) -> Path:
        """The folder of the playbooks that it runs: its own or another's; it may not be there."""
        other = self.file.playbooks_of
        return (self.folder.parent / other if other else self.folder) / "playbooks"

    @property
    def default_environment(self) -> Environment:
        """The environment meant where none is named."""
        return next(environment for environment in self.environments if environment.default)

    def environment(self, name: str | None = None) -> Environment:
        """An environment by name, the default one for None; raises InputProblem."""
        if name is None:
            return self.default_environment
        for environment in self.environments:
            if environment.id == name:
                return environment
        raise _no_such(
            "environment", name, [e.id for e in self.environments], where=f"solution {self.id}"
        )

    def role(self, name: str) -> Role:
        """A role by name; raises InputProblem that names those there are."""
        for role in self.roles:
            if role.id == name:
                return role
        raise _no_such("role", name, [r.id for r in self.roles], where=f"solution {self.id}")

    def sizings_for(self, environment: str | None = None) -> tuple[SizingTable, ...]:
        """The sizing tables of an environment, the default one first."""
        name = self.environment(environment).id
        tables = [table for table in self.sizings if table.environment == name]
        return tuple(sorted(tables, key=lambda table: not table.default))

    def needs(self, environment: str | None = None, sizing: str | None = None) -> SolutionNeeds:
        """All that preflight must know for one environment.

        `sizing` is the id of a table where another than the default one is meant. Raises
        InputProblem for an environment or a table that is not there, naming those that are.
        """
        from preflight.needs import PortTable, SolutionNeeds

        chosen = self.environment(environment)
        tables = self.sizings_for(chosen.id)
        table = tables[0]
        if sizing is not None:
            found = next((t for t in tables if t.id == sizing), None)
            found = found or self.calculated(chosen.id, sizing)
            if found is None:
                place = f"solution {self.id}, environment {chosen.id}"
                raise _no_such("sizing table", sizing, [t.id for t in tables], where=place)
            table = found
        sets = {port_set.id: port_set for port_set in self.port_tables}
        ports = [sets[name] for name in chosen.ports]
        return SolutionNeeds(
            solution=self.id,
            title=self.title,
            environment=chosen.id,
            single_machine=chosen.single_machine,
            sizing=table,
            other_sizings=tuple(t for t in tables if t.id != table.id),
            ports=PortTable(
                ports=tuple(line for port_set in ports for line in port_set.ports),
                notes=tuple(note for port_set in ports for note in port_set.notes),
            ),
            platform=self._platform(chosen.platform),
            clusters=tuple(one for one in self.file.clusters if one.id in chosen.clusters),
            not_installed=self.why_not_in(chosen.id),
        )

    def calculated(self, environment: str, sizing: str) -> SizingTable | None:
        """The table for the numbers that this id holds, by the calculators; None where it is none.

        Raises InputProblem for numbers that nothing can be reckoned from.
        """
        from installer.catalogue.calculators import calculators_of, numbers_in, table_of

        data = calculators_of(self.folder)
        given = numbers_in(data, sizing) if data and data.environment == environment else None
        if data is None or given is None:
            return None
        return table_of(data, given, next(t for t in self.sizings if t.id == data.based_on))

    def _platform(self, name: str) -> PlatformNeeds:
        return next(platform.needs for platform in self.file.platforms if platform.id == name)


def solution_ids(root: Path | None = None) -> tuple[str, ...]:
    """The ids of the solutions there are, in the order in which to offer them.

    `root` is a folder of solutions other than the one that is shipped.
    """
    folder = root or FOLDER
    names = {path.parent.name for path in folder.glob(f"*/{_FILE}")}
    known = [name for name in ORDER if name in names]
    return (*known, *sorted(names.difference(known)))


def load_solution(name: str, root: Path | None = None) -> Solution:
    """A solution by id, read once; raises InputProblem.

    An id that is not there is answered with the nearest that is; a broken file with its name,
    the line and the key.
    """
    if not _is_there(name, root or FOLDER):
        raise _no_such("solution", name, list(solution_ids(root)), where=None)
    return _read((root or FOLDER) / name)


def _is_there(name: str, root: Path) -> bool:
    """Whether it is the id of a solution; asked often, so that not all of them are looked for."""
    return name not in ("", ".", "..") and "/" not in name and (root / name / _FILE).is_file()


def playbooks_folder(name: str, root: Path) -> Path:
    """Where the playbooks of a solution lie below a folder of solutions; it may not be there."""
    known = _is_there(name, root)
    return load_solution(name, root).playbooks if known else root / name / "playbooks"


def single_machine_needs(root: Path | None = None) -> list[SolutionNeeds]:
    """What every environment that fits on one machine needs, the least demanding first.

    Demand is memory, then the memory recommended, then CPUs, then disk.
    """
    found = [
        solution.needs(environment.id)
        for solution in (load_solution(name, root) for name in solution_ids(root))
        for environment in solution.environments
        if environment.single_machine
    ]
    return sorted(found, key=_demand)


def _demand(needs: SolutionNeeds) -> tuple[float, float, int, float]:
    shapes = [row.shapes[0] for row in needs.sizing.roles if not row.optional]
    return (
        max((s.memory_gb or 0 for s in shapes), default=0),
        max((s.memory_recommended_gb or s.memory_gb or 0 for s in shapes), default=0),
        max((s.cpu or 0 for s in shapes), default=0),
        max((s.free_gb for row in needs.sizing.roles for s in row.space), default=0),
    )


@cache
def _read(folder: Path) -> Solution:
    file, sizing, ports = _files(folder)
    for problem in _disagreements(folder, file, sizing, ports):
        raise problem
    return Solution(file=file, sizings=sizing.tables, port_tables=ports.tables, folder=folder)


def _files(folder: Path) -> tuple[SolutionFile, SizingFile, PortsFile]:
    from foundation.documents import load_yaml
    from installer.catalogue.solution_files import PortsFile, SizingFile, SolutionFile

    return (
        load_yaml(SolutionFile, folder / "solution.yaml"),
        load_yaml(SizingFile, folder / "sizing.yaml"),
        load_yaml(PortsFile, folder / "ports.yaml"),
    )


def disagreements(folder: Path) -> Iterator[InputProblem]:
    """Where the three files of a folder contradict one another; raises InputProblem."""
    yield from _disagreements(folder, *_files(folder))


def _disagreements(
    folder: Path, file: SolutionFile, sizing: SizingFile, ports: PortsFile
) -> Iterator[InputProblem]:
    roles = [role.id for role in file.roles]
    environments = [environment.id for environment in file.environments]
    sets = [port_set.id for port_set in ports.tables]
    clusters = [cluster.id for cluster in file.clusters]
    if file.id != folder.name:
        yield InputProblem(
            f'the id is "{file.id}" and the folder is called "{folder.name}"',
            where=str(folder / "solution.yaml"),
            remedy="Give both one name.",
        )
    for environment in file.environments:
        yield from _unknown("port table", environment.ports, sets, folder / "solution.yaml")
        yield from _unknown("cluster", environment.clusters, clusters, folder / "solution.yaml")
        if not any(table.environment == environment.id for table in sizing.tables):
            yield InputProblem(
                f'no table is for the environment "{environment.id}"',
                where=str(folder / "sizing.yaml"),
                remedy="Add the table, or take the environment out of solution.yaml.",
            )
    for table in sizing.tables:
        path = folder / "sizing.yaml"
        yield from _unknown("environment", [table.environment], environments, path)
        yield from _unknown("role", [row.role for row in table.roles], roles, path)
    taken: dict[str, str] = {}
    for cluster in file.clusters:
        yield from _unknown("role", cluster.roles, roles, folder / "solution.yaml")
        for name in cluster.roles:
            if taken.setdefault(name, cluster.id) != cluster.id:
                yield InputProblem(
                    f'the role "{name}" is of the clusters {taken[name]} and {cluster.id}',
                    where=str(folder / "solution.yaml"),
                    remedy="Give it to one; a role that serves both stands with neither.",
                )
    for platform in file.platforms:
        names = sorted(_roles_of(platform.needs))
        yield from _unknown("role", names, roles, folder / "solution.yaml")
    outside = [*roles, *sorted(OUTSIDE)]
    for port_set in ports.tables:
        for line in port_set.ports:
            yield from _unknown("role", line.on, roles, folder / "ports.yaml")
            others = (*line.reached_from, *line.closed_to)
            yield from _unknown("role", others, outside, folder / "ports.yaml")


def _roles_of(platform: PlatformNeeds) -> set[str]:
    groups = (
        platform.kubernetes_roles,
        *(module.roles for module in platform.modules),
        *(sysctl.roles for sysctl in platform.sysctls),
        *(conflict.roles for conflict in platform.conflicts),
        *(skew.roles for skew in platform.skews),
        *platform.command_roles.values(),
    )
    return {role for roles in groups for role in roles}


def _unknown(
    kind: str, asked: Iterable[str], names: list[str], path: Path
) -> Iterator[InputProblem]:
    for name in dict.fromkeys(asked):
        if name not in names:
            yield _no_such(kind, name, names, where=str(path))


def _no_such(kind: str, name: str, names: list[str], *, where: str | None) -> InputProblem:
    from foundation.wording import nearest

    begun = (known for known in names if name and known.startswith(name))
    close = next(begun, None) or nearest(name.lower(), names)
    hint = f'; did you mean "{close}"?' if close else ""
    return InputProblem(
        f'there is no {kind} "{name}"{hint}',
        where=where,
        remedy=f"Choose one of: {', '.join(names)}.",
    )

"""Guide: the map of deployment options, every use case and every option with its sources.

The map is data in `installer/options/`: `map.yaml` with the use cases, `sources.yaml`, and one
file an option. A new option is a new file, not new code.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from foundation.problems import InputProblem

if TYPE_CHECKING:
    from installer.catalogue.solution import Solution
    from installer.guide.option_files import MapFile, OptionFile, Source, UseCase, Way
    from preflight.needs import SolutionNeeds

FOLDER = Path(__file__).resolve().parent.parent / "options"
"""Where the map stands, in a checkout as in an installed package."""


@dataclass(frozen=True, slots=True)
class Option:
    """One option of the map, with the solution that carries it out where there is one."""

    file: OptionFile

    @property
    def solution(self) -> Solution | None:
        """The solution that carries it out, read when it is first asked for."""
        from installer.catalogue.solution import load_solution

        return load_solution(self.file.solution) if self.file.solution else None

    @property
    def id(self) -> str:
        """The name for machines: the name of its file."""
        return self.file.id

    @property
    def installable(self) -> bool:
        """Whether Sitewright installs it in one of its ways; else the steps are taken by hand."""
        return any(self.installs(way) for way in self.file.ways)

    def installs(self, way: Way) -> bool:
        """Whether Sitewright installs it in this way."""
        solution = self.solution
        return solution is not None and not solution.why_not_in(way.id)

    def by(self, way: Way | None = None) -> str:
        """Who installs it, in two words: in this way, else in any."""
        ours = self.installable if way is None else self.installs(way)
        return "Sitewright" if ours else "by hand"

    @property
    def bundled(self) -> bool:
        """Whether Sitewright can make a bundle that brings it to a site without internet."""
        solution = self.solution
        return (
            solution is not None
            and self.installable
            and (solution.folder / "bundle.yaml").is_file()
        )

    def needs(self, way: Way) -> SolutionNeeds | None:
        """What a way asks of its machines, or None where no table says it."""
        solution = self.solution
        return None if solution is None else solution.needs(way.id)

    def name(self, way: Way) -> str:
        """The name of a way for a narrow column."""
        return f"{self.file.short}, {way.title}" if len(self.file.ways) > 1 else self.file.short

    def title(self, way: Way) -> str:
        """The name of a way in full."""
        return f"{self.file.title}, {way.title}" if len(self.file.ways) > 1 else self.file.title


@dataclass(frozen=True, slots=True)
class Map:
    """The whole map."""

    use_cases: tuple[UseCase, ...]
    options: tuple[Option, ...]
    """In the order in which to show them."""
    sources: tuple[Source, ...]

    def use_case(self, name: str) -> UseCase:
        """A use case by id; raises InputProblem with the nearest."""
        found = next((case for case in self.use_cases if case.id == name), None)
        if found is None:
            raise _no_such("use case", name, [case.id for case in self.use_cases])
        return found

    def option(self, name: str) -> Option:
        """An option by id; raises InputProblem with the nearest."""
        found = next((option for option in self.options if option.id == name), None)
        if found is None:
            raise _no_such("option", name, [option.id for option in self.options])
        return found

    def source(self, reference: str) -> tuple[Source, str]:
        """The source of a reference, and the place in it."""
        name, _, place = reference.partition(" ")
        return next(source for source in self.sources if source.id == name), place

    def cite(self, reference: str) -> str:
        """A reference as people read it: title, version and place."""
        source, place = self.source(reference)
        version = f" ({source.version})" if source.version else ""
        return f"{source.title}{version}{', ' + place if place else ''}"

    def serving(self, use_case: str) -> tuple[tuple[Option, Way], ...]:
        """The ways that serve a use case, in the order of the map."""
        return tuple(
            (option, way)
            for option in self.options
            for way in option.file.ways
            if use_case in way.serves
        )


def load_map(folder: Path | None = None) -> Map:
    """The map, read once; raises InputProblem that names the file, the line and the key.

    The solutions behind the options are read when they are asked for; only those of a map that is
    not the shipped one are looked at here, since a test has looked at the shipped ones.
    """
    return _read(folder or FOLDER)


@cache
def _read(folder: Path) -> Map:
    from foundation.documents import load_yaml
    from installer.guide.option_files import MapFile, OptionFile, SourcesFile

    sources = load_yaml(SourcesFile, folder / "sources.yaml").sources
    file = load_yaml(MapFile, folder / "map.yaml")
    options = []
    for name in file.options:
        option = load_yaml(OptionFile, folder / f"{name}.yaml")
        _agree(option, name, file, [source.id for source in sources], folder)
        options.append(Option(option))
        if folder != FOLDER:
            check_solution(options[-1])
    for case in file.use_cases:
        _known("source", case.source, [source.id for source in sources], folder / "map.yaml")
    return Map(file.use_cases, tuple(options), sources)


def check_solution(option: Option) -> None:
    """Raises InputProblem where an option names a solution or an environment that is not there."""
    solution = option.solution
    if solution is not None:
        for way in option.file.ways:
            solution.environment(way.id)


def _agree(option: OptionFile, name: str, file: MapFile, sources: list[str], folder: Path) -> None:
    """Raises InputProblem where an option contradicts the files around it."""
    path = folder / f"{name}.yaml"
    if option.id != name:
        raise InputProblem(
            f'the id is "{option.id}" and the file is called "{path.name}"',
            where=str(path),
            remedy="Give both one name.",
        )
    for reference in option.references():
        _known("source", reference, sources, path)
    for way in option.ways:
        for case in way.serves:
            _known("use case", case, [one.id for one in file.use_cases], path)


def _known(kind: str, reference: str, names: list[str], path: Path) -> None:
    name = reference.partition(" ")[0]
    if name not in names:
        raise _no_such(kind, name, names, where=str(path))


def _no_such(kind: str, name: str, names: list[str], where: str | None = None) -> InputProblem:
    from foundation.wording import nearest

    close = nearest(name, names)
    hint = f'; did you mean "{close}"?' if close else ""
    return InputProblem(
        f'there is no {kind} "{name}"{hint}',
        where=where,
        remedy=f"Choose one of: {', '.join(names)}.",
    )

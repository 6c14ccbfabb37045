"""The files of the map: use cases, sources, and one file an option, as they must be written.

Every statement names its source, and each model refuses unknown keys, so that a slip of the pen
is a problem with a line. What two files can contradict is checked in `installer.guide.guide`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

Id = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]*$")]
"""A name for machines: lower-case letters, digits, dots and hyphens."""

Sentence = Annotated[str, Field(min_length=10)]

Reference = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]*(?: \S.*)?$")]
"""The id of a source and, after a space, the place in it: "doc-003 §4.1"."""


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class System(StrEnum):
    """What is to stand in the end."""

    MOJALOOP = "mojaloop"
    PM4ML = "pm4ml"
    MOSIP = "mosip"


class Quality(StrEnum):
    """How well it must stand: the two words of document 000."""

    POC = "poc"
    PRODUCTION = "production"


class State(StrEnum):
    """How an option fares today, in one word; the statements beside it say why."""

    MAINTAINED = "maintained"
    CARE = "with care"
    EXPERIMENTAL = "experimental"
    DORMANT = "dormant"
    REPLACED = "replaced"
    NOT_FOUND = "not found"
    """Named in a document, and nothing of it could be found."""


class Offline(StrEnum):
    """Whether an option can be carried out without the internet."""

    YES = "yes"
    HARD = "hard"
    """Possible in principle; nobody publishes how."""
    NO = "no"


class Source(_File):
    """A document or a piece of software that statements are taken from."""

    id: Id
    title: str
    version: str
    """Its version, date or commit."""
    where: str
    """Where it can be read."""


class SourcesFile(_File):
    """`sources.yaml`."""

    sources: Annotated[tuple[Source, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _once(self) -> SourcesFile:
        _unique("source", [source.id for source in self.sources])
        return self


class UseCase(_File):
    """A reason why somebody deploys, in the words of document 000."""

    id: Id
    title: str
    short: Annotated[str, Field(max_length=5)]
    """The title for the head of a narrow column."""
    group: str = ""
    """The heading it stands under: Public cloud, On premises."""
    description: Sentence
    qualities: Annotated[tuple[Quality, ...], Field(min_length=1)]
    then: Sentence
    """What the document says supported it when it was written."""
    source: Reference

    @property
    def name(self) -> str:
        """The title with its group, for where it stands alone."""
        return f"{self.group}, {self.title.lower()}" if self.group else self.title


class MapFile(_File):
    """`map.yaml`: the use cases, and the options in the order in which to show them."""

    use_cases: Annotated[tuple[UseCase, ...], Field(min_length=1)]
    options: Annotated[tuple[Id, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _once(self) -> MapFile:
        _unique("use case", [case.id for case in self.use_cases])
        _unique("option", list(self.options))
        return self


class Said(_File):
    """A statement and who makes it."""

    text: Sentence
    source: Reference


class Way(_File):
    """One way of taking an option: with a solution, one of its environments."""

    id: Id
    title: str
    quality: Quality
    serves: Annotated[tuple[Id, ...], Field(min_length=1)]
    """The ids of the use cases it is for."""
    system: System | None = None
    """What it gives, where that is not what the option as a whole gives."""
    machines: str = ""
    """How many machines in words, where no sizing table says it."""
    only_part: bool = False
    """Whether it is a part beside others (a control centre) and nothing to begin with alone."""


class Step(_File):
    """A step by hand."""

    title: str
    text: str = ""
    commands: tuple[str, ...] = ()
    """As they are typed; what stands in angle brackets is to be replaced."""
    source: Reference

    @model_validator(mode="after")
    def _something(self) -> Step:
        if not self.text and not self.commands:
            raise ValueError(f'step "{self.title}" says neither what to do nor what to type')
        return self


class Check(_File):
    """How a person sees that it worked."""

    title: str
    commands: tuple[str, ...] = ()
    expect: Sentence
    source: Reference


class Trouble(_File):
    """Something that goes wrong in the field, and what to do."""

    symptom: Sentence
    cause: Sentence
    remedy: Sentence
    commands: tuple[str, ...] = ()
    source: Reference


class OptionPort(_File):
    """A port, for an option that has no solution folder with a port table."""

    port: Annotated[str, Field(pattern=r"^\d+(-\d+)?(/udp)?$")]
    purpose: str
    source: Reference


class OptionFile(_File):
    """`<id>.yaml`: one option of the map."""

    id: Id
    title: str
    short: Annotated[str, Field(max_length=22)]
    """The title for a narrow column."""
    system: System
    solution: Id | None = None
    """The folder with its tables, where there is one."""
    summary: Sentence
    """What it is, in one or two sentences."""
    good_for: Sentence
    not_for: Sentence
    ways: Annotated[tuple[Way, ...], Field(min_length=1)]
    state: State
    state_words: str
    """The state with its date, in a few words: "dormant since 2023"."""
    document: Annotated[tuple[Said, ...], Field(min_length=1)]
    """What the documents say of it."""
    today: Annotated[tuple[Said, ...], Field(min_length=1)]
    """What is so today."""
    production: Said
    """Whether it is of production quality, and who says so."""
    maintained_by: Said
    offline: Offline
    offline_words: Said
    needs: Annotated[tuple[Said, ...], Field(min_length=1)]
    """What it needs besides machines of the sizes in the tables."""
    time: Said
    """How long it usually takes."""
    steps: Annotated[tuple[Step, ...], Field(min_length=1)]
    ports: tuple[OptionPort, ...] = ()
    """Given exactly where there is no solution; else the solution's tables hold."""
    no_ports: str = ""
    """Why no port is named, where there are neither tables nor ports."""
    verify: Annotated[tuple[Check, ...], Field(min_length=1)]
    troubleshooting: Annotated[tuple[Trouble, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _consistent(self) -> OptionFile:
        _unique("way", [way.id for way in self.ways])
        if self.solution is not None and self.ports:
            raise ValueError("the ports stand in the solution's ports.yaml, not here")
        if self.solution is None and bool(self.ports) is bool(self.no_ports):
            raise ValueError("give ports, or no_ports that says why there are none")
        return self

    def references(self) -> tuple[str, ...]:
        """Every source reference in the file."""
        said = (
            *self.document,
            *self.today,
            self.production,
            self.maintained_by,
            self.offline_words,
            *self.needs,
            self.time,
        )
        rest: tuple[Step | OptionPort | Check | Trouble, ...] = (
            *self.steps,
            *self.ports,
            *self.verify,
            *self.troubleshooting,
        )
        return (*(one.source for one in said), *(one.source for one in rest))


def _unique(kind: str, ids: list[str]) -> None:
    twice = sorted({name for name in ids if ids.count(name) > 1})
    if twice:
        raise ValueError(f'the {kind} "{twice[0]}" stands twice')

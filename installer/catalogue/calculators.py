"""Calculators: what a solution's documents publish to work a size out, from numbers of a day.

`calculators.yaml` of a folder holds what stands in the spreadsheets; here is how they reckon. All
of it is pure: numbers in, a table of the same kind as the published ones out, with every step by
which it came about. Its id holds the numbers, so that a site file that names it says them all.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, model_validator

from foundation.problems import InputProblem
from foundation.wording import counted

if TYPE_CHECKING:
    from preflight.needs import SizingTable

FILE: Final = "calculators.yaml"
_MOST: Final = 10**10
"""More than there are people; a number beyond it is a slip of the pen."""
_AN_HOUR: Final = 3600


class _Data(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class Input(_Data):
    """A number that a person gives."""

    name: str = Field(pattern=r"^[a-z]+$")
    title: str
    otherwise: str = Field(default="", alias="else")
    """Another input whose number it has where none is given."""
    else_words: str = ""
    optional: bool = False
    """Whether nothing but storage hangs on it."""


class Service(_Data):
    """A service with what one pod of it asks, and how many pods there are."""

    title: str
    cpu: float = Field(gt=0)
    memory_gb: float = Field(gt=0)
    pods: int | None = None
    """A number that hangs on nothing."""
    per_second: int | None = None
    """Requests a second that one pod answers: the peak hour's are shared among pods."""
    share_of: str = ""
    """Another service: one pod for every `share` of its pods."""
    share: int = 1

    @model_validator(mode="after")
    def _one_way(self) -> Service:
        if sum(map(bool, (self.pods, self.per_second, self.share_of))) != 1:
            raise ValueError(f'"{self.title}" says one of pods, per_second and share_of')
        return self


class Measured(_Data):
    """A rate that was measured with what it took; other rates take their share of it."""

    a_day: int = Field(gt=0)
    cpu: float
    memory_gb: float


class Storage(_Data):
    """Room that data takes."""

    title: str
    gb: float
    """GB of 10^9 bytes, as the document has them: for `each` so many of the input `of`."""
    each: int = 1
    of: str = ""
    note: str = ""


class Calculator(_Data):
    """One published calculation."""

    id: str
    title: str
    source: str
    counts: str
    """The input that drives it."""
    peak_hour: float = Field(default=0, ge=0, le=1)
    """The share of a day that its busiest hour brings."""
    measured: Measured | None = None
    services: tuple[Service, ...] = ()
    storage: tuple[Storage, ...] = ()
    notes: tuple[str, ...] = ()


class Node(_Data):
    """The machine that the sum is divided by."""

    cpu: int
    memory_gb: int
    disk_gb: int


class Calculators(_Data):
    """`calculators.yaml`."""

    environment: str
    """The environment whose tables they make."""
    based_on: str
    """The table whose other rows the calculated one has."""
    role: str = "cluster-node"
    """The role whose machines are counted."""
    node: Node
    least_nodes: int
    least_nodes_source: str
    overhead: float
    overhead_source: str
    inputs: Annotated[tuple[Input, ...], Field(min_length=1)]
    calculators: Annotated[tuple[Calculator, ...], Field(min_length=1)]
    notes: tuple[str, ...] = ()
    """What none of them counts."""


@dataclass(frozen=True, slots=True)
class Line:
    """A service with its pods; a measured rate is one line without pods."""

    title: str
    pods: int | None
    cpu: float
    memory_gb: float


@dataclass(frozen=True, slots=True)
class Stored:
    """Room that data takes; None where a number that it hangs on was not given."""

    title: str
    gb: float | None
    words: str


@dataclass(frozen=True, slots=True)
class Part:
    """What one calculator came to."""

    calculator: Calculator
    a_day: int
    peak_hour: int
    lines: tuple[Line, ...]
    storage: tuple[Stored, ...]

    @property
    def cpu(self) -> float:
        """CPUs of all pods."""
        return round(sum(line.cpu for line in self.lines), 6)

    @property
    def memory_gb(self) -> float:
        """GB of memory of all pods."""
        return round(sum(line.memory_gb for line in self.lines), 6)


@dataclass(frozen=True, slots=True)
class Size:
    """A size with its derivation."""

    numbers: Mapping[str, int]
    parts: tuple[Part, ...]
    cpu: float
    """With the overhead."""
    memory_gb: float
    nodes: int
    bound_by: str
    """What decides how many nodes: CPUs, memory, the least number."""


def calculate(data: Calculators, given: Mapping[str, int]) -> Size:
    """The size for these numbers; raises InputProblem for one that is none or that lacks."""
    numbers = _numbers(data, given)
    parts = tuple(_part(one, numbers) for one in data.calculators if numbers.get(one.counts))
    more = 1 + data.overhead
    cpu = round(sum(part.cpu for part in parts) * more, 3)
    memory = round(sum(part.memory_gb for part in parts) * more, 3)
    by = {
        "CPUs": math.ceil(cpu / data.node.cpu),
        "memory": math.ceil(memory / data.node.memory_gb),
        "the least number": data.least_nodes,
    }
    bound = max(by, key=lambda one: by[one])
    return Size(numbers, parts, cpu, memory, by[bound], bound)


def _numbers(data: Calculators, given: Mapping[str, int]) -> dict[str, int]:
    names = [one.name for one in data.inputs]
    for name, number in given.items():
        if name not in names:
            raise InputProblem(
                f'there is no number "{name}"', remedy=f"There are {', '.join(names)}."
            )
        if not 0 <= number <= _MOST:
            raise InputProblem(
                f"{name} is {number}, which no country has",
                remedy=f"Give a whole number from 0 to {_MOST}.",
            )
    found = {
        one.name: given.get(one.name, given.get(one.otherwise, 0))
        for one in data.inputs
        if not one.optional or one.name in given
    }
    if not any(found[one.counts] for one in data.calculators):
        raise InputProblem(
            "nothing is to be reckoned with",
            remedy="Say how many a day: registrations, authentications, or both.",
        )
    return found


def _part(one: Calculator, numbers: Mapping[str, int]) -> Part:
    a_day = numbers[one.counts]
    peak = math.ceil(Fraction(str(one.peak_hour)) * a_day)
    lines = []
    if one.measured is not None:
        share = Fraction(a_day, one.measured.a_day)
        cpu, memory = (
            float(share * Fraction(str(n))) for n in (one.measured.cpu, one.measured.memory_gb)
        )
        lines.append(Line(f"its share of {one.measured.a_day} a day", None, cpu, memory))
    for service in one.services:
        pods = _pods(service, one, peak)
        lines.append(Line(service.title, pods, pods * service.cpu, pods * service.memory_gb))
    return Part(one, a_day, peak, tuple(lines), tuple(_stored(s, numbers) for s in one.storage))


def _pods(service: Service, one: Calculator, peak: int) -> int:
    """As the spreadsheets reckon: rounded up, and two where it comes to one."""
    if service.pods is not None:
        return service.pods
    if service.share_of:
        other = next(s for s in one.services if s.title == service.share_of)
        return max(2, math.ceil(Fraction(_pods(other, one, peak), service.share)))
    return max(2, math.ceil(Fraction(peak, (service.per_second or 1) * _AN_HOUR)))


def _stored(one: Storage, numbers: Mapping[str, int]) -> Stored:
    if not one.of:
        return Stored(one.title, one.gb, one.note)
    note = f", {one.note}" if one.note else ""
    words = f"{one.gb:g} GB for each {one.each} of {one.of}{note}"
    if one.of not in numbers:
        return Stored(one.title, None, words)
    return Stored(one.title, round(numbers[one.of] / one.each * one.gb, 3), words)


# ---- tables by their names


def _of_nodes(data: Calculators, given: Mapping[str, int]) -> list[Input]:
    """The inputs given on which the number of nodes hangs; what is stored is not in a table."""
    return [one for one in data.inputs if one.name in given and not one.optional]


def table_id(data: Calculators, given: Mapping[str, int]) -> str:
    """The id of the table for these numbers: registrations-100000-authentications-500000."""
    return "-".join(f"{one.name}-{given[one.name]}" for one in _of_nodes(data, given))


def numbers_in(data: Calculators, name: str) -> dict[str, int] | None:
    """The numbers that the id of a table holds; None where it is no such id."""
    names = "|".join(re.escape(one.name) for one in data.inputs)
    if not re.fullmatch(rf"(?:{names})-\d{{1,11}}(?:-(?:{names})-\d{{1,11}})*", name):
        return None
    words = name.split("-")
    found = dict(zip(words[::2], map(int, words[1::2]), strict=True))
    return found if table_id(data, found) == name else None


def table_of(data: Calculators, given: Mapping[str, int], base: SizingTable) -> SizingTable:
    """The published table with as many nodes, and such nodes, as these numbers ask for."""
    size = calculate(data, given)
    rows = [
        row.model_copy(
            update={
                "count": row.count.model_copy(update={"min": size.nodes}),
                "note": totals(data, size),
            }
        )
        if row.role == data.role
        else row
        for row in base.roles
    ]
    said = ", ".join(f"{number} {title}" for title, number in told_numbers(data, size))
    return base.model_copy(
        update={
            "id": table_id(data, given),
            "title": said,
            "source": f"reckoned from: {'; '.join(part.calculator.source for part in size.parts)}",
            "version": base.version,
            "default": False,
            "roles": tuple(rows),
            "notes": (*(n for part in size.parts for n in part.calculator.notes), *data.notes),
        }
    )


def told_numbers(data: Calculators, size: Size) -> list[tuple[str, int]]:
    """The numbers that were reckoned with, by their titles."""
    return [(one.title, n) for one in data.inputs if (n := size.numbers.get(one.name, 0))]


def totals(data: Calculators, size: Size) -> str:
    """What all parts come to and how many nodes that is, in one sentence."""
    node = data.node
    return (
        f"{size.cpu:g} CPUs and {size.memory_gb:g} GB of memory in all, {data.overhead:.0%} for "
        f"overheads among them: {counted(size.nodes, 'node')} of {node.cpu} CPUs, "
        f"{node.memory_gb} GB and {node.disk_gb} GB of disk, decided by {size.bound_by}."
    )


@cache
def calculators_of(folder: Path) -> Calculators | None:
    """The calculators of a solution's folder; None where it has none. Raises InputProblem."""
    from foundation.documents import load_yaml

    path = folder / FILE
    return load_yaml(Calculators, path) if path.is_file() else None

"""Releases: the lines of what is installed, until when each is mended, which steps lead on.

`installer/common/updates/releases.yaml` has them for all; `support.yaml` of a solution's folder
says which of them the solution installs, and by what its version is chosen.
"""

from __future__ import annotations

import datetime
import re
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from foundation.documents import load_yaml
from foundation.wording import counted, listed
from preflight.cluster import support
from preflight.cluster.support import SOON_DAYS

SUPPORT: Final = "support.yaml"
_FILE: Final = Path(__file__).parents[1] / "common/updates/releases.yaml"
_NUMBERS: Final = re.compile(r"[vV]?(\d{1,9}(?:\.\d{1,9}){0,3})(?!\d)", re.ASCII)


class _Data(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class ReleaseLine(_Data):
    """One line of a product, by what its versions begin with."""

    line: str
    ends: datetime.date | None = None
    """The last day on which its makers mend it; None where they name none."""
    longer: datetime.date | None = None
    """The last day on which others do, for everybody."""
    by: str = ""
    """Who they are."""

    @property
    def last_day(self) -> datetime.date | None:
        """The last day on which anybody mends it for everybody."""
        return self.longer or self.ends


def _of_kubernetes(value: object) -> object:
    """The lines of Kubernetes, whose days stand in one place for all."""
    if value != "kubernetes":
        return value
    return tuple(
        ReleaseLine(line=f"{major}.{minor}", ends=ends)
        for (major, minor), ends in sorted(support.ENDS.items())
    )


class Product(_Data):
    """One product: its lines, the oldest first, and the steps between them."""

    id: str
    title: str
    repositories: tuple[str, ...] = ()
    """Last parts of its images' names."""
    lines: Annotated[tuple[ReleaseLine, ...], BeforeValidator(_of_kubernetes)]
    ends_source: str = support.SOURCE
    steps: Literal["next", "apart", "scripts", "any"]
    data: bool = False
    """Whether a step to the next line brings its data to another form."""
    around: str = ""
    """What is done instead of a step that is none, a sentence without its end."""
    source: str

    def place_of(self, version: str) -> int | None:
        """The place of the line that a version belongs to; None for none that is known."""
        have = numbers(version)
        for place, one in enumerate(self.lines):
            parts = numbers(one.line)
            if have[: len(parts)] == parts:
                return place
        return None

    def line_of(self, version: str) -> ReleaseLine | None:
        """The line that a version belongs to; None for none that is known."""
        place = self.place_of(version)
        return None if place is None else self.lines[place]

    def against(self, before: str, after: str) -> str:
        """Why a step is none that may be taken, with the way around and who says so; "" else."""
        why = self._why(before, after)
        return f"{why}. {self.around} ({self.source})" if why else ""

    def _why(self, before: str, after: str) -> str:
        old, new = numbers(before), numbers(after)
        if self.steps == "any":
            return ""
        if not old or not new:
            return f"which step of {self.title} it would be does not stand in its tags"
        if self.steps == "apart":
            same = old[:1] == new[:1]
            return "" if same else f"no {self.title} {new[0]} reads what {old[0]} wrote"
        first, then = self.place_of(before), self.place_of(after)
        if first is None or then is None:
            same = old[:2] == new[:2]
            return "" if same else f"whether {self.title} takes that step is not known"
        names = [one.line for one in self.lines]
        way = f"from {names[first]} to {names[then]}"
        if then - first > 1:
            return f"{self.title} does not go {way} but by {listed(names[first + 1 : then])}"
        if self.steps == "scripts" and then != first:
            return f"{self.title} goes {way} by the scripts of its makers, and not by itself"
        return ""


class MakersWord(_Data):
    """What the makers of a group of images say of single ones."""

    title: str
    repositories: tuple[str, ...]
    """First parts of their names."""
    says: str
    source: str


class _File(_Data):
    products: tuple[Product, ...]
    releases: tuple[MakersWord, ...]


class Runs(_Data):
    """A product that a solution installs, and by what its version is chosen."""

    product: str
    setting: str = ""
    """The setting that names the version, or begins with it."""
    component: str = ""
    """The component of the repository to begin with that has the version."""
    when: str = ""
    """A setting that must be true."""


class SupportFile(_Data):
    """`support.yaml`."""

    runs: Annotated[tuple[Runs, ...], Field(min_length=1)]


class End(StrEnum):
    """How a line stands on a day."""

    MENDED = "mended"
    SOON = "soon"
    PAST = "past"
    UNNAMED = "unnamed"
    """Its makers name no day."""


@cache
def _read() -> _File:
    return load_yaml(_File, _FILE)


def products() -> tuple[Product, ...]:
    """Every product whose lines are known."""
    return _read().products


def makers_words() -> tuple[MakersWord, ...]:
    """What makers say of single images of theirs."""
    return _read().releases


def product(name: str) -> Product | None:
    """A product by its id; None where it is not known."""
    return next((one for one in products() if one.id == name), None)


def read_support(folder: Path) -> SupportFile | None:
    """What a solution's folder says that it runs; None where it says nothing. InputProblem."""
    path = folder / SUPPORT
    return load_yaml(SupportFile, path) if path.is_file() else None


def numbers(version: str) -> tuple[int, ...]:
    """The numbers that a version begins with, at most four; none where it begins with none."""
    found = _NUMBERS.match(version)
    return tuple(map(int, found[1].split("."))) if found else ()


def stands(line: ReleaseLine, today: datetime.date) -> End:
    """How a line stands on a day; its last day counts."""
    last = line.last_day
    if last is None:
        return End.UNNAMED
    if today > last:
        return End.PAST
    return End.SOON if (last - today).days < SOON_DAYS else End.MENDED


def told(one: Product, line: ReleaseLine, today: datetime.date | None = None) -> str:
    """Until when a line is mended, a sentence; of a day where one is given, else of none."""
    name, last = f"{one.title} {line.line}", line.last_day
    if line.ends is None or last is None:
        return f"Until when {name} is mended is not known: its makers name no day."
    others = f", by {line.by} until {line.longer}" if line.longer is not None else ""
    until = f"mended by its makers until {line.ends}{others}"
    if today is None:
        return f"{name} is {until}."
    end = stands(line, today)
    if end is End.PAST:
        return f"{name} has been mended by nobody since {last}: what is found in it stays open."
    near = f", {counted((last - today).days, 'day')} from now" if end is End.SOON else ""
    return f"{name} {'was' if today > line.ends else 'is'} {until}{near}."

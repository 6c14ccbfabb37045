"""Chart: the map as a table of options and use cases, for the terminal and for the picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from installer.guide.option_files import Quality, System

if TYPE_CHECKING:
    from installer.guide.guide import Map, Option
    from installer.guide.option_files import UseCase

SYSTEM_TITLES: Final = {
    System.MOJALOOP: "Mojaloop hub",
    System.PM4ML: "Payment Manager (PM4ML)",
    System.MOSIP: "MOSIP",
}
ALONE: Final = "on one's own"
"""The heading above the use cases that stand under none."""


@dataclass(frozen=True, slots=True)
class Line:
    """One option with a word for each use case: PoC, prod, both, or nothing."""

    option: Option
    marks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """The whole table: its columns under headings, its lines under systems."""

    columns: tuple[UseCase, ...]
    groups: tuple[tuple[str, int], ...]
    """A heading and how many columns stand under it."""
    sections: tuple[tuple[str, tuple[Line, ...]], ...]
    """A system's title and its options."""


def chart_of(chart: Map) -> Chart:
    """The map as a table."""
    columns = chart.use_cases
    groups: list[tuple[str, int]] = []
    for case in columns:
        heading = case.group or ALONE
        if groups and groups[-1][0] == heading:
            groups[-1] = (heading, groups[-1][1] + 1)
        else:
            groups.append((heading, 1))
    sections = []
    for system, title in SYSTEM_TITLES.items():
        lines = tuple(
            Line(option, tuple(mark(option, case) for case in columns))
            for option in chart.options
            if option.file.system is system
        )
        sections.append((title, lines))
    return Chart(columns, tuple(groups), tuple(sections))


def mark(option: Option, case: UseCase) -> str:
    """How an option serves a use case, in a word of at most four letters."""
    found = {way.quality for way in option.file.ways if case.id in way.serves}
    return quality_word(sorted(found))


def quality_word(qualities: Sequence[Quality]) -> str:
    """The word for qualities that are served: PoC, prod, both, or nothing."""
    if len(qualities) > 1:
        return "both"
    words = {Quality.POC: "PoC", Quality.PRODUCTION: "prod"}
    return words[qualities[0]] if qualities else ""

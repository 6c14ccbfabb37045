"""Matrix: machines by areas, as rows of a board; the columns fit the width there is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from textual.content import Content

from foundation.problems import Problem
from preflight.assessment import HostResult
from preflight.findings import Finding
from preflight.report.areas import AREAS, Area, Mark, area_rank, mark_of, worst
from preflight.report.words import clean
from screens.widgets.board import Cell, Column, Row
from screens.words import by_weight, finding_word, to_mend

BETWEEN: Final = "\0between"
"""The key of the row for what no machine can tell alone; no machine can have such a name."""

BETWEEN_WORDS: Final = "between them"

NARROW: Final = (
    Area("CPU", "CPU", ("cpu", "architecture")),
    Area("memory", "mem", ("memory", "swap")),
    Area("disks", "disk", ("disk", "raid", "space", "filesystem")),
    Area("NICs", "NIC", ("nic",)),
    Area("ports", "port", ("port",)),
    Area("network", "net", ("network", "route", "dns", "firewall", "mesh", "internet", "proxy")),
    Area(
        "system",
        "OS",
        (
            "os", "hostname", "identity", "locale",
            "kernel", "module", "sysctl", "cgroup", "security", "limits",
        ),
    ),
    Area("time", "time", ("time", "clock")),
)  # fmt: skip
"""The columns where there is little room; what none of them gathers goes into a last one."""

WORDS: Final = {
    Mark.NONE: ("", "muted"),
    Mark.OK: ("ok", "pass"),
    Mark.WAIVED: ("wvd", "muted"),
    Mark.WARN: ("warn", "warn"),
    Mark.UNKNOWN: ("?", "unknown"),
    Mark.FAIL: ("FAIL", "fail"),
}


@dataclass(frozen=True, slots=True)
class Shape:
    """Which columns there are, and how wide the first ones."""

    name_width: int
    role_width: int
    """0 where roles have no column."""
    areas: tuple[Area, ...]
    rest: bool
    """Whether a last column gathers what the others leave."""

    def columns(self) -> tuple[Column, ...]:
        """The columns of the board."""
        first = [Column("machine", self.name_width)]
        if self.role_width:
            first.append(Column("plays", self.role_width))
        middle = [Column(area.short, 4) for area in self.areas]
        return (*first, *middle, Column("more" if self.rest else ""))


def shape_for(width: int, names: Sequence[str], roles: Sequence[str]) -> Shape:
    """The columns for a width in cells; names and roles are cut before areas are."""
    longest = max((len(name) for name in (*names, BETWEEN_WORDS)), default=7)
    longest_role = max((len(role) for role in roles), default=0)
    if width >= 2 + 8 + 5 * (len(AREAS) + 1) + 8:
        room = width - 5 * (len(AREAS) + 1) - 3
        role = min(max(longest_role, 5), 16, room // 2)
        return Shape(min(max(longest, 7), 20, room - role), role, AREAS, rest=True)
    room = width - 5 * (len(NARROW) + 1) - 2
    return Shape(min(max(longest, 7), max(room, 7)), 0, NARROW, rest=True)


def waiting_row(name: str, text: str = "waiting") -> Row:
    """A machine that has not answered yet."""
    return Row(name, (Cell(clean(name)), Cell(text, "muted")))


def result_row(result: HostResult, shape: Shape) -> Row:
    """A machine with a word an area, or with the reason why it was not seen."""
    name = result.seen.host.name
    first = [Cell(clean(name))]
    if shape.role_width:
        first.append(Cell(clean(", ".join(result.roles)), "muted"))
    problem = result.seen.problem
    if not result.seen.reachable and problem is not None:
        text = clean(f"not seen: {problem.cause}")
        return Row(name, (Cell(clean(name)), Cell(text, "unknown")))
    return Row(name, (*first, *_cells(result.findings, shape)))


def between_row(findings: Sequence[Finding], shape: Shape) -> Row:
    """What no machine can tell alone, in one line."""
    mark = worst(mark_of(finding) for finding in findings)
    word, tone = WORDS[mark]
    number = sum(1 for finding in findings if mark_of(finding) is mark)
    about = {Mark.OK: "nothing to mend", Mark.NONE: "nothing to compare"}.get(
        mark, f"{word} {number}: {next((f.title for f in findings if mark_of(f) is mark), '')}"
    )
    return Row(BETWEEN, (Cell(BETWEEN_WORDS, "strong"), Cell(clean(about), tone)))


def _cells(findings: Sequence[Finding], shape: Shape) -> list[Cell]:
    by_area: dict[str, list[Mark]] = {}
    for finding in findings:
        by_area.setdefault(finding.area, []).append(mark_of(finding))
    cells = []
    for area in shape.areas:
        cells.append(_cell(mark for part in area.gathers for mark in by_area.pop(part, ())))
    if shape.rest:
        cells.append(_cell(mark for marks in by_area.values() for mark in marks))
    return cells


def _cell(marks: Iterable[Mark]) -> Cell:
    word, tone = WORDS[worst(marks)]
    return Cell(word, tone)


def area_order(finding: Finding) -> int:
    """Where a finding stands among findings of equal weight."""
    return area_rank(finding.area)


def glance(title: str, findings: Iterable[Finding], problem: Problem | None = None) -> Content:
    """What is to mend, one sentence a line, the worst first."""
    mend = by_weight(to_mend(findings))
    parts: list[str | tuple[str, str]] = [(f"{clean(title)}\n", "bold")]
    if problem is not None:
        parts.append(clean(f"{problem.title}: {problem.cause}. {problem.remedy}"))
        return Content.assemble(*parts)
    if not mend:
        parts.append("Everything is as asked.")
    parts += [f"{finding_word(finding):<5} {clean(finding.title)}\n" for finding in mend]
    return Content.assemble(*parts)

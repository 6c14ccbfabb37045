"""Matrix: machines by areas, as rows of a board; the columns fit the width there is."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from rich.cells import cell_len
from textual.content import Content

from foundation.problems import Problem
from foundation.wording import counted
from preflight.assessment import HostResult
from preflight.findings import Finding
from preflight.report.areas import AREAS, CLUSTER_AREAS, Area, Mark, mark_of, worst
from preflight.report.words import clean, is_waived
from screens.widgets.board import Cell, Column, Row
from screens.words.words import by_weight, finding_word, to_mend

BETWEEN: Final = "\0between"
"""The key of the row for what no machine can tell alone; no machine can have such a name."""

BETWEEN_WORDS: Final = "between them"
AROUND_WORDS: Final = "around it"
"""The same row where there is one machine alone."""

NOTES: Final = "\0notes"
"""The key of the row for what the tables say and no check can tell."""

WIDE: Final = tuple(area for area in AREAS if area not in CLUSTER_AREAS)
"""The columns where there is room: the wizard looks at machines."""
NARROW: Final = (
    Area("CPU", "CPU", ("cpu", "architecture")),
    Area("memory", "mem", ("memory", "swap")),
    Area("disks", "disk", ("disk", "raid", "space", "filesystem")),
    Area("NICs", "NIC", ("nic",)),
    Area("ports", "port", ("port",)),
    Area(
        "system",
        "OS",
        (
            "os", "hostname", "identity", "locale",
            "kernel", "module", "sysctl", "cgroup", "security", "limits",
        ),
    ),
    Area("network", "net", ("network", "route", "dns", "firewall", "mesh", "egress")),
    Area("time", "time", ("time", "clock")),
)  # fmt: skip
"""The columns where there is little room, in the same order; a last one has what none gathers."""

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
        first = [Column("machine", name=True, most=self.name_width)]
        if self.role_width:
            first.append(Column("plays", most=self.role_width))
        middle = [Column(area.short, max(4, len(area.short))) for area in self.areas]
        return (*first, *middle, *((Column("more"),) if self.rest else ()), Column(""))


def shape_for(
    width: int,
    names: Sequence[str],
    roles: Sequence[str],
    present: Collection[str] | None = None,
) -> Shape:
    """The columns for a width in cells; names and roles are cut before areas are.

    `present` are the parts in which anything was found; None while not all is judged. An area of
    which nobody spoke has no column, and the room is the names'.
    """
    longest = max((cell_len(name) for name in (*names, BETWEEN_WORDS)), default=7)
    longest_role = max((len(role) for role in roles), default=0)
    if width >= 2 + 8 + 5 * (len(WIDE) + 1) + 8:
        areas, rest = _spoken_of(WIDE, present)
        room = width - 5 * (len(areas) + rest) - 3
        role = min(max(longest_role, 5), 24, room // 2)
        return Shape(min(max(longest, 7), room - role), role, areas, rest=rest)
    areas, rest = _spoken_of(NARROW, present)
    room = width - 5 * (len(areas) + rest) - 2
    return Shape(min(max(longest, 7), max(room, 7)), 0, areas, rest=rest)


def _spoken_of(
    areas: tuple[Area, ...], present: Collection[str] | None
) -> tuple[tuple[Area, ...], bool]:
    """The areas of which anything is known, and whether anything is left for a last column."""
    if not present:
        return areas, True
    wanted = set(present)
    kept = tuple(area for area in areas if wanted.intersection(area.gathers))
    return kept, bool(wanted.difference(part for area in areas for part in area.gathers))


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


def between_row(findings: Sequence[Finding], shape: Shape, *, alone: bool = False) -> Row:
    """What no machine can tell alone, in one line."""
    mark = worst(mark_of(finding) for finding in findings)
    word, tone = WORDS[mark]
    number = sum(1 for finding in findings if mark_of(finding) is mark)
    about = {Mark.OK: "nothing to mend", Mark.NONE: "nothing to compare"}.get(
        mark, f"{word} {number}: {next((f.title for f in findings if mark_of(f) is mark), '')}"
    )
    words = AROUND_WORDS if alone else BETWEEN_WORDS
    return Row(BETWEEN, (Cell(words, "strong"), Cell(clean(about), tone)))


def notes_row(notes: Sequence[str]) -> Row:
    """How much the tables say, and that it can be read."""
    number = f"{counted(len(notes), 'note')} that no check can tell"
    return Row(NOTES, (Cell("tables", "strong"), Cell(f"{number}; Enter reads them", "muted")))


def notes_glance(notes: Sequence[str]) -> Content:
    """The notes, one a line."""
    parts = [f"- {clean(note)}\n" for note in notes]
    return Content.assemble(("What the tables say\n", "bold"), *parts)


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


def glance(title: str, findings: Iterable[Finding], problem: Problem | None = None) -> Content:
    """What is to mend, one sentence a line, the worst first."""
    findings = list(findings)
    mend = by_weight(to_mend(findings))
    parts: list[str | tuple[str, str]] = [(f"{clean(title)}\n", "bold")]
    if problem is not None:
        parts.append(clean(f"{problem.title}: {problem.cause}. {problem.remedy}"))
        return Content.assemble(*parts)
    waived = [finding for finding in findings if is_waived(finding)]
    if not mend and not waived:
        parts.append("Everything is as asked.")
    elif not mend:
        parts.append(f"Nothing to mend, {len(waived)} waived:\n")
    parts += [f"{finding_word(finding):<5} {clean(finding.title)}\n" for finding in mend]
    for finding in by_weight(waived):
        waiver = finding.waiver
        by = f", by {waiver.by} until {waiver.until.isoformat()}" if waiver else ""
        parts.append(f"waived {clean(finding.title).removesuffix('.')}{clean(by)}\n")
    return Content.assemble(*parts)

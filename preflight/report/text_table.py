"""The tables of the text report: who plays which role, and machines by areas."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from preflight.assessment import Assessment
from preflight.report.areas import Grid, Mark, grid
from preflight.report.grouping import external
from preflight.report.layout import Page, Style, pad, widest, wrap
from preflight.report.words import cells, cut, name_list, target_noun

CELL_WORDS = {
    Mark.NONE: "–",
    Mark.OK: "ok",
    Mark.WAIVED: "waived",
    Mark.WARN: "warn",
    Mark.UNKNOWN: "?",
    Mark.FAIL: "FAIL",
}
CELL_STYLES = {
    Mark.NONE: Style.DIM,
    Mark.OK: Style.OK,
    Mark.WAIVED: Style.WARN,
    Mark.WARN: Style.WARN,
    Mark.UNKNOWN: Style.UNKNOWN,
    Mark.FAIL: Style.FAIL,
}
_LEGEND = {
    Mark.NONE: "– not asked for here",
    Mark.UNKNOWN: "? could not be told",
}


def roles(page: Page, assessment: Assessment) -> None:
    rows = []
    for row in assessment.needs.sizing.roles:
        names = [h.seen.host.name for h in assessment.hosts if row.role in h.roles]
        if external(row) and not names:
            rows.append(
                (page.plain(row.role), page.plain("–"), "outside the site, no machine to log in to")
            )
            continue
        if not names and (row.may_lack or row.count.min == 0):
            continue
        number = f"{len(names)} of {row.count.min}"
        if row.may_lack or row.count.min == 0:
            number = str(len(names))
        rows.append((page.plain(row.role), number, name_list(names) or "–"))
    without = [h.seen.host.name for h in assessment.hosts if not h.roles]
    if not any(h.roles for h in assessment.hosts) or len(assessment.hosts) < 2:
        return
    page.heading("Roles")
    first = min(widest(role for role, _, _ in rows), page.width // 3)
    second = widest(number for _, number, _ in rows)
    if without:
        rows.append(("no role", str(len(without)), name_list(without)))
        first = max(first, len("no role"))
    for role, number, names_text in rows:
        label = f"{pad(role, first)}  {pad(number, second)}  "
        if cells(role) > first:
            page.paragraph(role)
            label = f"{' ' * first}  {pad(number, second)}  "
        for place, line in enumerate(wrap(page.plain(names_text), page.width - cells(label))):
            page.lines.append((label if place == 0 else " " * cells(label)) + line)


def machines(page: Page, assessment: Assessment) -> None:
    table = grid(assessment)
    if not table.rows or not (table.columns or len(table.rows) > 1):
        return
    noun = target_noun(assessment)
    page.heading("Machines" if len(table.rows) > 1 else f"This {noun}, area by area")
    names = [page.plain(row.target.name) for row in table.rows]
    name_width = max(min(widest(names), max(12, page.width // 3)), len(noun))
    blocks = _blocks(page, table, page.width - name_width)
    for block in blocks:
        head = pad(noun, name_width)
        for column in block.columns:
            head += block.gap + pad(column.title, column.width)
        page.lines.append(page.styled(head.rstrip(), Style.STRONG))
        for row, name in zip(table.rows, names, strict=True):
            pieces = wrap(name, name_width) or [""]
            line = pad(pieces[0], name_width)
            if row.target.seen.reachable:
                for column in block.columns:
                    mark = row.marks[column.place]
                    word = page.plain(CELL_WORDS[mark])
                    filled = " " * (column.width - len(word))
                    line += block.gap + page.styled(word, CELL_STYLES[mark]) + filled
            else:
                problem = row.target.seen.problem
                why = page.plain(f"not seen: {problem.title}" if problem else "not seen")
                part = wrap(why, page.width - name_width - len(block.gap))[0]
                line += block.gap + page.styled(part, Style.FAIL)
            page.lines.append(line.rstrip())
            page.lines += pieces[1:]
        if block is not blocks[-1]:
            page.lines.append("")
    shown = {mark for row in table.rows if row.target.seen.reachable for mark in row.marks}
    legend = [text for mark, text in _LEGEND.items() if mark in shown]
    if legend:
        page.paragraph(", ".join(legend), style=Style.DIM)


@dataclass(frozen=True, slots=True)
class _Column:
    place: int
    title: str
    width: int


@dataclass(frozen=True, slots=True)
class _Block:
    columns: tuple[_Column, ...]
    gap: str

    def width(self) -> int:
        return sum(column.width + len(self.gap) for column in self.columns)


def _blocks(page: Page, table: Grid, room: int) -> list[_Block]:
    """The columns in as few blocks as the room allows: full headings, short ones, then pages."""
    words = [
        widest({CELL_WORDS[row.marks[place]] for row in table.rows if row.target.seen.reachable})
        for place in range(len(table.columns))
    ]

    def block(titles: Iterable[str], gap: str) -> _Block:
        columns = (
            _Column(place, page.plain(title), max(cells(page.plain(title)), words[place]))
            for place, title in enumerate(titles)
        )
        return _Block(tuple(columns), gap)

    full = [area.title for area in table.columns]
    short = [area.short for area in table.columns]
    for titles, gap in ((full, "  "), (full, " "), (short, "  "), (short, " ")):
        whole = block(titles, gap)
        if whole.width() <= room:
            return [whole]
    gap, pages, used = "  ", [], room
    # A heading that a hostile id made wider than the page is cut; the findings below name it whole.
    for column in block((cut(title, room - 2)[0] for title in short), gap).columns:
        needed = column.width + len(gap)
        if used + needed > room:
            pages.append(_Block((), gap))
            used = 0
        pages[-1] = _Block((*pages[-1].columns, column), gap)
        used += needed
    return pages

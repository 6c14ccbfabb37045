"""The map on the goal step: use cases on the left, what serves the one under the cursor beside it.

The arrows walk it: up and down in a column, right and left between them. A branch joins the use
case with its options, as on a flow chart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

from rich.console import Group
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Horizontal, VerticalScroll
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import Static

from foundation.wording import counted
from screens.goal.goal_words import (
    CARRY,
    RECOMMENDED,
    about_case,
    about_way,
    carry_text,
    here_words,
    recommended,
)
from screens.widgets.board import Board, Cell, Column, Row

if TYPE_CHECKING:
    from installer.guide.advice import Advice, Ranked
    from installer.guide.guide import Map

WIDE: Final = 90
"""Cells from which the options are told in four columns."""
MIDDLE: Final = 76
"""Cells from which they are told in three."""
BY_US, BY_HAND, NO_FIT = "●", "○", "✗"
"""Before a name where there is no column for it: Sitewright installs it; a person does, by hand; it
does not fit here, which matters more."""
LEGEND: Final = (
    f"{BY_US} by Sitewright  {BY_HAND} by hand  {NO_FIT} does not fit  {RECOMMENDED} recommended"
)
"""What the signs mean, in one line that stands beside them in the smallest window."""


class Branch(Widget):
    """The lines from the use case under the cursor to its options."""

    def __init__(self) -> None:
        super().__init__(id="branch")
        self.start = 0
        self.ends: frozenset[int] = frozenset()

    def draw(self, start: int, ends: frozenset[int]) -> None:
        """Join a line on the left with some on the right."""
        if (start, ends) != (self.start, self.ends):
            self.start, self.ends = start, ends
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """One line of it."""
        from rich.segment import Segment

        rows = {self.start, *self.ends}
        text = "   "
        if self.ends and min(rows) <= y <= max(rows):
            left = "─" if y == self.start else " "
            right = "─" if y in self.ends else " "
            above, below = y > min(rows), y < max(rows)
            text = left + _JOINT[left != " ", right != " ", above, below] + right
        return Strip([Segment(text, self.rich_style)], 3)


_JOINT: Final[Mapping[tuple[bool, bool, bool, bool], str]] = {
    (True, True, False, False): "─",
    (True, True, True, False): "┴",
    (True, True, False, True): "┬",
    (True, True, True, True): "┼",
    (True, False, True, False): "┘",
    (True, False, False, True): "┐",
    (True, False, True, True): "┤",
    (False, True, True, False): "└",
    (False, True, False, True): "┌",
    (False, True, True, True): "├",
    (False, False, True, True): "│",
    (True, False, False, False): "─",
    (False, True, False, False): "─",
}
"""The sign where a line comes from the left, goes to the right, up, and down."""


class MapColumn(Board):
    """A board that says when it scrolled, so that the branch follows."""

    @dataclass
    class Scrolled(Message):
        """The rows moved."""

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Tell it."""
        super().watch_scroll_y(old_value, new_value)
        if round(old_value) != round(new_value):
            self.post_message(self.Scrolled())


class MapPane(Container):
    """The map, and below it what is under the cursor."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "cases", "Use cases", show=False),
        Binding("right", "ways", "Options", show=False),
    ]

    @dataclass
    class Wanted(Message):
        """Advice is wanted for a use case."""

        case: str

    @dataclass
    class Chosen(Message):
        """Enter on an option, or on this machine."""

    def __init__(self, chart: Map | None = None) -> None:
        super().__init__(id="map")
        self.chart = chart
        self.advice: dict[str, Advice] = {}
        self.machine = ""
        """The machine that was looked at, as the texts name it; empty before."""

    def compose(self) -> ComposeResult:
        """Two columns with a branch between them, and the text."""
        with Horizontal(id="columns"):
            yield MapColumn((Column(""),), header=False, id="cases")
            yield Branch()
            yield MapColumn((Column(""),), header=False, id="ways")
        with VerticalScroll(id="about", can_focus=True):
            yield Static("Reading the map…", id="about-text", markup=False)
        yield Static("", id="about-more", markup=False)

    @property
    def cases(self) -> MapColumn:
        """The use cases."""
        return self.query_one("#cases", MapColumn)

    @property
    def ways(self) -> MapColumn:
        """What serves the use case under the cursor."""
        return self.query_one("#ways", MapColumn)

    @property
    def case(self) -> str:
        """The use case under the cursor; empty until the map is read."""
        return self.cases.key or ""

    def show(self, chart: Map, *, case: str) -> None:
        """The map as it was read, with the cursor on a use case."""
        self.chart = chart
        rows = [Row(CARRY, (Cell("What fits this machine"),))]
        group = ""
        for one in chart.use_cases:
            if one.group != group:
                group = one.group
                rows.append(Row(f"group/{group}", (Cell(group),), heading=True))
            rows.append(Row(one.id, (Cell(f"  {one.title}" if group else one.title),)))
        self.cases.set_rows(rows, keep=case)

    def take(self, case: str, advice: Advice, machine: str) -> None:
        """Advice that came for a use case."""
        self.advice[case] = advice
        self.machine = machine
        if case == self.case:
            self._list_ways()

    def forget(self) -> None:
        """Ask anew for every use case, because more is known of the machine."""
        self.advice.clear()
        if self.case:
            self.post_message(self.Wanted(self.case))

    def ranked(self) -> Ranked | None:
        """The option under the cursor of the right column."""
        key, advice = self.ways.key, self.advice.get(self.case)
        if key is None or advice is None:
            return None
        return next((one for one in advice.ranked if way_key(one) == key), None)

    def _list_ways(self) -> None:
        advice = self.advice.get(self.case)
        if advice is None:
            self.ways.set_rows([])
        else:
            self.ways.set_rows(way_rows(advice, parts=self._parts))
        self._describe()
        self.call_after_refresh(self._join)

    @property
    def signs(self) -> bool:
        """Whether signs stand before the names, because there is no column for what they say."""
        return self._parts < 4

    @property
    def _parts(self) -> int:
        """In how many columns the options are told."""
        width = self.size.width
        return 4 if width >= WIDE else 3 if width >= MIDDLE else 2

    def on_resize(self, _event: events.Resize) -> None:
        """More columns where there is room."""
        columns = COLUMNS[self._parts]
        if self.ways.columns != columns:
            self.ways.set_columns(columns)
            if self.advice:
                self._list_ways()
        self.call_after_refresh(self._join)
        self.call_after_refresh(self._tell_more)

    def _join(self) -> None:
        """Draw the branch where the rows are now."""
        if not self.is_mounted:
            return
        cases, ways = self.cases, self.ways
        start = cases.cursor - cases.scroll_offset.y
        ends = frozenset(
            place - ways.scroll_offset.y
            for place, row in enumerate(ways.rows)
            if not row.heading and 0 <= place - ways.scroll_offset.y < ways.size.height
        )
        self.query_one(Branch).draw(start, ends)

    def on_board_highlighted(self, event: Board.Highlighted) -> None:
        """Another use case brings other options; another option another text."""
        event.stop()
        if event.board is self.cases:
            if event.key in self.advice:
                self.ways.scroll_home(animate=False)
                self._list_ways()
            else:
                self.post_message(self.Wanted(event.key))
            self.call_after_refresh(self._join)
        self._describe()

    def on_map_column_scrolled(self, event: MapColumn.Scrolled) -> None:
        """The branch follows the rows."""
        event.stop()
        self.call_after_refresh(self._join)

    def on_board_chosen(self, event: Board.Chosen) -> None:
        """Enter goes from a use case to its options, and takes an option."""
        event.stop()
        if event.board is self.cases and event.key != CARRY:
            self.action_ways()
        else:
            self.post_message(self.Chosen())

    def on_descendant_focus(self, _event: events.DescendantFocus) -> None:
        """The text is of the column that has the focus."""
        self._describe()

    def action_cases(self) -> None:
        """To the use cases."""
        self.cases.focus()

    def action_ways(self) -> None:
        """To the options."""
        if self.ways.rows:
            self.ways.focus()

    def _describe(self) -> None:
        """Explain what is under the cursor of the column with the focus."""
        if self.chart is None or not self.case:
            return  # the filter may leave no use case at all
        text: Group
        advice = self.advice.get(self.case)
        ranked = self.ranked()
        if self.ways.has_focus and ranked is not None and advice is not None:
            text = about_way(self.chart, advice, ranked, self.machine)
        elif self.case == CARRY:
            text = carry_text(advice, self.machine)
        else:
            text = about_case(self.chart.use_case(self.case), advice, self.machine)
        self.query_one("#about-text", Static).update(text)
        self.query_one("#about", VerticalScroll).scroll_home(animate=False)

    def on_mount(self) -> None:
        """What the line says follows the text's height, whatever changes it, and when."""
        self.watch(
            self.query_one("#about", VerticalScroll), "virtual_size", self._tell_more, init=False
        )

    def _tell_more(self) -> None:
        """Say so where the text goes on below.

        The line keeps its row, so that what it counts does not depend on whether it stands there;
        in the lowest windows it would cost what it speaks of.
        """
        below = self.query_one("#about", VerticalScroll).max_scroll_y
        self.query_one("#about-more", Static).update(
            f"{counted(below, 'more line')}: Tab, then Page down" if below > 0 else ""
        )


COLUMNS: Final = {
    2: (Column("", 6), Column("")),
    3: (Column("", 6), Column("", 34), Column("")),
    4: (Column("", 6), Column("", 32), Column("", 14), Column("", 10), Column("")),
}
"""The options by how many things are told of each."""


def way_key(one: Ranked) -> str:
    """What tells ways apart on the map."""
    return f"{one.option.id}/{one.way.id}"


def way_rows(advice: Advice, *, parts: int) -> list[Row]:
    """The options of a use case, under their systems where there are several."""
    from installer.guide.advice import system_of
    from installer.guide.chart import SYSTEM_TITLES, quality_word

    rows: list[Row] = []
    best = recommended(advice)
    systems = {system_of(one.option, one.way) for one in advice.ranked}
    for system, title in SYSTEM_TITLES.items():
        ours = [one for one in advice.ranked if system_of(one.option, one.way) is system]
        if ours and len(systems) > 1:
            rows.append(Row(f"system/{system}", (Cell(title),), heading=True))
        for one in ours:
            first = one in best
            sign = RECOMMENDED if first else " "
            tone = "accent" if first else "plain"
            cells = [
                Cell(f"{sign} {quality_word([one.way.quality])}", tone),
                Cell(one.option.name(one.way) if parts == 4 else _signed(one), tone),
            ]
            if parts > 2:
                cells.append(here_cell(one))
            if parts == 4:
                cells += [Cell(one.option.by(one.way), "muted"), Cell("")]
            rows.append(Row(way_key(one), tuple(cells)))
    return rows


def _signed(one: Ranked) -> str:
    """An option's name behind the sign that decides; see `LEGEND`."""
    from installer.guide.advice import Fit

    sign = BY_US if one.option.installs(one.way) else BY_HAND
    if one.measured.fit is Fit.SHORT:
        sign = NO_FIT
    return f"{sign} {one.option.name(one.way)}"


def here_cell(one: Ranked) -> Cell:
    """How the machine at hand measures, in a word or two."""
    word, tone = here_words(one)
    return Cell(word, tone)


def places_of(chart: Map, solution: str, environment: str) -> Sequence[tuple[str, str]]:
    """Where a goal stands on the map: use case and key, in the order of the map."""
    return [
        (case, f"{option.id}/{way.id}")
        for option in chart.options
        if option.solution is not None and option.solution.id == solution
        for way in option.file.ways
        if way.id == environment
        for case in way.serves
    ]

"""Board: a table that draws only the lines in sight, so that five hundred machines stay fluid."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from screens.widgets.fitting import fitted, naturals

TONES: Final = ("plain", "muted", "accent", "strong", "pass", "warn", "fail", "unknown")
"""What a cell may sound like; each has a style, and none says anything that words do not say."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A piece of text with its tone."""

    text: str
    tone: str = "plain"


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its heading, its least width in cells, and its greatest; 0 leaves it free."""

    title: str
    width: int = 0
    name: bool = False
    """Whether it holds names, which differ at their ends: these are cut in the middle."""
    most: int = 0

    def wants(self, natural: int) -> int:
        """Its width where what stands in it is so wide."""
        wanted = max(natural, self.width)
        return min(wanted, self.most) if self.most else wanted


@dataclass(frozen=True, slots=True)
class Row:
    """One line; where it has fewer cells than there are columns, its last cell takes the rest."""

    key: str
    cells: tuple[Cell, ...]
    heading: bool = False
    """A line that the cursor passes over."""


class Board(ScrollView, can_focus=True):
    """Rows of cells with a cursor, by keyboard and by mouse."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "step(-1)", "Up", show=False),
        Binding("down", "step(1)", "Down", show=False),
        Binding("pageup", "page(-1)", "Page up", show=False),
        Binding("pagedown", "page(1)", "Page down", show=False),
        Binding("home", "edge(-1)", "First", show=False),
        Binding("end", "edge(1)", "Last", show=False),
        Binding("enter", "choose", "Open", show=False),
        Binding("slash", "seek", "Filter", show=False),
    ]
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "board--header",
        "board--heading",
        "board--cursor",
        "board--cursor-blurred",
        *(f"board--{tone}" for tone in TONES),
    }

    cursor: reactive[int] = reactive(0, repaint=True)

    @dataclass
    class Highlighted(Message):
        """The cursor moved to another row."""

        board: Board
        key: str

        @property
        def control(self) -> Board:
            """The board it came from."""
            return self.board

    @dataclass
    class Chosen(Message):
        """A row was opened, by Enter or by a double click."""

        board: Board
        key: str

        @property
        def control(self) -> Board:
            """The board it came from."""
            return self.board

    @dataclass
    class Sifted(Message):
        """The filter began, or ended, to take the keys, or there are rows to filter now."""

        board: Board

        @property
        def control(self) -> Board:
            """The board it came from."""
            return self.board

    def __init__(
        self,
        columns: Sequence[Column],
        rows: Iterable[Row] = (),
        *,
        header: bool = True,
        filters: bool = True,
        id: str | None = None,  # noqa: A002 - the name that every Textual widget gives it
        classes: str | None = None,
    ) -> None:
        super().__init__(id=id, classes=classes)
        self.columns = tuple(columns)
        self.header = header
        self.filters = filters
        """Whether / shows the rows alone that hold some words."""
        self.all_rows: list[Row] = list(rows)
        self.rows: list[Row] = list(self.all_rows)
        """Those that the filter lets through."""
        self.sought = ""
        self.typing = False
        """Whether keys are letters of what is sought."""
        self._places: dict[str, int] = {row.key: n for n, row in enumerate(self.rows)}
        self._told: str | None = None
        self._told_typing = False
        self._natural = self._measured(self.all_rows)

    def on_mount(self) -> None:
        """Begin on the first row that is not a heading."""
        self._resize()
        self._settle(0, 1)

    @property
    def key(self) -> str | None:
        """The key of the row under the cursor, or None where there is none."""
        if 0 <= self.cursor < len(self.rows) and not self.rows[self.cursor].heading:
            return self.rows[self.cursor].key
        return None

    def set_rows(self, rows: Iterable[Row], *, keep: str | None = None) -> None:
        """Replace every row; the cursor stays on its key, or goes to `keep`."""
        wanted, empty = keep or self.key, not self.all_rows
        self.all_rows = list(rows)
        if empty is bool(self.all_rows):
            self.post_message(self.Sifted(self))
        self._natural = self._measured(self.all_rows)
        self.rows = sifted(self.all_rows, self.sought)
        self._places = {row.key: n for n, row in enumerate(self.rows)}
        self._resize()
        if wanted in self._places:
            self._settle(self._places[wanted], 1)
        else:
            self.cursor = min(self.cursor, max(len(self.rows) - 1, 0))
            self._settle(self.cursor, 1)
        self.refresh()

    def set_columns(self, columns: Sequence[Column]) -> None:
        """Other columns, for another width of the window."""
        self.columns = tuple(columns)
        self._natural = self._measured(self.all_rows)
        self.refresh()

    def update_rows(self, rows: Iterable[Row]) -> None:
        """Replace some rows in place, by their keys; a column may grow by them."""
        new = {row.key: row for row in rows}
        wider = list(map(max, self._natural, self._measured(new.values())))
        if wider != self._natural:
            self._natural = wider
            self.refresh()
        self.all_rows = [new.get(row.key, row) for row in self.all_rows]
        for row in new.values():
            place = self._places.get(row.key)
            if place is not None and self.rows[place] != row:
                self.rows[place] = row
                self.refresh_line_of(place)

    def refresh_line_of(self, place: int) -> None:
        """Draw one row anew if it is in sight."""
        y = place + self._top - self.scroll_offset.y
        if 0 <= y < self.size.height:
            self.refresh(Region(0, y, self.size.width, 1))

    def move_to(self, key: str) -> None:
        """Put the cursor on a row."""
        if key in self._places:
            self._settle(self._places[key], 1)

    def show_whole(self, key: str) -> None:
        """Bring a row into sight with those that belong beneath it (KEY/…), and two behind them."""
        first = self._places.get(key)
        if first is None or not self.size.height:
            return
        last = first
        while last + 1 < len(self.rows) and self.rows[last + 1].key.startswith(f"{key}/"):
            last += 1
        room = max(self.size.height - self._top, 1)
        top = max(0, min(first, last + 3 - room, len(self.rows) - room))
        if first <= top + room - 1 and self.scroll_offset.y != top:
            self.scroll_to(y=top, animate=False)

    # ---- the filter

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Where there are no rows there is nothing to filter and nothing to open."""
        if action == "seek" and not self.filters:
            return False
        if action in ("seek", "choose") and not self.all_rows:
            return False
        return super().check_action(action, parameters)

    def action_seek(self) -> None:
        """Type what the rows must hold."""
        if self.filters and self.all_rows:
            self.typing = True
            self._sift(self.sought)

    def on_key(self, event: events.Key) -> None:
        """Letters belong to the filter while it is typed; Esc takes the filter away."""
        if event.key == "escape" and (self.typing or self.sought):
            self.typing = False
            self._sift("")
        elif not self.typing:
            return
        elif event.key == "enter":
            self.typing = False
            self._sift(self.sought)
        elif event.key == "backspace":
            self._sift(self.sought[:-1])
        elif event.is_printable and event.character:
            self._sift(self.sought + event.character)
        else:
            return
        event.stop()
        event.prevent_default()

    def on_blur(self, _event: events.Blur) -> None:
        """What is typed elsewhere is no part of the filter."""
        self.typing = self._told_typing = False
        self.refresh()

    def check_consume_key(self, key: str, character: str | None) -> bool:
        """Whether a key is a letter of the filter, and no binding's."""
        return self.typing and character is not None and character.isprintable()

    def _sift(self, words: str) -> None:
        self.sought = words
        if self.typing is not self._told_typing:
            self._told_typing = self.typing
            self.post_message(self.Sifted(self))
        self.set_rows(self.all_rows)
        self.refresh(layout=True)

    @property
    def sifting(self) -> str:
        """What stands above the rows while there is a filter; empty without one."""
        if not self.typing and not self.sought:
            return ""
        count = sum(not row.heading for row in self.rows)
        of = sum(not row.heading for row in self.all_rows)
        end = "_" if self.typing else ""
        return f"/{self.sought}{end}  {count} of {of}; Esc shows all"

    @property
    def _top(self) -> int:
        return 1 if self.header or self.sifting else 0

    def _resize(self) -> None:
        self.virtual_size = Size(0, len(self.rows) + self._top)

    def _settle(self, place: int, direction: int) -> None:
        """Put the cursor on the nearest row that is not a heading."""
        count = len(self.rows)
        for step in (direction, -direction):
            there = place
            while 0 <= there < count:
                if not self.rows[there].heading:
                    self.cursor = there
                    self._tell()
                    return
                there += step

    def watch_cursor(self, _before: int, _after: int) -> None:
        """Keep the cursor in sight, and the heading above the first row too."""
        if not self.is_mounted or not 0 <= self.cursor < len(self.rows):
            return  # the rows under it are filtered out
        rows = max(self.size.height - self._top, 1)
        top = self.scroll_offset.y
        before = self.cursor
        while before > 0 and self.rows[before - 1].heading:
            before -= 1
        if before < top:
            self.scroll_to(y=before, animate=False)
        elif self.cursor >= top + rows:
            self.scroll_to(y=self.cursor - rows + 1, animate=False)

    def _tell(self) -> None:
        key = self.key
        if key is not None and key != self._told:
            self._told = key
            self.post_message(self.Highlighted(self, key))

    def action_step(self, by: int) -> None:
        """Up or down by one."""
        self._settle(self.cursor + by, by)

    def action_page(self, by: int) -> None:
        """Up or down by a page."""
        rows = max(self.size.height - self._top - 1, 1)
        self._settle(min(max(self.cursor + by * rows, 0), len(self.rows) - 1), by)

    def action_edge(self, to: int) -> None:
        """To the first or the last row."""
        self._settle(0 if to < 0 else len(self.rows) - 1, -to)

    def action_choose(self) -> None:
        """Open the row under the cursor."""
        if self.key is not None:
            self.post_message(self.Chosen(self, self.key))

    def on_click(self, event: events.Click) -> None:
        """A click highlights, a double click opens."""
        y = event.y - self._top
        if y < 0:
            return
        place = y + self.scroll_offset.y
        if place >= len(self.rows) or self.rows[place].heading:
            return
        self._settle(place, 1)
        if event.chain > 1:
            self.action_choose()

    def on_resize(self, _event: events.Resize) -> None:
        """Keep the cursor in sight when the window changes."""
        self.watch_cursor(self.cursor, self.cursor)

    def render_line(self, y: int) -> Strip:
        """One line of the widget: the header stays, the rows scroll beneath it."""
        width = self.scrollable_content_region.width
        if y == 0 and (sifting := self.sifting):
            style = self.get_component_rich_style("board--heading")
            return self._strip((Cell(sifting),), width, style)
        if self.header and y == 0:
            style = self.get_component_rich_style("board--header")
            cells = tuple(Cell(column.title) for column in self.columns)
            return self._strip(cells, width, style)
        place = y - self._top + self.scroll_offset.y
        if not 0 <= place < len(self.rows):
            return Strip.blank(width, self.rich_style)
        row = self.rows[place]
        if row.heading:
            return self._strip(row.cells, width, self.get_component_rich_style("board--heading"))
        base = self.rich_style
        if place == self.cursor:
            name = "board--cursor" if self.has_focus else "board--cursor-blurred"
            base = self.get_component_rich_style(name)
        return self._strip(row.cells, width, base, cursor=place == self.cursor)

    def _measured(self, rows: Iterable[Row]) -> list[int]:
        """How wide what stands in each column is, whatever the filter lets through."""
        texts = ([cell.text for cell in row.cells] for row in rows if not row.heading)
        return naturals([column.title for column in self.columns], texts)

    def widths(self) -> list[int]:
        """How wide the columns are in the room there is."""
        width = self.scrollable_content_region.width
        wants = [c.wants(wide) for c, wide in zip(self.columns, self._natural, strict=True)]
        return fitted(wants, width - 1)

    def _strip(
        self, cells: tuple[Cell, ...], width: int, base: Style, *, cursor: bool = False
    ) -> Strip:
        segments = [Segment(" ", base)]
        left = width - 1
        widths = self.widths()
        for n, cell in enumerate(cells):
            if left <= 0:
                break
            last = n == len(cells) - 1
            size = left if last else min(widths[n] if n < len(widths) else left, left)
            style = base
            if cell.tone != "plain":
                tone = self.get_component_rich_style(f"board--{cell.tone}", partial=True)
                # Under the cursor the tone gives its colour and weight, the cursor its ground;
                # where the ground is the colour reversed, a tone would make stripes of it.
                color = None if base.reverse else tone.color
                style = base + Style(color=color, bold=tone.bold, underline=tone.underline)
            middle = n < len(self.columns) and self.columns[n].name
            segments.append(Segment(_fit(cell.text, size, middle=middle), style))
            left -= size
            if not last and left > 0:
                segments.append(Segment(" ", base))
                left -= 1
        return Strip(segments, width).adjust_cell_length(width, base)


def sifted(rows: Sequence[Row], words: str) -> list[Row]:
    """The rows that hold some words, under those headings that have any of them."""
    wanted = words.casefold()
    if not wanted:
        return list(rows)
    found: list[Row] = []
    heading: Row | None = None
    for row in rows:
        if row.heading:
            heading = row
        elif any(wanted in cell.text.casefold() for cell in row.cells):
            if heading is not None:
                found.append(heading)
                heading = None
            found.append(row)
    return found


def _fit(text: str, width: int, *, middle: bool = False) -> str:
    """The text in exactly so many cells; what is cut off shows as an ellipsis.

    In the middle, where names that begin alike differ at their ends.
    """
    if cell_len(text) <= width:
        return set_cell_size(text, width)
    if not middle or width < 5:
        return set_cell_size(text, max(width - 1, 0)) + "…"[:width]
    return set_cell_size(cut_middle(text, width), width)


def cut_end(text: str, width: int) -> str:
    """A text in at most so many cells: as much of its beginning as there is room for."""
    if cell_len(text) <= width:
        return text
    return set_cell_size(text, max(width - 1, 0)).rstrip() + "…"[:width]


def cut_middle(text: str, width: int) -> str:
    """A text in at most so many cells: its beginning, an ellipsis, and its end."""
    if cell_len(text) <= width or width < 5:
        return text
    head = set_cell_size(text, (width - 1) // 2).rstrip()
    room = width - 1 - cell_len(head)
    tail = text[-room:]
    while cell_len(tail) > room:
        tail = tail[1:]
    return f"{head}…{tail}"

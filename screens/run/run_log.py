"""Run log: lines as they come, at most a screenful of thousands, that stands still when read."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import ClassVar, Final, NamedTuple

from rich.cells import cell_len, chop_cells
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from foundation.wording import counted

MOST_LINES: Final = 10_000
"""Lines that are kept to be shown; the disk has all of them."""
AT_A_TIME: Final = 1_500
"""Lines that one flush may write, so that it stays far below 50 ms."""
LONGEST: Final = 4_000
"""Characters of a line that are shown; the disk has the rest."""
SIDEWAYS: Final = 16
"""Columns that one press of an arrow moves an unwrapped line."""


class Said(NamedTuple):
    """A line of the log."""

    host: str
    """The machine; empty for the run itself."""
    text: str
    tone: str = ""
    """A tone of the log's own styles: strong, accent, fail, muted; or none."""


class RunLog(ScrollView, can_focus=True):
    """The last lines of a run, of every machine or of one, all of them or those with some words.

    Lines wait until `flush`. While a person has scrolled up nothing is added, so that the text
    under their eyes stands still; at the end again, what came meanwhile is shown.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "run-log--strong", "run-log--accent", "run-log--fail", "run-log--muted",
    }  # fmt: skip
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "scroll_up", "Up", show=False),
        Binding("down", "scroll_down", "Down", show=False),
        Binding("pageup", "page_up", "Page up", show=False),
        Binding("pagedown", "page_down", "Page down", show=False),
        Binding("home", "scroll_home", "Oldest", show=False),
        Binding("end", "scroll_end", "Newest", show=False),
        Binding("left", "sideways(-1)", "Left", show=False),
        Binding("right", "sideways(1)", "Right", show=False),
    ]
    wrapped = reactive(False)
    """Whether long lines are folded instead of cut off."""

    def __init__(self, *, id: str) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self.kept: deque[Said] = deque(maxlen=MOST_LINES)
        self.waiting: deque[Said] = deque(maxlen=MOST_LINES)
        self.missed = 0
        """Lines that were pushed out before they could be shown."""
        self.shown: list[Said] = []
        """The lines that pass the filter, the oldest first."""
        self.rows: list[tuple[int, str]] = []
        """What is drawn: a line's number, counted from the first ever shown, and a part of it."""
        self.first = 0
        """The number of the oldest line that is shown."""
        self.only = ""
        """The machine whose lines are shown; empty for all."""
        self.words = ""
        """What a line must hold to be shown, in small letters; empty for every line."""
        self.found: int | None = None
        """The line that a search has found, by its place among those shown."""
        self.holds = False
        """Whether the line that was found is to stay in sight: until a person moves away."""
        self.wanted = ""
        """What was searched for last, folded."""
        self.follows = True
        """Whether the person stayed at the end."""
        self.shift = 0
        """Columns that unwrapped lines are moved to the left."""

    @property
    def lines(self) -> list[str]:
        """The texts of the lines that are shown."""
        return [said.text for said in self.shown]

    @property
    def following(self) -> bool:
        """Whether new lines are shown as they come."""
        return self.follows and not self.is_vertical_scrollbar_grabbed

    @property
    def held(self) -> int:
        """How many lines wait to be shown."""
        return len(self.waiting) + self.missed

    # ---- lines

    def add(self, lines: Iterable[Said]) -> None:
        """Lines for the next flush; they cost nothing until then."""
        before = len(self.waiting)
        count = 0
        for line in lines:
            self.waiting.append(line)
            count += 1
        self.missed += max(before + count - MOST_LINES, 0)

    def flush(self) -> bool:
        """Show some of what waits, unless a person has scrolled up; whether anything was."""
        if not self.waiting or not self.following:
            return False
        waiting = self.waiting
        batch = [waiting.popleft() for _ in range(min(AT_A_TIME, len(waiting)))]
        if self.missed:
            lines = counted(self.missed, "line")
            text = f"… {lines} came too fast to be shown here; the disk has them"
            batch.insert(0, Said("", text, "muted"))
            self.missed = 0
        self.kept.extend(batch)
        new = [said for said in batch if self._shows(said)]
        if new:
            self._show(new)
            self._to_end()
        return True

    def _to_end(self) -> None:
        # Without a step back through the event loop, and where it is there already, without any.
        self.scroll_target_y = self.scroll_y = self.max_scroll_y

    def _show(self, new: list[Said]) -> None:
        """Put lines at the end, and let the oldest go where there are too many."""
        number = self.first + len(self.shown)
        self.shown += new
        width = self._width
        if self.wrapped:
            for place, said in enumerate(new, number):
                self.rows += ((place, part) for part in folded(said.text, width))
        else:
            self.rows += ((place, said.text) for place, said in enumerate(new, number))
        over = len(self.shown) - MOST_LINES
        if over > 0:
            del self.shown[:over]
            self.first += over
            gone = next((n for n, row in enumerate(self.rows) if row[0] >= self.first), 0)
            del self.rows[:gone]
            if self.found is not None:
                self.found = self.found - over if self.found >= over else None
        self._make_room()
        self.refresh()

    def _make_room(self) -> None:
        """See that the rows have room, in few and large steps.

        Each other size lays the whole screen out anew, which takes longer than all the lines of a
        flush. The rows stand at the end of the room.
        """
        height = max(self.size.height, 1)
        wanted = height
        while wanted < len(self.rows):
            wanted *= 2
        if wanted > self.virtual_size.height or self.virtual_size.height > 4 * wanted:
            self.virtual_size = Size(0, wanted)

    @property
    def blank(self) -> int:
        """Rows of the room that are empty, above the first one that is drawn."""
        if len(self.rows) <= self.size.height:
            # The first lines stand at the top, where a person looks for them.
            return int(self.max_scroll_y)
        return max(self.virtual_size.height - len(self.rows), 0)

    def validate_scroll_y(self, value: float) -> float:
        """No further up than the first row."""
        return max(super().validate_scroll_y(value), min(self.blank, self.max_scroll_y))

    def empty(self) -> None:
        """Forget every line."""
        self.kept.clear()
        self.waiting.clear()
        self.missed = 0
        self.found = None
        self._draw_anew()
        self.follow()

    def _draw_anew(self) -> None:
        """Every kept line through the filter again."""
        shown = [said for said in self.kept if self._shows(said)]
        self.shown, self.rows, self.first = [], [], 0
        self._show(shown)

    def _shows(self, said: Said) -> bool:
        if self.only and said.host not in ("", self.only):
            return False
        return not self.words or self.words in said.text.casefold()

    @property
    def _width(self) -> int:
        return max(self.scrollable_content_region.width, 20)

    # ---- what is shown of it

    def show_only(self, host: str, words: str = "") -> None:
        """The lines of one machine or of all, and of these the ones that hold some words."""
        self.only = host
        self.words = words.casefold()
        self.found = None
        self.kept.extend(self.waiting)
        self.waiting.clear()
        self.missed = 0
        self._draw_anew()
        self.follow()

    def watch_wrapped(self) -> None:
        """Fold the lines anew; the line in the middle of the screen stays in sight."""
        self._fold_anew()

    def _fold_anew(self) -> None:
        if not self.shown:
            return
        y = min(max(self.scroll_offset.y - self.blank, 0), len(self.rows) - 1)
        top = self.rows[y][0] if self.rows else self.first
        shown, self.shown, self.rows = self.shown, [], []
        first = self.first
        self._show(shown)
        self.first = first
        if self.follows:
            self._to_end()
        else:
            self._scroll_to_line(top - first)

    def _scroll_to_line(self, place: int) -> None:
        number = self.first + place
        y = next((n for n, row in enumerate(self.rows) if row[0] >= number), 0) + self.blank
        self.scroll_to(y=max(y - self.size.height // 2, 0), animate=False, immediate=True)

    def follow(self) -> None:
        """Back to the end, where new lines appear."""
        self.found = None
        self.follows = True
        self.refresh()
        self._to_end()

    def find(self, words: str, by: int = -1) -> int | None:
        """The next line above the last one found that holds the words; None where none does.

        With `by` 1 it is the next line below.
        """
        count = len(self.shown)
        start = self.found if self.found is not None else count
        self.wanted = words.casefold()
        line = _search(lambda place: self.shown[place].text, self.wanted, start, count, by=by)
        if line is not None:
            self.found = line
            self.follows = False
            self.holds = True
            self._scroll_to_line(line)
            self.refresh()
        return line

    def hits(self) -> tuple[int, int]:
        """Which of the lines with the words was found, counted from the newest, and how many."""
        places = [n for n, said in enumerate(self.shown) if self.wanted in said.text.casefold()]
        places.reverse()
        return (places.index(self.found) + 1 if self.found in places else 0), len(places)

    def in_sight(self) -> list[str]:
        """The whole lines of which a part is on the screen."""
        top = max(self.scroll_offset.y - self.blank, 0)
        numbers = dict.fromkeys(row[0] for row in self.rows[top : top + self.size.height])
        return [self.shown[number - self.first].text for number in numbers]

    # ---- moving; a person who goes up wants to read, and nothing else changes that

    def action_scroll_up(self) -> None:
        """A line up; the text stands still from now on."""
        self._stand_still()
        super().action_scroll_up()

    def action_page_up(self) -> None:
        """A page up."""
        self._stand_still()
        super().action_page_up()

    def action_scroll_home(self) -> None:
        """To the oldest line that is kept."""
        self._stand_still()
        super().action_scroll_home()

    def action_scroll_end(self) -> None:
        """To the end, where new lines appear."""
        self.follow()

    def action_scroll_down(self) -> None:
        """A line down; at the end new lines appear again."""
        super().action_scroll_down()
        self.call_after_refresh(self._look_for_end)

    def action_page_down(self) -> None:
        """A page down."""
        super().action_page_down()
        self.call_after_refresh(self._look_for_end)

    def action_sideways(self, by: int) -> None:
        """Move long lines that are not folded."""
        if not self.wrapped:
            self.shift = max(self.shift + by * SIDEWAYS, 0)
            self.refresh()

    def _on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        self._stand_still()
        super()._on_mouse_scroll_up(event)

    def _on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        super()._on_mouse_scroll_down(event)
        self.call_after_refresh(self._look_for_end)

    def _stand_still(self) -> None:
        self.holds = False
        self.follows = self.max_scroll_y == 0

    def _look_for_end(self) -> None:
        self.holds = False
        if self.is_vertical_scroll_end:
            self.follows = True

    def on_resize(self, _event: events.Resize) -> None:
        """The end stays in sight when the panel above grows; folded lines are folded anew."""
        if self.wrapped:
            self._fold_anew()
        self._make_room()
        if self.follows:
            self.call_after_refresh(self._to_end)
        elif self.holds:
            self.call_after_refresh(self._back_to_found)

    def _back_to_found(self) -> None:
        """The line that was found, in a window of another height: the find line has closed."""
        if self.holds and self.found is not None:
            self._scroll_to_line(self.found)

    # ---- drawing

    def render_line(self, y: int) -> Strip:
        """One row of the screen."""
        width = self.scrollable_content_region.width
        base = self.rich_style
        place = y + self.scroll_offset.y - self.blank
        if not 0 <= place < len(self.rows):
            return Strip.blank(width, base)
        number, text = self.rows[place]
        said = self.shown[number - self.first]
        style = base
        if said.tone:
            style = base + self.get_component_rich_style(f"run-log--{said.tone}", partial=True)
        found = number - self.first == self.found
        if not self.wrapped:
            text = self._cut(text, width, found=found)
        segments = [Segment(text, style)]
        if found and self.wanted:
            segments = _marked(text, self.wanted, style)
        return Strip(segments).adjust_cell_length(width, base)

    def _cut(self, text: str, width: int, *, found: bool) -> str:
        """A line that is not folded; of the one that was found, the part with the words."""
        shift = self.shift
        place = text.casefold().find(self.wanted) if found and self.wanted else -1
        if place >= 0 and not shift <= place <= shift + width - len(self.wanted) - 1:
            shift = max(place - width // 2, 0)
        text = ("…" if shift and found else "") + text[shift : shift + LONGEST]
        if cell_len(text) > width:
            text = chop_cells(text, max(width - 1, 1))[0] + "…"
        return text


def _marked(text: str, words: str, style: Style) -> list[Segment]:
    """A line with some words in it reversed, wherever they stand."""
    parts: list[Segment] = []
    folded_text, place = text.casefold(), 0
    if len(folded_text) != len(text):
        return [Segment(text, style + Style(reverse=True))]  # a letter that folds into two
    while (there := folded_text.find(words, place)) >= 0:
        parts.append(Segment(text[place:there], style))
        parts.append(Segment(text[there : there + len(words)], style + Style(reverse=True)))
        place = there + len(words)
    return [*parts, Segment(text[place:], style)]


def folded(text: str, width: int) -> list[str]:
    """A line in parts of at most so many cells; what follows the first is set in a little."""
    if cell_len(text) <= width:
        return [text]
    text = text[:LONGEST]
    head = chop_cells(text, width)[0]
    rest = chop_cells(text[len(head) :], max(width - 2, 1))
    return [head, *(f"  {part}" for part in rest)]


def _search(
    line: Callable[[int], str], words: str, start: int, count: int, *, by: int = -1
) -> int | None:
    """Upwards from before `start`, and round from the end; or downwards, and round."""
    for step in range(1, count + 1):
        place = (start + by * step) % count
        if words in line(place).casefold():
            return place
    return None

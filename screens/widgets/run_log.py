"""Run log: lines as they come, at most a screenful of thousands, that stands still when read."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Final

from rich.cells import cell_len
from rich.style import Style
from textual import events
from textual.strip import Strip
from textual.widgets import Log

MOST_LINES: Final = 10_000
"""Lines that are kept to be shown; the disk has all of them."""
AT_A_TIME: Final = 1_500
"""Lines that one flush may write, so that it stays far below 50 ms."""

Said = tuple[str, str]
"""The machine ("" for the run itself), and the line."""


class RunLog(Log):
    """The last lines of a run, of every machine or of one.

    Lines wait until `flush`. While a person has scrolled up nothing is added, so that the text
    under their eyes stands still; at the end again, what came meanwhile is shown.
    """

    def __init__(self, *, id: str) -> None:  # noqa: A002 - Textual's name
        super().__init__(max_lines=MOST_LINES, id=id)
        self.kept: deque[Said] = deque(maxlen=MOST_LINES)
        self.waiting: deque[Said] = deque(maxlen=MOST_LINES)
        self.only = ""
        """The machine whose lines are shown; empty for all."""
        self.found: int | None = None
        """The line that a search has found."""
        self.follows = True
        """Whether the person stayed at the end."""

    @property
    def following(self) -> bool:
        """Whether new lines are shown as they come."""
        return self.follows and not self.is_vertical_scrollbar_grabbed

    @property
    def held(self) -> int:
        """How many lines wait to be shown."""
        return len(self.waiting)

    def add(self, lines: Iterable[Said]) -> None:
        """Lines for the next flush; they cost nothing until then."""
        self.waiting.extend(lines)

    def flush(self) -> bool:
        """Show some of what waits, unless a person has scrolled up; whether anything was."""
        if not self.waiting or not self.following:
            return False
        batch = [self.waiting.popleft() for _ in range(min(AT_A_TIME, len(self.waiting)))]
        self.kept.extend(batch)
        shown = [text for host, text in batch if self._shows(host)]
        if shown:
            self._moved(len(shown))
            self.write_lines(shown, scroll_end=True)
            self.scroll_end(animate=False, immediate=True, x_axis=False)
        return True

    def show_only(self, host: str) -> None:
        """The lines of one machine, or of all."""
        self.only = host
        self.found = None
        self.kept.extend(self.waiting)
        self.waiting.clear()
        self.clear()
        self.write_lines([text for name, text in self.kept if self._shows(name)], scroll_end=True)
        self.follow()

    def follow(self) -> None:
        """Back to the end, where new lines appear."""
        self.found = None
        self.follows = True
        self.notify_style_update()
        self.scroll_end(animate=False, immediate=True, x_axis=False)

    def find(self, words: str) -> int | None:
        """The next line above the last one found that holds the words; None where none does."""
        count = len(self.lines)
        start = self.found if self.found is not None else count
        line = _search(self.lines.__getitem__, words.casefold(), start, count)
        if line is not None:
            self.found = line
            self.follows = False
            self.notify_style_update()
            self.scroll_to(y=max(line - self.size.height // 2, 0), animate=False, immediate=True)
            self.refresh()
        return line

    # A person who goes up wants to read; whatever else moves the text does not change that.

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

    def _on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        self._stand_still()
        super()._on_mouse_scroll_up(event)

    def _on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        super()._on_mouse_scroll_down(event)
        self.call_after_refresh(self._look_for_end)

    def _stand_still(self) -> None:
        self.follows = self.max_scroll_y == 0

    def _look_for_end(self) -> None:
        if self.is_vertical_scroll_end:
            self.follows = True

    def on_resize(self, _event: events.Resize) -> None:
        """The end stays in sight when the panel above grows."""
        if self.follows:
            self.scroll_end(animate=False, immediate=True, x_axis=False)

    def _shows(self, host: str) -> bool:
        return not self.only or host in ("", self.only)

    def _moved(self, new: int) -> None:
        """Where the found line is after so many new ones have pushed old ones out."""
        over = len(self.lines) + new - MOST_LINES
        if self.found is not None and over > 0:
            self.found = self.found - over if self.found >= over else None

    # Textual measures new lines in a thread of their own, twenty times a second; here the lines
    # of one flush are few, and measured at once.
    def _update_size(self, updates: int, lines: list[str]) -> None:  # type: ignore[override]  # Textual's is a worker
        if lines:
            longest = max(cell_len(self._process_line(line)) for line in lines)
            self._update_maximum_width(updates, longest)

    def _render_line_strip(self, y: int, rich_style: Style) -> Strip:
        strip = super()._render_line_strip(y, rich_style)
        return strip.apply_style(Style(reverse=True)) if y == self.found else strip


def _search(line: Callable[[int], str], words: str, start: int, count: int) -> int | None:
    """Upwards from before `start`, and round from the end."""
    for step in range(1, count + 1):
        place = (start - step) % count
        if words in line(place).casefold():
            return place
    return None

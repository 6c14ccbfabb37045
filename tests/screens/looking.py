"""What is wrong on a screen as it is drawn: texts that are cut, and letters that cannot be read."""

from __future__ import annotations

from typing import Any, Final

from rich.cells import cell_len
from rich.color import Color
from rich.segment import Segment
from textual.geometry import Region
from textual.widget import Widget
from textual.widgets import Static

from screens.shell.dialog import Dialog
from screens.widgets.board import Board
from tests.screens.shell.test_look import luminance

READABLE: Final = 4.5
"""The least contrast of a text (WCAG 2.2, 1.4.3)."""


def strips(screen: Any) -> list[Any]:
    """The lines of a screen as they go to the terminal."""
    return list(screen._compositor.render_strips())


def lines(screen: Any) -> list[str]:
    """The text of each line."""
    return ["".join(segment.text for segment in strip) for strip in strips(screen)]


def cut(screen: Any) -> list[str]:
    """Texts that are not shown whole though nothing scrolls to their end."""
    found = []
    for widget in screen.query(Widget):
        if not widget.display or not widget.region.area:
            continue
        if isinstance(widget, Board):
            found += [f"{widget.id}: {line}" for line in _cut_rows(widget)]
        elif isinstance(widget, Static) and not _scrolls(widget) and _is_cut(widget):
            found.append(f"{widget.id or widget.classes}: {widget.render()}"[:100])
    return found


def _cut_rows(board: Board) -> list[str]:
    """Columns that are cut though all of them had room, and lists of which no row is in sight."""
    room = board.scrollable_content_region.width
    wide = zip(board.widths(), board._natural, strict=True)
    found = []
    if sum(board._natural) + len(board._natural) <= room:
        found += [f"a column of {wants} in {width}" for width, wants in wide if width < wants]
    rows = len(board.rows) + board._top
    if board.rows and min(rows, 2 + board._top) > board.size.height:
        found.append(f"{board.size.height} lines for {len(board.rows)} rows")
    return found


def _is_cut(widget: Static) -> bool:
    """Whether the text of a widget needs more lines or cells than are in sight."""
    size = widget.content_size
    if widget.styles.text_overflow == "ellipsis":
        return False  # it says so itself, where it is cut
    needed = widget.get_content_height(size, size, size.width)
    place = widget.screen._compositor.visible_widgets.get(widget)
    if not str(widget.render()).strip():
        return False
    if place is None:
        return True
    region, clip = place
    # A path may be longer than any window; it goes on in the next line.
    words = (word for word in str(widget.render()).split() if "/" not in word)
    longest = max(map(cell_len, words), default=0)
    return needed > size.height or longest > size.width or clip.intersection(region) != region


def _scrolls(widget: Widget) -> bool:
    """Whether something around a widget scrolls, so that all of it can be read."""
    return any(
        isinstance(node, Widget) and (node.allow_vertical_scroll or node.show_vertical_scrollbar)
        for node in widget.ancestors_with_self
    )


def unreadable(screen: Any) -> list[str]:
    """Letters whose colour is too near to that of their ground; of a panel those in it."""
    panel = _panel(screen)
    if panel is None:
        return [_told(one) for strip in strips(screen) for one in strip if _faint(one)]
    found = [strip.crop(panel.x, panel.right) for strip in strips(screen)[panel.y : panel.bottom]]
    return [_told(one) for strip in found for one in strip if _faint(one)]


def shining(screen: Any) -> list[str]:
    """Letters beneath a panel, beside it, that are as plain as those in it."""
    panel = _panel(screen)
    found: list[str] = []
    for y, strip in enumerate(strips(screen) if panel is not None else ()):
        beside = [strip]
        if panel is not None and panel.y <= y < panel.bottom:
            beside = [strip.crop(0, panel.x), strip.crop(panel.right)]
        letters = (one for part in beside for one in part if one.text.strip())
        found += [_told(one) for one in letters if not _faint(one)]
    return found


def _panel(screen: Any) -> Region | None:
    panels = screen.query(".dialog") if isinstance(screen, Dialog) else ()
    return next((panel.region for panel in panels), None)


def _faint(segment: Segment) -> bool:
    style = segment.style
    if not segment.text.strip() or style is None or style.color is None or style.bgcolor is None:
        return False
    return contrast(style.color, style.bgcolor) < READABLE


def _told(segment: Segment) -> str:
    return f"{segment.text.strip()}: {segment.style}"


def contrast(one: Color, other: Color) -> float:
    """Between two colours; those of the terminal's own palette are only known to differ."""
    if one.triplet is None or other.triplet is None:
        return 1.0 if one == other and not one.is_default else 21.0
    light, dark = sorted((luminance(one.triplet.hex), luminance(other.triplet.hex)), reverse=True)
    return (light + 0.05) / (dark + 0.05)

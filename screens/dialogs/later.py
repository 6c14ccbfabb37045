"""Later: what can be done with a site that was installed, each with the command that does it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from preflight.report.words import clean
from screens.shell.dialog import Dialog
from screens.widgets.board import Board, Cell, Column, Row
from screens.widgets.keys import Key, KeyLine

if TYPE_CHECKING:
    from installer.hand_over.later import Later
    from screens.shell.step import StepScreen

ABOUT = (
    "Commands for outside the wizard; what changes something asks first. Words in capitals are "
    "for you to fill in."
)


class LaterScreen(Dialog["Later"]):
    """The commands under their headings, the one under the cursor whole."""

    HELP = "later"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("y", "copy", "Copy", show=False)]

    def __init__(self, found: Sequence[Later]) -> None:
        super().__init__()
        self.by_short = {one.short: one for one in found}

    @property
    def keys(self) -> tuple[Key, ...]:
        """Copy the command; or open its page, where it has one."""
        one = self._current()
        if one is not None and one.page:
            opens = [Key("Enter", "Open", "screen.open"), Key("y", "Copy", "screen.copy")]
        else:
            opens = [Key("Enter y", "Copy", "screen.copy")]
        return (*opens, Key("Esc", "Close", "screen.close"))

    def _current(self) -> Later | None:
        board = next(iter(self.query("#later").results(Board)), None)
        return None if board is None else self.by_short.get(board.key or "")

    def compose(self) -> ComposeResult:
        """What it is, the list, the command, the keys."""
        with Vertical(classes="dialog -whole"):
            yield Static("What can be done later", classes="dialog-title", markup=False)
            yield Static(ABOUT, classes="paragraph", markup=False)
            yield Board((Column(""), Column("")), self._rows(), header=False, id="later")
            yield Static("", id="about", classes="dialog-note", markup=False)
            yield KeyLine(self.KEYS, id="dialog-keys")

    def _rows(self) -> list[Row]:
        rows: list[Row] = []
        group = ""
        for one in self.by_short.values():
            if one.group != group:
                group = one.group
                rows.append(Row(f"group {group}", (Cell(group),), heading=True))
            rows.append(Row(one.short, (Cell(f"  {one.short}"), Cell(one.what, "muted"))))
        return rows

    def on_mount(self) -> None:
        """The arrows walk the list."""
        board = self.query_one("#later", Board)
        board.styles.max_height = len(board.rows)  # the command follows at once
        board.focus()

    def on_board_highlighted(self, event: Board.Highlighted) -> None:
        """The whole command of the one under the cursor."""
        event.stop()
        one = self.by_short[event.key]
        what = f"{one.what[:1].upper()}{one.what[1:]}"
        parts = (f"{what}{'' if what.endswith('?') else '.'}\n", (clean(one.command), "bold"))
        self.query_one("#about", Static).update(Content.assemble(*parts))
        self.refresh_keys()

    def on_board_chosen(self, event: Board.Chosen) -> None:
        """Enter copies it too, or opens its page."""
        event.stop()
        one = self._current()
        if one is not None and one.page:
            self.dismiss(one)
        else:
            self.action_copy()

    def action_copy(self) -> None:
        """The command under the cursor, into the clipboard of the terminal."""
        one = self._current()
        if one is not None:
            self.app.copy_to_clipboard(one.command)
            self.query_one("#about", Static).update(
                Content.assemble(
                    "Copied, where the terminal allows it:\n", (clean(one.command), "bold")
                )
            )


def show_later(
    screen: StepScreen, run: Path, then: Callable[[Later | None], None] = lambda _: None
) -> None:
    """Read what can be done with the site of a run, and show it.

    `then` is told what has a page that is wanted; None where the list was only closed.
    """

    async def show() -> None:
        screen.app.push_screen(LaterScreen(await screen.services.later(run)), then)

    screen.run_quietly(show(), group="later")

"""Supplies: where the software comes from."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.widgets import Static

from screens.step import StepScreen
from screens.widgets.board import Board, Cell, Column, Row
from screens.wizard import StepId


class SuppliesScreen(StepScreen):
    """The one way there is."""

    STEP = StepId.SUPPLIES

    def compose_body(self) -> ComposeResult:
        """The way, and a sentence about the other."""
        row = Row("online", (Cell("online", "strong"), Cell("from the software's own places")))
        yield Board((Column("", 8), Column("")), (row,), header=False, id="supplies")
        yield Static(
            "Installing from a bundle, without the internet, comes with a later version.",
            classes="muted",
            markup=False,
        )

    def on_mount(self) -> None:
        """Begin on the one choice."""
        board = self.query_one("#supplies", Board)
        board.styles.height = 2
        board.focus()

    def on_board_chosen(self, event: Board.Chosen) -> None:
        """Enter goes on."""
        event.stop()
        self.action_next()

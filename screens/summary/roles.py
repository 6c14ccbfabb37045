"""The roles of one machine, ticked in a list."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Static

from preflight.sizing import shape_words
from screens.shell.dialog import Buttons, Dialog
from screens.widgets.board import Board, Cell, Column, Row
from screens.widgets.keys import Key

if TYPE_CHECKING:
    from preflight.needs import SolutionNeeds


class RolesScreen(Dialog[tuple[str, ...]]):
    """Every role of the table, with what it asks for."""

    HELP = "summary"
    KEYS = (Key("Space", "Tick", "screen.tick"),)
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "tick", "Tick", show=False),
    ]

    def __init__(self, name: str, roles: tuple[str, ...], needs: SolutionNeeds) -> None:
        super().__init__()
        self.host_name = name
        self.ticked = set(roles)
        self.needs = needs

    def compose(self) -> ComposeResult:
        """The list and the buttons."""
        with Vertical(classes="dialog -wide"):
            yield Static(f"What should {self.host_name} be?", classes="dialog-title", markup=False)
            yield Board(
                (Column("", 3), Column(""), Column("")),
                self._rows(),
                header=False,
                id="roles",
            )
            yield Static("", id="asked", classes="dialog-note", markup=False)
            yield Static("Everything is judged again at once.", id="then")
            yield Buttons("Take it")

    def _rows(self) -> list[Row]:
        return [
            Row(
                row.role,
                (
                    Cell("[x]" if row.role in self.ticked else "[ ]"),
                    Cell(row.role, "strong"),
                    Cell(shape_words(row.shapes[0]), "muted"),
                ),
            )
            for row in self.needs.sizing.roles
        ]

    def on_mount(self) -> None:
        """Begin in the list."""
        board = self.query_one("#roles", Board)
        board.styles.height = min(len(self.needs.sizing.roles), 10)
        board.focus()

    def on_board_highlighted(self, event: Board.Highlighted) -> None:
        """What the role under the cursor asks for, whole: in the list its end may be cut."""
        event.stop()
        asked = {row.role: shape_words(row.shapes[0]) for row in self.needs.sizing.roles}
        self.query_one("#asked", Static).update(f"{event.key}: {asked[event.key]}")

    def on_board_chosen(self, event: Board.Chosen) -> None:
        """Enter, or a double click, ticks too."""
        event.stop()
        self.action_tick()

    def action_tick(self) -> None:
        """Tick the role under the cursor, or take the tick away."""
        board = self.query_one("#roles", Board)
        if board.key is not None:
            self.ticked.symmetric_difference_update({board.key})
            board.update_rows(self._rows())

    def action_take(self) -> None:
        """Close with the roles, in the order of the table."""
        order = [row.role for row in self.needs.sizing.roles]
        self.dismiss(tuple(role for role in order if role in self.ticked))

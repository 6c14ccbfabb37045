"""F4: the looks to choose from, each shown as the cursor passes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Static

from screens.shell.dialog import Buttons, Dialog
from screens.shell.theme import LOOK_WORDS, Look, remember_look
from screens.widgets.board import Board, Cell, Column, Row

if TYPE_CHECKING:
    from screens.shell.face import FaceApp


class LookScreen(Dialog[None]):
    """Auto, dark, light, high contrast, no colour, ASCII."""

    def __init__(self, before: Look) -> None:
        super().__init__()
        self.before = before

    @property
    def face(self) -> FaceApp:
        """The app, with the type that it has here."""
        return cast("FaceApp", self.app)

    def compose(self) -> ComposeResult:
        """The list and the buttons."""
        rows = [
            Row(look.value, (Cell(word, "strong"), Cell(about, "muted")))
            for look, (word, about) in LOOK_WORDS.items()
        ]
        with Vertical(classes="dialog -wide"):
            yield Static("How should it look?", classes="dialog-title", markup=False)
            yield Board((Column("", 14), Column("")), rows, header=False, id="looks")
            yield Buttons("Take it")

    def on_mount(self) -> None:
        """On the look that there is."""
        board = self.query_one("#looks", Board)
        board.styles.height = len(LOOK_WORDS)
        board.move_to(self.before.value)
        board.focus()

    def on_board_highlighted(self, event: Board.Highlighted) -> None:
        """Draw everything in the look under the cursor."""
        if Look(event.key) is not self.face.style_look:
            self.face.set_look(Look(event.key))

    def on_board_chosen(self, event: Board.Chosen) -> None:
        """Enter takes it."""
        event.stop()
        self.action_take()

    def action_take(self) -> None:
        """Keep the look, for the next start too."""
        remember_look(self.face.style_look)
        self.dismiss(None)

    def action_close(self) -> None:
        """As it was before."""
        self.face.set_look(self.before)
        self.dismiss(None)

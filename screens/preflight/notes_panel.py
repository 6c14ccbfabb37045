"""Notes panel: what the tables say that no check can tell, to scroll through."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.widgets import Static

from preflight.report.words import clean
from screens.shell.dialog import Dialog
from screens.widgets.keys import KeyLine


class NotesPanel(Dialog[None]):
    """The notes of the sizing and port tables, word for word, as the reports have them."""

    HELP = "preflight"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "close", "Close", show=False)]

    def __init__(self, notes: Sequence[str]) -> None:
        super().__init__()
        self.notes = tuple(notes)

    def compose(self) -> ComposeResult:
        """Each note a paragraph."""
        with Vertical(classes="dialog -whole"):
            yield Static("What the tables say", classes="dialog-title", markup=False)
            with VerticalScroll(classes="dialog-scroll", id="lines"):
                text = "\n\n".join(f"- {clean(note)}" for note in self.notes)
                yield Static(text, id="notes-text", markup=False)
            yield KeyLine(self.KEYS, id="dialog-keys")

    def on_mount(self) -> None:
        """The arrows scroll."""
        self.query_one("#lines").focus()

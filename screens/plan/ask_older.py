"""An older bundle than was here before: both are named, and a word says that it is meant."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Static

from screens.shell.dialog import Buttons, Form
from screens.widgets.field import Field, Line
from screens.words.words import OLDER_WORD, older_lines


class OlderScreen(Form[bool]):
    """What this bundle is, what was here before it, and a word; True where it is typed."""

    HELP = "supplies"
    GRAVE = True

    def __init__(self, this: str, before: str) -> None:
        super().__init__()
        self.this = this
        self.before = before

    def compose(self) -> ComposeResult:
        """Both, what it can mean, the line for the word."""
        with Vertical(classes="dialog -wide"):
            yield Static("Install from an older bundle?", classes="dialog-title", markup=False)
            for line in older_lines(self.this, self.before):
                yield Static(line, classes="paragraph", markup=False)
            yield Field(f"Type {OLDER_WORD}", id="word", example="if it is meant")
            yield Static("", classes="dialog-error", id="wrong", markup=False)
            yield Buttons("Allow it")

    def on_mount(self) -> None:
        """Begin in the line."""
        self.query_one("#word", Line).focus()

    def action_take(self) -> None:
        """Yes, where the word stands there."""
        if self.query_one("#word", Line).value.strip().lower() == OLDER_WORD:
            self.dismiss(True)
        else:
            self.wrong(f"Type {OLDER_WORD} to allow it, or close with Esc.")

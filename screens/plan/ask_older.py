"""An older bundle than was here before: both are named, and a person says that it is meant."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Static

from screens.shell.dialog import Buttons, Form
from screens.widgets.field import Field, Line
from screens.words.words import OLDER_WORD, older_lines


class OlderScreen(Form[str]):
    """This bundle, what was here before it, a name and a word; the name where it is meant."""

    HELP = "supplies"
    GRAVE = True

    def __init__(self, this: str, before: str, person: str) -> None:
        super().__init__()
        self.this = this
        self.before = before
        self.person = person

    def compose(self) -> ComposeResult:
        """Both, what it can mean, the lines for name and word."""
        with Vertical(classes="dialog -wide"):
            yield Static("Install from an older bundle?", classes="dialog-title", markup=False)
            for line in older_lines(self.this, self.before):
                yield Static(line, classes="paragraph", markup=False)
            yield Field("Your name", id="by", value=self.person, example="for the record")
            yield Field(f"Type {OLDER_WORD}", id="word", example="if it is meant")
            yield Static("", classes="dialog-error", id="wrong", markup=False)
            yield Buttons("Allow it")

    def on_mount(self) -> None:
        """Begin in the first line that is empty."""
        self.query_one("#word" if self.person else "#by", Line).focus()

    def action_take(self) -> None:
        """Who it is, where the word stands there."""
        name = " ".join(self.query_one("#by", Line).value.split())
        if not name:
            self.wrong("Say who you are: it stands in the plan and in the record.")
        elif self.query_one("#word", Line).value.strip().lower() == OLDER_WORD:
            self.dismiss(name)
        else:
            self.wrong(f"Type {OLDER_WORD} to allow it, or close with Esc.")

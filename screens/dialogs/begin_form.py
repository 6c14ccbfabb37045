"""BeginForm: the last question before something is begun, and by whom."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Input, Static

from screens.shell.dialog import Buttons, Foot, Form
from screens.widgets.field import Field, Line
from screens.widgets.keys import Key


class BeginForm(Form[str]):
    """What follows from a yes, however long, above the line for a name; returns the name."""

    GRAVE = True
    KEPT_IN: ClassVar[str] = "record"
    """What the name stands in later."""
    KEYS = (Key("y", "Begin", "screen.do"), Key("n", "Cancel", "screen.close"))
    BINDINGS: ClassVar[list[BindingType]] = [
        # Where the cursor is in the name, these are letters of it.
        Binding("y", "do", "Begin", show=False),
        Binding("n", "close", "Cancel", show=False),
    ]

    def __init__(self, title: str, paragraphs: Sequence[str], person: str) -> None:
        super().__init__()
        self.heading = title
        self.paragraphs = tuple(paragraphs)
        self.person = person

    def compose(self) -> ComposeResult:
        """The question, what it means, the name, the buttons."""
        with Vertical(classes="dialog -wide"):
            yield Static(self.heading, classes="dialog-title", markup=False)
            for text in self.paragraphs:
                yield Static(text, classes="paragraph", markup=False)
            with Foot():
                yield Field("Your name", id="by", value=self.person, example="for the record")
                yield Static("", classes="dialog-error", id="wrong", markup=False)
                yield Buttons("Begin")

    def on_mount(self) -> None:
        """Begin on the button that begins nothing, or on the name where it is not known.

        Whoever types a name must not hit the keys of the buttons with its letters.
        """
        self.query_one("#cancel" if self.person else "#by").focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter in the name goes on to the button that begins, once somebody stands there."""
        event.stop()
        event.prevent_default()
        self.query_one("#take" if event.value.strip() else "#cancel").focus()

    def action_take(self) -> None:
        """Yes, by name."""
        name = self.query_one("#by", Line).value.strip()
        if name:
            self.dismiss(name)
        else:
            self.wrong(f"Say who begins it; it stands in the {self.KEPT_IN}.")
            self.query_one("#by", Line).focus()

"""Work of others on the machines: wait for it, have it ended, or leave the site to them."""

from __future__ import annotations

from enum import Enum
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.widgets import Static

from preflight.report.words import clean_lines
from screens.shell.dialog import Buttons, Dialog
from screens.widgets.press import Press

TITLE = "Somebody else is at work here"
ABOUT = (
    "Nothing of ours is begun before that has ended. Speak with them first if you can: what is "
    "ended in the middle may leave a machine half changed."
)


class Theirs(Enum):
    """What a person wants of it."""

    WAIT = "wait"
    END = "end"
    LEAVE = "leave"


class OthersScreen(Dialog[Theirs]):
    """Who, what, since when; Esc waits, and where it ends meanwhile the panel goes by itself."""

    HELP = "install"
    GRAVE = True
    BINDINGS: ClassVar[list[BindingType]] = [Binding("l", "leave", "Leave", show=False)]

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text

    def compose(self) -> ComposeResult:
        """What is known of it, and the three ways."""
        with Vertical(classes="dialog -wide"):
            yield Static(TITLE, classes="dialog-title", markup=False)
            with VerticalScroll(classes="dialog-lines", can_focus=False):
                yield Static("\n".join(clean_lines(self.text)), markup=False)
            yield Static(ABOUT, classes="paragraph", markup=False)
            yield Static("", classes="dialog-error", id="wrong", markup=False)
            leave = Press("Leave l", id="leave", action="screen.leave")
            yield Buttons("End theirs", "Wait", third=leave)

    def on_mount(self) -> None:
        """Begin on the button that does nothing."""
        self.query_one("#cancel").focus()

    def action_leave(self) -> None:
        """Stop ours; theirs goes on."""
        self.dismiss(Theirs.LEAVE)

    def action_take(self) -> None:
        """Have theirs ended."""
        self.dismiss(Theirs.END)

"""The question before the wizard is left."""

from __future__ import annotations

from typing import ClassVar, Final

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Static

from screens.services.memory import Touched
from screens.shell.dialog import Buttons, Sure

UNDER_WAY: Final = (
    "An installation is under way. What runs on machines goes on there; nothing more is begun."
)


class LeaveScreen(Sure):
    """Leave, or stay?"""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("q", "do", "Leave", show=False)]

    def __init__(self, changed: Touched, under_way: str = "") -> None:
        super().__init__()
        self.changed = changed
        self.under_way = under_way
        """What becomes of what is under way; "" where nothing is."""

    def compose(self) -> ComposeResult:
        """The question, and what becomes of the place."""
        with Vertical(classes="dialog"):
            yield Static("Leave Sitewright?", classes="dialog-title", markup=False)
            state = self.under_way or f"{self.changed.sentence}."
            yield Static(
                f"{state} Your place is kept: start sitewright again and choose to go on. "
                "Passwords are not kept.",
                markup=False,
            )
            yield Buttons("Leave", "Stay")

    def on_mount(self) -> None:
        """Whoever asked to leave has one key to go."""
        self.query_one("#take").focus()

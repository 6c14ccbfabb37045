"""The question before the wizard is left."""

from __future__ import annotations

from typing import ClassVar, Final

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Static

from screens.dialog import Dialog
from screens.memory import Changed
from screens.widgets.press import Press

UNDER_WAY: Final = (
    "An installation is under way. What runs on machines goes on there; nothing more is begun."
)


class LeaveScreen(Dialog[bool]):
    """Leave, or stay?"""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y,q", "leave", "Leave", show=False),
        Binding("n", "close", "Stay", show=False),
        Binding("left,right", "app.focus_next", "Other", show=False),
    ]

    def __init__(self, changed: Changed, *, running: bool) -> None:
        super().__init__()
        self.changed = changed
        self.under_way = running

    def compose(self) -> ComposeResult:
        """The question, and what becomes of the place."""
        with Vertical(classes="dialog"):
            yield Static("Leave Sitewright?", classes="dialog-title", markup=False)
            yield Static(
                f"{UNDER_WAY if self.under_way else self.changed.value + '.'} Your place is kept: "
                "start sitewright again and choose to go on. Passwords are not kept.",
                markup=False,
            )
            with Horizontal(classes="dialog-buttons"):
                yield Press("Leave (y)", id="leave", action="screen.leave", primary=True)
                yield Press("Stay (n)", id="stay", action="screen.close")

    def action_leave(self) -> None:
        """Yes."""
        self.dismiss(True)

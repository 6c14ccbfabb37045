"""The question before the wizard is left."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Static

from screens.dialog import Dialog
from screens.widgets.press import Press


class LeaveScreen(Dialog[bool]):
    """Leave, or stay?"""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y,q", "leave", "Leave", show=False),
        Binding("n", "close", "Stay", show=False),
        Binding("left,right", "app.focus_next", "Other", show=False),
    ]

    def compose(self) -> ComposeResult:
        """The question, and what becomes of the place."""
        with Vertical(classes="dialog"):
            yield Static("Leave Sitewright?", classes="dialog-title", markup=False)
            yield Static(
                "Nothing has been changed on any machine. Your place is kept: start sitewright "
                "again and choose to go on. Passwords are not kept.",
                markup=False,
            )
            with Horizontal(classes="dialog-buttons"):
                yield Press("Leave (y)", id="leave", action="screen.leave", primary=True)
                yield Press("Stay (n)", id="stay", action="screen.close")

    def action_leave(self) -> None:
        """Yes."""
        self.dismiss(True)

"""A list of machines to paste or write, read before it is taken."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Static, TextArea

from foundation.hosts.model import Host
from foundation.problems import Problem
from screens.dialog import Dialog
from screens.widgets.press import Press

SIZE_LIMIT = 1024 * 1024
"""Characters; five thousand machines stay far below it."""


class ListScreen(Dialog[tuple[Host, ...]]):
    """Lines of text, one machine each."""

    HELP = "machines"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f10,ctrl+n", "take", "Add", show=False, priority=True),
    ]

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text[:SIZE_LIMIT]

    def compose(self) -> ComposeResult:
        """The text, what is wrong with it, and the buttons."""
        with Vertical(classes="dialog -large"):
            yield Static("One machine a line", classes="dialog-title", markup=False)
            area = TextArea(self.text, id="lines", tab_behavior="focus", compact=True)
            area.cursor_blink = False
            area.highlight_cursor_line = False
            yield area
            yield Static("", classes="dialog-error", id="wrong", markup=False)
            with Horizontal(classes="dialog-buttons"):
                yield Press("Cancel Esc", id="cancel", action="screen.close")
                yield Press("Add F10", id="take", action="screen.take", primary=True)

    def action_take(self) -> None:
        """Read the list, and close with its machines if it can be read."""
        self.run_worker(self._read(), group="read", exclusive=True, exit_on_error=False)

    async def _read(self) -> None:
        try:
            hosts = await self.wizard.services.hosts_from_text(
                self.query_one("#lines", TextArea).text
            )
        except Problem as problem:
            self.query_one("#wrong", Static).update(f"{problem.cause}. {problem.remedy}")
            return
        self.dismiss(hosts)

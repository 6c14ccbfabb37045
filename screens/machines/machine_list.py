"""A list of machines to paste or write, read before it is taken."""

from __future__ import annotations

import re

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Static, TextArea
from textual.widgets.text_area import Selection

from foundation.hosts.model import Host
from foundation.problems import Problem
from screens.shell.dialog import Buttons, Dialog

_LINE = re.compile(r"line (\d{1,6}):")
SIZE_LIMIT = 1024 * 1024
"""Characters; five thousand machines stay far below it."""


class ListScreen(Dialog[tuple[Host, ...]]):
    """Lines of text, one machine each."""

    HELP = "machines"

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
            area.show_line_numbers = True
            yield area
            yield Static("", classes="dialog-error", id="wrong", markup=False)
            yield Buttons("Add")

    def action_take(self) -> None:
        """Read the list, and close with its machines if it can be read."""
        self.run_worker(self._read(), group="read", exclusive=True, exit_on_error=False)

    def _mark(self, cause: str) -> None:
        """Put the cursor on the first line that is wrong, and mark that line."""
        found = _LINE.search(cause)
        area = self.query_one("#lines", TextArea)
        if found and 0 < int(found.group(1)) <= area.document.line_count:
            place = int(found.group(1)) - 1
            area.selection = Selection((place, len(area.document[place])), (place, 0))
            area.focus()

    async def _read(self) -> None:
        try:
            hosts = await self.wizard.services.hosts_from_text(
                self.query_one("#lines", TextArea).text
            )
        except Problem as problem:
            self.wrong(f"{problem.cause.rstrip('.')}. {problem.remedy}")
            self._mark(problem.cause)
            return
        self.dismiss(hosts)

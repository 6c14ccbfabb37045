"""What consoles printed, pasted to be compared with the keys that the machines show."""

from __future__ import annotations

from typing import Final

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Static, TextArea

from foundation.hosts.openssh.hostkeys import ALL_KEYS_COMMAND
from screens.shell.dialog import Buttons, Dialog

SIZE_LIMIT: Final = 1024 * 1024


class PasteScreen(Dialog[str]):
    """Lines of ssh-keygen, ssh-keyscan, known_hosts or cloud-init."""

    HELP = "trust"
    DO = "Compare"

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text[:SIZE_LIMIT]

    def compose(self) -> ComposeResult:
        """How to get them, the text, the buttons."""
        with Vertical(classes="dialog -large"):
            yield Static("What the consoles said", classes="dialog-title", markup=False)
            yield Static(
                "Fingerprints, whole keys, or lines of ssh-keyscan and known_hosts; what stands "
                "before a fingerprint says whose it is: its name or address, on the same line or "
                f"on one above.\nOn each console:  {ALL_KEYS_COMMAND}",
                classes="paragraph",
                markup=False,
            )
            area = TextArea(self.text, id="lines", tab_behavior="focus", compact=True)
            area.cursor_blink = False
            area.highlight_cursor_line = False
            yield area
            yield Buttons(self.DO)

    def action_take(self) -> None:
        """Close with the text."""
        self.dismiss(self.query_one("#lines", TextArea).text)

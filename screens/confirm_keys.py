"""The last look before all unknown keys are confirmed."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.widgets import Static

from screens.dialog import Dialog
from screens.widgets.press import Press

if TYPE_CHECKING:
    from foundation.hosts.hostkeys import HostKeyOffer


class ConfirmKeysScreen(Dialog[bool]):
    """Every fingerprint once more, and yes or no."""

    HELP = "trust"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "confirm", "Confirm", show=False),
        Binding("n", "close", "Cancel", show=False),
    ]

    def __init__(self, offers: list[HostKeyOffer]) -> None:
        super().__init__()
        self.offers = offers

    def compose(self) -> ComposeResult:
        """The list and the question."""
        number = len(self.offers)
        these = "this key" if number == 1 else f"these {number} keys"
        width = min(max(len(offer.host.name) for offer in self.offers), 16)
        lines = "\n".join(
            f"{offer.host.name:<{width}}  {offer.fingerprint}" for offer in self.offers
        )
        with Vertical(classes="dialog -wide"):
            yield Static(f"Confirm {these}?", classes="dialog-title", markup=False)
            with VerticalScroll(classes="dialog-lines"):
                yield Static(lines, markup=False, id="fingerprints")
            yield Static(
                "Confirm only what you have compared with the machines' own consoles, or if you "
                "know that nobody stands between you and them.",
                classes="dialog-note",
                markup=False,
            )
            with Horizontal(classes="dialog-buttons"):
                yield Press("Cancel (n)", id="cancel", action="screen.close")
                yield Press("Confirm (y)", id="confirm", action="screen.confirm", primary=True)

    def on_mount(self) -> None:
        """Begin on the button that changes nothing."""
        self.query_one("#cancel").focus()

    def action_confirm(self) -> None:
        """Yes."""
        self.dismiss(True)

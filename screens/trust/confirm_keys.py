"""The last look before all unknown keys are confirmed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.widgets import Static

from screens.shell.dialog import Buttons, Sure

if TYPE_CHECKING:
    from foundation.hosts.openssh.hostkeys import HostKeyOffer


class ConfirmKeysScreen(Sure):
    """Every fingerprint once more, and yes or no."""

    HELP = "trust"
    GRAVE = True

    def __init__(self, offers: list[HostKeyOffer]) -> None:
        super().__init__()
        self.offers = offers

    def compose(self) -> ComposeResult:
        """The list and the question."""
        number = len(self.offers)
        these = "this key" if number == 1 else f"these {number} keys"
        # A fingerprint stands in a line of its own, so that no name can push it out of sight.
        lines = "\n".join(
            f"{offer.host.name}  {offer.kind}\n  {offer.fingerprint}" for offer in self.offers
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
            yield Static("", classes="dialog-error", id="wrong", markup=False)
            yield Buttons("Confirm")

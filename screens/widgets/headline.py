"""Headline: whose site this is, and whether anything was changed on a machine; always in view."""

from __future__ import annotations

from rich.cells import cell_len
from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widgets import Static


class Headline(Horizontal):
    """The first line of every step."""

    def __init__(self, site: str, changed: str, short: str = "", shorter: str = "") -> None:
        super().__init__(id="headline")
        self.site = site
        self.short = short or site
        self.changed = changed
        self.shorter = shorter or changed
        """The same in fewer words, where the name would have no room."""

    def compose(self) -> ComposeResult:
        """The name on the left, what was changed on the right."""
        yield Static("Sitewright", id="brand", markup=False)
        yield Static(self.site, id="site", markup=False)
        yield Static(self.changed, id="changed", markup=False)

    def show(
        self, *, site: str = "", short: str = "", changed: str | None = None, shorter: str = ""
    ) -> None:
        """Another name, or another word on what was changed."""
        if site:
            self.site, self.short = site, short or site
        if changed is not None:
            self.changed, self.shorter = changed, shorter or changed
        # How much room the name has is known once the line is laid out.
        self.call_after_refresh(self._fit)

    def on_resize(self, event: events.Resize) -> None:
        """The name is chosen by the width."""
        self._fit()

    def _fit(self) -> None:
        """The whole name where there is room for it, else the short one rather than a stump."""
        place = self.query_one("#site", Static)
        room = self.size.width - self.query_one("#brand", Static).outer_size.width
        around = place.outer_size.width - place.size.width + 2
        fits = cell_len(self.short) + cell_len(self.changed) + around <= room
        self.query_one("#changed", Static).update(self.changed if fits else self.shorter)
        left = room - around - cell_len(self.changed if fits else self.shorter)
        place.update(self.site if cell_len(self.site) <= left else self.short)

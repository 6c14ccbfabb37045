"""Headline: whose site this is, and whether anything was changed on a machine; always in view."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widgets import Static


class Headline(Horizontal):
    """The first line of every step."""

    def __init__(self, site: str, changed: str) -> None:
        super().__init__(id="headline")
        self.site = site
        self.changed = changed

    def compose(self) -> ComposeResult:
        """The name on the left, what was changed on the right."""
        yield Static("Sitewright", id="brand", markup=False)
        yield Static(self.site, id="site", markup=False)
        yield Static(self.changed, id="changed", markup=False)

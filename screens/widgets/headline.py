"""Headline: whose site this is, and whether anything was changed on a machine; always in view."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widgets import Static

NOTHING_CHANGED = "Nothing has been changed on any machine"


class Headline(Horizontal):
    """The first line of every step."""

    def __init__(self, site: str) -> None:
        super().__init__(id="headline")
        self.site = site

    def compose(self) -> ComposeResult:
        """The name on the left, the promise on the right."""
        yield Static("Sitewright", id="brand", markup=False)
        yield Static(self.site, id="site", markup=False)
        yield Static(NOTHING_CHANGED, id="changed", markup=False)

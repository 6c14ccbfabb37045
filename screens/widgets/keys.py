"""Keys: a line of keys with what they do, each of which can be clicked too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import Static


@dataclass(frozen=True, slots=True)
class Key:
    """A key as it is printed, what it does in a word, and the action behind it."""

    label: str
    word: str
    action: str


class KeyHint(Static):
    """One key of the line."""

    def __init__(self, key: Key) -> None:
        super().__init__(
            Content.assemble((key.label, "bold"), " ", key.word), classes="key", markup=False
        )
        self.key = key

    async def on_click(self, _event: events.Click) -> None:
        """Do what the key does."""
        await self.app.run_action(self.key.action, default_namespace=self.screen)


class KeyLine(Horizontal):
    """Some keys in a line."""

    def __init__(self, keys: Sequence[Key], *, id: str) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self.keys = tuple(keys)
        self.shown_width = 0

    def show(self, keys: Sequence[Key]) -> None:
        """Other keys in their place."""
        if tuple(keys) != self.keys:
            self.keys = tuple(keys)
            self.refresh(recompose=True)

    def compose(self) -> ComposeResult:
        """A hint a key, as many as stand in the line whole."""
        left = self.size.width or self.app.size.width
        for key in self.keys:
            left -= len(key.label) + len(key.word) + 3
            if left >= -2:
                yield KeyHint(key)

    def on_resize(self, event: events.Resize) -> None:
        """More of them, or fewer, for another width."""
        if event.size.width != self.shown_width:
            self.shown_width = event.size.width
            self.refresh(recompose=True)

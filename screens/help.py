"""F1: what is on the screen, explained."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from screens.dialog import Dialog
from screens.help_texts import KEYS_EVERYWHERE, help_on
from screens.widgets.keys import Key, KeyLine


class HelpScreen(Dialog[None]):
    """The written help of one step or panel, and the keys."""

    def __init__(self, topic: str) -> None:
        super().__init__()
        self.topic = topic

    def compose(self) -> ComposeResult:
        """Title, paragraphs, keys."""
        text = help_on(self.topic)
        with Vertical(classes="dialog -large"):
            yield Static(text.title, classes="dialog-title", markup=False)
            with VerticalScroll(classes="dialog-scroll"):
                for paragraph in text.paragraphs:
                    yield Static(paragraph, classes="paragraph", markup=False)
                yield Static("Keys", classes="dialog-title", markup=False)
                for key, word in (*text.keys, *(() if text.alone else KEYS_EVERYWHERE)):
                    yield Static(Content.assemble((f"{key:<12}", "bold"), word), classes="help-key")
            yield KeyLine((Key("Esc", "Close", "screen.close"),), id="dialog-keys")

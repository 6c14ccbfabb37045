"""Field: a label and a line to type in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Input, Static

USUAL, WIDEST = 17, 40
"""Cells of a label in a panel: what fits as it is, and the most it takes from its line."""


class Line(Input):
    """A line to type in, that hands a paste of several lines on instead of losing the rest.

    It has no pages of its own, as Textual's has: a page on is one of the panel around it.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("pageup", "screen.page(-1)", show=False),
        Binding("pagedown", "screen.page(1)", show=False),
    ]

    @dataclass
    class PastedLines(Message):
        """Several lines were pasted where one belongs."""

        line: Line
        text: str

    def _on_paste(self, event: events.Paste) -> None:
        if len(event.text.strip().splitlines()) > 1:
            event.stop()
            event.prevent_default()
            self.post_message(self.PastedLines(self, event.text))


class Field(Horizontal):
    """A label beside a line; brackets show the line's ends where colour does not."""

    def __init__(
        self,
        label: str,
        *,
        id: str,  # noqa: A002 - Textual's name
        value: str = "",
        example: str = "",
        secret: bool = False,
        room: int = 0,
    ) -> None:
        """`room` is how many cells the longest label of a column needs, where that is not known."""
        super().__init__(classes="field")
        self.label = label
        self.room = room
        self.line = Line(value=value, placeholder=example, password=secret, id=id, compact=True)
        self.line.cursor_blink = False

    def compose(self) -> ComposeResult:
        """Label, bracket, line, bracket."""
        label = Static(self.label, classes="label", markup=False)
        if self.room > USUAL:
            label.styles.width = min(self.room + 1, WIDEST)
        yield label
        yield Static("[", classes="bracket", markup=False)
        yield self.line
        yield Static("]", classes="bracket", markup=False)

"""Press: a button of one line, which brackets show where colour does not."""

from __future__ import annotations

from textual.content import Content
from textual.widgets import Button


class Press(Button):
    """A button as wide as its word and two cells on each side."""

    def __init__(self, word: str, *, id: str, action: str, primary: bool = False) -> None:  # noqa: A002 - Textual's name
        super().__init__(f" {word} ", id=id, compact=True, classes="press")
        self.word = word
        self.does = action
        self.set_class(primary, "-first")

    def render(self) -> Content:
        """The word, in brackets unless a coloured ground shows the button."""
        plain = self.app.native_ansi_color
        return Content(f"[{self.word}]" if plain else f" {self.word} ")

    async def on_button_pressed(self, event: Button.Pressed) -> None:
        """Do the action."""
        event.stop()
        await self.app.run_action(self.does, default_namespace=self.screen)

"""What stands on a window that is too small, until it is enlarged."""

from __future__ import annotations

from textual import events
from textual.app import ComposeResult
from textual.screen import ModalScreen
from textual.widgets import Static

from screens.shell.late import LastingScreen


class SmallScreen(LastingScreen[None], ModalScreen[None]):
    """One sentence with both sizes."""

    def __init__(self, smallest: tuple[int, int]) -> None:
        super().__init__()
        self.smallest = smallest

    def compose(self) -> ComposeResult:
        """The sentence."""
        yield Static(self.sentence(), id="small", markup=False)

    def sentence(self) -> str:
        """What this window has, and what is needed."""
        width, height = self.app.size
        least_width, least_height = self.smallest
        return (
            f"This window is {width}x{height};\n"
            f"Sitewright needs {least_width}x{least_height}.\n"
            "Enlarge it; nothing is lost."
        )

    def on_resize(self, _event: events.Resize) -> None:
        """Say the new size."""
        self.query_one("#small", Static).update(self.sentence())

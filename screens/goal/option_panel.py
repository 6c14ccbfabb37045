"""Option panel: one option of the map in full, from its machines to what goes wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.widgets import Static

from screens.shell.dialog import Dialog
from screens.widgets.keys import KeyLine

if TYPE_CHECKING:
    from installer.guide.guide import Map, Option


class OptionPanel(Dialog[None]):
    """What `sitewright guide --option` prints, to scroll through."""

    HELP = "goal"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter,space", "close", "Close", show=False)]

    def __init__(self, chart: Map, option: Option) -> None:
        super().__init__()
        self.chart = chart
        self.option = option

    def compose(self) -> ComposeResult:
        """Everything, in the width that there is."""
        with Vertical(classes="dialog -whole"):
            with VerticalScroll(classes="dialog-scroll", id="lines"):
                yield Static("", id="option-text", markup=False)
            yield KeyLine(self.KEYS, id="dialog-keys")

    def on_mount(self) -> None:
        """The arrows scroll."""
        self.query_one("#lines").focus()

    def on_resize(self, event: events.Resize) -> None:
        """Wrap it anew for another width."""
        from installer.commands.guide_text import option_text

        width = min(event.size.width - 8, 100)
        text = option_text(self.chart, self.option, width, color=False, ascii_only=False)
        self.query_one("#option-text", Static).update(text)

"""Dialog: a panel before the step that asks one thing and returns a typed answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, TypeVar, cast

from textual.binding import Binding, BindingType
from textual.screen import ModalScreen
from textual.worker import Worker, WorkerState

from screens.widgets.keys import Key

if TYPE_CHECKING:
    from screens.app import SitewrightApp

Answer = TypeVar("Answer")


class Dialog(ModalScreen[Answer]):
    """A panel in the middle; Esc closes it without an answer."""

    HELP: ClassVar[str] = ""
    """The topic that F1 explains while the panel is open; the step's own where empty."""
    KEYS: ClassVar[tuple[Key, ...]] = (Key("Esc", "Close", "screen.close"),)
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,ctrl+b", "close", "Close", show=False),
    ]
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (76, "-usual"), (110, "-wide")]  # noqa: RUF012 - Textual's own type

    @property
    def wizard(self) -> SitewrightApp:
        """The app, with the type that it has here."""
        return cast("SitewrightApp", self.app)

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """Work that ended in an error says so on the step beneath."""
        if event.state is WorkerState.ERROR and event.worker.error is not None:
            self.wizard.work_failed(event.worker.error)

    def action_close(self) -> None:
        """Close without an answer."""
        self.dismiss(None)

"""Dialog: a panel before the step that asks one thing and returns a typed answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, TypeVar, cast

from textual.await_complete import AwaitComplete
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen
from textual.worker import Worker, WorkerState

from screens.late import LastingScreen
from screens.widgets.keys import Key

if TYPE_CHECKING:
    from screens.app import SitewrightApp

Answer = TypeVar("Answer")


class Dialog(LastingScreen[Answer], ModalScreen[Answer]):
    """A panel in the middle; Esc closes it without an answer."""

    HELP: ClassVar[str] = ""
    """The topic that F1 explains while the panel is open; the step's own where empty."""
    KEYS: ClassVar[tuple[Key, ...]] = (Key("Esc", "Close", "screen.close"),)
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,ctrl+b", "close", "Close", show=False),
    ]
    _closes: tuple[Answer | None] | None = None
    """The answer with which it was closed; None while it is open."""
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (76, "-usual"), (110, "-wide")]  # noqa: RUF012 - Textual's own type

    @property
    def wizard(self) -> SitewrightApp:
        """The app, with the type that it has here."""
        return cast("SitewrightApp", self.app)

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """Work that ended in an error says so on the step beneath."""
        if event.state is WorkerState.ERROR and event.worker.error is not None:
            self.wizard.work_failed(event.worker.error, of=event.worker.node)

    def dismiss(self, result: Answer | None = None) -> AwaitComplete:
        """Close with an answer: once, and at once only where nothing stands before the panel.

        Textual would close whatever is in front, such as the help or the word on a small window.
        """
        if self._closes is None and self in self.app.screen_stack:
            self._closes = (result,)
            if self.is_current:
                return super().dismiss(result)
        return AwaitComplete()

    def on_screen_resume(self) -> None:
        """Close now, where that had to wait for what stood before the panel."""
        if self._closes is not None:
            super().dismiss(self._closes[0])

    def action_close(self) -> None:
        """Close without an answer."""
        self.dismiss(None)

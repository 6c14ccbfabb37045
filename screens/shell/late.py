"""Late: work that comes back to a screen which is gone, and is dropped here and nowhere else.

A timer, a callback after the next drawing, a message or the answer of a machine may arrive when its
widget has left the screen. It has nothing to draw on any more, and nobody looks at it.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Protocol, cast

from textual import events
from textual._callback import invoke
from textual._context import active_message_pump
from textual.app import App
from textual.dom import DOMNode
from textual.screen import Screen, ScreenResultType

if TYPE_CHECKING:
    from textual._types import CallbackType
    from textual.message_pump import MessagePump

log = logging.getLogger(__name__)


class Telling(Protocol):
    """What an app does with the errors of work."""

    def work_failed(self, error: BaseException) -> None:
        """Tell the person; everything else goes on."""


def is_gone(pump: MessagePump | None) -> bool:
    """Whether a widget or screen is on the screen no longer, or is being taken off it just now."""
    node = pump
    while node is not None and not isinstance(node, App):
        if node._closing or node._closed or (isinstance(node, DOMNode) and node._pruning):
            return True
        if isinstance(node, Screen) and node.parent is not None:
            return node.app._exit or node not in node.app.screen_stack
        node = node._parent
    if isinstance(node, App):
        return node._exit  # everything is being taken down
    return pump is not None


def at_work() -> MessagePump | None:
    """The widget, screen or app whose code runs just now."""
    return active_message_pump.get(None)


def drop(error: BaseException) -> None:
    """An error of work that came too late: it concerns nobody, and the log keeps it."""
    log.debug("dropped, for its screen is gone: %r", error)


class LastingScreen(Screen[ScreenResultType]):
    """A screen that no callback of a widget ends, its own or one of a screen before it.

    Textual hands what was to run after the next drawing to the screen that is in front by then, and
    an error in it would end that one.
    """

    def on_compose(self) -> None:
        """Know how much room there is before anything is drawn.

        Textual says so with the first resize; until then everything stood as in a small window.
        """
        width, height = self.app.size
        for size, points in (
            (width, self.HORIZONTAL_BREAKPOINTS),
            (height, self.VERTICAL_BREAKPOINTS),
        ):
            for name in self._get_breakpoint_classes(size, points or []):
                self.add_class(name)

    async def _on_resize(self, event: events.Resize) -> None:
        """Lay out for the window as it is now, before Textual's own handler of this name does.

        A screen that was laid out tells itself of it by another such message. Of two sizes on the
        way at once, as a border that is dragged sends them, the older would call the newer one
        back, and be called back by it.
        """
        event.size = self.app.size

    def _invoke_later(self, callback: CallbackType, sender: MessagePump) -> None:
        async def guarded() -> None:
            if is_gone(sender):
                return
            try:
                await invoke(callback)
            except Exception as error:
                if is_gone(sender):
                    drop(error)
                else:
                    cast(Telling, self.app).work_failed(error)

        super()._invoke_later(guarded, sender)

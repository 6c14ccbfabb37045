"""Typed ahead: each key is given out only when all that the one before it did has come to rest.

A line over a satellite delivers keys in bursts. Textual moves the focus by messages, so the second
key of a burst would reach the widget that the first one left, or a screen that is not there yet.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from textual import events
from textual.app import App

if TYPE_CHECKING:
    from textual.message_pump import MessagePump

PATIENCE: Final = 2.0
"""Seconds after which a key is given out whether or not everything rests."""
MOUNTING: Final = 60.0
"""Seconds that a screen may take to be there, on a machine that is busy with other work."""
TURNS: Final = 20
"""Turns of the loop before one begins to wait by the clock."""


def rests(pump: MessagePump) -> bool:
    """Whether a widget, a screen or an app has read every message that it was sent."""
    queue: Any = vars(pump).get("_message_queue")
    if queue is None or not queue.empty() or pump._pending_message is not None:
        return False
    # It waits for what comes, so it is in the middle of nothing.
    waiters: Iterable[asyncio.Future[bool]] | None = getattr(queue.ready_event, "_waiters", None)
    return waiters is None or any(not waiter.done() for waiter in waiters)


class TypedAhead(App[int]):
    """An app that gives out keys and pastes one at a time."""

    def __init__(self) -> None:
        super().__init__()
        self._held: deque[events.Event] = deque()
        self._giver: asyncio.Task[None] | None = None

    async def on_event(self, event: events.Event) -> None:
        """Hold a key back while something is still under way."""
        if (
            isinstance(event, events.Key | events.Paste)
            and not event.is_forwarded
            and not getattr(event, "held", False)
            and (self._held or self.message_queue_size or not self.screen_rests)
        ):
            self._held.append(event)
            if self._giver is None or self._giver.done():
                self._giver = asyncio.create_task(self._give(), name="keys typed ahead")
            return
        await super().on_event(event)

    @property
    def screen_rests(self) -> bool:
        """Whether the screen in front is there, and nothing in it is under way."""
        if not self.screen_stack:
            return False
        screen = self.screen
        if not screen.is_mounted or screen._callbacks:
            return False
        return all(rests(node) for node in screen.walk_children(with_self=True))

    async def _give(self) -> None:
        """Give out what is held, each when everything rests."""
        while self._held and not self._exit:
            began = time.monotonic()
            turn = 0
            while not self._exit:
                waited = time.monotonic() - began
                there = bool(self.screen_stack) and self.screen.is_mounted
                if waited > (PATIENCE if there else MOUNTING):
                    break
                if rests(self) and not self._next_callbacks and self.screen_rests:
                    break
                turn += 1
                await asyncio.sleep(0 if turn < TURNS else 0.005)
            event = self._held.popleft()
            event.held = True  # type: ignore[attr-defined]  # ours: it was held once, and not again
            self.post_message(event)
            await asyncio.sleep(0)

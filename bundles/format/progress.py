"""How the making of a bundle goes: bytes, rate, time left, and what is being waited for."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

_WINDOW: Final = 10.0
"""Seconds over which the rate is taken."""
_PACE: Final = 0.1
"""Seconds between two events about bytes."""


@dataclass(frozen=True, slots=True)
class Event:
    """One piece of news.

    `total` bytes are those known so far: `sure` says that nothing more will be found. `rate` is
    in bytes a second, `left` in seconds, None while neither can be told.
    """

    kind: Literal["bytes", "item", "waiting", "note"]
    done: int
    total: int
    sure: bool
    rate: float
    left: float | None
    items_done: int
    items_total: int
    text: str = ""


class Tracker:
    """Counts what comes in and tells a listener, not more often than an eye can follow."""

    def __init__(
        self,
        listener: Callable[[Event], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._listener = listener
        self._clock = clock
        self._seen: deque[tuple[float, int]] = deque()
        self._told = float("-inf")
        self.done = 0
        self.total = 0
        self.items_done = 0
        self.items_total = 0
        self.resolving = 0
        self.fetched = 0
        """Bytes that came over the network now, not those that were there already."""

    def expect(self, size: int) -> None:
        """More bytes are known to be needed."""
        self.total += size

    def gained(self, count: int) -> None:
        """Bytes that came in."""
        self.done += count
        self.fetched += count
        now = self._clock()
        if now - self._told >= _PACE:
            self._told = now
            self._seen.append((now, self.fetched))
            while self._seen[0][0] < now - _WINDOW and len(self._seen) > 2:
                self._seen.popleft()
            self._tell("bytes")

    def had(self, count: int) -> None:
        """Bytes that were there already."""
        self.done += count

    def item(self, text: str) -> None:
        """One item is whole."""
        self.items_done += 1
        self._tell("item", text)

    def waiting(self, host: str, seconds: float) -> None:
        """A server asked to wait."""
        self._tell("waiting", f"{host} asks to wait {seconds:.0f} s")

    def note(self, text: str) -> None:
        """Something that a person should know."""
        self._tell("note", text)

    @property
    def rate(self) -> float:
        """Bytes a second over the last seconds."""
        if len(self._seen) < 2:
            return 0.0
        (begin, before), (end, after) = self._seen[0], self._seen[-1]
        return max(0.0, (after - before) / (end - begin)) if end > begin else 0.0

    def _tell(self, kind: Literal["bytes", "item", "waiting", "note"], text: str = "") -> None:
        if self._listener is None:
            return
        sure = self.resolving == 0
        rate = self.rate
        left = (self.total - self.done) / rate if sure and rate > 0 else None
        self._listener(
            Event(
                kind=kind,
                done=self.done,
                total=self.total,
                sure=sure,
                rate=rate,
                left=left,
                items_done=self.items_done,
                items_total=self.items_total,
                text=text,
            )
        )

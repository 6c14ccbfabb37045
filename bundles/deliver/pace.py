"""How a delivery to one machine goes: bytes, rate and time left, as often as an eye can follow."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Final

from foundation.wording import human_size

_WINDOW: Final = 10.0
"""Seconds over which the rate is taken."""


class Pace:
    """Tells a listener `(done, total, text)` at most every `every` seconds, and at the end."""

    def __init__(
        self,
        listener: Callable[[int, int, str], None],
        *,
        every: float = 0.5,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._listener = listener
        self._every = every
        self._clock = clock
        self._seen: deque[tuple[float, int]] = deque()
        self._told = float("-inf")

    def __call__(self, done: int, total: int) -> None:
        """Bytes that are there, and those there will be."""
        now = self._clock()
        if now - self._told < self._every and done < total:
            return
        self._told = now
        self._seen.append((now, done))
        while len(self._seen) > 2 and self._seen[0][0] < now - _WINDOW:
            self._seen.popleft()
        self._listener(done, total, self._text(done, total))

    @property
    def rate(self) -> float:
        """Bytes a second over the last seconds; 0 while it cannot be told."""
        if len(self._seen) < 2:
            return 0.0
        (begin, before), (end, after) = self._seen[0], self._seen[-1]
        return max(0.0, (after - before) / (end - begin)) if end > begin else 0.0

    def _text(self, done: int, total: int) -> str:
        text = f"{human_size(done)} of {human_size(total)}"
        rate = self.rate
        if rate <= 0:
            return text
        left = f", {(total - done) / rate:.0f} s left" if done < total else ""
        return f"{text}, {human_size(int(rate))}/s{left}"

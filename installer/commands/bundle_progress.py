"""How work on a bundle goes, told on standard error while it lasts."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Final

from foundation.terminal import rewritten
from foundation.wording import human_size

if TYPE_CHECKING:
    from bundles.format.progress import Event

_ELSEWHERE: Final = 5.0
"""Seconds between two lines where there is no terminal."""


class ProgressLine:
    """How it goes, in one line on a terminal and a line now and then elsewhere."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._terminal = sys.stderr.isatty()
        # A log is told how it goes only of what takes long enough that somebody would ask.
        self._next = 0.0 if self._terminal else time.monotonic() + _ELSEWHERE
        self._open = False

    def bytes(self, done: int, total: int) -> None:
        """Bytes done and in all."""
        if self._due():
            share = 100 * done // max(total, 1)
            self._show(f"{share:3d} %  {human_size(done)} of {human_size(total)}")

    def event(self, event: Event) -> None:
        """News of a bundle in the making."""
        if event.kind in ("note", "waiting"):
            self.end()
            if not self._quiet:
                print(event.text, file=sys.stderr, flush=True)
        elif self._due():
            left = f", {event.left:.0f} s left" if event.left is not None else ""
            # What is still to come is not always known: then only what has come is told.
            whole = f" of {human_size(event.total)}" if event.total > event.done else ""
            more = "+" if whole and not event.sure else ""
            rate = f", {human_size(int(event.rate))}/s" if event.rate >= 1 else ""
            self._show(
                f"{event.items_done} of {event.items_total} lines, "
                f"{human_size(event.done)}{whole}{more}{rate}{left}"
            )

    def end(self) -> None:
        """Leave the line as it is."""
        if self._open:
            print(file=sys.stderr)
            self._open = False

    def _due(self) -> bool:
        now = time.monotonic()
        if self._quiet or now < self._next:
            return False
        self._next = now + (0.2 if self._terminal else _ELSEWHERE)
        return True

    def _show(self, text: str) -> None:
        if self._terminal:
            rewritten(f"{text:<78}", sys.stderr, clear=False)
            self._open = True
        else:
            print(text, file=sys.stderr, flush=True)

"""Lines that are shown and may not stay on the terminal: not in its scrollback, not in a file."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TextIO

from foundation.problems import Refused
from foundation.terminal import clean_line

_TTY: Final = Path("/dev/tty")
_NOT_CLEARED: Final = frozenset({"", "dumb", "unknown"})
"""Values of TERM that say that the screen cannot be cleared."""


class TooSmall(Refused):
    """A window out of which lines would roll; it can be made larger."""


class _Page:
    """The page from before it is shown; whoever comes first takes it off."""

    def __init__(self, terminal: TextIO, lines: Sequence[str]) -> None:
        self._terminal = terminal
        self._one = threading.Lock()
        self._lines = lines
        self._stands = False

    def show(self, over: Callable[[], bool]) -> None:
        """Put it on the terminal, unless it is over: what takes it off sets that first."""
        with self._one:
            if over():
                return
            self._stands = True
            self._terminal.write("\x1b[?1049h\x1b[H\x1b[J" + "\n".join(self._lines) + "\n")
            self._terminal.flush()

    def take_off(self) -> None:
        """Blank each line, clear the page and leave it; once."""
        with self._one:
            if not self._stands:
                return
            self._stands = False
            # It may have been made larger meanwhile; a serial line does not say how large it is.
            last = max(len(self._lines) + 2, os.get_terminal_size(self._terminal.fileno()).lines)
            blanked = "".join(f"\x1b[{row};1H\x1b[2K" for row in range(1, last + 1))
            self._terminal.write(f"{blanked}\x1b[H\x1b[J\x1b[?1049l")
            self._terminal.flush()


_STANDING: Final[list[_Page]] = []


@contextmanager
def shown_once(lines: Sequence[str], over: Callable[[], bool] = lambda: False) -> Iterator[None]:
    """Show lines on a page of the terminal that is cleared at the end, whatever ends it.

    They go to the terminal itself, wherever standard output and standard error lead, and on its
    second page (1049 of xterm's control sequences), which has no scrollback. A terminal may have
    none (tmux with alternate-screen off), and moves into its scrollback what is cleared: so each
    line is blanked before. Nothing is shown once it is `over`, which is said before `take_off`.
    Raises Refused where no terminal can be cleared, and TooSmall.
    """
    with _opened() as terminal:
        shown = [clean_line(line) for line in lines]
        columns, rows = os.get_terminal_size(terminal.fileno())
        if 0 < rows <= len(shown) + 1 or 0 < columns <= max(map(len, shown)):
            least = f"{max(map(len, shown)) + 1} by {len(shown) + 2}"
            raise TooSmall(f"this window is too small ({columns} by {rows}; {least} are needed)")
        page = _Page(terminal, shown)
        # Before a line of it is seen: between the two a take_off would find nothing.
        _STANDING.append(page)
        try:
            page.show(over)
            yield
        finally:
            _STANDING.remove(page)
            page.take_off()


def must_be_able_to_show() -> None:
    """Raise Refused where nothing could be shown once."""
    _opened().close()


def _opened() -> TextIO:
    if os.environ.get("TERM", "") in _NOT_CLEARED:
        raise _nowhere("this terminal cannot be cleared (TERM)")
    try:
        return _TTY.open("w", encoding="utf-8")
    except OSError as error:
        raise _nowhere("there is no terminal") from error


def take_off() -> None:
    """Take off what stands, where the one who shows it waits in a thread that cannot be ended."""
    for page in tuple(_STANDING):
        with contextlib.suppress(OSError, ValueError):
            page.take_off()


def _nowhere(why: str) -> Refused:
    return Refused(
        f"a share of Vault cannot be shown: {why}",
        remedy="Go on at a terminal on which it can be taken off again: sitewright resume.",
    )

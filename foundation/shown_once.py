"""Lines that are shown and may not stay on the terminal: not in its scrollback, not in a file."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from foundation.problems import Refused
from foundation.terminal import clean_line

_TTY: Final = Path("/dev/tty")
_NOT_CLEARED: Final = frozenset({"", "dumb", "unknown"})
"""Values of TERM that say that the screen cannot be cleared."""


@contextmanager
def shown_once(lines: Sequence[str]) -> Iterator[None]:
    """Show lines on a page of the terminal that is cleared at the end, whatever ends it.

    They go to the terminal itself, wherever standard output and standard error lead, and on its
    second page (1049 of xterm's control sequences), which has no scrollback; a terminal without one
    is cleared. Raises Refused where there is no terminal that can be cleared.
    """
    if os.environ.get("TERM", "") in _NOT_CLEARED:
        raise _nowhere("this terminal cannot be cleared (TERM)")
    try:
        page = _TTY.open("w", encoding="utf-8")
    except OSError as error:
        raise _nowhere("there is no terminal") from error
    with page:
        try:
            page.write("\x1b[?1049h\x1b[H\x1b[J" + "\n".join(map(clean_line, lines)) + "\n")
            page.flush()
            yield
        finally:
            page.write("\x1b[H\x1b[J\x1b[?1049l")
            page.flush()


def _nowhere(why: str) -> Refused:
    return Refused(
        f"a share of Vault cannot be shown: {why}",
        remedy="Go on at a terminal on which it can be taken off again: sitewright resume.",
    )

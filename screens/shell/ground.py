"""Ground: whether a terminal is dark or light, asked of it, as it may be the only one that knows.

COLORFGBG says so in few terminals, and is lost over SSH and in tmux. OSC 11 asks the terminal
itself for the colour of its ground (xterm's control sequences, "Operating System Commands").
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import sys
import termios
import time
import tty
from typing import Final

from foundation.terminal import ask_ground

PATIENCE: Final = 0.1
"""Seconds that the answer may take before the screen is drawn without it."""
_ANSWER: Final = re.compile(
    rb"\x1b\]11;rgb:([0-9a-fA-F]{1,4})/([0-9a-fA-F]{1,4})/([0-9a-fA-F]{1,4})(?:\x07|\x1b\\)"
)
_BEGUN: Final = re.compile(r"\]11;rgb:[0-9a-fA-F/]{0,14}")


def is_light(red: float, green: float, blue: float) -> bool:
    """Whether a ground (0 to 1 each) is nearer to white than to black, as an eye sees it."""
    return 0.299 * red + 0.587 * green + 0.114 * blue > 0.5


def light_answer(answer: bytes) -> bool | None:
    """What a terminal answered; None where it is no answer."""
    found = _ANSWER.search(answer)
    if found is None:
        return None
    red, green, blue = (int(part, 16) / (16 ** len(part) - 1) for part in found.groups())
    return is_light(red, green, blue)


def asked(patience: float = PATIENCE) -> bool | None:
    """Ask the terminal of standard input; True for light, None where it does not answer in time."""
    try:
        fd = sys.stdin.fileno()
        before = termios.tcgetattr(fd)
    except (OSError, ValueError, termios.error):
        return None
    answer = b""
    try:
        tty.setcbreak(fd, termios.TCSANOW)
        ask_ground(sys.stdout)
        end = time.monotonic() + patience
        while (left := end - time.monotonic()) > 0 and light_answer(answer) is None:
            ready, _, _ = select.select([fd], [], [], left)
            if not ready:
                break
            answer += os.read(fd, 256)
    except (OSError, termios.error):
        return None
    finally:
        with contextlib.suppress(OSError, termios.error):
            termios.tcsetattr(fd, termios.TCSANOW, before)
    return light_answer(answer)


class LateAnswer:
    """An answer that comes after the screen was drawn, as keys; it must not be taken for typing.

    Over a satellite it takes longer than anybody waits for it. What turns out not to be one was
    typed by a person, and is given back.
    """

    SECONDS: Final = 5.0
    """How long after the start an answer may still come."""

    def __init__(self) -> None:
        self.text = ""
        self.until = time.monotonic() + self.SECONDS
        self.over = False

    @property
    def light(self) -> bool | None:
        """What it says, once it is whole."""
        return light_answer(b"\x1b" + self.text.encode() + b"\x07") if self.over else None

    def takes(self, key: str, character: str | None) -> bool:
        """Whether a key may belong to the answer; `over` once that is whole."""
        if self.over or time.monotonic() > self.until:
            return False
        if self.text and key in ("ctrl+g", "backslash"):
            self.over = True
            return light_answer(b"\x1b" + self.text.encode() + b"\x07") is not None
        if not self.text and key == "circumflex_accent":
            return True  # how Textual reads the Escape before an answer that Escape ends too
        longer = self.text + (character or "?")
        if not ("]11;rgb:".startswith(longer) or _BEGUN.fullmatch(longer)):
            return False
        self.text = longer
        return True

"""Tidings: the bell, the terminal's title, and a notification, when work ends or needs a person.

A run takes half an hour, and whoever began it looks at something else. Only words of ours go out,
cleaned of control characters; a terminal that does not know a sequence ignores it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from foundation.paths import state_folder, write_private
from preflight.report.texts import clean

BELL: Final = "\a"
_LONGEST: Final = 120


KEEP_TITLE: Final = "\x1b[22;2t"
GIVE_TITLE_BACK: Final = "\x1b[23;2t"
"""xterm's window operations 22 and 23: a stack of titles, so that none of ours outlives us."""


def title_sequence(words: str) -> str:
    """What sets the title of the terminal's window (OSC 2)."""
    return f"\x1b]2;{_plain(words)}\x07"


def notification(words: str, environment: Mapping[str, str] | None = None) -> str:
    """What has the terminal notify its person: OSC 9, or OSC 777 where that is spoken.

    Inside tmux a sequence reaches the terminal outside only in a wrapping of tmux's own.
    """
    env = os.environ if environment is None else environment
    text = _plain(words)
    if env.get("TERM", "").startswith(("rxvt", "foot")) or env.get("VTE_VERSION"):
        sequence = f"\x1b]777;notify;Sitewright;{text.replace(';', ',')}\x07"
    else:
        sequence = f"\x1b]9;{text}\x07"
    if env.get("TMUX"):
        return "\x1bPtmux;" + sequence.replace("\x1b", "\x1b\x1b") + "\x1b\\"
    return sequence


def _plain(words: str) -> str:
    line = clean(words)
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 2]} …"


def quiet_file() -> Path:
    """Where it is kept that nobody wants the bell."""
    return state_folder() / "quiet"


def is_quiet() -> bool:
    """Whether a person turned bell and notification off."""
    return quiet_file().exists()


def keep_quiet(quiet: bool) -> None:
    """Turn them off, or on; a disk that is full only loses the habit."""
    try:
        if quiet:
            write_private(quiet_file(), "")
        else:
            quiet_file().unlink(missing_ok=True)
    except OSError:
        return

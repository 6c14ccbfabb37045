"""Moments: the time of a record as a date, where a calendar has it; the clock nobody sets."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Final

_LAST_YEAR: Final = 9998
"""Until its end a moment can be shown in every zone."""
_STEADY: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def steady() -> float:
    """Seconds of a clock that nobody sets, and that goes on while this machine sleeps."""
    return time.clock_gettime(_STEADY)


def clock(seconds: float) -> str:
    """A moment as the clock of this machine has it, to the second; question marks for none."""
    at = moment(seconds)
    return f"{at.astimezone():%H:%M:%S}" if at is not None else "??:??:??"


def moment(seconds: float | None) -> datetime | None:
    """Unix seconds as a moment in UTC; None for none, and for what no calendar has.

    A record is a file that anybody may have written.
    """
    if seconds is None:
        return None
    try:
        found = datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return found if 1 < found.year <= _LAST_YEAR else None

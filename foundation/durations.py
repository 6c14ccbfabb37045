"""Durations: seconds as a person says them, and the clock by which they are measured."""

from __future__ import annotations

import time
from typing import Final

_STEADY: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def steady() -> float:
    """Seconds of a clock that nobody sets, and that goes on while this machine sleeps."""
    return time.clock_gettime(_STEADY)


def duration(seconds: float) -> str:
    """Seconds as a person says them: 40 s, 12 min, 1 h 20 min."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def took(seconds: float, *, at_least: bool) -> str:
    """How long something took, where a clock that was put back may have hidden a part."""
    if not at_least:
        return duration(seconds)
    return f"at least {duration(seconds)} (the clock of this computer was put back meanwhile)"

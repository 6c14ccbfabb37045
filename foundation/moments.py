"""Moments: the time of a record as a date, where a calendar has it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

_LAST_YEAR: Final = 9998
"""Until its end a moment can be shown in every zone."""


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

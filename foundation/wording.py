"""Words for numbers and lists: counts with their nouns, things in a row, sizes, durations.

And which word of a list a mistyped one meant.
"""

from __future__ import annotations

import math
from collections.abc import Iterable


def counted(number: int, noun: str) -> str:
    """A number with its noun: "0 keys", "1 key", "2 keys"."""
    return f"{number} {noun if number == 1 else noun + 's'}"


def how_many(number: int, noun: str) -> str:
    """A number with its noun where none is a finding: "no disks", "1 disk", "2 disks"."""
    return counted(number, noun) if number else f"no {noun}s"


def are(number: int) -> str:
    """The verb of so many things."""
    return "is" if number == 1 else "are"


def listed(things: Iterable[str], word: str = "and") -> str:
    """Things in a row: "a", "a and b", "a, b and c"."""
    row = list(things)
    if len(row) < 2:
        return "".join(row)
    return f"{', '.join(row[:-1])} {word} {row[-1]}"


def shortened(things: Iterable[str], limit: int = 4) -> str:
    """Things in a row, the first few of them: "a, b and 7 more"; never "and 1 more"."""
    row = list(things)
    if len(row) <= limit + 1:
        return listed(row)
    return listed([*row[:limit], f"{len(row) - limit} more"])


def human_size(size: int) -> str:
    """A number of bytes as a person reads it, in decimal units, as disks and networks are sold."""
    value = float(size)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000 or unit == "GB":
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    raise AssertionError("the loop ends at GB")


def duration(seconds: float) -> str:
    """Seconds as a person says them: 40 s, 12 min, 1 h 20 min."""
    if not math.isfinite(seconds):
        return "a time that cannot be told"
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def of_usual(seconds: float, usual: float) -> str:
    """How long something has taken, and how long it usually takes: "2 min of 3 min".

    Once it is over its usual time: "4 min, usually 3", the unit said once where both have it.
    """
    taken, expected = duration(seconds), duration(usual)
    if seconds <= usual or taken == expected:
        return f"{taken} of {expected}"
    number, _, unit = expected.partition(" ")
    return f"{taken}, usually {number if taken.partition(' ')[2] == unit else expected}"


def took(seconds: float, *, at_least: bool) -> str:
    """How long something took, where a clock that was put back may have hidden a part."""
    if not at_least:
        return duration(seconds)
    return f"at least {duration(seconds)} (the clock of this computer was put back meanwhile)"


def nearest(word: str, words: Iterable[str]) -> str | None:
    """The word of a list that a mistyped one most likely meant, or None."""
    import difflib  # only a slip needs it

    close = difflib.get_close_matches(word, list(words), n=1, cutoff=0.6)
    return close[0] if close else None

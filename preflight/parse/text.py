"""Plain values from a machine's text, which is read as hostile: bounded, and never an exception."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Final

from preflight.facts import Absent, Fact, Unknown

TEXT_LIMIT: Final = 200
"""Characters of one string that are kept; nothing that a machine tells in earnest is longer."""

ITEM_LIMIT: Final = 4096
"""Things of one kind that are kept: sockets, routes, interfaces…"""

_INVISIBLE: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff\ufff9-\ufffb]"
)
_CONTROLS: Final = bytes({*range(32), 127} - {9, 10})


def decoded(raw: bytes) -> str:
    """The text of raw output: UTF-8 as far as it is, control and invisible characters removed."""
    raw = raw.translate(None, _CONTROLS)
    if raw.isascii():
        return raw.decode("ascii")
    return _INVISIBLE.sub("", raw.decode("utf-8", "replace"))


def plain(value: str, limit: int = TEXT_LIMIT) -> str:
    """A string fit to be shown: blanks made one, ends trimmed, cut at `limit` characters."""
    value = value[: limit * 4]
    if "\t" in value or "\n" in value or "  " in value:
        value = " ".join(value.split())
    if not value.isprintable():
        value = "".join(character for character in value if character.isprintable())
    return value.strip()[:limit]


def whole(value: str | None) -> int | None:
    """A whole number, perhaps with a minus sign, of at most 20 digits; None for anything else."""
    if value is None:
        return None
    value = value.strip()
    digits = value[1:] if value.startswith("-") else value
    if not digits.isdigit() or not digits.isascii() or len(digits) > 20:
        return None
    return int(value)


def hexadecimal(value: str | None) -> int | None:
    """A number in hexadecimal, with or without 0x, of at most 16 digits; None otherwise."""
    if value is None:
        return None
    value = value.strip().removeprefix("0x")
    if not re.fullmatch("[0-9A-Fa-f]{1,16}", value):
        return None
    return int(value, 16)


def real(value: str | None) -> float | None:
    """A finite decimal number; None for anything else."""
    if value is None or len(value) > 40:
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def told(value: str | None, otherwise: Absent | Unknown) -> Fact[str]:
    """A string fact: the cleaned text, or what stands for it where it is missing or empty."""
    cleaned = plain(value) if value else ""
    return cleaned or otherwise


def assignments(text: str) -> dict[str, str]:
    """The NAME=value lines of a shell-like file, quotes removed, comments and the rest left out."""
    found: dict[str, str] = {}
    for row in text.split("\n"):
        line = row.strip()
        if not line or line.startswith("#"):
            continue
        name, equals, value = line.removeprefix("export ").partition("=")
        if not equals or len(name) > 100:
            continue
        value = value.strip()
        if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
            value = value[1:-1]
        found[name.strip()] = value
    return found


def kilobytes(text: str) -> dict[str, int]:
    """The "Name: 123 kB" lines of /proc/meminfo in bytes."""
    found: dict[str, int] = {}
    for line in text.split("\n"):
        name, colon, value = line.partition(":")
        number = whole(value.strip().removesuffix(" kB")) if colon else None
        if number is not None and number >= 0:
            found[name] = number * 1024
    return found


def span(text: str, limit: int = 65536) -> int | None:
    """How many numbers a list such as "0-3,8,10-11" names; None where it is no such list."""
    total = 0
    for part in text.strip().split(","):
        first, dash, last = part.partition("-")
        low = whole(first)
        high = whole(last) if dash else low
        if low is None or high is None or not 0 <= low <= high:
            return None
        total += high - low + 1
        if total > limit:
            return None
    return total


def unique(items: Iterable[str]) -> tuple[str, ...]:
    """The items without repetition, in the order in which they first came."""
    return tuple(dict.fromkeys(items))

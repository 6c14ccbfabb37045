"""Counting: a number with its noun and its verb, the one place where a plural is made."""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
    """A number with its noun: "0 keys", "1 key", "2 keys"."""
    return f"{number} {noun if number == 1 else noun + 's'}"


def are(number: int) -> str:
    """The verb of so many things."""
    return "is" if number == 1 else "are"

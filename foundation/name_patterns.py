"""Patterns of names as OpenSSH has them, in known_hosts and allowed_signers: `*`, `?` and `!`."""

from __future__ import annotations

from typing import Final

_LONGEST_PATTERN: Final = 1022
"""Characters of one pattern; OpenSSH matches nothing with a longer one."""


_SMALL: Final = str.maketrans({chr(n): chr(n + 32) for n in range(ord("A"), ord("Z") + 1)})


def lowered(name: str) -> str:
    """A name in lower case as OpenSSH makes it: the letters of ASCII alone.

    A sign that only Unicode takes for a capital (the Kelvin sign for a k) makes no other name.
    """
    return name.translate(_SMALL)


def _by_bytes(text: str) -> str:
    """A sign for each byte, which is what `?` stands for."""
    return text.encode("utf-8", "replace").decode("latin-1")


def matches_list(name: str, patterns: str) -> bool:
    """Whether a name matches a list of OpenSSH: one of it, and none that begins with `!`."""
    positive = False
    name = _by_bytes(name)
    for one in _by_bytes(patterns).split(","):
        pattern = one.removeprefix("!")
        if len(pattern) > _LONGEST_PATTERN:
            return False
        if _matches(name, pattern):
            if one.startswith("!"):
                return False
            positive = True
    return positive


def _matches(name: str, pattern: str) -> bool:
    """`*` and `?` alone, in no more than the product of both lengths, whatever the pattern."""
    at = place = 0
    star = mark = -1
    while at < len(name):
        if place < len(pattern) and pattern[place] == "*":
            star, mark, place = place, at, place + 1
        elif place < len(pattern) and pattern[place] in ("?", name[at]):
            at, place = at + 1, place + 1
        elif star >= 0:
            mark += 1
            at, place = mark, star + 1
        else:
            return False
    return not pattern[place:].strip("*")

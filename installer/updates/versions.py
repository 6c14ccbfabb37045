"""Tags of images as versions: what is one, and which of two is the newer one.

The order is SemVer's (semver.org, rule 11) with what images add to it: a `v` in front, two or four
numbers, and words behind. Where people read a tag in different ways (`1.2.3-4` is before 1.2.3 to
SemVer and after it to Debian), the tag is of a line of its own: only tags of one line are ever
compared, and within a line all readings agree. `packaging` reads Python's versions and refuses
most of these; it is an oracle in the tests.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

_HEAD: Final = re.compile(r"([vV]?)([0-9]+(?:\.[0-9]+){0,3})(?![0-9])(.*)", re.ASCII)
_SEGMENT: Final = re.compile(r"[-_+]")
_GLUED: Final = re.compile(r"([a-z]+)([0-9]+)", re.ASCII)
_NUMBERS: Final = re.compile(r"[0-9]+(?:\.[0-9]+)*", re.ASCII)
_REBUILT: Final = re.compile(r"(.*[a-z])\.?([0-9]{1,9})", re.ASCII)
_DIGITS: Final = 9
"""Of one number: what has more is a moment or a hash."""
_YEARS: Final = range(1970, 2100)
_MOST_ALONE: Final = 999
"""A number alone that is larger is a date, a build or a hash that has no letters."""
_STAMP: Final = 6
"""Digits from which on a number behind a version is a date or a build, not a revision."""

_LONGEST_STAMP: Final = 14

PRERELEASES: Final = frozenset(
    {
        *("alpha", "beta", "rc", "cr", "pre", "preview", "milestone", "ea", "next"),
        *("snapshot", "dev", "nightly", "canary", "edge", "unstable", "test", "experimental"),
    }
)
"""Words of what comes before a release (SemVer, Python, Maven, npm, Mojaloop's snapshots)."""
_SHORT: Final = frozenset("abm")
"""Letters that mean so with a number behind: 1.0b2, 3.0.0-M1."""
PATCHES: Final = frozenset(("patch", "hotfix", "post", "p", "sp"))
"""Words of what comes after a release, with its number: v11.0.0-patch.1 (Mojaloop's own word)."""
_REVISIONS: Final = frozenset(
    ("r", "rev", "revision", "build", "eksbuild", "k3s", "rke2r", "rancher")
)
"""Words before a revision of what was built from one version: 1.2.3-debian-11-r5, v1.31.1-k3s1."""

Identifier = tuple[int, int, str]
"""A part of a pre-release as it is compared: numbers before words, numbers by their size."""
Order = tuple[tuple[int, ...], bool, tuple[Identifier, ...], int, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Line:
    """What tags must share to be compared at all."""

    parts: int
    """1, 2 or 3: three and four numbers are one line, for 1.2.0 is 1.2.0.0."""
    years: bool
    """Whether it counts years, as 2024.10.1 does."""
    words: tuple[str, ...] = ()
    """What stands behind: alpine, debian-11."""


@dataclass(frozen=True, slots=True)
class Version:
    """A tag that is a version."""

    tag: str
    numbers: tuple[int, int, int, int]
    line: Line
    prerelease: tuple[Identifier, ...] = ()
    patch: str = ""
    """The word of PATCHES that it has; two words are two ways to count, and not compared."""
    patched: int = -1
    """The number behind that word."""
    rebuilt: tuple[int, ...] = ()

    @property
    def order(self) -> Order:
        """What sorts versions of one line; equal for two spellings of one version."""
        released = not self.prerelease
        return (self.numbers, released, self.prerelease, self.patched, self.rebuilt)

    @property
    def has_v(self) -> bool:
        """Whether it begins with a v."""
        return self.tag[:1] in ("v", "V")


@dataclass(frozen=True, slots=True)
class NoVersion:
    """A tag that is no version, and why: a sentence's end after its name."""

    tag: str
    why: str


def comparable(one: Version, other: Version) -> bool:
    """Whether one of the two can be called the newer one."""
    if one.line != other.line:
        return False
    return one.patch == other.patch or not (one.patch and other.patch)


def is_newer(one: Version, than: Version) -> bool:
    """Whether it is newer, in every reading; False for equal ones, and where none can tell."""
    return comparable(one, than) and one.order > than.order


@lru_cache(32_768)
def read_tag(tag: str) -> Version | NoVersion:
    """A tag as a version, or why it is none; remembered, for most images count in the same way."""
    found = _HEAD.fullmatch(tag) if tag.isascii() else None
    if found is None:
        return NoVersion(tag, "does not begin with a number")
    words = found[2].split(".")
    rest = found[3]
    if any(len(word) > _DIGITS for word in words):
        return NoVersion(tag, "has a number that is too long for a version")
    if rest[:1] == "." and rest[1:2].isdigit():
        return NoVersion(tag, "has more than four numbers")
    date = _date(words, rest)
    if date:
        return NoVersion(tag, date)
    numbers = tuple(int(word) for word in words)
    behind = _what_follows(rest)
    if behind is None:
        return NoVersion(tag, "has letters right behind its number")
    padded = (*numbers, 0, 0, 0)[:4]
    return Version(
        tag,
        (padded[0], padded[1], padded[2], padded[3]),
        Line(min(len(numbers), 3), numbers[0] in _YEARS, behind.words),
        behind.prerelease,
        behind.patch,
        behind.patched,
        behind.rebuilt,
    )


def _date(words: list[str], rest: str) -> str:
    """Why numbers are a date, or a build, and no version; empty where they may be one."""
    first = int(words[0])
    if len(words) == 1 and first > _MOST_ALONE:
        return "is a date or a build, not a version"
    if first > _YEARS.stop:
        return "begins with a date or a build, not with a version"
    # Whoever counts versions by years writes 2024.1.5; a padded month or day is a date.
    padded = any(len(word) > 1 and word[0] == "0" for word in words[1:])
    if first in _YEARS and (padded or rest[:1] in ("T", "t")):
        return "is a date, not a version"
    return ""


@dataclass(slots=True)
class _Behind:
    words: tuple[str, ...] = ()
    prerelease: tuple[Identifier, ...] = ()
    patch: str = ""
    patched: int = -1
    rebuilt: tuple[int, ...] = ()
    named: bool = False
    """Whether the last segment was a word: a number behind it is a part of it (debian-11)."""


def _what_follows(rest: str) -> _Behind | None:
    """What stands behind the numbers; None where it is nothing that stands behind a version."""
    found = _Behind()
    if not rest:
        return found
    glued = rest[0].isalpha()
    text = rest.lower() if glued else rest[1:].lower()
    open_prerelease = False
    for place, segment in enumerate(_SEGMENT.split(text)):
        words = segment.split(".")
        if not found.prerelease and (identifiers := _prerelease(words)):
            found.prerelease, open_prerelease = identifiers, len(identifiers) == 1
            continue
        if open_prerelease and segment.isdigit() and len(segment) < _STAMP:
            # `-rc-1`: the number belongs to the word before it.
            found.prerelease += ((0, int(segment), ""),)
            open_prerelease = False
            continue
        open_prerelease = False
        if glued and place == 0 and not (segment[0] in "pr" and segment[1:].isdigit()):
            return None
        _other(found, segment)
    return found


def _other(found: _Behind, segment: str) -> None:
    """A segment that is no pre-release: a patch, a revision, or a word of the line."""
    if _NUMBERS.fullmatch(segment) and len(segment) <= _LONGEST_STAMP:
        count = segment.count(".") + 1
        stamp = len(segment) >= _STAMP and count == 1
        if found.named and not stamp:
            found.words = (*found.words[:-1], f"{found.words[-1]}-{segment}")
        else:
            found.words += ("stamp" if stamp else ".".join("#" * count),)
            found.rebuilt += tuple(int(one) for one in segment.split("."))
        found.named = False
        return
    found.named = False
    numbered = _REBUILT.fullmatch(segment)
    if numbered is not None and numbered[1] in PATCHES and not found.patch:
        found.patch = numbered[1]
        found.patched = int(numbered[2])
    elif numbered is not None and numbered[1] in _REVISIONS:
        found.words += (f"{numbered[1]}#",)
        found.rebuilt += (int(numbered[2]),)
    else:
        found.words += (segment,)
        found.named = True


def _prerelease(words: list[str]) -> tuple[Identifier, ...]:
    first = words[0]
    glued = _GLUED.fullmatch(first)
    if glued is not None and len(glued[2]) <= _DIGITS:
        name = glued[1]
        known = name in PRERELEASES or name in _SHORT
        parts = [name, glued[2], *words[1:]]
    else:
        known = first in PRERELEASES or (first in _SHORT and len(words) > 1 and words[1].isdigit())
        parts = words
    if not known:
        return ()
    return tuple(
        (0, int(part), "") if part.isdigit() and part.isascii() else (1, 0, part) for part in parts
    )

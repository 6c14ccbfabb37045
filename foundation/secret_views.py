"""What a line says under its escapes, each character with the place that it came from.

A secret can be written in more ways than can be listed: a shell, a JSON document and a URL each
escape what they like, one character or all of them, once or in one another. So a text is also read
as its reader would read it (`views`), and what is found there is masked where it came from.
"""

from __future__ import annotations

import html
import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

from foundation.terminal import ESCAPES

ROUNDS: Final = 8
"""Escapes in one another that are undone: a configuration in JSON, in a JSON log, in a shell."""


@dataclass(frozen=True, slots=True)
class View:
    """A text as somebody reads it, and how it came from the one in which it was written."""

    text: str
    of: View | None = None
    cuts: tuple[tuple[int, int, int, int], ...] = ()
    """What reads otherwise: its begin and end here, and there; in the order of the text."""
    unread: bool = False
    """Whether this is one round more than is read: what the cuts say is not looked at."""

    def span(self, begin: int, end: int) -> tuple[int, int]:
        """Where the characters from `begin` to `end` were written in the first of the texts."""
        if self.of is None:
            return begin, end
        return self.of.span(self._there(begin, last=False), self._there(end - 1, last=True) + 1)

    def _there(self, at: int, *, last: bool) -> int:
        number = bisect_right(self.cuts, at, key=lambda cut: cut[0]) - 1
        if number < 0:
            return at
        _, end, there, there_end = self.cuts[number]
        if at < end:
            return there_end - 1 if last else there
        return there_end + at - end


_SIGNS: Final = ("\x1b", "\b", "\\", "%", "&", "''", '""', "'\"", "\"'", "=", "\n")
"""Without any of these, and without bytes apart, a text says just what it is."""

_ANY_SIGN: Final = re.compile("|".join(map(re.escape, _SIGNS)))

# One or several bytes that together are UTF-8, in one way of writing a byte.
_PERCENT: Final = re.compile(r"(?:%[0-9A-Fa-f]{2})+|\+")
_PRINTABLE: Final = re.compile(r"(?:=[0-9A-F]{2})+|=\r?\n")
_ENTITY: Final = re.compile(r"&(?:#0*[0-9]{1,7}|#[xX]0*[0-9A-Fa-f]{1,6}|[A-Za-z]{2,8});")
# Characters that an escape leaves as they are come in runs, of which thousands cost as much as one.
_BACKSLASH: Final = re.compile(
    r"(?:\\[\\\"'/])+"
    r"|(?:\\x[0-9A-Fa-f]{2})+|(?:\\[0-3][0-7]{2})+"
    r"|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    r"|\\u(?:[0-9A-Fa-f]{4}|\{[0-9A-Fa-f]{1,6}\})|\\U[0-9A-Fa-f]{8}"
    r"|\\\r?\n|\\[^\n]"
)
_QUOTES: Final = re.compile(r"(?:'\\'')+|'\\+''|'\"'\"'|'\"|\"'")
_DOUBLED: Final = re.compile("(?:''|\"\")+")
_DOUBLED_SINGLE: Final = re.compile("(?:'')+")
_DOUBLED_DOUBLE: Final = re.compile('(?:"")+')
_BROKEN: Final = re.compile(
    r"(?<=[A-Za-z0-9+/_=-])(?:\\{1,4}r)?(?:\\{1,4}n|\r?\n)[ \t>|]*(?=[A-Za-z0-9+/_-])"
)
"""A line's end in what may be one word: base64 of many lines, also in a text in JSON."""
_PAIRS: Final = re.compile(
    r"\b(?:0x)?[0-9A-Fa-f]{2}(?:[ :,_-]{1,2}(?:0x)?[0-9A-Fa-f]{2}){5,}"
    r"|\b[0-9A-Fa-f]{4}(?: [0-9A-Fa-f]{4})+(?: [0-9A-Fa-f]{2})?"
)
_BETWEEN_PAIRS: Final = re.compile(r"[ :,_-]{1,2}(?:0x)?|^0x")
_STRUCK: Final = re.compile(f"{ESCAPES.pattern}|[^\\n]\b")
"""Colours, and what a typewriter strikes twice: a terminal shows the word without them."""
_NAMED: Final = {
    "n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "v": "\v", "a": "\a", "e": "\x1b",
    "0": "\0",
}  # fmt: skip


@lru_cache(8)
def _has_pairs(text: str) -> bool:
    """Asked several times of the same text, and dear."""
    return _PAIRS.search(text) is not None


def views(text: str) -> Iterator[View]:
    """The text as readers of escapes read it: each kind alone, then all of them, by rounds.

    The text as it stands is none of them. Nothing comes for a text without any escape.
    """
    if not _ANY_SIGN.search(text) and not _has_pairs(text):
        return
    plain = View(text)
    seen = {text}
    alone: dict[Callable[[View], View], View] = {}
    for kind in _KINDS:
        view = plain
        for _ in range(ROUNDS):
            view = kind(view)
            alone.setdefault(kind, view)
            if view.text in seen:
                break
            seen.add(view.text)
            yield view
    if "+" not in text:
        alone[_percent_alone] = alone[_percent]
    passed: set[str] = set()
    firsts = (alone[kind] for sign, kind in _FIRST if sign in text)
    for first in (plain, *(one for one in firsts if any(sign in one.text for sign in _INNER))):
        view = first
        for _ in range(ROUNDS):
            if view.text in passed:
                break
            passed.add(view.text)
            for kind in _ALL:
                view = alone[kind] if view is plain and kind in alone else kind(view)
                if view.text not in seen:
                    seen.add(view.text)
                    yield view
        else:
            for kind in _ALL:
                if (further := kind(view)).text != view.text:
                    yield replace(further, unread=True)


def _substituted(
    view: View,
    sign: str,
    pattern: re.Pattern[str],
    meaning: Callable[[re.Match[str]], str | None],
) -> View:
    """A view with each place of the pattern as what it means; None leaves it as it is.

    Without the sign there is no such place, which is quicker to see.
    """
    if sign not in view.text:
        return view
    pieces: list[str] = []
    cuts: list[tuple[int, int, int, int]] = []
    upto = long = 0
    # A line has thousands of them and few that differ: each is asked about once, and no function
    # is called for the others.
    known: dict[str, tuple[str | None, int]] = {}
    for found in pattern.finditer(view.text):
        word = found[0]
        if word not in known:
            known[word] = (said := meaning(found), len(said or ""))
        means, size = known[word]
        if means is None:
            continue
        at, end = found.regs[0]
        begin = long + at - upto
        long = begin + size
        cuts += ((begin, long, at, end),)
        pieces += (view.text[upto:at], means)
        upto = end
    if not cuts:
        return view
    pieces.append(view.text[upto:])
    return View("".join(pieces), view, tuple(cuts))


def _utf8(digits: str) -> str:
    """Bytes of UTF-8; what is none are numbers of characters, as YAML and Python write them."""
    raw = bytes.fromhex(digits)
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _of_percent(found: re.Match[str]) -> str:
    return " " if found[0] == "+" else _utf8(found[0].replace("%", ""))


def _of_printable(found: re.Match[str]) -> str:
    return "" if found[0].endswith("\n") else _utf8(found[0].replace("=", ""))


def _of_entity(found: re.Match[str]) -> str | None:
    means = html.unescape(found[0])
    return None if means == found[0] else means


def _of_backslash(found: re.Match[str]) -> str:
    text = found[0]
    if text[1] in "\\\"'/":
        return text[1::2]
    bare = text.lstrip("\\")
    if text.endswith("\n"):
        return ""  # the line goes on
    if len(text) == 2:
        return _NAMED.get(bare, bare)
    if bare.startswith("x"):
        return _utf8(text.replace("\\x", ""))
    if bare[0] in "uU" and len(bare) > 1:
        codes = [int(one, 16) for one in re.findall(r"\\[uU]\{?([0-9A-Fa-f]+)", text)]
        if len(codes) == 2:
            return chr(0x10000 + ((codes[0] & 0x3FF) << 10) + (codes[1] & 0x3FF))
        return chr(codes[0]) if codes[0] < 0x110000 else "\ufffd"
    if bare[:1].isdigit():
        codes = [int(one, 8) for one in re.findall(r"\\([0-3][0-7]{2})", text)]
        return bytes(codes).decode("utf-8", "replace")
    return ""


def _of_quotes(found: re.Match[str]) -> str:
    if found[0] in ("'\"", "\"'"):
        return ""
    return "'" * max(1, len(found[0]) // len("'\\''") if found[0].startswith("'\\'") else 1)


def _nothing(_: re.Match[str]) -> str:
    return ""


def _percent(view: View) -> View:
    if "%" not in view.text and "+" not in view.text:
        return view
    return _substituted(view, "", _PERCENT, _of_percent)


def _percent_alone(view: View) -> View:
    return _substituted(view, "%", _PERCENT, lambda f: None if f[0] == "+" else _of_percent(f))


def _printable(view: View) -> View:
    return _substituted(view, "=", _PRINTABLE, _of_printable)


def _entities(view: View) -> View:
    return _substituted(view, "&", _ENTITY, _of_entity)


def _backslashes(view: View) -> View:
    return _substituted(view, "\\", _BACKSLASH, _of_backslash)


def _quotes(view: View) -> View:
    return _substituted(view, "'", _QUOTES, _of_quotes)


def _doubled(view: View) -> View:
    if "''" not in view.text and '""' not in view.text:
        return view
    return _substituted(view, "", _DOUBLED, lambda f: f[0][::2])


def _both_doubled(view: View) -> bool:
    """Whether it matters which quotes are meant: with one sort alone `_doubled` says the same."""
    return "''" in view.text and '""' in view.text


def _doubled_single(view: View) -> View:
    """As YAML and SQL write it, which leave two of the other quotes as they are."""
    if not _both_doubled(view):
        return view
    return _substituted(view, "''", _DOUBLED_SINGLE, lambda f: f[0][::2])


def _doubled_double(view: View) -> View:
    """As CSV writes it."""
    if not _both_doubled(view):
        return view
    return _substituted(view, '""', _DOUBLED_DOUBLE, lambda f: f[0][::2])


def _struck(view: View) -> View:
    if "\x1b" not in view.text and "\b" not in view.text:
        return view
    return _substituted(view, "", _STRUCK, _nothing)


def _joined(view: View) -> View:
    broken = "\n" if "\n" in view.text else "\\n"
    return _substituted(view, broken, _BROKEN, _nothing)


def _pairs(view: View) -> View:
    """Bytes in hexadecimal with something between them, as one word of small letters."""
    if not _has_pairs(view.text):
        return view
    return _substituted(view, "", _PAIRS, lambda f: _BETWEEN_PAIRS.sub("", f[0]).lower())


_KINDS: Final = (
    _struck,
    _joined,
    _pairs,
    _percent,
    _printable,
    _entities,
    _backslashes,
    _quotes,
    _doubled,
    _doubled_single,
    _doubled_double,
)
_ALL: Final = (_struck, _quotes, _doubled, _percent_alone, _entities, _backslashes, _joined, _pairs)
_FIRST: Final = (("%", _percent), ("=", _printable), ("\\%", _backslashes))
"""What is undone before all the others as well: with the sign by which that says something else."""
_INNER: Final = ("\\", "%", "&", "'", "\n", "0x")
"""Without any of these nothing stands beneath what was undone first."""

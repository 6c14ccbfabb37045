"""Secrets: the only type that may hold one, and the one redactor.

A secret enters through a prompt, a private file, the environment or an agent, leaves through
`reveal` into the standard input of a machine, and shows as stars everywhere else. Every secret
that is made is known to the redactor, so that text on its way to a log, an event, a report or a
screen can be searched for it.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterator, Set
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Final, NoReturn

from foundation.hidden_words import SHORTEST as SHORTEST_HIDDEN
from foundation.hidden_words import Budget, Opener, Said, needles
from foundation.problems import InputProblem
from foundation.secret_forms import SHORTEST, base64_forms, forms
from foundation.secret_views import View, views
from foundation.terminal import clean_line

MASK: Final = "******"
_LARGEST: Final = 1 << 20
"""Characters of a secret that is a whole file; a chain of certificates has some thousands."""

_known: dict[str, None] = {}
"""Every form of every secret of this process, the longest first."""
_encoded: dict[str, None] = {}
"""What base64 makes of each of them, which is broken into lines of its own width."""
_hidden: dict[str, tuple[bytes, ...]] = {}
"""Every line of every secret that is looked for in words that hide what they say; of one that is
not of ASCII, by what it is seen there."""
_values: set[str] = set()

_marks: dict[tuple[bytes, int], set[str]] = {}
"""Marks of secrets whose value this process does not have, by key and length in characters."""

_given: dict[str, Secret] = {}
"""What the environment held, by name."""
_IN_ENVIRONMENT: Final = re.compile(r"SITEWRIGHT_(?:SECRET_\w+|(?:\w+_)?(?:PASSWORD|PASSPHRASE))")


def _know(value: str) -> None:
    if value not in _values:
        _values.add(value)
        _encoded.update(dict.fromkeys(base64_forms(value)))
        # As the gate lets it through: a tab is as many blanks as its place asks for.
        wide = (value.replace("\t", " " * blanks) for blanks in range(1, 9 if "\t" in value else 2))
        shown = "\n".join(clean_line(line) for one in wide for line in one.splitlines())
        for line in map(str.strip, value.splitlines()):
            if len(line) >= SHORTEST_HIDDEN:
                plain = line.isascii() and line.isprintable()
                _hidden[line] = () if plain else tuple(needles(line))
        found = sorted({*_known, *forms(value), *forms(shown)}, key=len, reverse=True)
        _known.clear()
        _known.update(dict.fromkeys(found))


class Secret:
    """A value that must never be seen: it has no text form but stars, and cannot be pickled."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value
        _know(value)

    def reveal(self) -> str:
        """The value itself, for the one call that hands it to its consumer."""
        return self._value

    def __repr__(self) -> str:
        return f"Secret({MASK})"

    def __str__(self) -> str:
        return MASK

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(("Secret", self._value))

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret cannot be pickled or copied to another process")

    def __format__(self, spec: str) -> str:
        return format(MASK, spec)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> NoReturn:
        # A site file, a fact or an event that wanted a secret would be a design error.
        raise TypeError("a secret has no place in a model that is written to a file")


def know_marks(key: bytes, marks: Set[tuple[int, str]]) -> None:
    """Let texts be searched for secrets of which only length and keyed BLAKE2 are known."""
    for length, mark in marks:
        _marks.setdefault((key, length), set()).add(mark)


_EVERYWHERE: Final = 1024
"""Places of a line, times lengths, up to which each is asked for a mark; a usual line has fewer."""
_MOST_ASKED: Final = 20_000
"""Places of one line that are asked at all, so that no line holds up the rest."""
_EDGE: Final = re.compile(r"(?<![^\W_])|(?![^\W_])|(?<=[-\\][A-Za-z])")
"""Where a word begins or ends, also behind an option's letter (mysql -pWORD) and an escape."""


class _Asked:
    """One line that is asked for marks, as it stands and as its readers read it, bounded."""

    def __init__(self, line: str, *, patience: int) -> None:
        self.hits: list[tuple[int, int]] = []
        self.unread = False
        self._left = _MOST_ASKED * patience
        self._found = False
        budget = Budget(len(line), patience=patience)
        opener = Opener(self._hidden_in, budget, wide=True, short=True)
        for view in (View(line), *views(line)):
            if view.unread:
                self.hits += _beyond(view, line)
                self.unread = True
                continue
            self.hits += [view.span(*hit) for hit in self._in(view.text, SHORTEST)]
            self.hits += [view.span(*word) for word in opener.words(view.text)]
        self.unread |= opener.unread

    @property
    def secret(self) -> bool:
        """Whether a mark was found, and not only what nobody looked at."""
        return self._found

    def _hidden_in(self, said: Said) -> bool:
        shortest = SHORTEST if said.depth == 1 else SHORTEST_HIDDEN
        return bool(self._in(said.text, shortest))

    def _in(self, text: str, shortest: int) -> list[tuple[int, int]]:
        if len(text) * len(_marks) <= _EVERYWHERE:
            places: list[int] = list(range(len(text) + 1))
        else:
            places = [found.start() for found in _EDGE.finditer(text)]
        ends = set(places)
        hits: list[tuple[int, int]] = []
        for at in places:
            for (key, length), marks in _marks.items():
                if at + length not in ends or length < shortest:
                    continue
                raw = text[at : at + length].encode("utf-8", "surrogatepass")
                if hashlib.blake2b(raw, key=key, digest_size=16).hexdigest() in marks:
                    hits.append((at, at + length))
                    self._found = True
                self._left -= 1
            if self._left <= 0 and at < len(text):
                # Nobody looks at what comes now, so nobody is to see it.
                self.unread = True
                return [*hits, (at, len(text))]
        return hits


def _beyond(view: View, text: str) -> Iterator[tuple[int, int]]:
    """The words of which nobody knows what they say: their escapes go on behind the last round."""
    last = 0
    for begin, end, *_ in view.cuts:
        first, behind = view.span(begin, max(end, begin + 1))
        if behind <= last:
            continue  # in the same word
        while first > last and not text[first - 1].isspace():
            first -= 1
        last = behind
        while last < len(text) and not text[last].isspace():
            last += 1
        yield first, last


def _masked(text: str, hits: list[tuple[int, int]]) -> str:
    pieces: list[str] = []
    upto = 0
    for begin, end in sorted(hits):
        if begin >= upto:
            pieces += [text[upto:begin], MASK]
        upto = max(upto, end)
    return "".join((*pieces, text[upto:])) if hits else text


@dataclass(frozen=True, slots=True)
class Searched:
    """A text that was searched for every secret that this process knows."""

    text: str
    """With stars for each, and for what could not be searched."""
    secret: bool
    """Whether one stands in it."""
    unread: bool
    """Whether more stands in it than is searched, so that nobody knows."""


def redact(text: str) -> str:
    """The text with every secret known to this process masked, in every form, longest first.

    What is more than is searched of one text is masked too; the same text where there is nothing.
    """
    return searched(text).text


def cut(text: str | bytes, most: int, *, last: bool = False) -> str:
    """Text from outside as one line of at most so many signs, the `last` ones where that is said.

    Its secrets are masked before; an ellipsis says where something was cut away, since nobody
    should agree to the half of a sentence for the whole.
    """
    line = redact(clean_line(text)).strip()
    if len(line) <= most:
        return line
    return f"… {line[2 - most :].lstrip()}" if last else f"{line[: most - 2].rstrip()} …"


def searched(text: str, *, patience: int = 1) -> Searched:
    """A text, its secrets masked and what is to be said of it; `patience` times as much is read."""
    secret = unread = False
    for value in _known:
        if value in text:
            text = text.replace(value, MASK)
            secret = True
    if _known:
        budget = Budget(len(text), patience=patience)
        opener = Opener(_is_known, budget, needles=tuple(chain(*_hidden.values())))
        hits = list(_cut_off(text))
        words = list(opener.words(text))
        for view in views(text):
            if view.unread:
                words += _beyond(view, text)
                unread = True
                continue
            hits += [
                view.span(at, at + len(value))
                for value in _known
                if value in view.text
                for at in _places(value, view.text)
            ]
            hits += [view.span(*place) for place in opener.torn(view.text, text)]
            words += [view.span(*word) for word in opener.words(view.text)]
        secret |= opener.found or bool(hits)
        unread |= opener.unread
        text = _masked(text, hits + words)
    if not _marks:
        return Searched(text, secret, unread)
    lines = text.split("\n")  # no mark is of more than a line
    asked = [_Asked(line, patience=patience) for line in lines]
    masked = [_masked(line, one.hits) for line, one in zip(lines, asked, strict=True)]
    return Searched(
        text if masked == lines else "\n".join(masked),
        secret or any(one.secret for one in asked),
        unread or any(one.unread for one in asked),
    )


def _is_known(said: Said) -> bool:
    if any(line in said.text for line in _hidden):
        return True
    return (said.begun or said.goes_on) and any(said.has_part_of(line) for line in _hidden)


_LEFT_OUT: Final = re.compile(r" … \[\d+ bytes more\]$")
_BESIDE: Final = " \t\r\n\"'=|>"
_NARROWEST: Final = 40
"""Characters of a line of base64 that goes on in the next one."""
_SHORTEST_PART: Final = 6
"""Characters of a part of an encoded secret that are masked where a line ends in the middle."""


def _cut_off(text: str) -> Iterator[tuple[int, int]]:
    """Where a secret begins that the end of a line cuts off, or ends that the line before began."""
    if left_out := _LEFT_OUT.search(text):
        kept = text[: left_out.start()]
        for value in _known:
            if length := _begun_at_the_end(kept, value, SHORTEST):
                yield len(kept) - length, len(kept)
    words = text.rsplit(None, 1)
    word = words[-1].strip(_BESIDE) if words else ""
    if len(word) < (_SHORTEST_PART if len(words) == 1 else _NARROWEST):
        return
    begin = text.rindex(word)
    end = begin + len(word)
    head, tail = word[:_SHORTEST_PART], word[-_SHORTEST_PART:]
    for value in _encoded:
        ends = tail in value and len(word) >= _NARROWEST
        if ends and (length := _begun_at_the_end(word, value, _SHORTEST_PART)):
            yield end - length, end
        begins = head in value and len(words) == 1
        if begins and (length := _ended_at_the_begin(word, value, _SHORTEST_PART)):
            yield begin, begin + length


def _begun_at_the_end(text: str, value: str, shortest: int) -> int:
    """How much of a value's begin, and not the whole, the end of a text is; 0 where too little.

    Only where the text's last characters stand in the value is there something to compare: this is
    asked of each line for each form, and a secret may be a file of thousands of characters.
    """
    upto = min(len(value) - 1, len(text))
    if upto < shortest:
        return 0
    while (at := value.rfind(text[-shortest:], 0, upto)) >= 0:
        length = at + shortest
        if text.endswith(value[:length]):
            return length
        upto = length - 1
    return 0


def _ended_at_the_begin(text: str, value: str, shortest: int) -> int:
    """How much of a value's end, and not the whole, the begin of a text is; 0 where too little."""
    if min(len(value) - 1, len(text)) < shortest:
        return 0
    at = max(1, len(value) - len(text))
    while (at := value.find(text[:shortest], at)) >= 0:
        if text.startswith(value[at:]):
            return len(value) - at
        at += 1
    return 0


def _places(value: str, text: str) -> Iterator[int]:
    at = text.find(value)
    while at >= 0:
        yield at
        at = text.find(value, at + len(value))


def secret_from_file(path: Path, *, whole: bool = False) -> Secret:
    """The first line of a private file, or (a key) the whole; raises InputProblem if others may
    read the file."""
    try:
        with path.open(encoding="utf-8") as file:
            mode = os.fstat(file.fileno()).st_mode
            if mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise InputProblem(
                    "the file holds a secret and others on this machine may read it",
                    where=str(path),
                    remedy=f"Run: chmod 600 {path}",
                )
            text = file.read(_LARGEST + 1) if whole else file.readline(_LARGEST + 1)
            if len(text) > _LARGEST:
                raise InputProblem(
                    f"it holds more than {_LARGEST} characters, as no secret does",
                    where=str(path),
                    remedy="Name a text file with the secret in its first line.",
                )
            return Secret(text if whole else text.rstrip("\r\n"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputProblem(
            f"the file that should hold a secret cannot be read: {error}",
            where=str(path),
            remedy="Name a readable text file with the secret in its first line.",
        ) from error


@contextmanager
def taken_from_environment() -> Iterator[None]:
    """Take every secret out of the environment for the life of a command.

    Nothing that is started meanwhile inherits one: neither a program of ours, nor a ProxyCommand,
    nor the shell of a durable job.
    """
    _given.clear()
    for name in [name for name in os.environ if _IN_ENVIRONMENT.fullmatch(name)]:
        value = os.environ.pop(name)
        if value:
            _given[name] = Secret(value)
    try:
        yield
    finally:
        _given.clear()


def environment_given() -> dict[str, str]:
    """The environment as this process was given it, secrets too: for another version of ourselves.

    For that alone: whatever else is started inherits none of them.
    """
    return {**os.environ, **{name: value.reveal() for name, value in _given.items()}}


def secret_from_environment(name: str) -> Secret | None:
    """The secret that an environment variable holds or held, or None where it is not set."""
    value = os.environ.get(name)
    return Secret(value) if value else _given.get(name)

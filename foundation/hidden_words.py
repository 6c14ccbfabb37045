"""What the words of a text say under their encodings: base64, base32, hexadecimal, compressed.

A log prints a configuration that holds a manifest that holds a secret, each encoded in the other.
So every word that may be encoded is opened, what comes out is read as text, and its words are
opened again, down to `DEPTH`. Nobody lists what may stand in what: what becomes no text is passed
by, and what is deeper, larger or more than is read (`Budget`) is told as unread, never as clean.
"""

from __future__ import annotations

import binascii
import itertools
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from foundation.secret_views import View, views

DEPTH: Final = 4
"""Encodings in one another that are undone; escapes of JSON, URLs and the like do not count."""
MOST_INFLATED: Final = 1 << 20
"""Bytes of one compressed word that are read."""
SHORTEST: Final = 8
"""Characters of a secret that is looked for in here; shorter ones come about by chance."""
_FOR_EACH: Final = 64
"""Characters that are read for each of a text: three offsets too many, and once more a layer."""
_AT_LEAST: Final = 4 * MOST_INFLATED
_LONGEST_WORD: Final = 1 << 20
_DEEP: Final = 3
"""Encodings of a word of lines by which a line holds too few characters of it to be judged."""
_WIDE: Final = 40
"""Characters of a word at a line's edge that may go on in the line beside it."""
_TORN: Final = 12
"""Characters at a cut that are a part of an escape or of a byte, and say nothing."""
_BITE: Final = 64
_DEAR: Final = ("\\", "%", "&", "'", "\b", "\x1b")
_ANY_DEAR: Final = re.compile(r"[\\%&'\x08\x1b]")
_FOR_A_TEXT: Final = 1024
"""Characters of a budget for each text that stands in what was decoded, however short it is."""
_FOR_A_SIGN: Final = 64
"""Characters of a budget for each sign by which an escape begins: each is undone by itself."""
_MOST_MEMORY: Final = 64 << 20
_LONGEST_GUESS: Final = 4096
"""Bytes that are tried as UTF-16 of another script, of which there is no other sign."""
_REMEMBERED: Final = 16_384
_LONGEST_REMEMBERED: Final = 200


@dataclass(frozen=True, slots=True)
class Said:
    """What a word says under its encodings."""

    text: str
    depth: int
    """How many of them were undone."""
    begun: bool = False
    """Its begin may stand in the line before."""
    goes_on: bool = False
    """Its end may stand in the line after."""

    def has_part_of(self, value: str) -> bool:
        """Whether the cut at an edge leaves a part of a value here: its begin, end or middle.

        The deeper it lies the less it takes, since nothing lies deep by chance.
        """
        text, least = self.text, max(2, 5 - self.depth)
        if self.goes_on and _begun(text, value, least):
            return True
        if self.begun and _ended(text, value, least):
            return True
        middle = max(least, len(text) - 2 * _TORN)  # what is between the cuts
        if not (self.begun and self.goes_on) or middle > len(value):
            return False
        places = range(min(2 * _TORN, len(text) - middle) + 1)
        return any(text[at : at + middle] in value for at in places)


def _alike(one: str, other: str) -> int:
    """How many characters two texts have in common in their begin."""
    differ = (at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b)
    return next(differ, min(len(one), len(other)))


def _begun(text: str, value: str, least: int) -> bool:
    """Whether a value begins so near to the end of a text that nothing else stands behind it."""
    piece = value[:least]
    at = text.find(piece, max(0, len(text) - len(value) - _TORN))
    while at >= 0:
        if at + _alike(text[at:], value) >= len(text) - _TORN:
            return True
        at = text.find(piece, at + 1)
    return False


def _ended(text: str, value: str, least: int) -> bool:
    """Whether a value ends so near to the begin of a text that nothing else stands before it."""
    piece = value[-least:]
    upto = len(value) + _TORN
    at = text.rfind(piece, 0, upto)
    while at >= 0:
        end = at + least
        if end - _alike(text[:end][::-1], value[::-1]) <= _TORN:
            return True
        at = text.rfind(piece, 0, end - 1)
    return False


Judge = Callable[[Said], bool]


class Unread(Exception):
    """More is hidden here than is read."""


class Budget:
    """What may be read of one text."""

    def __init__(self, length: int, *, patience: int = 1) -> None:
        self._left = patience * (_FOR_EACH * length + _AT_LEAST)

    def spend(self, characters: int) -> None:
        """Raises Unread where there is no more."""
        self._left -= characters
        if self._left < 0:
            raise Unread


_BESIDE: Final = " \t\r\"',;|>"
_EDGES: Final = re.compile(rf"^[{_BESIDE}]*((?:[^\n]*[^\n{_BESIDE}])?)", re.MULTILINE)
"""A line without what stands beside its first word and its last."""
_LEFT_OUT: Final = re.compile(r" … \[\d+ bytes more\]$")
_WORD_SIGNS: Final = 11
"""Of base64 for as many characters as the shortest secret has that is looked for."""
_WORD: Final = re.compile(rf"[A-Za-z0-9+/_-]{{{_WORD_SIGNS},}}={{0,6}}")
_SHORT_WORD: Final = re.compile(r"[A-Za-z0-9+/_-]{4,}={0,6}")
_HEX: Final = re.compile(r"[0-9A-Fa-f]{16,}")
_ALL_HEX: Final = re.compile(r"[0-9a-f]+|[0-9A-F]+")
_DIGEST: Final = 24
_PART_HEX: Final = re.compile(r"([0-9A-Fa-f]{4,})")
_BASE32: Final = re.compile(r"[A-Z2-7]{13,}|[a-z2-7]{13,}")
_PART_BASE32: Final = re.compile(r"([A-Z2-7]{7,}|[a-z2-7]{7,})=*")
_TEXT: Final = re.compile(rb"[\t\n\r\x20-\x7e]{8,}")
_SIGN: Final = rb"[\x00\t\n\r\x20-\x7e]"
"""A byte that may be of text in ASCII, also as UTF-16."""
_SIGNS: Final = re.sub(_SIGN, b"a", bytes(range(256)))
"""Of each byte whether it is one."""
_UTF8: Final = re.compile(
    rb"(?:[\t\n\x20-\x7e]|[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}"
    rb"|[\xf0-\xf4][\x80-\xbf]{3}){8}"
)
_NO_TEXT: Final = re.compile("[\udc80-\udcff]+")
"""Bytes that are no text; no secret goes over them."""
_NEEDLE: Final = 6
_STRETCHES: Final = {least: re.compile(_SIGN + rb"{%d,}" % least) for least in (2, 4, 8)}
_UPPER32: Final = re.sub(rb"[A-Z2-7]", b"a", bytes(range(256)).replace(b"a", b"\0"))
_LOWER32: Final = re.sub(rb"[a-z2-7]", b"a", bytes(range(256)))
_THIRTEEN: Final = b"a" * 13
_HEADS: Final = (b"\x1f\x8b\x08", b"x\x01", b"x^", b"x\x9c", b"x\xda", b"BZh", b"\xfd7zXZ")
_HEAD: Final = re.compile(b"|".join(map(re.escape, _HEADS)))
_PACKED: Final = re.compile(
    rb"\x1f\x8b\x08[\x00-\x1f]|\x78[\x01\x5e\x9c\xda]|BZh[1-9]1AY&SY|\xfd7zXZ\0"
)
_DIGITS32: Final = str.maketrans(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz234567",
    "0123456789abcdefghijklmnop0123456789abcdefghijklmnopqrstuv",
)


def _runs(pattern: re.Pattern[str], part: re.Pattern[str], word: str) -> list[str]:
    """The runs in a word that are long enough for a secret; a short word that is one may be cut."""
    whole = len(word) < 2 * SHORTEST and part.fullmatch(word)
    if whole:
        return [whole[1]]
    # An expression asks at every place anew; of most words this says at once that there is none.
    if pattern is _BASE32:
        raw = word.encode("ascii")
        if _THIRTEEN not in raw.translate(_UPPER32) and _THIRTEEN not in raw.translate(_LOWER32):
            return []
    return pattern.findall(word)


def decoded(word: str) -> list[bytes]:
    """What a word is the encoding of, wherever that begins in it; most of it is rubbish."""
    plain = word.rstrip("=").replace("-", "+").replace("_", "/")
    raws = []
    # A digest is no base64: of so many signs not one would be by chance beyond f.
    offsets = 0 if len(word) >= _DIGEST and _ALL_HEX.fullmatch(word) else 4
    for skip in range(min(offsets, len(plain) - 1)):
        over = (len(plain) - skip) % 4
        part = plain[skip:-1] if over == 1 else plain[skip:] + "=="[: -over % 4]
        raws.append(binascii.a2b_base64(part))
    for found in dict.fromkeys(_runs(_HEX, _PART_HEX, word)):
        for skip in (0, 1):
            digits = found[skip:]
            raws.append(bytes.fromhex(digits[: len(digits) & ~1]))
    for found in dict.fromkeys(_runs(_BASE32, _PART_BASE32, word)):
        digits = found.translate(_DIGITS32)
        for skip in range(min(8, len(digits))):
            bits = 5 * (len(digits) - skip)
            raws.append((int(digits[skip:], 32) >> bits % 8).to_bytes(bits // 8, "big"))
    return raws


_just_decoded = lru_cache(4)(decoded)


def _decoded(word: str) -> list[bytes]:
    """The same, once for whoever asks next what it is."""
    return _just_decoded(word) if len(word) <= _LONGEST_REMEMBERED else decoded(word)


def needles(value: str) -> Iterator[bytes]:
    """By what a value that is not of ASCII alone is seen in what was decoded: its begin and end."""
    for order in ("utf-8", "utf-16-le", "utf-16-be"):
        raw = value.encode(order, "surrogatepass")
        yield from (raw[:_NEEDLE], raw[-_NEEDLE:])


def _says_nothing(word: str, least: int, cut: bool, wide: bool, needles: tuple[bytes, ...]) -> bool:
    raws = _decoded(word)
    whole = b"\xff".join(raws)
    if b"a" * least in whole.translate(_SIGNS) or _HEAD.search(whole):
        return False
    for needle in needles:
        if needle in whole:
            return False
    if wide and (_UTF8.search(whole) or any(_guesses(raws[0] if raws else b""))):
        return False
    return not (cut and any(len(raw) <= _TORN for raw in raws))


def _guesses(raw: bytes) -> Iterator[str]:
    """What it says as UTF-16 where all of that may be meant so, which has no other sign."""
    for text in _utf16(raw) if SHORTEST <= len(raw) <= _LONGEST_GUESS else ():
        if text.lstrip("\ufeff").replace("\n", "").isprintable():
            yield text


def _utf16(raw: bytes) -> Iterator[str]:
    for order in ("utf-16-le", "utf-16-be"):
        yield raw[: len(raw) & ~1].decode(order, "surrogatepass")


_remembered = lru_cache(_REMEMBERED)(_says_nothing)
"""A log says the same words again and again."""


def _unpacked(raw: bytes, magic: bytes) -> tuple[bytes, bool]:
    """What a compressed word holds, as far as it can be read, and whether it came to its end.

    One character more than `MOST_INFLATED` where there is more; the sums at the end are not
    checked, since who reads a broken one reads it too.
    """
    unpacker: Any
    if magic[:1] == b"\x1f":  # gzip
        unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
        raw = raw[_gzip_head(raw) :]
    elif magic[:1] == b"\x78":
        unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
        raw = raw[2:]
    elif magic[:1] == b"B":
        import bz2

        unpacker = bz2.BZ2Decompressor()
    else:
        import lzma

        unpacker = lzma.LZMADecompressor(memlimit=_MOST_MEMORY)
    out = bytearray()
    try:
        # Bit by bit, since what an error ends is lost with it.
        for at in range(0, len(raw), _BITE):
            out += unpacker.decompress(raw[at : at + _BITE], MOST_INFLATED + 1 - len(out))
            if unpacker.eof or len(out) > MOST_INFLATED:
                break
    except Exception:  # each unpacker has its own
        return bytes(out), True  # what comes after is not of it
    return bytes(out), unpacker.eof


def _gzip_head(raw: bytes) -> int:
    """Bytes before what is compressed: ten, and what the flags say."""
    flags = raw[3] if len(raw) > 3 else 0
    at = 10
    if flags & 4:
        at += 2 + int.from_bytes(raw[at : at + 2], "little")
    for flag in (8, 16):
        if flags & flag:
            at = raw.find(b"\0", at) + 1 or len(raw)
    return at + (2 if flags & 2 else 0)


class _Edges:
    """Where the lines of a text begin and end, so that a word there may be a part of a longer."""

    def __init__(self, text: str) -> None:
        self._first: dict[int, None] = {}
        self._last: dict[int, None] = {}
        self._text = text
        # No function is called for a line: there may be as many as characters.
        for line in _EDGES.finditer(_LEFT_OUT.sub("", text)):
            first, last = line.regs[1]
            self._first[first] = self._last[last] = None

    def cut(self, begin: int, end: int) -> tuple[bool, bool]:
        """Whether the begin of a word, and its end, may stand in another line.

        A word of some length at a line's end may have begun before: a log puts a head before each.
        """
        first, last = begin in self._first, end in self._last
        if not (first and last) and end - begin < _WIDE:
            return False, False
        return first or last, last

    def words(self) -> Iterator[tuple[int, int]]:
        """The first word and the last of each line."""
        known: dict[str, tuple[int, int]] = {}
        for first, last in zip(self._first, self._last, strict=True):
            line = self._text[first:last]
            if line not in known:
                words = line.split()
                many = len(words) > 1
                known[line] = (len(words[0]) if words else 0, len(words[-1]) if many else 0)
            begins, ends = known[line]
            if begins:
                yield first, first + begins
            if ends:
                yield last - ends, last


class Opener:
    """Opens the words of one text and its readings, for one judge and within one budget.

    Values that are not of ASCII are seen by their `needles`; `wide` is for a judge that has none,
    and `short` opens words as well that hold no more than a few characters.
    """

    def __init__(
        self,
        judge: Judge,
        budget: Budget,
        *,
        needles: tuple[bytes, ...] = (),
        wide: bool = False,
        short: bool = False,
    ) -> None:
        self._judge, self._budget, self._needles = judge, budget, needles
        self._wide, self._short = wide, short
        self._needle = re.compile(b"|".join(map(re.escape, needles))) if needles else None
        self._answers: dict[tuple[str, int, bool, bool], bool] = {}
        self._told: set[tuple[str, int, bool, bool]] = set()
        """What was read already, and hid nothing: a line may say the same thousands of times."""
        self._torn: dict[tuple[str, bool, bool], bool] = {}
        self.found = False
        """Whether the judge found it in a word."""
        self.unread = False
        """Whether a word was given that may hold anything, since it could not be read whole."""

    def words(self, text: str) -> Iterator[tuple[int, int]]:
        """Where the whole words stand that hide what the judge looks for, or could not be read."""
        alone = len(text.split(None, 1)) < 2  # a line of something longer, perhaps its short last
        edges: _Edges | None = None
        for found in (_SHORT_WORD if self._short or alone else _WORD).finditer(text):
            begin, end = found.span()
            begun = goes_on = False
            if alone or end - begin >= _WIDE:
                edges = edges or _Edges(text)
                begun, goes_on = edges.cut(begin, end)
                if end - begin < _WORD_SIGNS and not (begun or goes_on or self._short):
                    continue  # it is whole, and too short for what is looked for
            if self._hides(found[0], 0, begun, goes_on):
                yield begin, end

    def torn(self, text: str, plain: str) -> Iterator[tuple[int, int]]:
        """Where at a line's edge a part of what the judge looks for stands in escapes.

        For a text as a reader of escapes reads it, beside it as it stands.
        """
        edges = _Edges(text)
        for begin, end in edges.words():
            begun, goes_on = edges.cut(begin, end)
            if not (begun or goes_on) or text[begin:end] in plain:
                continue
            asked = (text[begin:end], begun, goes_on)
            if asked not in self._torn:
                self._torn[asked] = self._judge(Said(asked[0], 1, begun, goes_on))
            if self._torn[asked]:
                yield begin, end

    def _hides(self, word: str, depth: int, begun: bool, goes_on: bool) -> bool:
        asked = (word, depth, begun, goes_on)
        answer = self._answers.get(asked)
        if answer is not None:
            return answer
        check = _remembered if len(word) <= _LONGEST_REMEMBERED else _says_nothing
        if check(word, self._least(depth), begun or goes_on, self._wide, self._needles):
            answer = False
        else:
            try:
                answer = self._opened(*asked)
                self.found |= answer
            except Unread:
                if depth:
                    raise
                self.unread = answer = True
        self._answers[asked] = answer
        return answer

    def _least(self, depth: int) -> int:
        """Characters that are to be read after another in what is decoded at a depth."""
        return SHORTEST // 2 if self._short and not depth else SHORTEST

    def _opened(self, word: str, depth: int, begun: bool, goes_on: bool) -> bool:
        if len(word) > _LONGEST_WORD:
            raise Unread
        if depth == DEPTH:
            if any(_TEXT.fullmatch(raw) for raw in decoded(word)):
                raise Unread  # it is encoded once more
            return False
        for raw in _decoded(word):
            self._budget.spend(len(raw) + 16)
            if self._says(raw, depth + 1, begun, goes_on):
                return True
        return False

    def _says(self, raw: bytes, depth: int, begun: bool, goes_on: bool) -> bool:
        packed = _PACKED.finditer(raw) if _HEAD.search(raw) else ()
        for found in itertools.islice(packed, 8):
            unpacked, whole = _unpacked(raw[found.start() :], found[0])
            self._budget.spend(len(unpacked))
            if len(unpacked) > MOST_INFLATED:
                raise Unread
            sure = len(found[0]) > 2 or _TEXT.search(unpacked) is not None
            sure = sure or (not found.start() and len(raw) >= _WIDE // 2)
            if sure and goes_on and not whole:
                # The rest stands in the line after, where nobody can read it without this one.
                raise Unread
            if unpacked and self._reads(unpacked, depth, False, not whole):
                return True
        return self._reads(raw, depth, begun, goes_on)

    def _reads(self, raw: bytes, depth: int, begun: bool, goes_on: bool) -> bool:
        pattern = _STRETCHES[self._least(depth - 1)]
        if (begun or goes_on) and len(raw) <= _TORN:
            pattern = _STRETCHES[2]
        for found in pattern.finditer(raw):
            first = begun and found.start() <= _TORN
            last = goes_on and found.end() >= len(raw) - _TORN
            text = found[0].decode("ascii")
            for part in (text[::2], text[1::2], text) if "\0" in text else (text,):
                if self._tells(part, depth, first, last):
                    return True
        texts: list[str] = []
        if self._needle is None and not self._wide:
            return False
        if self._needle is not None and self._needle.search(raw):
            texts = [raw.decode("utf-8", "surrogateescape"), *_utf16(raw), *_utf16(raw[1:])]
        elif self._wide:
            texts = [*_guesses(raw)]
            if _UTF8.search(raw):
                texts += _NO_TEXT.split(raw.decode("utf-8", "surrogateescape"))
        return any(self._tells(text, depth, begun, goes_on) for text in texts if not text.isascii())

    def _tells(self, text: str, depth: int, begun: bool, goes_on: bool) -> bool:
        asked = (text, depth, begun, goes_on)
        if asked in self._told:
            return False
        if self._tells_anew(*asked):
            return True
        self._told.add(asked)
        return False

    def _tells_anew(self, text: str, depth: int, begun: bool, goes_on: bool) -> bool:
        self._budget.spend(_FOR_A_TEXT)
        if _ANY_DEAR.search(text):
            self._budget.spend(_FOR_A_SIGN * sum(map(text.count, _DEAR)))
        for view in (View(text), *views(text)):
            said = view.text
            self._budget.spend(len(said))
            if view.unread:
                raise Unread
            if self._judge(Said(said, depth, begun, goes_on)):
                return True
            if begun and goes_on and depth >= _DEEP:
                raise Unread
            for found in (_SHORT_WORD if begun or goes_on else _WORD).finditer(said):
                first = begun and found.start() <= _TORN
                last = goes_on and found.end() >= len(said) - _TORN
                long = first or last or found.end() - found.start() > 10
                if long and self._hides(found[0], depth, first, last):
                    return True
        return False

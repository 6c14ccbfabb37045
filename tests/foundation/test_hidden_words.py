"""Words that hide a secret under encodings in one another: masked whole, or told as unread."""

from __future__ import annotations

import base64
import bz2
import gzip
import hashlib
import json
import lzma
import random
import urllib.parse
import zlib
from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from foundation import hidden_words, secret_views, secrets
from foundation.hidden_words import DEPTH, MOST_INFLATED, Budget, Opener, Said, Unread
from foundation.hosts.jobs.output_lines import LineCutter
from foundation.secrets import MASK, Secret, know_marks, redact, searched
from installer.running.earlier_secrets import mark_of

VALUE = "correct-horse-battery"


@pytest.fixture(autouse=True)
def nothing_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """What other tests made known is not looked for here."""
    for name in ("_known", "_encoded", "_hidden", "_values", "_marks"):
        monkeypatch.setattr(secrets, name, type(getattr(secrets, name))())


def only(value: str) -> None:
    """Let this be the only secret."""
    for kept in (secrets._values, secrets._known, secrets._encoded, secrets._hidden):
        kept.clear()
    Secret(value)


def _b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


Way = Callable[[str], str]
WAYS: dict[str, Way] = {
    "base64": lambda text: _b64(text.encode()),
    "base64 for URLs": lambda text: base64.urlsafe_b64encode(text.encode()).decode().rstrip("="),
    "base64 of lines": lambda text: base64.encodebytes(text.encode()).decode(),
    "hexadecimal": lambda text: text.encode().hex(),
    "HEXADECIMAL": lambda text: text.encode().hex().upper(),
    "base32": lambda text: base64.b32encode(text.encode()).decode(),
    "base32 in small letters": lambda text: base64.b32encode(text.encode()).decode().lower(),
    "percent": lambda text: urllib.parse.quote(text, safe=""),
    "each byte percent": lambda text: "".join(f"%{byte:02X}" for byte in text.encode()),
    "UTF-16": lambda text: _b64(text.encode("utf-16-le")),
    "UTF-16, the other order": lambda text: _b64(text.encode("utf-16-be")),
    "UTF-16 in hexadecimal": lambda text: text.encode("utf-16").hex(),
    "gzip": lambda text: _b64(gzip.compress(text.encode())),
    "gzip in hexadecimal": lambda text: gzip.compress(text.encode()).hex(),
    "zlib": lambda text: _b64(zlib.compress(text.encode())),
    "bzip2": lambda text: _b64(bz2.compress(text.encode())),
    "xz": lambda text: _b64(lzma.compress(text.encode())),
    "JSON": lambda text: _b64(json.dumps({"data": text, "more": "é"}).encode()),
    "JSON that escapes each": lambda text: _b64(
        ('{"p":"' + "".join(f"\\u{ord(c):04x}" for c in text if ord(c) < 0x10000) + '"}').encode()
    ),
    "beside others": lambda text: _b64(f"user:{text}@host and more".encode()),
}
LONG = {"each byte percent", "JSON that escapes each", "UTF-16 in hexadecimal"}
"""What makes of a character so many that a few of them in one another are no line of a log."""

PACKED = {"gzip", "gzip in hexadecimal", "zlib", "bzip2", "xz"}
"""What makes less of it."""

SAYS_MORE = {"JSON", "beside others", "gzip", "gzip in hexadecimal", "zlib", "bzip2", "xz"}
"""What says something else as well, or is masked where it begins, without which none reads it."""

TYPED = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=10, max_size=40)
ANY = st.text(st.characters(categories=["L", "N", "P", "S", "M"]), min_size=10, max_size=30)
AROUND = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
CHAINS = st.lists(st.sampled_from(sorted(WAYS)), min_size=1, max_size=DEPTH).filter(
    lambda chain: sum(way in LONG for way in chain) < 2
)


def through(value: str, chain: list[str]) -> str:
    """The value in the encodings, the first innermost."""
    for way in chain:
        value = WAYS[way](value)
    return value


@given(TYPED, CHAINS, AROUND, AROUND)
@example("aaaaaaaaaa", ["base64"] * DEPTH, "", "")
@example("correct-horse-battery", ["base32", "hexadecimal", "gzip", "base64"], "x/", "y")
def test_no_chain_of_encodings_hides_a_secret(
    value: str, chain: list[str], before: str, after: str
) -> None:
    only(value)
    text = through(value, chain)
    hidden = redact(f"{before} {text} {after}")
    assert text not in hidden, chain
    assert MASK in hidden


@pytest.mark.parametrize("inner", sorted(set(WAYS) - {"percent"}))  # which changes nothing of it
@pytest.mark.parametrize("outer", sorted(set(WAYS) - {"percent", "each byte percent"}))
def test_the_whole_word_is_masked_and_nothing_else(inner: str, outer: str) -> None:
    only(VALUE)
    assert redact(f"it: {through(VALUE, [inner, outer]).strip()} .") == f"it: {MASK} ."


@given(TYPED, CHAINS, st.sampled_from(["", "abc", "Zz9/", "-_-", "key="]))
@example(
    "0100000002",
    ["JSON that escapes each", "base64 of lines", "percent", "HEXADECIMAL"],
    "",
)
def test_nor_where_other_letters_stand_right_beside_it(
    value: str, chain: list[str], beside: str
) -> None:
    only(value)
    text = through(value, chain)
    assert text not in redact(f"{beside}{text}{beside}"), chain


@given(ANY, CHAINS)
@example(
    "00000000¡¡¡¡¡¡¡¡¡¡¡¡¡¡\u0800\u0800\U00010000\U00010000\U00010000\U00010000",
    ["base64 of lines", "each byte percent", "HEXADECIMAL"],
)
def test_nor_a_secret_of_any_letters(value: str, chain: list[str]) -> None:
    only(value)
    text = through(value, [way for way in chain if way != "JSON that escapes each"])
    assert text not in redact(f"it: {text} .")


@given(ANY, st.sampled_from(sorted({*WAYS} - {"percent", "JSON that escapes each"})))
def test_nor_one_of_any_letters_beside_other_letters(value: str, way: str) -> None:
    only(value)
    text = through(value, [way])
    assert text not in redact(f"Zz9/{text}Zz9/"), way


@given(TYPED, CHAINS, st.sampled_from([64, 76, 200]), st.sampled_from(["", "> ", "    "]))
def test_what_is_broken_into_lines_is_never_whole_in_them(
    value: str, chain: list[str], width: int, head: str
) -> None:
    """Each line is masked by itself, as it comes; no two beside one another say the secret."""
    only(value)
    if PACKED & {*chain[:-1]}:
        # Of what is packed, and written wider again, a short line has too few bytes to know it by.
        width = 200
    text = through(value, [way for way in chain if way not in LONG and way != "base64 of lines"])
    lines = [text[at : at + width] for at in range(0, len(text), width)]
    shown = [redact(head + line) for line in lines]
    assert [head + line for line in lines] != shown, chain
    assert text not in "".join(line.removeprefix(head) for line in shown)
    # Some say something else as well; of what is compressed the begin is masked.
    if not {"JSON", "beside others", "gzip", "gzip in hexadecimal", "zlib", "bzip2", "xz"} & {
        *chain
    }:
        left = [line for line in shown if MASK not in line and len(line) > 16]
        assert len("".join(left)) <= len(text) // 2, (chain, shown)


@given(TYPED, CHAINS, st.data())
def test_what_comes_in_pieces_is_masked_as_the_lines_that_they_make(
    value: str, chain: list[str], data: st.DataObject
) -> None:
    only(value)
    text = through(value, [way for way in chain if way != "base64 of lines"])
    raw = f"one\nit: {text} .\ntwo\n".encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=6)))
    cutter, shown = LineCutter(), []
    for begin, end in pairwise([0, *cuts, len(raw)]):
        shown += [redact(line.decode()) for line, _, _ in cutter.feed(raw[begin:end])]
    assert len(shown) == 3
    assert text not in "\n".join(shown)


def marked(value: str) -> None:
    """Let this be known by its mark alone."""
    secrets._marks.clear()
    know_marks(b"k" * 32, {(len(value), mark_of(value, b"k" * 32))})


@given(TYPED, CHAINS)
def test_nor_one_of_which_only_a_mark_is_known(value: str, chain: list[str]) -> None:
    marked(value)
    text = through(value, [way for way in chain if way != "base64 of lines"])
    assert text not in redact(f"it: {text} .")


def words_of(length: int) -> Iterator[str]:
    """What stands in logs and looks encoded."""
    chance = random.Random(length)  # noqa: S311 - the same words each time
    while True:
        raw = chance.randbytes(length)
        yield from (raw.hex(), _b64(raw), base64.b32encode(raw).decode())


@pytest.mark.parametrize("length", [8, 20, 32, 48, 300])
def test_what_only_looks_encoded_stays_as_it_is(length: int) -> None:
    only(VALUE)
    for number, word in zip(range(300), words_of(length), strict=False):
        assert redact(f"pulled {word} in {number} s") == f"pulled {word} in {number} s"
    for line in ("systemd-networkd-wait-online.service: /usr/lib/systemd", "AAAA" * 30, "=" * 80):
        assert redact(line) == line
    plain = _b64(b"nothing of it stands in here, and it is long enough for a line of a log")
    assert redact(plain) is plain


# ---- what is beyond a bound is never shown as clean


def test_one_more_encoding_than_is_undone_is_masked_and_told_as_unread() -> None:
    only(VALUE)
    text = through(VALUE, ["base64"] * (DEPTH + 1))
    found = searched(f"it: {text} .")
    assert found.text == f"it: {MASK} ."
    assert found.unread
    assert not found.secret


def test_more_rounds_of_escapes_than_are_undone_are_masked_and_told() -> None:
    only(VALUE)
    text = "".join(f"\\u{ord(c):04x}" for c in VALUE)
    for _ in range(12):
        text = text.replace("\\", "\\\\")
    found = searched(f"it: {text} .")
    assert VALUE[:4] not in found.text
    assert "u0063" not in found.text
    assert found.unread
    assert not found.secret


def test_more_than_is_inflated_is_masked_and_told() -> None:
    only(VALUE)
    text = _b64(gzip.compress(b"a" * (MOST_INFLATED + 1) + VALUE.encode()))
    found = searched(f"it: {text} .")
    assert found.text == f"it: {MASK} ."
    assert found.unread
    assert not found.secret


def test_a_compressed_word_that_goes_on_in_the_next_line_is_masked() -> None:
    """Its begin is what the rest cannot be read without."""
    only(VALUE)
    noise = "".join(hashlib.sha256(bytes([number])).hexdigest() for number in range(8))
    for pack in (gzip.compress, zlib.compress, bz2.compress, lzma.compress):
        text = _b64(pack(f"{noise} {VALUE}".encode()))
        assert redact(text[:76]) == MASK, pack
        assert searched(text[:76]).unread


def test_a_budget_that_is_spent_masks_every_word_after_it() -> None:
    budget = Budget(0)
    with pytest.raises(Unread):
        budget.spend(1 << 30)
    opener = Opener(lambda _: False, budget)
    text = f"a {_b64(b'words that can be read')} b {_b64(b'and others, no less')} c"
    assert [text[begin:end] for begin, end in opener.words(text)] == text.split()[1::2]
    assert opener.unread
    assert not opener.found


def test_work_on_a_hostile_line_is_bounded() -> None:
    """A line made so that each decoding can be read again costs no more than its budget."""
    asked = 0

    def judge(said: Said) -> bool:
        nonlocal asked
        asked += len(said.text)
        return False

    length = 64 * 1024
    for text in ("3" * length, "41" * (length // 2), through("a" * 3000, ["base64"] * 9)[:length]):
        asked = 0
        list(Opener(judge, Budget(length), wide=True, short=True).words(text))
        assert asked <= hidden_words._FOR_EACH * length + hidden_words._AT_LEAST + length


def test_marks_beyond_what_is_asked_are_unread_and_no_secret() -> None:
    marked(VALUE)
    found = searched("- " * 60_000)
    assert found.unread
    assert not found.secret
    assert searched("- " * 60_000, patience=10).text == "- " * 60_000


@pytest.mark.parametrize("sign", ["\\", "%", "&", "'"])
def test_escapes_that_a_short_line_becomes_are_not_undone_beyond_its_budget(
    sign: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each place of an escape is undone by itself: a million of them held up all for seconds."""
    only(VALUE)
    asked: list[str] = []
    real = secret_views.views

    def seen(text: str) -> Iterator[object]:
        asked.append(text)
        return real(text)

    monkeypatch.setattr(hidden_words, "views", seen)
    bomb = base64.b64encode(lzma.compress(sign.encode() * 1_000_000)).decode()
    assert searched(bomb).unread
    assert sum(text.count(sign) for text in asked) < 400_000

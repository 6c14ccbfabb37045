"""Words: what comes from machines is made harmless, and counts read like sentences."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preflight.report.layout import instructions, wrap
from preflight.report.words import cells, clean, clean_lines, count, cut, name_list, to_ascii


@pytest.mark.parametrize(
    ("hostile", "harmless"),
    [
        ("\x1b[31mred\x1b[0m", "[31mred[0m"),
        ("\x1b]0;title\x07x", "]0;titlex"),
        ("one\r\ntwo\tthree", "one  two three"),
        ("\u202eelif.exe", "elif.exe"),
        ("a\u2066b\u2069c\u200fd\u061c", "abcd"),
        ("\x9b2J", "2J"),
        ("half \udc80 pair", "half \ufffd pair"),
        ("nothing\x00 here", "nothing here"),
        ("\ufffe\uffff", "\ufffd\ufffd"),
        ("line\u2028separator", "line separator"),
        ("ශ්\u200dරී", "ශ්\u200dරී"),
    ],
)
def test_clean_takes_away_what_acts_on_a_reader(hostile: str, harmless: str) -> None:
    """Escapes, bidi overrides, halves of surrogates and line breaks go; writing stays."""
    assert clean(hostile) == harmless


@given(st.text())
def test_a_clean_text_has_no_control_character(text: str) -> None:
    """For any text, and cleaning it once more changes nothing."""
    cleaned = clean(text)
    bad = {"Cc", "Cs", "Cn", "Co", "Zl", "Zp"}
    assert not bad.intersection(map(unicodedata.category, cleaned))
    assert all(c in "\u200c\u200d" for c in cleaned if unicodedata.category(c) == "Cf")
    assert clean(cleaned) == cleaned


@given(st.text())
def test_ascii_is_ascii(text: str) -> None:
    """Whatever a text was written in."""
    assert to_ascii(clean(text)).isascii()


def test_ascii_keeps_what_can_be_read() -> None:
    """Typography and accents have plain forms; another script has none."""
    assert to_ascii("“José” §4 – 3 × 4 … ≥ 1") == '"Jose" section 4 - 3 x 4 ... >= 1'
    assert to_ascii("東京") == "??"


def test_lines_are_cleaned_one_by_one() -> None:
    """Line breaks of a remedy stay, what else is in it goes."""
    assert clean_lines("\none\x1b[2J\n  two \n") == ["one[2J", "  two"]


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ([], ""),
        (["m1"], "m1"),
        (["m1", "m2"], "m1, m2"),
        (["w1", "w2", "w3", "lb1"], "w1 to w3, lb1"),
        (["n008", "n009", "n010"], "n008 to n010"),
        (["n9", "n10", "n11"], "n9 to n11"),
        (["n1", "n3", "n4", "n5"], "n1, n3 to n5"),
        (["n09", "n10", "n011"], "n09, n10, n011"),
        (["a", "b", "c"], "a, b, c"),
    ],
)
def test_runs_of_names_are_drawn_together(names: list[str], said: str) -> None:
    """Only names that differ in a number which counts up."""
    assert name_list(names) == said


@pytest.mark.parametrize(("number", "said"), [(0, "no disks"), (1, "1 disk"), (2, "2 disks")])
def test_counts_read_like_words(number: int, said: str) -> None:
    """One is one, none is no."""
    assert count(number, "disk") == said


@given(st.text(), st.integers(1, 60))
def test_wrapped_lines_fit_and_lose_nothing(text: str, width: int) -> None:
    """Any text at any width of two or more cells: nothing wider, no character lost."""
    text = clean(text)
    lines = wrap(text, width)
    wide = [c for c in text if cells(c) > width]
    assert all(cells(line) <= width for line in lines) or wide
    assert "".join("".join(lines).split()) == "".join(text.split())


@given(st.text(), st.integers(1, 20))
def test_a_cut_keeps_everything(text: str, width: int) -> None:
    """The two parts are the text, and the first is never empty."""
    first, rest = cut(text, width)
    assert first + rest == text
    assert first or not text


def test_a_wide_script_counts_two_cells() -> None:
    """As terminals show it; accents that combine take none."""
    assert cells("東京") == 4
    assert cells("e\u0301") == 1


def test_instructions_tell_commands_from_sentences() -> None:
    """Long parts in backquotes, indented lines and lines with sudo are commands."""
    text = "Do `it` with `a command that is long enough`, then:\n  reboot\nsudo ls\n$ pwd"
    assert list(instructions(text, longest=10)) == [
        (False, "Do `it` with "),
        (True, "a command that is long enough"),
        (False, " then:"),
        (True, "reboot"),
        (True, "sudo ls"),
        (True, "pwd"),
    ]


def test_an_odd_backquote_is_a_character() -> None:
    """A remedy with one backquote is a sentence."""
    assert list(instructions("a ` b", longest=1)) == [(False, "a ` b")]

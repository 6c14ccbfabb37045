"""The looks: which theme where, and ASCII that never shifts the screen."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from screens.look import (
    ASCII,
    DARK,
    LIGHT,
    MONO,
    SIXTEEN,
    Look,
    ascii_text,
    first_look,
    remember_look,
    theme_for,
)
from screens.widgets.rail import SIGNS


@pytest.mark.parametrize(
    ("environment", "theme"),
    [
        ({"TERM": "xterm-256color"}, DARK.name),
        ({"TERM": "xterm-256color", "COLORFGBG": "0;15"}, LIGHT.name),
        ({"TERM": "screen", "COLORTERM": "truecolor"}, DARK.name),
        ({"TERM": "linux"}, SIXTEEN.name),
        ({"TERM": "vt220", "COLORTERM": "truecolor"}, SIXTEEN.name),
        ({}, SIXTEEN.name),
    ],
)
def test_colour_fits_the_terminal(environment: dict[str, str], theme: str) -> None:
    assert theme_for(Look.COLOUR, environment) == theme


def test_mono_and_ascii_are_the_same_everywhere() -> None:
    assert theme_for(Look.MONO, {"TERM": "xterm-256color"}) == MONO.name
    assert theme_for(Look.ASCII, {"TERM": "linux"}) == ASCII.name


def test_no_color_begins_without_colour_and_a_choice_is_remembered() -> None:
    assert first_look({"NO_COLOR": "1"}) is Look.MONO
    assert first_look({}) is Look.COLOUR
    remember_look(Look.ASCII)
    assert first_look({"NO_COLOR": "1"}) is Look.ASCII


def test_f4_goes_round() -> None:
    assert Look.COLOUR.following.following.following is Look.COLOUR


@given(st.text(st.characters(exclude_categories=["Cs", "Cc", "Cf", "Mn", "Me", "Mc"])))
def test_ascii_is_ascii_and_as_wide_as_before(text: str) -> None:
    plain = ascii_text(text)
    assert plain.isascii()
    assert len(plain) == sum(cell_len(character) for character in text)


def test_the_signs_of_the_rail_differ_in_ascii_too() -> None:
    assert len({ascii_text(sign) for sign in SIGNS.values()}) == len(SIGNS)

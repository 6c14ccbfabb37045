"""The looks: which theme where, and ASCII that never shifts the screen."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from textual import events
from textual._xterm_parser import XTermParser
from textual.color import Color
from textual.filter import Monochrome, NoColor
from textual.theme import Theme

from screens.answers.wizard import StepId
from screens.shell.app import SitewrightApp
from screens.shell.face import FaceApp
from screens.shell.ground import LateAnswer, light_answer
from screens.shell.theme import (
    ASCII,
    CONTRAST,
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
from screens.widgets.field import Line
from screens.widgets.rail import SIGNS
from tests.screens.driving import on_step, to_machines, types, until
from tests.screens.recorded import RecordedServices


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


@pytest.mark.parametrize(
    ("word", "look"), [("", None), ("1", Look.COLOUR)], ids=["set to nothing", "F4 chose colour"]
)
def test_the_look_alone_takes_colours_away(
    word: str, look: Look | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", word)
    app = FaceApp(look)
    assert app.style_look is Look.COLOUR
    assert not [each for each in app.get_line_filters() if isinstance(each, Monochrome | NoColor)]
    assert os.environ["NO_COLOR"] == word


def test_a_chosen_ground_holds_whatever_the_terminal_says() -> None:
    many = {"TERM": "xterm-256color", "COLORFGBG": "0;15"}
    assert theme_for(Look.DARK, many) == DARK.name
    assert theme_for(Look.LIGHT, {"TERM": "xterm-256color"}) == LIGHT.name
    assert theme_for(Look.CONTRAST, many) == CONTRAST.name
    assert theme_for(Look.COLOUR, many, light=False) == DARK.name
    assert theme_for(Look.COLOUR, {"TERM": "xterm-256color"}, light=True) == LIGHT.name


def luminance(colour: str) -> float:
    """WCAG 2.2, "relative luminance"."""
    parts = [
        part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4
        for part in Color.parse(colour).normalized
    ]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


@pytest.mark.parametrize("theme", [DARK, LIGHT, CONTRAST], ids=lambda theme: theme.name)
def test_every_tone_can_be_read_on_every_ground(theme: Theme) -> None:
    words = theme.variables
    tones = {
        "plain": theme.foreground, "muted": words["text-muted"], "accent": theme.primary,
        "pass": theme.success, "warn": theme.warning, "fail": theme.error,
        "under the cursor": words["block-cursor-foreground"],
    }  # fmt: skip
    grounds = {
        "ground": theme.background, "surface": theme.surface, "panel": theme.panel,
        "cursor": words["block-cursor-background"],
        "blurred cursor": words["block-cursor-blurred-background"],
    }  # fmt: skip
    for tone, colour in tones.items():
        for place, ground in grounds.items():
            if tone == "under the cursor" and place != "cursor":
                continue
            assert colour is not None
            assert ground is not None
            light, dark = sorted((luminance(colour), luminance(ground)), reverse=True)
            assert (light + 0.05) / (dark + 0.05) >= 4.5, f"{tone} on {place}"


@pytest.mark.parametrize(
    ("answer", "light"),
    [
        (b"\x1b]11;rgb:1111/1616/1d1d\x07", False),
        (b"\x1b]11;rgb:ff/ff/f0\x1b\\", True),
        (b"\x1b]11;rgb:f/f/f\x07", True),
        (b"\x1b]10;rgb:ffff/ffff/ffff\x07", None),
        (b"nothing", None),
    ],
)
def test_the_terminal_says_whether_it_is_light(answer: bytes, light: bool | None) -> None:
    assert light_answer(answer) is light


@pytest.mark.parametrize("end", ["\x07", "\x1b\\"])
async def test_a_late_answer_of_the_terminal_is_no_typing(
    end: str, services: RecordedServices
) -> None:
    app = SitewrightApp(services, look=Look.COLOUR)
    async with app.run_test() as pilot:
        await on_step(pilot, StepId.WELCOME)
        app.late_answer = LateAnswer()
        told: list[str] = []
        parser = XTermParser()
        for event in [*parser.feed("\x1b]11;rgb:ffff/ffff/f0f0" + end), *parser.feed("")]:
            if isinstance(event, events.Key):
                told.append(event.key)
                app.post_message(event)
        assert "right_square_bracket" in told
        await until(pilot, lambda: app.theme == LIGHT.name)
        assert app.step is StepId.WELCOME
        assert app.late_answer is None


async def test_a_bracket_that_a_person_typed_is_given_back(services: RecordedServices) -> None:
    app = SitewrightApp(services, look=Look.COLOUR)
    async with app.run_test() as pilot:
        await to_machines(pilot)
        app.late_answer = LateAnswer()
        await types(pilot, "]12")
        await until(pilot, lambda: app.screen.query_one("#add", Line).value == "]12")


@given(st.text(st.characters(exclude_categories=["Cs", "Cc", "Cf", "Mn", "Me", "Mc"])))
def test_ascii_is_ascii_and_as_wide_as_before(text: str) -> None:
    plain = ascii_text(text)
    assert plain.isascii()
    assert len(plain) == sum(cell_len(character) for character in text)


def test_the_signs_of_the_rail_differ_in_ascii_too() -> None:
    assert len({ascii_text(sign) for sign in SIGNS.values()}) == len(SIGNS)

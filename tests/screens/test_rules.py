"""Rules that hold on every screen: what is shown works, what works is shown, nothing is cut."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import pytest

from screens.hints import NAMES, parts_of, works
from screens.widgets.board import Board
from screens.widgets.keys import KeyHint
from screens.widgets.press import Press
from tests.screens.walking import PLACES, at, rests

SMALL, WIDE = (80, 24), (200, 60)

EVERYWHERE: Final = (
    "escape ctrl+b ctrl+p f10 ctrl+n f1 question_mark f4 ctrl+g ctrl+q ctrl+c super+c q z ctrl+z "
    "tab shift+tab up down left right pageup ctrl+pageup "
    "ctrl+pagedown pagedown home end space"
)
"""What F1 lists as working everywhere, what moves, and what is written on a button."""
ONLY_WHEN: Final = {
    "p",
    "s",
    "g",
    "t",
    "f2",
    "f3",
    "r",
    "R",
    "k",
    "u",
    "x",
    "a",
    "n",
    "delete",
    "f9",
    "f8",
}
"""Levers that are shown while they have something to move; else they say that there is nothing."""


def shown(screen: Any) -> list[KeyHint]:
    """The keys that stand on a screen."""
    return [hint for hint in screen.query(KeyHint) if hint.region.width]


def missing(screen: Any) -> list[tuple[str, str]]:
    """Keys of a screen that work and are not shown on it."""
    labels = {part for hint in shown(screen) for part in parts_of(hint.key.label)}
    names = {NAMES.get(part, part.lower()) for part in labels}
    opens = hasattr(screen, "on_board_chosen") and not screen.query(Press)
    return [
        (key, found.binding.description)
        for key, found in screen.active_bindings.items()
        if (found.node is screen or isinstance(found.node, Board))
        and key not in {*EVERYWHERE.split(), *ONLY_WHEN}
        and key.lower() not in names
        and (key != "enter" or opens)
    ]


@pytest.mark.parametrize("name", PLACES)
async def test_the_keys_that_are_shown_are_those_that_work_where_the_cursor_is(
    name: str, hermetic: Path
) -> None:
    async with at(name, hermetic, SMALL) as pilot:
        screen = pilot.app.screen
        for hint in shown(screen):
            for part in parts_of(hint.key.label):
                assert works(screen, part, hint.key.action), (name, hint.key, screen.focused)
        if screen.query("#keys, .dialog > #dialog-keys"):
            assert shown(screen), name
        await pilot.resize_terminal(*WIDE)
        await rests(pilot)
        assert not missing(screen), name

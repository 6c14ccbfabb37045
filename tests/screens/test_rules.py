"""Rules that hold on every screen, in every size and look.

What is shown works and what works is shown; nothing is cut while there is room; every letter can be
read; help and the ways on and back have their second keys; a person is called for at ends and
failures alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, TextArea

from screens.shell.dialog import Dialog
from screens.shell.help import HelpScreen, keys_told
from screens.shell.hints import NAMES, name_of, parts_of, works
from screens.shell.theme import Look
from screens.widgets.board import Board
from screens.widgets.keys import KeyHint
from screens.widgets.press import Press
from tests.screens.driving import until
from tests.screens.looking import cut, lines, shining, unreadable
from tests.screens.walking import PLACES, at, rests

SMALL, WIDE = (80, 24), (200, 60)
SIZES: Final = (WIDE, (120, 40), (60, 18))

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
    "N",
    "delete",
    "f9",
    "f8",
}
"""Levers that are shown while they have something to move; else they say that there is nothing."""


SIGNS: Final = {name: sign for sign, name in NAMES.items()}


def is_text(focused: Any, part: str) -> bool:
    """Whether a sign is written into the text in which the cursor stands."""
    return isinstance(focused, Input | TextArea) and len(part) == 1


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
        and not is_text(screen.focused, SIGNS.get(key, key))
        and key.lower() not in names
        and (key != "enter" or opens)
    ]


TWINS: Final = (("f10", "ctrl+n"), ("escape", "ctrl+p"), ("escape", "ctrl+b"))
"""Keys of which the second does the same, for consoles that take the first for themselves."""
CALLS: Final = {"failing": 1, "finished": 1, "updated": 1, "accepted": 1}
"""How often a person was called for, by the kind of the run; else never."""


def twins_differ(screen: Any) -> list[str]:
    """Keys whose twin does something else."""
    active = {key: found.binding.action for key, found in screen.active_bindings.items()}
    return [other for key, other in TWINS if active.get(key) != active.get(other)]


NOT_HERE: Final = {"settings": {"y", "n"}, "settings-choice": {"y", "n"}, "new-site": {"o"}}
"""Keys that help names and that wait for what these places do not have: a question of yes or no,
a file that was written."""


def small(names: Iterable[str]) -> set[str]:
    """Keys as Textual calls them; a capital means what the small one does."""
    return {name.lower() for name in names}


async def help_differs(pilot: Pilot[int], name: str) -> tuple[set[str], set[str]]:
    """What F1 tells and nothing knows, wherever the focus is; what is shown and not told."""
    app: Any = pilot.app
    screen, known, hinted = app.screen, set[str](), set[str]()
    known |= {key for key, one in app._bindings if one.priority}  # in panels too
    focused = screen.focused
    for widget in [focused, *screen.focus_chain, focused]:
        if widget is not None:
            widget.focus()
            await rests(pilot)
        known |= set(screen.active_bindings)
        hinted |= {name_of(part) for hint in shown(screen) for part in parts_of(hint.key.label)}
    topic = getattr(screen, "HELP", "") or app.step.value
    told = {
        name_of(part.strip().replace("Ctrl+", "^"))
        for label, _ in keys_told(topic, screen)
        for part in label.split(", ")
    }
    if name == "help":  # it is left with the keys of every panel
        return set(), set()
    return small(told) - small(known) - NOT_HERE.get(name, set()), small(hinted) - small(told)


@pytest.mark.parametrize("name", PLACES)
async def test_every_rule_holds_on_every_screen(
    name: str, hermetic: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    async with at(name, hermetic, SMALL) as pilot:
        app: Any = pilot.app
        screen = app.screen
        assert len(app.tidings) == CALLS.get(PLACES[name].kind, 0), app.tidings
        assert app.window_title.startswith(("Sitewright", f"{app.answers.name}: "))
        assert not twins_differ(screen), name
        assert not cut(screen), name
        for hint in shown(screen):
            for part in parts_of(hint.key.label):
                assert works(screen, part, hint.key.action), (name, hint.key, screen.focused)
                assert not is_text(screen.focused, part), (name, hint.key, screen.focused)
        if screen.query("#keys, .dialog > #dialog-keys"):
            assert shown(screen), name
        assert await help_differs(pilot, name) == (set(), set()), name
        for size in SIZES:
            await pilot.resize_terminal(*size)
            await rests(pilot)
            assert size is not WIDE or not missing(screen), name
            assert not cut(screen), (name, size)
            if isinstance(screen, Dialog):
                panel = screen.query_one(".dialog").region
                assert abs(2 * panel.x + panel.width - size[0]) <= 1, (name, size)
        for look in Look:
            app.set_look(look)
            await pilot.pause()
            assert not unreadable(screen), (name, look)
            assert not shining(screen), (name, look)
        assert app.style_look is Look.ASCII
        assert "".join(lines(screen)).isascii(), name
        await pilot.press("f1")
        assert isinstance(app.screen, HelpScreen) is (name != "help"), name
        assert name == "help" or not cut(app.screen), name


async def test_a_long_problem_can_be_read_to_its_end_in_a_small_window(hermetic: Path) -> None:
    async with at("plan", hermetic, (60, 18)) as pilot:
        app: Any = pilot.app
        assert "be mended or" not in " ".join(" ".join(lines(app.screen)).split())
        app.screen.panel.focus()
        await pilot.press("end")
        await until(pilot, lambda: "be mended or" in " ".join(" ".join(lines(app.screen)).split()))

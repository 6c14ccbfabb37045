"""What a panel says may be longer than the window: it can be read to its end, and be answered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from textual.widgets import Static, TextArea

from screens.shell.dialog import Buttons, Dialog
from screens.widgets.keys import KeyHint
from screens.widgets.press import Press
from tests.screens.driving import until
from tests.screens.looking import lines
from tests.screens.walking import PLACES, at, rests

SIZES = ((60, 18), (80, 24))
LINES = 50
PANELS = tuple(name for name, place in PLACES.items() if place.screen and name != "help")


def says(screen: Any) -> str:
    """What stands on it."""
    return "\n".join(lines(screen))


@pytest.mark.parametrize("name", PANELS)
async def test_a_panel_that_says_much_is_read_to_its_end_and_keeps_its_buttons(
    name: str, hermetic: Path
) -> None:
    async with at(name, hermetic, SIZES[0]) as pilot:
        screen: Any = pilot.app.screen
        if not isinstance(screen, Dialog) or not screen.query(Buttons):
            pytest.skip("it asks nothing")
        said = [
            one
            for one in screen.query(".dialog > Static, .dialog-lines > Static")
            if one.id != "wrong" and not one.has_class("dialog-title")
            and one.styles.height is not None and one.styles.height.is_auto
            and one.styles.max_height is None
        ]  # fmt: skip
        for number, one in enumerate(said):
            assert isinstance(one, Static)
            one.update("\n".join(f"line {number}-{line}." for line in range(LINES)))
        for size in SIZES:
            await pilot.resize_terminal(*size)
            await rests(pilot)
            for press in screen.query(Press):
                assert screen.region.contains_region(press.region), (name, size, press)
                assert str(press.render()) in says(screen), (name, size, press)
        if not said:
            return
        a_list = isinstance(screen.focused, TextArea)  # which has pages of its own
        screen.set_focus(None)
        last = f"line {len(said) - 1}-{LINES - 1}."
        read = set[str]()
        for _ in range(LINES * len(said)):
            read |= {line for line in says(screen).split() if line[0].isdigit()}
            if last in says(screen):
                break
            await pilot.press("pagedown")
            await rests(pilot)
        assert last in says(screen), name
        assert read >= {f"{n}-{line}." for n in range(len(said)) for line in range(LINES)}, name
        for _ in range(LINES * len(said)):
            if "line 0-0." in says(screen):
                break
            await pilot.press("pageup")
            await rests(pilot)
        assert "line 0-0." in says(screen), name
        await rests(pilot)
        shown = {hint.key.word for hint in screen.query("#dialog-keys KeyHint").results(KeyHint)}
        assert a_list or "More" in shown, name


async def test_who_begins_is_asked_in_sight_of_what_will_be_done(hermetic: Path) -> None:
    async with at("begin", hermetic, SIZES[0]) as pilot:
        screen: Any = pilot.app.screen
        screen.query_one(".paragraph", Static).update("\n".join(map(str, range(LINES))))
        screen.query_one("#by").focus()
        await rests(pilot)
        for word in ("Begin the installation?", "Your name", "Begin F10"):
            assert word in says(screen)
        await pilot.press("x", "pagedown")
        await until(pilot, lambda: "Begin the installation?" not in says(screen))
        assert "Your name" in says(screen)

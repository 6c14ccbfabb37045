"""What stands at the end of a run: nothing empty, nothing untrue, and what can be done later."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from textual.widgets import Static

from screens.answers.wizard import StepId
from screens.run.machine_tasks import MachineTasks
from screens.run.run_words import failure_text
from screens.services.live import LiveServices
from screens.services.memory import Changed, Memory, Touched
from screens.widgets.board import Board
from screens.widgets.keys import KeyLine
from tests.screens.driving import shows, text, types, until
from tests.screens.looking import strips
from tests.screens.recorded import NOW
from tests.screens.scripted import FAILURE
from tests.screens.walking import at, rests


async def test_a_solution_without_checks_shows_no_empty_list_and_claims_nothing(
    hermetic: Path,
) -> None:
    async with at("verify", hermetic, (80, 24)) as pilot:
        screen = pilot.app.screen
        assert not screen.query_one("#checks").region
        assert not screen.query_one("#seen").region
        await shows(pilot, "has no checks to ask at the end")
        assert "was verified" not in text(pilot)  # one step was skipped


async def test_a_machine_on_which_a_step_was_skipped_is_not_plainly_done(hermetic: Path) -> None:
    async with at("ended", hermetic, (120, 40)) as pilot:
        await shows(pilot, "box1     done, 1 skipped", "box2     done")
        assert "done, 1 skipped" not in text(pilot).partition("box2")[2]


async def test_at_the_end_the_log_has_the_room_that_the_stages_leave(hermetic: Path) -> None:
    async with at("ended", hermetic, (120, 40)) as pilot:
        left = pilot.app.screen.query_one("#left").region.width
        assert left < 50
        await shows(pilot, "= done: The script ended well.")
        board = pilot.app.screen.query_one("#stages", Board)
        assert all(w >= n for w, n in zip(board.widths(), board._natural, strict=True))
    async with at("install", hermetic / "running", (120, 40)) as pilot:
        assert pilot.app.screen.query_one("#left").region.width >= 50


async def test_what_can_be_done_later_stands_with_its_command(hermetic: Path) -> None:
    async with at("later", hermetic, (80, 24)) as pilot:
        app: Any = pilot.app
        board = app.screen.query_one("#later", Board)
        assert [row.key for row in board.rows if row.heading] == [
            "group Look; nothing is changed",
            "group Keep it running",
            "group Take back, or away",
            "group For others",
        ]
        board.move_to("verify")
        await shows(pilot, "sitewright verify --site /home/op", "site.yaml")
        await pilot.press("y")
        assert app.clipboard.startswith("sitewright verify --site /home/op/")
        await pilot.press("escape")
        await rests(pilot)
        assert app.screen is app.step_screen
        assert app.step is StepId.HAND_OVER


async def test_what_can_be_done_later_is_read_from_the_site_of_the_run(tmp_path: Path) -> None:
    (tmp_path / "site.yaml").write_text(
        "solution: pm4ml\nenvironment: staging\nsupplies: {bundle: ./site.bundle}\n"
    )
    found = {one.short: one.command for one in await LiveServices().later(tmp_path)}
    site = f"--site {tmp_path / 'site.yaml'}"
    assert found["updates"] == f"sitewright updates {site}"
    assert found["machine remove NAME"] == f"sitewright machine remove NAME {site}"
    assert found["support-bundle"] == f"sitewright support-bundle {tmp_path}"
    (tmp_path / "site.yaml").write_text("solution: helm-deploy\n")
    found = {one.short: one.command for one in await LiveServices().later(tmp_path)}
    assert found["updates --cluster"] == "sitewright updates --cluster"
    assert "unseal" not in found


@pytest.mark.parametrize("size", [(60, 18), (80, 24), (120, 40), (200, 60)])
async def test_what_was_found_in_the_log_is_in_sight(hermetic: Path, size: tuple[int, int]) -> None:
    """The line to type in closes, and what was found is told below: both move the log."""
    async with at("ended", hermetic, size) as pilot:
        # Before anything was searched for there is no next one to find.
        assert "Next found" not in text(pilot)
        for words in ("wanted here", "line 2 of"):
            await pilot.press("slash")
            await types(pilot, words)
            await pilot.press("enter")
            await shows(pilot, f'"{words}": 1 of')
            await until(pilot, lambda: words in marked(pilot.app.screen))  # noqa: B023 - awaited
        keys = pilot.app.screen.query_one("#step-keys", KeyLine)
        assert "Next found" in [key.word for key in keys.keys]


def marked(screen: Any) -> set[str]:
    """The words that stand reversed on the screen."""
    return {
        one.text for strip in strips(screen) for one in strip if one.style and one.style.reverse
    }


async def test_what_stands_beside_the_log_is_drawn_for_the_room_it_will_have(
    hermetic: Path,
) -> None:
    """The width that was just given is not yet that of the screen: lines of the old one wrap."""
    async with at("install", hermetic, (120, 40)) as pilot:
        screen: Any = pilot.app.screen
        grid = screen.query_one("#grid", Static)
        screen.view.stage_width = 0  # the list needs less from now on
        screen.draw()
        first = str(grid.render())
        await rests(pilot)
        screen.draw()
        assert str(grid.render()) == first
        width = screen.query_one("#machines").size.width
        assert all(len(line) <= width for line in first.splitlines())


def test_the_last_lines_of_a_failure_never_stand_as_a_label_alone() -> None:
    """In a window of 60 x 18 the box may end right below it."""
    text = str(failure_text([FAILURE], 0, {}, MachineTasks(), levers=True))
    assert "Its last lines: Writing\n  E: the folder is not mended" in text


def test_who_leaves_is_told_what_was_changed_where_its_record_is_and_how_to_go_on(
    tmp_path: Path,
) -> None:
    memory = Memory(changed=Touched(Changed.DONE, "Thiri Aung", NOW, tmp_path / "run"))
    sentence = "Machines were changed on 20 Nov, by Thiri Aung."
    assert memory.farewell(kept=True) == [
        f"The record of what was changed last: {tmp_path / 'run'}",
        f"{sentence} Your place is kept; go on with: sitewright",
    ]
    # Said once, however often it is asked for, and not beside what names it already.
    memory.last_words = [f"The record of the update: {tmp_path / 'run'}"]
    once = memory.farewell(kept=False)
    assert once == [memory.last_words[0], sentence]
    memory.last_words = once
    assert memory.farewell(kept=False) == once
    assert Memory().farewell(kept=False) == ["Nothing has been changed on any machine."]

"""An update that was begun and not seen to its end: told and gone on with from the first screen."""

from __future__ import annotations

import io
import time
from dataclasses import replace
from pathlib import Path

import pytest

from installer.events import Event
from installer.record.identity import site_key
from installer.record.last_change import last_change
from installer.record.runs import Run, create_run
from installer.record.site_lock import Lock
from installer.sites.site import dump_site
from screens.answers.site_answers import site_from_answers
from screens.answers.wizard import StepId
from screens.plain.plain import run_plain
from screens.plain.prompt import Dialogue
from screens.services.services import Access, ToUpdate
from screens.shell.app import SitewrightApp
from screens.updates.review_update import ReviewUpdateScreen
from screens.widgets.board import Board
from tests.screens.driving import on_step, shows, until
from tests.screens.recorded import RecordedServices
from tests.screens.scripted import write_run
from tests.screens.updates.told import SITE, told_plan, updating


def at_now(events: list[Event]) -> list[Event]:
    """The same, the last of them now."""
    later = time.time() - events[-1].time
    return [replace(event, time=event.time + later) for event in events]


def kept(folder: Path, *, ended: str = "") -> tuple[Run, str]:
    """A run of an update in the record of its site, and the key of the site."""
    access = Access(SITE.inventory())
    plan = told_plan(ToUpdate(), ("moja/moja-als",), SITE, access).plan
    site = site_from_answers(SITE, folder / "site.yaml")
    key = site_key(site)
    run = create_run(f"{key}-updates", plan, site_text=dump_site(site))
    write_run(run, plan, at_now(updating(ended=ended)))
    run.note_begun()
    return run, key


@pytest.mark.parametrize("size", [(60, 18), (80, 24)], ids=["60x18", "80x24"])
async def test_welcome_says_so_and_leads_to_its_end(
    services: RecordedServices, hermetic: Path, size: tuple[int, int]
) -> None:
    run, _ = kept(hermetic)
    app = SitewrightApp(services, state_file=hermetic / "state.json")
    async with app.run_test(size=size) as pilot:
        await on_step(pilot, StepId.WELCOME)
        board = app.screen.query_one("#choices", Board)
        await until(pilot, lambda: board.key == "left")
        await shows(pilot, "miniloop single-box, left at 0 of 1 steps")
        await shows(pilot, "An update that was not seen to its end, last at work")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, ReviewUpdateScreen))
        await shows(pilot, "See this update to its end?", "Bring deployment moja/moja-als")
        assert isinstance(app.screen, ReviewUpdateScreen)
        assert app.screen.to_apply.run == run.folder
        await pilot.press("escape")
        await shows(pilot, "It was left as it is")


async def test_who_is_at_work_on_it_is_said_and_the_first_line_says_that_machines_change(
    services: RecordedServices, hermetic: Path
) -> None:
    """What does something with a site holds the lock of the site, and has a record of its own."""
    _, key = kept(hermetic)
    app = SitewrightApp(services, state_file=hermetic / "state.json")
    found = last_change()
    assert found is not None
    assert not found.under_way
    with Lock(key, by="Asha Mwangi"):
        # It began before the last that its record tells.
        run, _ = kept(hermetic)
        async with app.run_test(size=(120, 40)) as pilot:
            await on_step(pilot, StepId.WELCOME)
            await shows(pilot, "miniloop single-box, under way by Asha Mwangi")
            await shows(pilot, "Machines are being changed, by Thiri Aung")
        found = last_change()
        assert found is not None
        assert (found.run, found.under_way) == (run, True)


async def test_one_that_came_to_its_end_is_no_choice(
    services: RecordedServices, hermetic: Path
) -> None:
    kept(hermetic, ended="done")
    assert await services.left_update() is None


def test_the_plain_wizard_says_so_too(services: RecordedServices, hermetic: Path) -> None:
    kept(hermetic)
    target = io.StringIO()
    run_plain(
        services,
        dialogue=Dialogue(io.StringIO("1\nno\nq\n"), target),
        state_file=hermetic / "state.json",
    )
    said = " ".join(target.getvalue().split())
    assert "1. Update: miniloop single-box, left at 0 of 1 steps" in said
    assert "See this update to its end?" in said
    assert "It was left as it is" in said

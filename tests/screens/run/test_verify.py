"""The checks at the end of an installation, asked again from the wizard."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from textual.pilot import Pilot

from installer.events import Outcome
from installer.record.runs import all_sites
from screens.answers.wizard import StepId
from screens.run.verify import VerifyScreen
from screens.shell.app import SitewrightApp
from screens.widgets.board import Board
from tests.screens.driving import on_step, shows, until
from tests.screens.run.test_install import SMALL, agree, begin, to_plan
from tests.screens.tiny import TinyServices, write_solution

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="jobs are run as root; this is not root")


@pytest.fixture
def app(hermetic: Path, tmp_path: Path) -> SitewrightApp:
    """The wizard over the tiny solution with its checks."""
    (hermetic / "mended").touch()
    return SitewrightApp(TinyServices(write_solution(tmp_path / "s", hermetic, verify=True)))


async def to_verify(pilot: Pilot[int]) -> VerifyScreen:
    """Through an installation to its checks."""
    await to_plan(pilot)
    screen = await begin(pilot)
    await agree(pilot)
    await until(pilot, lambda: not screen.running)
    assert screen.outcome is Outcome.DONE
    await pilot.press("f10")
    await on_step(pilot, StepId.VERIFY)
    found = pilot.app.screen
    assert isinstance(found, VerifyScreen)
    return found


async def test_the_checks_are_shown_and_asked_again(app: SitewrightApp, hermetic: Path) -> None:
    async with app.run_test(size=SMALL) as pilot:
        screen = await to_verify(pilot)
        await shows(pilot, "All 2 hold", "holds", "Both files are there", "box1", "r Ask again")
        (hermetic / "second").unlink()
        await pilot.press("r")
        await until(pilot, lambda: not screen.running)
        await shows(pilot, "1 of 2 FAILS, 1 not asked after it", "not asked", "r Ask again")
        screen.query_one("#checks", Board).move_to("verify/files/box1")
        await shows(pilot, "No such file or directory", "Do: ")
        (hermetic / "second").touch()
        await pilot.press("r")
        await until(pilot, lambda: not screen.running)
        await shows(pilot, "All 2 hold")
        await pilot.press("f10")
        await on_step(pilot, StepId.HAND_OVER)
        await shows(pilot, "Verified at the end")
    assert sorted(key.rpartition("-")[2] == "verify" for key in all_sites()) == [False, True]

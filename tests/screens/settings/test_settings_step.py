"""The settings step: what was refused, and is right now, is refused no more."""

from __future__ import annotations

from pathlib import Path

from screens.answers.wizard import StepId
from screens.shell.app import SitewrightApp
from screens.widgets.board import Board
from tests.screens.driving import on_step, shows, text, types, until, wizard
from tests.screens.saying import said
from tests.screens.scripted import SITE, scripted


async def test_a_refusal_stands_no_longer_than_its_reason(tmp_path: Path) -> None:
    app = SitewrightApp(scripted(tmp_path), state_file=tmp_path / "state.json")
    async with app.run_test(size=(80, 24)) as pilot:
        await on_step(pilot, StepId.WELCOME)
        wizard(pilot).go(StepId.SETTINGS, said(SITE, settings={}))
        await on_step(pilot, StepId.SETTINGS)
        await until(pilot, lambda: app.screen.query_one("#settings", Board).rows)
        await pilot.press("f10")
        await shows(pilot, "This input cannot be used (Domain of the installation)")
        await types(pilot, "no domain")
        await shows(pilot, "This input cannot be used")  # it is still wrong
        await pilot.press("ctrl+u")
        await types(pilot, "tiny.example.org")
        await until(pilot, lambda: "This input cannot be used" not in text(pilot))

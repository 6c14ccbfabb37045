"""Every choice of Welcome is in sight, also while the record of the runs is still being read."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from screens.answers.answers import save_answers
from screens.answers.wizard import StepId
from screens.services.memory import Changed, Touched
from screens.services.services import Unfinished
from screens.shell.app import SitewrightApp
from screens.widgets.board import Board
from tests.screens.driving import on_step, shows, text, until
from tests.screens.recorded import NOW, RecordedServices
from tests.screens.scripted import SITE


async def test_all_choices_are_in_sight_at_any_time(
    services: RecordedServices, hermetic: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = asyncio.Event()

    async def unfinished() -> Unfinished:
        await read.wait()
        return Unfinished(hermetic, "tiny single-box", 1, 7, NOW)

    monkeypatch.setattr(services, "unfinished", unfinished)
    state = hermetic / "state.json"
    save_answers(replace(SITE, step="machines", saved_at=NOW), state)
    app = SitewrightApp(services, state_file=state)
    async with app.run_test(size=(80, 24)) as pilot:
        await on_step(pilot, StepId.WELCOME)
        board = app.screen.query_one("#choices", Board)
        await until(pilot, lambda: len(board.rows) == 6)
        assert board.key == "resume"
        await shows(pilot, "Go on", "New site", "Open a file", "A cluster", "Updates", "Site file")
        read.set()
        await until(pilot, lambda: board.key == "run")
        await shows(pilot, "Installation", "Go on", "New site", "A cluster", "Updates", "Site file")
        assert "…" not in text(pilot)
        await pilot.resize_terminal(60, 18)
        await shows(pilot, "Step 1 of")
        choices = [line for line in text(pilot).splitlines() if line.startswith("  ")]
        assert not [line for line in choices if "…" in line]


async def test_who_has_moved_stays_when_the_record_arrives(
    services: RecordedServices, hermetic: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = asyncio.Event()

    async def unfinished() -> Unfinished:
        await read.wait()
        return Unfinished(hermetic, "tiny single-box", 1, 7, NOW)

    monkeypatch.setattr(services, "unfinished", unfinished)
    app = SitewrightApp(services, state_file=hermetic / "state.json")
    async with app.run_test(size=(80, 24)) as pilot:
        await on_step(pilot, StepId.WELCOME)
        board = app.screen.query_one("#choices", Board)
        await until(pilot, lambda: board.key == "new")
        await pilot.press("down")
        await until(pilot, lambda: board.key == "open")
        read.set()
        await until(pilot, lambda: "run" in [row.key for row in board.rows])
        assert board.key == "open"


async def test_a_record_that_was_read_before_a_run_ended_says_nothing_of_it(
    services: RecordedServices, hermetic: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a busy machine it came after the end: nothing had been changed, said the first line."""
    read, over = asyncio.Event(), asyncio.Event()

    async def touched(_addresses: object) -> Touched:
        await read.wait()
        over.set()
        return Touched()

    monkeypatch.setattr(services, "touched", touched)
    app = SitewrightApp(services, state_file=hermetic / "state.json")
    async with app.run_test(size=(80, 24)) as pilot:
        await on_step(pilot, StepId.WELCOME)
        app.go(StepId.MACHINES, SITE)
        await on_step(pilot, StepId.MACHINES)
        app.memory.changed = Touched(Changed.DONE, "Thiri Aung", NOW)
        read.set()
        await until(pilot, over.is_set)
        await until(pilot, lambda: not [one for one in app.workers if one.group == "record"])
        assert app.memory.changed.by == "Thiri Aung"

"""A key goes where the person was who typed it, however fast the keys come."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual import events

from screens.answers.wizard import StepId
from screens.preflight.findings import FindingsScreen
from screens.preflight.waive import WaiveScreen
from screens.run.ask_person import SureScreen
from screens.shell.app import SitewrightApp
from screens.widgets.board import Board
from screens.widgets.field import Line
from tests.screens.driving import KEYS, on_step, shows, to_machines, to_preflight, until
from tests.screens.fuzzing import settled
from tests.screens.recorded import RecordedServices
from tests.screens.run.test_install import to_settings
from tests.screens.tiny import TinyServices, write_solution

SMALL = (80, 24)


def burst(app: SitewrightApp, *keys: str) -> None:
    """Keys as a line over a satellite delivers them: all at once. A text is typed."""
    for key in keys:
        named = len(key) > 1 and (key.islower() and key in NAMED)
        for one in [key] if named else list(key):
            app.post_message(events.Key(KEYS.get(one, one), one if len(one) == 1 else None))


NAMED = ("down", "up", "enter", "escape", "f10", "tab")


async def test_a_setting_takes_what_was_typed_after_the_arrow(
    hermetic: Path, tmp_path: Path
) -> None:
    app = SitewrightApp(TinyServices(write_solution(tmp_path / "solutions", hermetic)))
    async with app.run_test(size=SMALL) as pilot:
        await to_settings(pilot)
        burst(app, "tiny.example.org", "enter", "down", "down", "9.9.9")
        await settled(app)
        form = getattr(app.screen, "form", None)
        assert form is not None
        assert form.typed == {"domain": "tiny.example.org", "tiny_version": "9.9.9"}


async def test_each_line_of_a_waiver_takes_its_own(services: RecordedServices) -> None:
    services.shapes["w1"] = "small-vm"
    app = SitewrightApp(services)
    async with app.run_test(size=(120, 40)) as pilot:
        await to_preflight(pilot, "m1=10.10.0.11", "w1=10.10.0.14")
        app.screen.query_one("#machines", Board).move_to("w1")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, FindingsScreen))
        board = app.screen.query_one("#findings", Board)
        board.move_to(next(row.key for row in board.rows if row.key.startswith("cpu.count")))
        burst(app, "w", "Asha Mwangi", "enter", "lab", "enter", "2026-13-40", "enter")
        await shows(pilot, '"2026-13-40" is not a day')
        assert isinstance(app.screen, WaiveScreen)
        values = {name: app.screen.query_one(f"#{name}", Line).value for name in ("by", "reason")}
        assert values == {"by": "Asha Mwangi", "reason": "lab"}


async def test_two_machines_typed_in_one_breath(services: RecordedServices) -> None:
    app = SitewrightApp(services)
    async with app.run_test(size=SMALL) as pilot:
        await to_machines(pilot)
        burst(app, "10.10.0.11", "enter", "10.10.0.12", "enter", "10.10.0.13")
        await until(pilot, lambda: len(app.answers.machines) == 2)
        await settled(app)
        assert [host.address for host in app.answers.machines] == ["10.10.0.11", "10.10.0.12"]
        assert app.screen.query_one("#add", Line).value == "10.10.0.13"


async def test_a_grave_question_is_not_answered_before_it_can_be_read(
    services: RecordedServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("screens.shell.dialog.READ_SECONDS", 3600.0)
    app = SitewrightApp(services)
    answers: list[bool | None] = []
    async with app.run_test(size=SMALL) as pilot:
        await on_step(pilot, StepId.WELCOME)
        app.push_screen(SureScreen("Stop it?", "What is done stays done.", "Stop"), answers.append)
        burst(app, "f10", "y", "f10")
        await shows(pilot, "Read it first; then F10")
        assert answers == []
        monkeypatch.setattr("screens.shell.dialog.READ_SECONDS", 0.0)
        await pilot.press("f10")
        await until(pilot, lambda: answers == [True])

"""Work of others, found before anything of ours begins: the wizard asks, and so does its twin."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from installer.running.levers import Control
from screens.answers.wizard import StepId
from screens.plain.plain_run import _Person
from screens.run.ask_others import OthersScreen
from screens.services.memory import Memory
from screens.services.services import Order
from screens.shell.app import SitewrightApp
from tests.installer.engine_site import when
from tests.screens.driving import on_step, shows, until
from tests.screens.run.test_install import SMALL
from tests.screens.scripted import SITE, scripted, under_way

TEXT = "On box1 runs what others began: sw-x-1. It is of a run that Ko Ko on lap2 began at 14:00."


async def installing(pilot: Any) -> Any:
    """The install step over a recorded run."""
    app = pilot.app
    await on_step(pilot, StepId.WELCOME)
    app.memory.order = Order(SITE, await app.services.plan(SITE), app.access(), {}, "Thiri Aung")
    app.go(StepId.INSTALL, SITE)
    await on_step(pilot, StepId.INSTALL)
    return app.step_screen


@pytest.mark.parametrize(
    ("key", "actions"), [("f10", ["end-theirs"]), ("l", ["stop"]), ("escape", [])]
)
async def test_a_person_says_what_becomes_of_it(
    key: str, actions: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("screens.shell.dialog.READ_SECONDS", 0.0)
    app = SitewrightApp(scripted(tmp_path, under_way(failed=False)))
    async with app.run_test(size=SMALL) as pilot:
        screen, control = await installing(pilot), Control()
        asked = asyncio.create_task(screen._others(TEXT, control))
        await until(pilot, lambda: isinstance(app.screen, OthersScreen))
        await shows(pilot, "Somebody else is at work here", "Ko Ko on lap2", "End theirs", "Wait")
        await pilot.press(key)
        await asked
        told = control.take()
        assert [one.action for one in told] == actions
        assert {one.by for one in told} <= {"Thiri Aung"}


async def test_the_panel_goes_where_it_ended_by_itself(tmp_path: Path) -> None:
    app = SitewrightApp(scripted(tmp_path, under_way(failed=False)))
    async with app.run_test(size=SMALL) as pilot:
        screen = await installing(pilot)
        asked = asyncio.create_task(screen._others(TEXT, Control()))
        await until(pilot, lambda: isinstance(app.screen, OthersScreen))
        asked.cancel()
        await until(pilot, lambda: not isinstance(app.screen, OthersScreen))


class Talk:
    """A stand-in for a terminal on which a number is typed, once it may be."""

    def __init__(self, chosen: int, wait: Callable[[], object] = lambda: None) -> None:
        self.chosen, self.wait = chosen, wait
        self.said: list[str] = []

    def say(self, text: str = "") -> None:
        self.said.append(text)

    def ask_number(self, question: str, most: int) -> int:
        self.wait()
        return self.chosen


class Plain:
    """A stand-in for the plain wizard around one question."""

    def __init__(self, talk: Talk) -> None:
        self.dialogue = talk
        self.memory = Memory(person="Thiri Aung")


@pytest.mark.parametrize(("chosen", "actions"), [(1, []), (2, ["end-theirs"]), (3, ["stop"])])
async def test_the_plain_wizard_asks_by_number(chosen: int, actions: list[str]) -> None:
    talk, control = Talk(chosen), Control()
    wizard: Any = Plain(talk)
    await _Person(wizard).others(TEXT, control)
    assert [one.action for one in control.take()] == actions
    assert TEXT in talk.said


async def test_a_line_that_was_asked_for_is_no_answer_to_the_next_question() -> None:
    typed = threading.Event()
    talk, control = Talk(2, typed.wait), Control()
    wizard: Any = Plain(talk)
    person = _Person(wizard)
    asked = asyncio.create_task(person.others(TEXT, control))
    await when(lambda: TEXT in talk.said)
    asked.cancel()
    await when(lambda: "It has ended meanwhile. 1 goes on." in talk.said)
    assert person.one.locked()  # the next question waits
    typed.set()
    with pytest.raises(asyncio.CancelledError):
        await asked
    assert not person.one.locked()
    assert control.take() == []

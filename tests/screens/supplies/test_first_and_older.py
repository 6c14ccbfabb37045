"""What is used here for the first time, and a bundle older than the site's, in both wizards."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from bundles.read.age import Stamp
from foundation.secrets import Secret
from installer.plans.plan import Plan
from installer.supply.bundle_order import OlderBundle
from screens.answers.answers import Answers
from screens.answers.wizard import StepId
from screens.plain.plain_settings import _planned
from screens.plan.ask_older import OlderScreen
from screens.plan.begin import BeginScreen
from screens.services.memory import Memory
from screens.shell.app import SitewrightApp
from screens.widgets.field import Line
from tests.screens import saying
from tests.screens.driving import on_step, shows, types, until
from tests.screens.run.test_install import SMALL, TOKEN, to_settings
from tests.screens.tiny import TinyServices, write_solution

OLD = Stamp("tiny", "single-box", "1.0", "2026-01-01T00:00:00+00:00", "sha256:" + "a" * 64)
NEW = replace(OLD, version="2.0", created="2026-06-01T00:00:00+00:00", index="sha256:" + "b" * 64)


class Older(TinyServices):
    """A stand-in for a site whose bundle is an older one than it had."""

    async def plan(self, answers: Answers, older: Mapping[str, str] = MappingProxyType({})) -> Plan:
        if OLD.index not in older:
            raise OlderBundle(OLD, NEW, "/media/b", "this site")
        made = await super().plan(answers)
        kept = {"bundle": "/media/b", "keys": "", "index": OLD.index, "older": "allowed"}
        kept["older_by"] = older[OLD.index]
        return replace(made, supplies=tuple(kept.items()))


async def test_an_older_bundle_is_taken_on_a_typed_word(hermetic: Path, tmp_path: Path) -> None:
    app = SitewrightApp(Older(write_solution(tmp_path / "solutions", hermetic)))
    async with app.run_test(size=SMALL) as pilot:
        await to_plan_step(pilot)
        await until(pilot, lambda: isinstance(app.screen, OlderScreen))
        await shows(pilot, "tiny 1.0 of 2026-01-01", "tiny 2.0 of 2026-06-01", "Type older")
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(app.screen, OlderScreen))
        assert app.memory.plan is None
        await pilot.press("f10")
        await shows(pilot, "There is no plan yet")
        await pilot.press("o")
        await until(pilot, lambda: isinstance(app.screen, OlderScreen))
        await types(pilot, "yes")
        screen = app.screen
        assert isinstance(screen, OlderScreen)
        screen.action_take()
        await shows(pilot, "Type older to allow it")
        screen.query_one("#word", Line).value = "older"
        screen.query_one("#by", Line).value = " "
        screen.action_take()
        await shows(pilot, "Say who you are")
        screen.query_one("#by", Line).value = "Ma Ma"
        screen.action_take()
        await until(pilot, lambda: app.memory.plan is not None)
        # The first sight of the bundle is said on the plan, and again in the last question.
        await shows(pilot, "The bundle /media/b is used here for the first time.")
        await pilot.press("f10")
        await types(pilot, TOKEN)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, BeginScreen))
        await shows(pilot, "used here for the first time", "allowed by the word of Ma Ma")


async def test_the_short_way_asks_likewise_and_remembers_the_word(
    hermetic: Path, tmp_path: Path
) -> None:
    app = SitewrightApp(Older(write_solution(tmp_path / "solutions", hermetic)))
    async with app.run_test(size=SMALL) as pilot:
        await to_plan_step(pilot)
        await until(pilot, lambda: isinstance(app.screen, OlderScreen))
        await pilot.press("escape")
        app.memory.secrets["token"] = Secret(TOKEN)
        app.go(StepId.SUMMARY, app.answers)
        await on_step(pilot, StepId.SUMMARY)
        await pilot.press("f9")
        await until(pilot, lambda: isinstance(app.screen, OlderScreen))
        assert app.step is StepId.PLAN
        app.screen.query_one("#word", Line).value = "older"
        await until(pilot, lambda: app.screen.query_one("#word", Line).value == "older")
        assert isinstance(app.screen, OlderScreen)
        app.screen._opened -= 2000  # as if it had been read for a while
        await pilot.press("f10")
        await until(pilot, lambda: app.memory.plan is not None)
        app.go(StepId.SUMMARY, app.answers)
        await on_step(pilot, StepId.SUMMARY)
        await shows(pilot, "F9 shows the plan")
        await pilot.press("f9")
        await on_step(pilot, StepId.PLAN)
        await shows(pilot, "The bundle /media/b is used here")


async def to_plan_step(pilot: Any) -> None:
    """To the plan step, where no plan comes."""
    await to_settings(pilot)
    await types(pilot, "tiny.example.org")
    await pilot.press("f10")
    await on_step(pilot, StepId.SUPPLIES)
    await pilot.press("f10")


class Talk:
    """A stand-in for a terminal on which one word is typed."""

    def __init__(self, word: str) -> None:
        self.word = word
        self.said: list[str] = []

    def say(self, text: str = "") -> None:
        self.said.append(text)

    def ask(self, question: str, default: str = "") -> str:
        self.said.append(question)
        return "Ma Ma" if question.startswith("Your name") else self.word


class Plain:
    """A stand-in for the plain wizard around one question."""

    def __init__(self, word: str, services: object, wait: Callable[[Any], Any]) -> None:
        self.dialogue = Talk(word)
        self.services = services
        self.wait = wait
        self.memory = Memory()


@pytest.mark.parametrize("word", ["older", "no"])
def test_the_plain_wizard_asks_likewise(word: str, hermetic: Path, tmp_path: Path) -> None:
    services = Older(write_solution(tmp_path / "solutions", hermetic))
    wizard: Any = Plain(word, services, asyncio.run)
    answers = saying.said(solution="tiny", environment="single-box",
                          machines=(services.this_machine(),),
                          settings={"domain": "tiny.example.org"})  # fmt: skip
    if word == "older":
        assert dict(_planned(wizard, answers).supplies)["older_by"] == "Ma Ma"
    else:
        with pytest.raises(OlderBundle):
            _planned(wizard, answers)
    assert any("tiny 2.0 of 2026-06-01" in said for said in wizard.dialogue.said)

"""Driving the wizard: waiting for conditions, typing, reading the screen."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

from textual.pilot import Pilot
from textual.screen import Screen

from screens.answers.answers import Answers
from screens.answers.wizard import INSTALLING, StepId
from screens.shell.app import SitewrightApp
from screens.widgets.board import Board
from tests.screens.recorded import RecordedServices, offer_of
from tests.screens.saying import said

Found = TypeVar("Found", bound=Screen[object])

PATIENCE = 90.0
"""Seconds until a condition that never comes true fails the test."""

LOOKING = tuple(step for step in StepId if step not in INSTALLING)
"""The steps that change nothing, which every solution has."""

KEYS = {
    " ": "space", "@": "at", "=": "equals_sign", ".": "full_stop", "-": "minus", ":": "colon",
    "/": "slash", "_": "underscore", ",": "comma", "[": "left_square_bracket",
    "]": "right_square_bracket",
}  # fmt: skip


async def until(pilot: Pilot[int], condition: Callable[[], object]) -> None:
    """Wait until something is true, and until the screen has nothing more to do."""
    end = time.monotonic() + PATIENCE
    while True:
        if condition():
            await pilot.pause()
            return
        if time.monotonic() > end:
            raise AssertionError(f"it did not come true; the screen:\n{text(pilot)}")
        await asyncio.sleep(0.01)


def wizard(pilot: Pilot[int]) -> SitewrightApp:
    """The app behind a pilot."""
    app = pilot.app
    assert isinstance(app, SitewrightApp)
    return app


def text(pilot: Pilot[int]) -> str:
    """What stands on the screen, line by line."""
    strips = pilot.app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in strip).rstrip() for strip in strips)


async def shows(pilot: Pilot[int], *words: str) -> None:
    """Wait until all these words stand on the screen, however they are wrapped."""
    wanted = ["".join(word.split()) for word in words]

    def there() -> bool:
        flat = "".join(text(pilot).split())
        return all(word in flat for word in wanted)

    await until(pilot, there)


async def on_step(pilot: Pilot[int], step: StepId) -> None:
    """Wait until a step is on the screen and laid out."""

    def there() -> bool:
        screen = pilot.app.screen
        if getattr(screen, "STEP", None) is not step or not screen.is_mounted:
            return False
        return all(button.region.width > 0 for button in screen.query("#back, #next"))

    await until(pilot, there)


async def types(pilot: Pilot[int], words: str) -> None:
    """Type some text."""
    await pilot.press(*(KEYS.get(character, character) for character in words))


async def to_goal(pilot: Pilot[int]) -> None:
    """From the welcome to the goal, with the solutions read."""
    await on_step(pilot, StepId.WELCOME)
    await pilot.pause()
    pilot.app.screen.query_one("#choices", Board).move_to("new")
    await pilot.press("enter")
    await on_step(pilot, StepId.GOAL)
    board = pilot.app.screen.query_one("#list", Board)
    await until(pilot, lambda: len(board.rows) > 5)


async def mapped(pilot: Pilot[int], case: str, key: str) -> None:
    """On the goal step, wait until the advice for a use case is there, measured here."""
    screen = pilot.app.screen
    cases, ways = screen.query_one("#cases", Board), screen.query_one("#ways", Board)

    def there() -> bool:
        measured = bool(getattr(screen, "machines", ()))
        return measured and cases.key == case and any(row.key == key for row in ways.rows)

    await until(pilot, there)


async def to_list(pilot: Pilot[int]) -> None:
    """On the goal step, put the list in front."""
    if not pilot.app.screen.has_class("-list"):
        await pilot.press("l")
    await until(pilot, lambda: pilot.app.screen.query_one("#list", Board).has_focus)


async def choose(pilot: Pilot[int], key: str = "pm4ml/production") -> None:
    """On the goal step, take a goal from the list and go on."""
    await to_list(pilot)
    pilot.app.screen.query_one("#list", Board).move_to(key)
    await pilot.press("enter")
    await until(pilot, lambda: pilot.app.screen.__class__.__name__ != "GoalScreen")


async def answered(pilot: Pilot[int], *machines: str) -> Answers:
    """The answers of a person who named these machines for PM4ML in production."""
    await on_step(pilot, StepId.WELCOME)
    app = wizard(pilot)
    hosts = await app.services.hosts_from_text("\n".join(machines)) if machines else ()
    return said(solution="pm4ml", environment="production", machines=hosts)


async def to_machines(pilot: Pilot[int], *machines: str) -> None:
    """To the machines step, with machines on the list that were tried."""
    answers = await answered(pilot, *machines)
    app = wizard(pilot)
    app.go(StepId.MACHINES, answers)
    await on_step(pilot, StepId.MACHINES)
    await until(pilot, lambda: all(host.name in app.memory.tried for host in answers.machines))


async def to_trust(pilot: Pilot[int], *machines: str) -> None:
    """To the trust step, with machines that were asked for their keys."""
    answers = await answered(pilot, *machines)
    app = wizard(pilot)
    app.go(StepId.TRUST, answers)
    await on_step(pilot, StepId.TRUST)
    await until(pilot, lambda: all(host.name in app.memory.tried for host in answers.machines))


async def to_preflight(pilot: Pilot[int], *machines: str) -> None:
    """To the preflight step, every unknown key confirmed, everything judged."""
    answers = await answered(pilot, *machines)
    app = wizard(pilot)
    assert isinstance(app.services, RecordedServices)
    keys = app.services.keys
    app.services.trusted += [
        offer_of(host) for host in answers.machines if keys.get(host.name) != "changed"
    ]
    app.go(StepId.PREFLIGHT, answers)
    await on_step(pilot, StepId.PREFLIGHT)
    await judged(pilot)


async def judged(pilot: Pilot[int]) -> None:
    """Wait until the whole site is judged and shown."""
    app = wizard(pilot)

    def done() -> bool:
        screen = app.step_screen
        between = getattr(screen, "between", None)
        return app.memory.assessment is not None and between is not None

    await until(pilot, done)


async def to_summary(pilot: Pilot[int], *machines: str) -> None:
    """To the last step."""
    await to_preflight(pilot, *machines)
    await pilot.press("f10")
    await on_step(pilot, StepId.SUMMARY)

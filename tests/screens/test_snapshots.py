"""What the screens look like, cell by cell, at the two sizes and in the three looks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

import pytest
from textual.pilot import Pilot

from screens.app import SitewrightApp
from screens.findings import FindingsScreen
from screens.look import Look
from screens.widgets.board import Board
from screens.wizard import StepId
from tests.screens.driving import (
    on_step,
    to_goal,
    to_machines,
    to_preflight,
    to_summary,
    to_trust,
    until,
)
from tests.screens.recorded import RecordedServices

Compare: TypeAlias = Callable[..., bool]
Drive: TypeAlias = Callable[[Pilot[int]], Awaitable[None]]

SITE = ("m1=10.10.0.11", "w1=ops@10.10.0.14", "w3=10.10.0.16", "st1=10.10.0.31", "lb2=10.10.0.22")


async def welcome(pilot: Pilot[int]) -> None:
    await on_step(pilot, StepId.WELCOME)
    await until(pilot, lambda: pilot.app.screen.query_one("#choices", Board).has_focus)


async def goal(pilot: Pilot[int]) -> None:
    await to_goal(pilot)
    pilot.app.screen.query_one("#list", Board).move_to("pm4ml/production")
    await pilot.pause()


async def machines(pilot: Pilot[int]) -> None:
    await to_machines(pilot, *SITE)


async def trust(pilot: Pilot[int]) -> None:
    await to_trust(pilot, *SITE)
    await pilot.press("space", "end")


async def preflight(pilot: Pilot[int]) -> None:
    await to_preflight(pilot, *SITE)


async def findings(pilot: Pilot[int]) -> None:
    await to_preflight(pilot, *SITE)
    pilot.app.screen.query_one("#machines", Board).move_to("w1")
    await pilot.press("enter")
    await until(pilot, lambda: isinstance(pilot.app.screen, FindingsScreen))


async def summary(pilot: Pilot[int]) -> None:
    await to_summary(pilot, *SITE)


async def help_panel(pilot: Pilot[int]) -> None:
    await to_goal(pilot)
    await pilot.press("f1")


DRIVES: dict[str, Drive] = {
    "welcome": welcome,
    "goal": goal,
    "machines": machines,
    "trust": trust,
    "preflight": preflight,
    "findings": findings,
    "summary": summary,
    "help": help_panel,
}


@pytest.mark.parametrize("name", DRIVES)
def test_at_80x24(name: str, services: RecordedServices, snap_compare: Compare) -> None:
    app = SitewrightApp(services, look=Look.COLOUR)
    assert snap_compare(app, terminal_size=(80, 24), run_before=DRIVES[name])


@pytest.mark.parametrize("name", ["goal", "preflight", "findings", "summary"])
def test_at_120x40(name: str, services: RecordedServices, snap_compare: Compare) -> None:
    app = SitewrightApp(services, look=Look.COLOUR)
    assert snap_compare(app, terminal_size=(120, 40), run_before=DRIVES[name])


@pytest.mark.parametrize("name", ["goal", "trust", "preflight"])
@pytest.mark.parametrize("look", [Look.MONO, Look.ASCII], ids=["mono", "ascii"])
def test_without_colour(
    name: str, look: Look, services: RecordedServices, snap_compare: Compare
) -> None:
    app = SitewrightApp(services, look=look)
    assert snap_compare(app, terminal_size=(80, 24), run_before=DRIVES[name])

"""What the screens look like, cell by cell, at the two sizes and in the three looks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TypeAlias

import pytest
from textual.pilot import Pilot

from installer.events import Event
from installer.running.work import Failure
from screens.answers.wizard import StepId
from screens.preflight.findings import FindingsScreen
from screens.run.run_log import RunLog
from screens.services.services import Order
from screens.shell.app import SitewrightApp
from screens.shell.theme import Look
from screens.widgets.board import Board
from tests.screens.driving import (
    judged,
    mapped,
    on_step,
    shows,
    to_goal,
    to_list,
    to_machines,
    to_preflight,
    to_summary,
    to_trust,
    until,
    wizard,
)
from tests.screens.recorded import RecordedServices, offer_of
from tests.screens.saying import said
from tests.screens.scripted import FAILURE, finished, scripted, under_way
from tests.screens.scripted import SITE as SITE_OF_THREE
from tests.screens.updates.told import SITE as UPDATED_SITE
from tests.screens.updates.told import updating
from tests.screens.walking import PLACES, arrive, rests, services_of

Compare: TypeAlias = Callable[..., bool]
Drive: TypeAlias = Callable[[Pilot[int]], Awaitable[None]]

SITE = ("m1=10.10.0.11", "w1=ops@10.10.0.14", "w3=10.10.0.16", "st1=10.10.0.31", "lb2=10.10.0.22")


def at_rest(drive: Drive) -> Drive:
    """What is waited for may stand there before all else does, where the machine is busy."""

    async def driven(pilot: Pilot[int]) -> None:
        await drive(pilot)
        await rests(pilot)

    return driven


async def welcome(pilot: Pilot[int]) -> None:
    await on_step(pilot, StepId.WELCOME)
    await until(pilot, lambda: pilot.app.screen.query_one("#choices", Board).has_focus)


async def goal(pilot: Pilot[int]) -> None:
    await to_goal(pilot)
    await mapped(pilot, "experimenter", "core-test-harness/single-box")


async def goal_bare_metal(pilot: Pilot[int]) -> None:
    await to_goal(pilot)
    pilot.app.screen.query_one("#cases", Board).move_to("bare-metal")
    await mapped(pilot, "bare-metal", "pm4ml-on-premises/production")
    await pilot.press("right")
    pilot.app.screen.query_one("#ways", Board).move_to("pm4ml-on-premises/production")
    await shows(pilot, "Payment Manager of a bank")


async def goal_list(pilot: Pilot[int]) -> None:
    await to_goal(pilot)
    await to_list(pilot)
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


async def updates(pilot: Pilot[int]) -> None:
    await welcome(pilot)
    pilot.app.screen.query_one("#choices", Board).move_to("updates")
    await pilot.press("enter", "f10")
    await shows(pilot, "4 of 8 images have something newer")


DRIVES: dict[str, Drive] = {
    "welcome": welcome,
    "updates": updates,
    "goal": goal,
    "goal-bare-metal": goal_bare_metal,
    "goal-list": goal_list,
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
    assert snap_compare(app, terminal_size=(80, 24), run_before=at_rest(DRIVES[name]))


@pytest.mark.parametrize("name", ["updates", "goal-bare-metal", "preflight", "findings", "summary"])
def test_at_120x40(name: str, services: RecordedServices, snap_compare: Compare) -> None:
    app = SitewrightApp(services, look=Look.COLOUR)
    assert snap_compare(app, terminal_size=(120, 40), run_before=at_rest(DRIVES[name]))


@pytest.mark.parametrize("name", ["goal", "trust", "preflight"])
@pytest.mark.parametrize("look", [Look.MONO, Look.ASCII], ids=["mono", "ascii"])
def test_without_colour(
    name: str, look: Look, services: RecordedServices, snap_compare: Compare
) -> None:
    app = SitewrightApp(services, look=look)
    assert snap_compare(app, terminal_size=(80, 24), run_before=at_rest(DRIVES[name]))


# ---- an installation


async def settings(pilot: Pilot[int]) -> None:
    await on_step(pilot, StepId.WELCOME)
    await pilot.pause()
    wizard(pilot).go(StepId.SETTINGS, SITE_OF_THREE)
    await on_step(pilot, StepId.SETTINGS)
    board = pilot.app.screen.query_one("#settings", Board)
    await until(pilot, lambda: len(board.rows) > 3)
    board.move_to("flavour")
    await shows(pilot, "[plain]")


async def plan(pilot: Pilot[int]) -> None:
    await on_step(pilot, StepId.WELCOME)
    await pilot.pause()
    app = wizard(pilot)
    assert isinstance(app.services, RecordedServices)
    one = said(SITE_OF_THREE, machines=SITE_OF_THREE.machines[:1])
    app.services.trusted += [offer_of(host) for host in one.machines]
    app.go(StepId.PREFLIGHT, one)
    await on_step(pilot, StepId.PREFLIGHT)
    await judged(pilot)
    app.go(StepId.PLAN, app.answers)
    await on_step(pilot, StepId.PLAN)
    await until(pilot, lambda: app.memory.plan is not None)
    pilot.app.screen.query_one("#steps", Board).move_to("finish/second")
    await shows(pilot, "cannot be taken back:")


async def install(pilot: Pilot[int]) -> None:
    await on_step(pilot, StepId.WELCOME)
    await pilot.pause()
    app = wizard(pilot)
    made = await app.services.plan(SITE_OF_THREE)
    app.memory.order = Order(SITE_OF_THREE, made, app.access(), {}, "Thiri Aung")
    app.go(StepId.INSTALL, SITE_OF_THREE)
    await on_step(pilot, StepId.INSTALL)
    log = pilot.app.screen.query_one(RunLog)
    await until(pilot, lambda: len(log.lines) > 10 and not log.waiting)
    # The stages' cursor goes with the work at the next beat, unless the stages have the focus.
    log.focus()
    stages = pilot.app.screen.query_one("#stages", Board)
    screen = pilot.app.screen
    await until(
        pilot, lambda: str(stages.key).startswith("finish") or not getattr(screen, "running", True)
    )


async def hand_over(pilot: Pilot[int]) -> None:
    await install(pilot)
    screen = pilot.app.screen
    await until(pilot, lambda: not getattr(screen, "running", True))
    await pilot.press("f10")
    await on_step(pilot, StepId.VERIFY)
    await pilot.press("f10")
    await on_step(pilot, StepId.HAND_OVER)
    await shows(pilot, "1. Preparation: done")


INSTALLATION: dict[str, tuple[Drive, Sequence[Event], Sequence[Failure]]] = {
    "settings": (settings, (), ()),
    "plan": (plan, (), ()),
    "install": (install, under_way(failed=False), ()),
    "failure": (install, under_way(failed=True), (FAILURE,)),
    "hand-over": (hand_over, finished(), ()),
}


@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=["80x24", "120x40"])
@pytest.mark.parametrize("name", INSTALLATION)
def test_an_installation(
    name: str, size: tuple[int, int], tmp_path: Path, snap_compare: Compare
) -> None:
    drive, events, failures = INSTALLATION[name]
    app = SitewrightApp(scripted(tmp_path, events, failures), look=Look.COLOUR)
    assert snap_compare(app, terminal_size=size, run_before=at_rest(drive))


# ---- an update that is applied


async def review_of_update(pilot: Pilot[int]) -> None:
    await on_step(pilot, StepId.WELCOME)
    wizard(pilot).answers = UPDATED_SITE
    await updates(pilot)
    await pilot.press("a")
    await shows(pilot, "Apply this update?")


async def begun_update(pilot: Pilot[int]) -> None:
    await review_of_update(pilot)
    await pilot.press("f10")
    await shows(pilot, "Begin the update?")
    await pilot.press("f10")
    await until(pilot, lambda: type(pilot.app.screen).__name__ == "ApplyUpdateScreen")
    await shows(pilot, "1 old pods are still to end")


async def ended_update(pilot: Pilot[int]) -> None:
    await begun_update(pilot)
    await shows(pilot, "The record of the update:")


UPDATES: dict[str, tuple[Drive, str]] = {
    "review": (review_of_update, ""),
    "under-way": (begun_update, ""),
    "ended": (ended_update, "done"),
}


@pytest.mark.parametrize("size", [(60, 18), (80, 24), (120, 40)], ids=["60x18", "80x24", "120x40"])
@pytest.mark.parametrize("name", UPDATES)
def test_an_update(name: str, size: tuple[int, int], tmp_path: Path, snap_compare: Compare) -> None:
    drive, ended = UPDATES[name]
    app = SitewrightApp(scripted(tmp_path, updating(ended=ended)), look=Look.COLOUR)
    assert snap_compare(app, terminal_size=size, run_before=at_rest(drive))


# ---- an acceptance, from the choice of a profile to its verdict


@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=["80x24", "120x40"])
@pytest.mark.parametrize("name", ["hub", "profile", "acceptance-review", "acceptance", "accepted"])
def test_an_acceptance(
    name: str, size: tuple[int, int], snap_compare: Compare, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 2)  # the review says how many there are
    place, here = PLACES[name], Path()
    services = services_of(place, here)

    async def there(pilot: Pilot[int]) -> None:
        await arrive(pilot, place, services, here)

    app = SitewrightApp(services, look=Look.COLOUR)
    assert snap_compare(app, terminal_size=size, run_before=there)

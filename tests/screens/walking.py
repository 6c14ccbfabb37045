"""Every screen of the wizard in turn, for the rules that hold on all of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from textual.pilot import Pilot

from screens.answers.wizard import StepId
from screens.services.services import Order
from screens.shell.app import SitewrightApp
from screens.supplies.bundle_inside import InsideScreen
from screens.supplies.bundle_make import MakeScreen
from screens.widgets.board import Board
from screens.widgets.field import Line
from tests.screens.acceptance.told import accepting, to_page
from tests.screens.bundles import RECIPE, small_bundle
from tests.screens.driving import judged, on_step, until
from tests.screens.recorded import RecordedServices, offer_of
from tests.screens.saying import said
from tests.screens.scripted import FAILURE, SITE, finished, scripted, under_way
from tests.screens.updates.told import SITE as UPDATED
from tests.screens.updates.told import updating

Going = Callable[[Pilot[int]], Awaitable[None]]


@dataclass(frozen=True)
class Place:
    """A screen, and how to come there."""

    step: StepId
    keys: tuple[str, ...] = ()
    """What is pressed on the step, one after the other, each when the screen rests."""
    screen: str = ""
    """The class of the screen that stands in front then; empty for the step itself."""
    kind: str = "running"
    """Whose services: recorded, running, failing, finished, updating, updated, accepting,
    accepted."""
    before: str = ""
    """The id of the widget that has the cursor before the keys; empty for where it begins."""
    page: str = ""
    """The page of an acceptance on which the keys are pressed."""


def _accepting(
    page: str, keys: tuple[str, ...] = (), screen: str = "", kind: str = "accepting"
) -> Place:
    return Place(StepId.WELCOME, keys, screen or page, kind, page=page)


PLACES: Final = {
    "welcome": Place(StepId.WELCOME, kind="recorded"),
    "which-cluster": Place(
        StepId.WELCOME, ("end", "up", "up", "enter"), "WayScreen", kind="recorded"
    ),
    "cluster": Place(
        StepId.WELCOME, ("end", "up", "up", "enter", "f10"), "ClusterScreen", kind="recorded"
    ),
    "ask-updates": Place(
        StepId.WELCOME, ("end", "up", "enter"), "AskUpdatesScreen", kind="recorded"
    ),
    "updates": Place(
        StepId.WELCOME, ("end", "up", "enter", "f10"), "UpdatesScreen", kind="recorded"
    ),
    "update-site": Place(
        StepId.WELCOME, ("end", "up", "enter", "f10", "a"), "FileScreen", kind="recorded"
    ),
    "update-review": Place(
        StepId.WELCOME, ("end", "up", "enter", "f10", "a"), "ReviewUpdateScreen", "updating"
    ),
    "update-begin": Place(
        StepId.WELCOME, ("end", "up", "enter", "f10", "a", "f10"), "BeginUpdateScreen", "updating"
    ),
    "update-apply": Place(
        StepId.WELCOME,
        ("end", "up", "enter", "f10", "a", "f10", "f10"),
        "ApplyUpdateScreen",
        "updating",
    ),
    "updated": Place(
        StepId.WELCOME,
        ("end", "up", "enter", "f10", "a", "f10", "f10"),
        "ApplyUpdateScreen",
        "updated",
    ),
    "hub": _accepting("HubScreen"),
    "profile": _accepting("ChooseScreen"),
    "own-profile": _accepting("ChooseScreen", ("o",), "OwnScreen"),
    "acceptance-review": _accepting("ReviewScreen"),
    "acceptance-begin": _accepting("BeginAcceptance"),
    "acceptance": _accepting("WatchScreen"),
    "acceptance-stop": _accepting("WatchScreen", ("s",), "StopScreen"),
    "accepted": _accepting("VerdictScreen", kind="accepted"),
    "criterion": _accepting("VerdictScreen", ("enter",), "WholeCriterion", "accepted"),
    "goal": Place(StepId.GOAL, kind="recorded"),
    "goal-options": Place(StepId.GOAL, ("right",), kind="recorded"),
    "goal-list": Place(StepId.GOAL, ("l",), kind="recorded"),
    "option": Place(StepId.GOAL, ("right", "space"), "OptionPanel", kind="recorded"),
    "new-site": Place(StepId.GOAL, ("s",), "NewSiteScreen", kind="recorded"),
    "machines": Place(StepId.MACHINES, kind="recorded"),
    "machines-list": Place(StepId.MACHINES, kind="recorded", before="machines"),
    "login": Place(StepId.MACHINES, ("f2",), "LoginScreen", kind="recorded"),
    "list": Place(StepId.MACHINES, ("f5",), "ListScreen", kind="recorded"),
    "file": Place(StepId.MACHINES, ("f6",), "FileScreen", kind="recorded"),
    "change": Place(StepId.MACHINES, ("enter",), "ChangeScreen", "recorded", "machines"),
    "trust": Place(StepId.TRUST, kind="recorded"),
    "paste": Place(StepId.TRUST, ("p",), "PasteScreen", kind="recorded"),
    "confirm": Place(StepId.TRUST, ("a",), "ConfirmKeysScreen", kind="recorded"),
    "preflight": Place(StepId.PREFLIGHT, kind="recorded"),
    "findings": Place(StepId.PREFLIGHT, ("down", "enter"), "FindingsScreen", kind="recorded"),
    "whole": Place(StepId.PREFLIGHT, ("down", "enter", "enter"), "WholeScreen", kind="recorded"),
    "waive": Place(StepId.PREFLIGHT, ("down", "enter", "w"), "WaiveScreen", kind="recorded"),
    "export": Place(StepId.PREFLIGHT, ("e",), "ExportScreen", kind="recorded"),
    "summary": Place(StepId.SUMMARY, kind="recorded"),
    "roles": Place(StepId.SUMMARY, ("enter",), "RolesScreen", kind="recorded"),
    "site-file": Place(StepId.SUMMARY, ("s",), "WriteFileScreen", kind="recorded"),
    "settings": Place(StepId.SETTINGS),
    "settings-choice": Place(StepId.SETTINGS, ("down",)),
    "supplies": Place(StepId.SUPPLIES),
    "make": Place(StepId.SUPPLIES, ("end", "enter"), "MakeScreen"),
    "plan": Place(StepId.PLAN),
    "step": Place(StepId.PLAN, ("enter",), "StepPanel"),
    "secrets": Place(StepId.PLAN, ("f10",), "SecretsScreen"),
    "begin": Place(StepId.PLAN, ("f10", "x", "f10"), "BeginScreen"),
    "install": Place(StepId.INSTALL),
    "find": Place(StepId.INSTALL, ("slash",)),
    "only": Place(StepId.INSTALL, ("f",), "OnlyScreen"),
    "stop": Place(StepId.INSTALL, ("s",), "SureScreen"),
    "failing": Place(StepId.INSTALL, kind="failing"),
    "skip": Place(StepId.INSTALL, ("k",), "SkipScreen", kind="failing"),
    "ended": Place(StepId.INSTALL, kind="finished"),
    "verify": Place(StepId.VERIFY, kind="finished"),
    "hand-over": Place(StepId.HAND_OVER, kind="finished"),
    "report": Place(StepId.HAND_OVER, ("e",), "ExportScreen", kind="finished"),
    "later": Place(StepId.HAND_OVER, ("l",), "LaterScreen", kind="finished"),
    "help": Place(StepId.GOAL, ("f1",), "HelpScreen", kind="recorded"),
    "leave": Place(StepId.GOAL, ("ctrl+q",), "LeaveScreen", kind="recorded"),
    "look": Place(StepId.GOAL, ("f4",), "LookScreen", kind="recorded"),
}
"""By name: every screen that the wizard can show, but those that need a bundle."""


def services_of(place: Place, folder: Path) -> RecordedServices:
    """Recorded machines, or a recorded installation of the tiny solution."""
    if place.kind == "recorded":
        return RecordedServices(shapes={"w1": "small-vm"}, keys={"m1": "unknown", "w1": "unknown"})
    if place.page:
        return accepting(0 if place.kind == "accepting" else 1)
    if place.kind in ("updating", "updated"):
        return scripted(folder, updating(ended="done" if place.kind == "updated" else ""))
    events = finished() if place.kind == "finished" else under_way(failed=place.kind == "failing")
    services = scripted(folder, events, (FAILURE,) if place.kind == "failing" else ())
    services.trusted += [offer_of(host) for host in SITE.machines]
    assert services.folder is not None
    (services.folder / "tiny" / "bundle.yaml").write_text(RECIPE)
    return services


@asynccontextmanager
async def at(name: str, folder: Path, size: tuple[int, int]) -> AsyncIterator[Pilot[int]]:
    """The wizard, on one of the places, at rest."""
    place = PLACES[name]
    services = services_of(place, folder)
    app = SitewrightApp(services, state_file=folder / "state.json")
    async with app.run_test(size=size) as pilot:
        await arrive(pilot, place, services, folder)
        yield pilot


async def arrive(pilot: Pilot[int], place: Place, services: RecordedServices, folder: Path) -> None:
    """To a place, until it rests there; `services` are those behind the wizard."""
    app: Any = pilot.app
    await on_step(pilot, StepId.WELCOME)
    await pilot.pause()
    if place.page:
        await to_page(pilot, folder, place.page)
    elif place.kind in ("updating", "updated"):
        app.answers = UPDATED
    elif place.kind == "recorded":
        await recorded_step(pilot, services, place.step)
    else:
        await scripted_step(pilot, place.step)
    if place.before:
        app.screen.query_one(f"#{place.before}").focus()
        await pilot.pause()
    for key in place.keys:
        await rests(pilot)
        await pilot.press(key)
    await rests(pilot)
    if place.screen:
        await until(pilot, lambda: type(app.screen).__name__ == place.screen)
    await rests(pilot)


async def rests(pilot: Pilot[int]) -> None:
    """Until all keys are given out, every widget rests, and what they drew stands on the screen."""
    app: Any = pilot.app
    await until(
        pilot,
        lambda: (
            not app._held
            and app.screen_rests
            and not app.message_queue_size
            and not app._next_callbacks
            and _drawn(app.screen)
        ),
    )


def _drawn(screen: Any) -> bool:
    """Whether nothing waits for the next beat of the screen, which on a busy machine comes late."""
    if screen._layout_required or screen._repaint_required or screen._dirty_widgets:
        return False
    return not any(
        node._layout_required or node._repaint_required or node._refresh_styles_required
        for node in screen.walk_children(with_self=True)
    )


async def recorded_step(pilot: Pilot[int], services: RecordedServices, step: StepId) -> None:
    """To a step that looks at machines, with what it needs."""
    app: Any = pilot.app
    if step is StepId.WELCOME:
        return
    hosts = await services.hosts_from_text("m1=10.10.0.11\nw1=ops@10.10.0.14")
    answers = said(solution="pm4ml", environment="production", machines=hosts)
    if step not in (StepId.MACHINES, StepId.TRUST):
        services.trusted += [offer_of(host) for host in hosts]
    if step in (StepId.GOAL, StepId.MACHINES, StepId.TRUST):
        app.go(step, answers)
        await on_step(pilot, step)
        if step is StepId.GOAL:
            await until(pilot, lambda: app.screen.pane.ways.rows)
        elif step is StepId.TRUST:
            await until(pilot, lambda: not app.screen.asking)
        else:
            await until(pilot, lambda: not app.screen.trying)
        return
    app.go(StepId.PREFLIGHT, answers)
    await on_step(pilot, StepId.PREFLIGHT)
    await judged(pilot)
    if step is StepId.SUMMARY:
        await pilot.press("f10")
        await on_step(pilot, step)


async def scripted_step(pilot: Pilot[int], step: StepId) -> None:
    """To a step of the installation of the tiny solution."""
    app: Any = pilot.app
    if step in (StepId.SETTINGS, StepId.SUPPLIES):
        app.go(step, SITE)
        await on_step(pilot, step)
        board = app.screen.query(Board).first()
        await until(pilot, lambda: board.rows)
        return
    app.go(StepId.PREFLIGHT, SITE)
    await on_step(pilot, StepId.PREFLIGHT)
    await judged(pilot)
    if step is StepId.PLAN:
        app.go(step, SITE)
        await on_step(pilot, step)
        await until(pilot, lambda: app.memory.plan is not None)
        app.memory.assessment = None  # the recorded machines are one machine thrice
        return
    made = await app.services.plan(SITE)
    app.memory.order = Order(SITE, made, app.access(), {}, "Thiri Aung")
    app.go(StepId.INSTALL, SITE)
    await on_step(pilot, StepId.INSTALL)
    await until(pilot, lambda: app.memory.installed is not None and not app.screen.view.arrived)
    if step is not StepId.INSTALL:
        await until(pilot, lambda: not app.screen.running)
        app.go(step, SITE)
        await on_step(pilot, step)


__all__ = [
    "PLACES", "InsideScreen", "Line", "MakeScreen", "Place", "arrive", "at", "rests",
    "small_bundle",
]  # fmt: skip

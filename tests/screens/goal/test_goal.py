"""The goal: the map walked with the arrow keys, its advice for this machine, and the list."""

from __future__ import annotations

import asyncio

import pytest
from textual.containers import VerticalScroll
from textual.pilot import Pilot
from textual.widgets import Static

from installer.catalogue.solution import load_solution
from installer.guide.guide import Map
from screens.answers.wizard import StepId
from screens.goal.goal_map import Branch
from screens.goal.goal_words import other_tables
from screens.goal.option_panel import OptionPanel
from screens.shell.app import SitewrightApp
from screens.shell.theme import Look
from screens.summary.straight import OFFER
from screens.summary.summary import SummaryScreen
from screens.widgets.board import Board
from tests.screens.driving import (
    judged,
    mapped,
    on_step,
    shows,
    text,
    to_goal,
    to_summary,
    until,
    wizard,
)
from tests.screens.plain.test_plain import flat, talk
from tests.screens.recorded import RecordedServices
from tests.screens.saying import said

pytestmark = pytest.mark.screens

SMALL = (80, 24)
HARNESS = "core-test-harness/single-box"


def ways(pilot: Pilot[int]) -> Board:
    return pilot.app.screen.query_one("#ways", Board)


async def test_it_begins_with_who_you_are_and_recommends_for_this_machine(
    services: RecordedServices,
) -> None:
    app = SitewrightApp(services)
    async with app.run_test(size=SMALL) as pilot:
        await to_goal(pilot)
        await mapped(pilot, "experimenter", HARNESS)
        await shows(pilot, "* Recommended on thinkpad: Core Test Harness.")
        assert ways(pilot).rows[1].cells[0].text == "* PoC"
        assert services.looks == [], "the site's machines are looked at on preflight, not here"


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (60, 18)], ids=["80", "120", "60"])
async def test_the_arrows_walk_the_map(services: RecordedServices, size: tuple[int, int]) -> None:
    app = SitewrightApp(services)
    async with app.run_test(size=size) as pilot:
        await to_goal(pilot)
        await mapped(pilot, "experimenter", HARNESS)
        await pilot.press("down", "down")
        await mapped(pilot, "ci", HARNESS)
        assert len(ways(pilot).rows) == 2
        await pilot.press("right")
        await until(pilot, lambda: ways(pilot).has_focus)
        await shows(pilot, "Core Test Harness * recommended")
        await pilot.press("left", "end")
        await mapped(pilot, "site-and-cloud", "mosip-on-premises/production")
        await pilot.press("enter")
        assert ways(pilot).has_focus


async def test_the_branch_joins_a_use_case_with_its_options(services: RecordedServices) -> None:
    app = SitewrightApp(services)
    async with app.run_test(size=SMALL) as pilot:
        await to_goal(pilot)
        await pilot.press("down")
        await mapped(pilot, "developer", HARNESS)
        branch = pilot.app.screen.query_one(Branch)
        await until(pilot, lambda: branch.ends == {1, 2, 3, 5})
        lines = ["".join(s.text for s in branch.render_line(y)) for y in range(7)]
        assert lines == ["   ", " ┌─", "─┼─", " ├─", " │ ", " └─", "   "]


async def test_enter_on_an_option_takes_it_with_this_machine(services: RecordedServices) -> None:
    """Whoever wants it on one machine finds this one on the list."""
    app = SitewrightApp(services)
    async with app.run_test(size=SMALL) as pilot:
        await to_goal(pilot)
        await mapped(pilot, "experimenter", HARNESS)
        await pilot.press("right", "enter")
        await on_step(pilot, StepId.MACHINES)
        assert (app.answers.solution, app.answers.environment) == (
            "core-test-harness",
            "single-box",
        )
        assert app.answers.only_this_machine
        await pilot.press("f10")
        await on_step(pilot, StepId.PREFLIGHT)


async def test_next_takes_the_first_option_of_the_use_case(services: RecordedServices) -> None:
    app = SitewrightApp(services)
    async with app.run_test(size=SMALL) as pilot:
        await to_goal(pilot)
        await mapped(pilot, "experimenter", HARNESS)
        await pilot.press("f10")
        await on_step(pilot, StepId.MACHINES)
        assert app.answers.solution == "core-test-harness"


async def test_next_before_the_map_is_read_chooses_nothing(services: RecordedServices) -> None:
    """Keys typed ahead on a slow machine must not pick a goal that nobody saw."""
    gate = asyncio.Event()
    read = services.guide

    async def held_back() -> Map:
        await gate.wait()
        return await read()

    services.guide = held_back  # type: ignore[method-assign]  # the map is held back, then real
    app = SitewrightApp(services)
    async with app.run_test(size=SMALL) as pilot:
        await on_step(pilot, StepId.WELCOME)
        await pilot.pause()
        await pilot.press("f10")
        await on_step(pilot, StepId.GOAL)
        await pilot.press("f10")
        await shows(pilot, "Choose what the machines should carry first.")
        gate.set()
        await mapped(pilot, "experimenter", HARNESS)
        assert not app.answers.carry
        await pilot.press("f10")
        await on_step(pilot, StepId.MACHINES)


async def test_what_fits_this_machine_is_a_goal_too(services: RecordedServices) -> None:
    app = SitewrightApp(services)
    async with app.run_test(size=(120, 40)) as pilot:
        await to_goal(pilot)
        await pilot.press("up")
        await mapped(pilot, "carry", HARNESS)
        await shows(pilot, "against everything that fits on one", "Miniloop: not known yet")
        await pilot.press("enter")
        await on_step(pilot, StepId.PREFLIGHT)
        assert app.answers.carry


async def test_an_option_without_tables_shows_its_steps(services: RecordedServices) -> None:
    """It cannot be gone on with, and says so; its steps by hand are a key away."""
    app = SitewrightApp(services)
    async with app.run_test(size=SMALL) as pilot:
        await to_goal(pilot)
        pilot.app.screen.query_one("#cases", Board).move_to("one-cloud")
        await mapped(pilot, "one-cloud", "azure-marketplace/offer")
        await pilot.press("right")
        ways(pilot).move_to("azure-marketplace/offer")
        await pilot.press("enter")
        await shows(pilot, "is taken by hand: Sitewright has no tables", "Space shows its steps")
        await pilot.press("space")
        await until(pilot, lambda: isinstance(app.screen, OptionPanel))
        await shows(pilot, "Azure marketplace", "not for")
        await pilot.press("end")
        await shows(pilot, "Use HELM Deploy on AKS")
        await pilot.press("escape")
        await on_step(pilot, StepId.GOAL)


async def test_a_machine_that_is_too_small_is_told_what_it_lacks(
    services: RecordedServices,
) -> None:
    services.shapes["thinkpad"] = "small-vm"
    app = SitewrightApp(services)
    async with app.run_test(size=SMALL) as pilot:
        await to_goal(pilot)
        await mapped(pilot, "experimenter", HARNESS)
        await shows(pilot, "Nothing fits", "memory: 4 GB here, 8 GB needed")


async def test_the_goal_of_before_is_under_the_cursor(services: RecordedServices) -> None:
    app = SitewrightApp(services)
    async with app.run_test(size=SMALL) as pilot:
        await on_step(pilot, StepId.WELCOME)
        wizard(pilot).go(StepId.GOAL, said(solution="mosip", environment="production"))
        await on_step(pilot, StepId.GOAL)
        await mapped(pilot, "private-cloud", "mosip-on-premises/production")
        await until(pilot, lambda: ways(pilot).key == "mosip-on-premises/production")


async def test_the_list_is_a_key_away_and_stays(services: RecordedServices) -> None:
    app = SitewrightApp(services)
    async with app.run_test(size=SMALL) as pilot:
        await to_goal(pilot)
        await pilot.press("l")
        board = app.screen.query_one("#list", Board)
        await until(pilot, lambda: board.has_focus)
        board.move_to("iac/hub")
        await shows(pilot, "Mojaloop Infrastructure as Code, Hub")
        await pilot.press("escape")
        await on_step(pilot, StepId.WELCOME)
        await pilot.press("f10")
        await on_step(pilot, StepId.GOAL)
        assert app.screen.has_class("-list")


async def test_in_plain_ascii_nothing_is_lost(services: RecordedServices) -> None:
    app = SitewrightApp(services, look=Look.ASCII)
    async with app.run_test(size=SMALL) as pilot:
        await to_goal(pilot)
        await mapped(pilot, "experimenter", HARNESS)
        await shows(pilot, "* PoC  + Core Test Harness")
        assert text(pilot).isascii()


async def test_a_newcomer_is_led_from_the_map_to_the_question_before_the_installation(
    services: RecordedServices,
) -> None:
    """Goal, this machine, preflight, plan: nothing else is asked where all has a default."""
    app = SitewrightApp(services)
    async with app.run_test(size=SMALL) as pilot:
        await to_goal(pilot)
        await mapped(pilot, "experimenter", HARNESS)
        await pilot.press("f10")
        await on_step(pilot, StepId.MACHINES)
        await pilot.press("f10")
        await on_step(pilot, StepId.PREFLIGHT)
        await judged(pilot)
        await pilot.press("f10")
        await on_step(pilot, StepId.SUMMARY)
        await shows(pilot, OFFER)
        await pilot.press("f9")
        await on_step(pilot, StepId.PLAN)
        await until(pilot, lambda: app.memory.plan is not None)
        await pilot.press("f10")
        await shows(pilot, "Begin the installation?", "1 machine will be changed: thinkpad.")
        await pilot.press("escape")
        await pilot.press("escape")
        await on_step(pilot, StepId.SUPPLIES)


async def test_what_must_be_answered_is_not_passed_by(services: RecordedServices) -> None:
    """PM4ML asks for what only its people know: no offer, and F9 says what is missing."""
    app = SitewrightApp(services)
    async with app.run_test(size=SMALL) as pilot:
        await to_summary(pilot, "m1=10.10.0.11")
        await pilot.press("f9")
        await shows(pilot, "is missing")
        assert OFFER not in text(pilot)
        assert isinstance(app.screen, SummaryScreen)


def test_the_plain_face_guides_by_numbers(services: RecordedServices) -> None:
    _, said = talk(services, "1\nguide\n1\n4\n1\n\n\nq\n")
    assert "Who are you?" in said
    assert "1. Recommended: Core Test Harness" in said
    assert "This machine carries it, with 1 warning." in said
    assert "(core-test-harness single-box)" in said


def test_the_plain_face_tells_the_steps_by_hand(services: RecordedServices) -> None:
    _, said = talk(services, "1\nguide\n4\n1\n1\n1\n1\n3\n1\n\nq\n")
    assert "Where?" in said
    assert "is taken by hand: Sitewright has no tables for it." in flat(said)


async def test_who_installs_an_option_and_what_it_stands_on_are_told_of_each_way(
    services: RecordedServices,
) -> None:
    async with SitewrightApp(services).run_test(size=(120, 40)) as pilot:
        await to_goal(pilot)
        pilot.app.screen.query_one("#cases", Board).move_to("bare-metal")
        await mapped(pilot, "bare-metal", "mosip-on-premises/production")
        ways = pilot.app.screen.query_one("#ways", Board)
        told = {row.key: [cell.text for cell in row.cells] for row in ways.rows}
        for key in ("mosip-on-premises/production", "mosip-on-premises/sandbox"):
            assert "by hand" in told[key]  # its machines are judged, and made by others
        on_clusters = told["mosip-on-premises/on-clusters"]
        assert "Sitewright" in on_clusters
        assert "2 clusters" in on_clusters
        assert "1 cluster" in told["helm-deploy/existing-cluster"]


def test_tables_of_one_title_are_told_apart() -> None:
    others = other_tables(load_solution("mosip").needs("sandbox"))
    assert len(set(others)) == len(others) == 3
    assert other_tables(load_solution("iac").needs("hub")) == ("The default on AWS",)


async def test_machines_that_were_named_and_not_seen_are_not_measured_by_the_one_at_hand(
    services: RecordedServices,
) -> None:
    async with SitewrightApp(services).run_test(size=(120, 40)) as pilot:
        await on_step(pilot, StepId.WELCOME)
        hosts = await services.hosts_from_text("m1=10.10.0.11\nw1=10.10.0.14")
        answers = said(solution="pm4ml", environment="staging", machines=hosts)
        wizard(pilot).go(StepId.GOAL, answers)
        await on_step(pilot, StepId.GOAL)
        pilot.app.screen.query_one("#cases", Board).move_to("bare-metal")
        await mapped(pilot, "bare-metal", "pm4ml-on-premises/staging")
        told = {row.key: [cell.text for cell in row.cells] for row in ways(pilot).rows}
        assert "4 machines" in told["pm4ml-on-premises/staging"]
        assert not [key for key, texts in told.items() if {"does not fit", "fits here"} & {*texts}]


@pytest.mark.parametrize("size", [(60, 18), (80, 20), (120, 20)])
async def test_a_low_window_keeps_its_margins(
    services: RecordedServices, size: tuple[int, int]
) -> None:
    async with SitewrightApp(services).run_test(size=size) as pilot:
        await to_goal(pilot)
        screen = pilot.app.screen
        strip, rail = screen.query_one("#strip"), screen.query_one("#rail")
        left = rail.region.right if rail.display else 0
        assert rail.display is not strip.display
        assert screen.query_one("#title").region.x == left + 1
        assert screen.query_one("#next").region.right >= size[0] - 1
        if rail.display:
            assert rail.content_region.x >= 1


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_a_text_that_goes_on_below_says_so_in_words(
    services: RecordedServices, size: tuple[int, int]
) -> None:
    """A bar at the side alone left a sentence standing in its middle."""
    async with SitewrightApp(services).run_test(size=size) as pilot:
        await to_goal(pilot)
        await pilot.press("right")
        screen = pilot.app.screen
        about = screen.query_one("#about", VerticalScroll)
        more = screen.query_one("#about-more", Static)
        await until(pilot, lambda: "more line" in str(more.render()))
        assert str(more.render()).startswith(f"{about.max_scroll_y} more line")
        assert more.region.bottom <= screen.query_one("#nav").region.y
        assert more.region.height == 1

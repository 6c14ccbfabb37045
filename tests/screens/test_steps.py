"""Each step with recorded machines, at the two sizes that matter."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from textual.widgets import Static

from foundation.hosts.connection import Credentials
from screens.answers.wizard import StepId
from screens.dialogs.export import ExportScreen
from screens.shell.app import SitewrightApp
from screens.widgets.board import Board
from screens.widgets.field import Line
from tests.screens.driving import (
    LOOKING,
    choose,
    judged,
    on_step,
    shows,
    text,
    to_goal,
    to_list,
    to_preflight,
    to_summary,
    types,
    until,
    wizard,
)
from tests.screens.looking import cut
from tests.screens.recorded import RecordedServices

SIZES = pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=["80x24", "120x40"])
SMALL = (80, 24)


@SIZES
async def test_every_step_keeps_its_frame_in_sight(
    services: RecordedServices, size: tuple[int, int]
) -> None:
    app = SitewrightApp(services)
    async with app.run_test(size=size) as pilot:
        await to_summary(pilot, "m1=10.10.0.11")
        for step in reversed(LOOKING):
            await on_step(pilot, step)
            lines = text(pilot).splitlines()
            assert lines[0].endswith("Nothing has been changed on any machine")
            assert lines[size[1] - 1].startswith(" F1 ")
            assert "Help" in lines[size[1] - 1]
            assert "Back" in lines[size[1] - 2]
            assert app.screen.query_one("#body").size.width >= 62
            if step is not StepId.WELCOME:
                await pilot.press("escape")


@SIZES
async def test_the_goal_explains_the_choice_under_the_cursor(
    services: RecordedServices, size: tuple[int, int]
) -> None:
    app = SitewrightApp(services)
    async with app.run_test(size=size) as pilot:
        await to_goal(pilot)
        await to_list(pilot)
        app.screen.query_one("#list", Board).move_to("pm4ml/production")
        await shows(pilot, "Payment Manager for Mojaloop", "master")
        await choose(pilot)
        assert (app.answers.solution, app.answers.environment) == ("pm4ml", "production")


async def test_every_form_is_exported_with_its_path_shown(
    services: RecordedServices, hermetic: Path
) -> None:
    beginnings = {"text": "", "html": "<!doctype html", "json": "{", "junit": "<?xml", "facts": "{"}
    app = SitewrightApp(services)
    async with app.run_test(size=(100, 30)) as pilot:
        await to_preflight(pilot, "w1=10.10.0.14")
        for kind, beginning in beginnings.items():
            await pilot.press("e")
            await until(pilot, lambda: isinstance(app.screen, ExportScreen))
            app.screen.query_one("#kinds", Board).move_to(kind)
            await pilot.press("enter")
            name = f"out-{kind}" + (".json" if kind == "facts" else "")
            app.screen.query_one("#name", Line).value = name
            await pilot.press("enter")
            await shows(pilot, name)
            await until(pilot, (hermetic / name).exists)
            content = (hermetic / name).read_text()
            assert content.lower().startswith(beginning)
            assert len(content) > 500


async def test_an_export_to_a_place_that_is_not_there_is_told(services: RecordedServices) -> None:
    app = SitewrightApp(services)
    async with app.run_test(size=SMALL) as pilot:
        await to_preflight(pilot, "w1=10.10.0.14")
        await pilot.press("e")
        await shows(pilot, "Write the result to a file")
        app.screen.query_one("#name", Line).value = "/no/such/folder/report.txt"
        app.screen.query_one("#name", Line).focus()
        await pilot.press("enter")
        await shows(pilot, "file cannot be written", "a folder that exists")


async def test_the_site_file_repeats_the_answers(
    services: RecordedServices, hermetic: Path
) -> None:
    from installer.sites.site import load_site

    app = SitewrightApp(services)
    async with app.run_test(size=SMALL) as pilot:
        await to_summary(pilot, "m1=ops@10.10.0.11", "w1=10.10.0.14:2222")
        await pilot.press("s")
        await shows(pilot, "Write the site file")
        await pilot.press("enter")
        await shows(pilot, "sitewright preflight --site pm4ml-production.yaml")
    site = load_site(hermetic / "pm4ml-production.yaml")
    assert (site.solution, site.environment) == ("pm4ml", "production")
    assert [(h.name, h.address, h.port, h.user, h.roles) for h in site.hosts] == [
        ("m1", "10.10.0.11", None, "ops", ("master",)),
        ("w1", "10.10.0.14", 2222, None, ("worker",)),
    ]
    assert any("Again: sitewright preflight --site" in line for line in app.memory.last_words)


async def test_roles_can_be_changed_and_everything_is_judged_again(
    services: RecordedServices,
) -> None:
    app = SitewrightApp(services)
    async with app.run_test(size=SMALL) as pilot:
        await to_summary(pilot, "m1=10.10.0.11", "w1=10.10.0.14")
        before = app.memory.assessment
        app.screen.query_one("#table", Board).move_to("m1")
        await pilot.press("enter")
        await shows(pilot, "What should m1 be?")
        await pilot.press("space", "down", "space", "f10")
        await until(pilot, lambda: app.memory.assessment is not before)
        assert app.answers.roles == {"m1": ("worker",)}
        assert app.memory.assessment is not None
        assert app.memory.assessment.hosts[0].roles == ("worker",)
        # Who fetches what goes by the roles, so that is tried again as well.
        assert [answers.roles for answers in services.fetched] == [{}, {"m1": ("worker",)}]
        await shows(pilot, "Judged again")


async def test_what_a_role_asks_for_stands_whole_though_the_list_cuts_it(
    services: RecordedServices,
) -> None:
    app = SitewrightApp(services)
    async with app.run_test(size=SMALL) as pilot:
        await to_summary(pilot, "m1=10.10.0.11", "w1=10.10.0.14")
        await pilot.press("enter")
        await shows(pilot, "What should m1 be?")
        board = app.screen.query_one("#roles", Board)
        for row in board.rows:
            board.move_to(row.key)
            asked = app.screen.query_one("#asked", Static)
            told = f"{row.key}: {row.cells[-1].text}"
            await until(pilot, partial(_says, asked, told))
            assert not cut(app.screen)


def _says(widget: Static, text: str) -> bool:
    return str(widget.render()) == text


async def test_this_machine_against_everything_that_fits(services: RecordedServices) -> None:
    app = SitewrightApp(services)
    async with app.run_test(size=SMALL) as pilot:
        await to_goal(pilot)
        await choose(pilot, "carry")
        await on_step(pilot, StepId.PREFLIGHT)
        await judged(pilot)
        await pilot.press("f10")
        await on_step(pilot, StepId.SUMMARY)
        await shows(pilot, "Core Test Harness", "Miniloop", "Again, without the wizard:")
        assert services.looks == ["thinkpad"]
        await pilot.press("s")
        await shows(pilot, "no site file to write")


async def test_saved_facts_are_judged_without_a_machine(
    services: RecordedServices, hermetic: Path
) -> None:
    from preflight.recorded import save_facts
    from tests.screens.recorded import recorded

    save_facts(hermetic / "facts.json", [recorded("pm4ml-master"), recorded("pm4ml-worker")])
    app = SitewrightApp(services)
    async with app.run_test(size=SMALL) as pilot:
        await on_step(pilot, StepId.WELCOME)
        app.screen.query_one("#choices", Board).move_to("open")
        await pilot.press("f10")
        await types(pilot, "facts.json")
        await pilot.press("enter")
        await on_step(pilot, StepId.GOAL)
        await until(pilot, lambda: len(app.screen.query_one("#list", Board).rows) > 5)
        await choose(pilot)
        await on_step(pilot, StepId.PREFLIGHT)
        await judged(pilot)
        assert services.looks == []
        await pilot.press("r")
        await shows(pilot, "These facts come from a file")


async def test_every_access_carries_the_login_of_this_session(services: RecordedServices) -> None:
    from foundation.secrets import Secret

    app = SitewrightApp(services)
    async with app.run_test(size=SMALL) as pilot:
        app.memory.credentials = Credentials(password=Secret("abcd1234"))
        await to_preflight(pilot, "st1=10.10.0.31", "m1=10.10.0.11")
        assert all(access.credentials.password for access in services.accesses)
        assert wizard(pilot).access().sudo

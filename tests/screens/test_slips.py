"""Slips: what was done on a step is taken back with z, and a waiver can be opened again."""

from __future__ import annotations

from datetime import date

from foundation.problems import InputProblem
from preflight.findings import Waiver
from screens.app import SitewrightApp
from screens.findings import FindingsScreen
from screens.run_words import why_and_do
from screens.tidings import notification, title_sequence
from screens.waive import WaiveScreen
from screens.widgets.board import Board
from screens.widgets.field import Line
from tests.screens.driving import judged, shows, to_machines, to_preflight, until
from tests.screens.recorded import RecordedServices


async def test_a_machine_that_was_taken_off_comes_back(services: RecordedServices) -> None:
    app = SitewrightApp(services)
    async with app.run_test(size=(80, 24)) as pilot:
        await to_machines(pilot, "m1=10.10.0.11", "w1=ops@10.10.0.14")
        board = app.screen.query_one("#machines", Board)
        board.focus()
        board.move_to("w1")
        before = app.answers.machines
        await pilot.press("delete")
        await shows(pilot, "Took off w1. z puts it back")
        assert len(app.answers.machines) == 1
        await pilot.press("z")
        await until(pilot, lambda: app.answers.machines == before)
        # In a line z is a letter; Ctrl+Z works there too.
        await pilot.press("delete")
        app.screen.query_one("#add", Line).focus()
        await pilot.press("z", "ctrl+z")
        await until(pilot, lambda: app.answers.machines == before)
        assert app.screen.query_one("#add", Line).value == "z"


async def test_a_waiver_is_opened_corrected_and_taken_back(services: RecordedServices) -> None:
    services.shapes["w1"] = "small-vm"
    app = SitewrightApp(services)
    async with app.run_test(size=(120, 40)) as pilot:
        await to_preflight(pilot, "w1=10.10.0.14", "m1=10.10.0.11")
        waiver = Waiver(
            check="cpu.count", host="w1", by="Ada Long", reason="a lab", until=date(2027, 1, 31)
        )
        step = app.step_screen
        step.waive(waiver.check, waiver.host, waiver)  # type: ignore[attr-defined]  # preflight's own
        await judged(pilot)
        step.query_one("#machines", Board).move_to("w1")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, FindingsScreen))
        board = app.screen.query_one("#findings", Board)

        def waived() -> Board:
            key = next(row.key for row in board.rows if row.cells[1].text == "cpu.count")
            board.move_to(key)
            return board

        await until(pilot, lambda: any(row.cells[0].text == "waived" for row in waived().rows))
        await pilot.press("w")
        await until(pilot, lambda: isinstance(app.screen, WaiveScreen))
        assert app.screen.query_one("#by", Line).value == "Ada Long"
        assert app.screen.query_one("#until", Line).value == "2027-01-31"
        app.screen.query_one("#reason", Line).value = "another lab"
        await pilot.press("f10")
        await until(pilot, lambda: app.answers.waivers[0].reason == "another lab")
        assert len(app.answers.waivers) == 1
        waived()
        await pilot.press("w")
        await until(pilot, lambda: isinstance(app.screen, WaiveScreen))
        await pilot.press("f8")
        await until(pilot, lambda: app.answers.waivers == ())
        await until(pilot, lambda: isinstance(app.screen, FindingsScreen))
        await pilot.press("z")
        await until(pilot, lambda: len(app.answers.waivers) == 1)


def test_a_sentence_that_names_a_setting_is_a_thing_to_do() -> None:
    problem = InputProblem(
        "The clock of m1 differs from every time server. Clocks that differ break certificates. "
        "Name servers that it can reach in ntp_servers; what it has is shown by: chronyc sources",
        remedy="Read the last lines, then retry it: sitewright resume.",
    )
    why, do = why_and_do(problem, {"ntp_servers": "", "domain": "example.org"})
    assert why.endswith("break certificates.")
    assert do.startswith("Name servers that it can reach in ntp_servers")
    assert "ntp_servers (now: empty)" in do
    assert "domain" not in do
    plain = InputProblem("the script ended with exit status 9", remedy="Mend it.")
    assert why_and_do(plain, {"domain": "x"}) == ("the script ended with exit status 9", "Mend it.")


def test_what_goes_to_the_terminal_holds_no_sequence_of_others() -> None:
    for told in (title_sequence("a\x1b]2;b\x07c"), notification("a\x1b]2;b\x07c", {})):
        assert told.count("\x1b") == 1
        assert told.count("\x07") == 1
    assert notification("x", {"TMUX": "1"}).startswith("\x1bPtmux;")

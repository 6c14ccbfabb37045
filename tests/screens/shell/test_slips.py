"""Slips: what was done on a step is taken back with z, and a waiver can be opened again."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from foundation.problems import InputProblem
from installer.steps.kind import StepFailed
from preflight.findings import Waiver
from screens.answers.wizard import StepId
from screens.preflight.findings import FindingsScreen
from screens.preflight.waive import WaiveScreen
from screens.run.run_words import named_settings, why_and_do
from screens.settings.settings import SettingsScreen
from screens.shell.app import SitewrightApp
from screens.shell.tidings import notification, title_sequence
from screens.supplies.supplies import SuppliesScreen
from screens.widgets.board import Board
from screens.widgets.field import Line
from tests.screens.driving import (
    judged,
    on_step,
    shows,
    to_machines,
    to_preflight,
    types,
    until,
)
from tests.screens.recorded import RecordedServices, offer_of
from tests.screens.run.test_install import to_settings
from tests.screens.scripted import FAILURE, SITE, scripted, under_way
from tests.screens.tiny import TinyServices, write_solution
from tests.screens.walking import scripted_step


@pytest.fixture
def tiny(hermetic: Path, tmp_path: Path) -> SitewrightApp:
    """The wizard over the tiny solution."""
    return SitewrightApp(TinyServices(write_solution(tmp_path / "solutions", hermetic)))


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


HARNESS = {"folder": "/opt/x", "source": "", "release": "v2.14.2", "keep_data": "yes"}


@pytest.mark.parametrize(
    ("remedy", "do"),
    [
        (
            "Make room in the folder, then: sitewright resume.",
            "Make room in the folder, then: r.",
        ),
        (
            "Then: sitewright resume. What has come from the source is kept.",
            "Then: r. What has come from the source is kept.",
        ),
        ("Answer it: sitewright resume asks again.", None),
        ("Take it over: sitewright resume --take-over", None),
        ("The release and its folder are at /opt/x/release/folder.", None),
    ],
)
def test_ordinary_words_are_no_settings_and_no_sentence_is_left_hanging(
    remedy: str, do: str | None
) -> None:
    problem = InputProblem("the disk is full. The folder holds a release", remedy=remedy)
    assert why_and_do(problem, HARNESS)[1] == (do or remedy)
    assert named_settings(problem, HARNESS) == []


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Give it in the setting release.", ["release"]),
        ("Give a folder of its own: --set folder=/srv/x", ["folder"]),
        ("Mend `source`, or settings.folder.", ["source", "folder"]),
        ("Say no to keep_data in the folder.", ["keep_data"]),
    ],
)
def test_a_setting_of_one_word_is_named_where_the_text_marks_it(
    text: str, names: list[str]
) -> None:
    for problem in (
        InputProblem("it failed", remedy=text),
        InputProblem(f"It failed. {text}", remedy="Retry it."),
    ):
        assert named_settings(problem, HARNESS) == names
        assert f"F3 leads to {names[0]} (now:" in why_and_do(problem, HARNESS)[1]


def test_where_nobody_holds_the_levers_no_key_is_named() -> None:
    problem = InputProblem("it failed. Mend keep_data", remedy="Then: sitewright resume.")
    assert why_and_do(problem, HARNESS, levers=False) == (
        "it failed.",
        "Mend keep_data. Then: sitewright resume.",
    )
    # One that was stopped is gone on with here.
    assert why_and_do(problem, HARNESS, levers=False, again="g")[1] == "Mend keep_data. Then: g."


def test_what_goes_to_the_terminal_holds_no_sequence_of_others() -> None:
    for told in (title_sequence("a\x1b]2;b\x07c"), notification("a\x1b]2;b\x07c", {})):
        assert told.count("\x1b") == 1
        assert told.count("\x07") == 1
    assert notification("x", {"TMUX": "1"}).startswith("\x1bPtmux;")


async def test_what_was_typed_into_a_setting_is_put_back_as_long_as_the_step_is_open(
    tiny: SitewrightApp,
) -> None:
    app = tiny
    async with app.run_test(size=(80, 24)) as pilot:
        await to_settings(pilot)
        screen = app.step_screen
        assert isinstance(screen, SettingsScreen)
        form = screen.form
        assert form is not None
        line = screen.query_one("#value", Line)
        board = screen.query_one("#settings", Board)
        await types(pilot, "tiny.example.org")
        await pilot.press("enter")
        await until(pilot, lambda: board.key == "flavour")
        await pilot.press("space")
        await until(pilot, lambda: form.typed["flavour"] == "rich")
        board.move_to("domain")
        await until(pilot, lambda: line.has_focus)
        # A slip: the whole line is gone, and something else stands there.
        await pilot.press("ctrl+u", *"zz")
        await until(pilot, lambda: form.typed["domain"] == "zz")
        await pilot.press("ctrl+z")
        await shows(pilot, "Put back as it was before: Changed Domain of the installation")
        assert form.typed["domain"] == line.value == "tiny.example.org"
        # The next key after that is another change.
        await pilot.press("x", "ctrl+z")
        await until(pilot, lambda: line.value == "tiny.example.org")
        # Those before it are taken back in their order, each at its own setting.
        board.move_to("mirror")
        await until(pilot, lambda: board.has_focus)
        await pilot.press("z")
        await until(pilot, lambda: "flavour" not in form.typed)
        assert board.key == "flavour"
        await pilot.press("z")
        await until(pilot, lambda: "domain" not in form.typed)
        assert board.key == "domain"
        assert line.value == ""
        await pilot.press("ctrl+z")
        await shows(pilot, "There is nothing to take back on this step.")


async def test_a_secret_that_was_overwritten_by_a_slip_holds_again(tiny: SitewrightApp) -> None:
    app = tiny
    async with app.run_test(size=(80, 24)) as pilot:
        await to_settings(pilot)
        board = app.screen.query_one("#settings", Board)
        line = app.screen.query_one("#value", Line)

        async def give(words: str) -> None:
            board.move_to("token")
            await until(pilot, lambda: line.password and line.has_focus)
            await types(pilot, words)
            board.move_to("tiny_version")
            await until(pilot, lambda: not line.password)

        await give("the-first")
        await give("the-second")
        assert app.memory.secrets["token"].reveal() == "the-second"
        await pilot.press("ctrl+z")
        await until(pilot, lambda: app.memory.secrets["token"].reveal() == "the-first")
        assert board.key == "token"
        assert line.value == ""
        # What is being typed is emptied before anything that was given is taken back.
        await types(pilot, "half")
        await pilot.press("ctrl+z")
        await until(pilot, lambda: line.value == "")
        assert app.memory.secrets["token"].reveal() == "the-first"
        await pilot.press("ctrl+z")
        await until(pilot, lambda: "token" not in app.memory.secrets)


async def test_a_choice_of_supplies_is_taken_back(tmp_path: Path) -> None:
    app = SitewrightApp(scripted(tmp_path))
    async with app.run_test(size=(80, 24)) as pilot:
        await on_step(pilot, StepId.WELCOME)
        app.go(StepId.SUPPLIES, SITE)
        await on_step(pilot, StepId.SUPPLIES)
        screen = app.step_screen
        assert isinstance(screen, SuppliesScreen)
        screen._take_keys(tmp_path / "signers")
        await until(pilot, lambda: screen.state.keys is not None)
        await pilot.press("z")
        await until(pilot, lambda: screen.state.keys is None)


async def test_a_failure_that_names_a_setting_leads_to_it(tmp_path: Path) -> None:
    problem = StepFailed(
        "The name does not resolve. Write one that does into the setting domain.", where="box1"
    )
    services = scripted(tmp_path, under_way(failed=True), (replace(FAILURE, problem=problem),))
    services.trusted += [offer_of(host) for host in SITE.machines]
    app = SitewrightApp(services)
    async with app.run_test(size=(80, 24)) as pilot:
        await on_step(pilot, StepId.WELCOME)
        await scripted_step(pilot, StepId.INSTALL)
        await shows(pilot, "F3 Settings", "F3 leads to", "domain (now: tiny")
        await pilot.press("f3")
        await shows(pilot, "Stop, and change the setting?")
        await pilot.press("y")
        await on_step(pilot, StepId.SETTINGS)
        board = app.screen.query_one("#settings", Board)
        await until(pilot, lambda: board.rows and board.key == "domain")
        assert app.screen.query_one("#value", Line).has_focus

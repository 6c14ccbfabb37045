"""An installation on this machine through the wizard: real steps, a real engine, a real journal."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Static

from foundation.problems import Refused
from installer.events import Kind, Outcome
from installer.plans.plan import PlannedStage
from installer.record.journal import read, verify
from installer.record.runs import all_sites, open_run
from installer.record.state import RunState
from installer.running.engine import Engine
from screens.answers.wizard import StepId
from screens.plan.begin import BeginScreen
from screens.plan.step_panel import StepPanel
from screens.run.ask_person import QuestionScreen, SkipScreen, SureScreen
from screens.run.ask_secrets import SecretsScreen
from screens.run.hand_over import HandOverScreen
from screens.run.install import InstallScreen
from screens.run.log_panel import LogPanel
from screens.run.run_view import RunPicture
from screens.shell.app import SitewrightApp
from screens.shell.leave import LeaveScreen
from screens.widgets.board import Board
from screens.widgets.field import Line
from tests.screens.driving import judged, on_step, shows, text, types, until, wizard
from tests.screens.saying import said
from tests.screens.tiny import TinyServices, write_solution

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="jobs are run as root; this is not root")
SMALL = (80, 24)
TOKEN = "s3cret-of-the-registry"


@pytest.fixture
def app(hermetic: Path, tmp_path: Path) -> SitewrightApp:
    """The wizard over the tiny solution, whose steps write into the working folder."""
    return SitewrightApp(TinyServices(write_solution(tmp_path / "solutions", hermetic)))


async def to_settings(pilot: Pilot[int]) -> None:
    """To the settings of the tiny solution, with this machine looked at and judged."""
    await on_step(pilot, StepId.WELCOME)
    app = wizard(pilot)
    await pilot.pause()
    machine = app.services.this_machine()
    answers = said(solution="tiny", environment="single-box", machines=(machine,))
    app.go(StepId.PREFLIGHT, answers)
    await on_step(pilot, StepId.PREFLIGHT)
    await judged(pilot)
    await pilot.press("f10")
    await on_step(pilot, StepId.SUMMARY)
    await pilot.press("f10")
    await on_step(pilot, StepId.SETTINGS)
    board = app.screen.query_one("#settings", Board)
    await until(pilot, lambda: len(board.rows) > 3 and app.screen.query_one("#value", Line).display)


async def to_plan(pilot: Pilot[int]) -> None:
    """To the plan, with the settings filled in."""
    await to_settings(pilot)
    await types(pilot, "tiny.example.org")
    await pilot.press("f10")
    await on_step(pilot, StepId.SUPPLIES)
    await pilot.press("f10")
    await on_step(pilot, StepId.PLAN)
    await until(pilot, lambda: wizard(pilot).memory.plan is not None)


async def begin(pilot: Pilot[int]) -> InstallScreen:
    """Give the secret, confirm, and come to the install step."""
    app = wizard(pilot)
    await pilot.press("f10")
    await until(pilot, lambda: isinstance(app.screen, SecretsScreen))
    await types(pilot, TOKEN)
    await pilot.press("enter")
    await until(pilot, lambda: isinstance(app.screen, BeginScreen))
    await shows(pilot, "1 machine will be changed: box1")
    await pilot.press("y")
    await until(pilot, lambda: isinstance(app.step_screen, InstallScreen))
    screen = app.step_screen
    assert isinstance(screen, InstallScreen)
    return screen


async def agree(pilot: Pilot[int]) -> None:
    """Answer the confirmation of the second stage."""
    await until(pilot, lambda: isinstance(pilot.app.screen, QuestionScreen))
    await shows(pilot, "Has the file's owner agreed?", "Thiri Aung")
    await pilot.press("y")


async def failing(pilot: Pilot[int]) -> InstallScreen:
    """To the failure of the last step, which waits for a person."""
    await to_plan(pilot)
    screen = await begin(pilot)
    await agree(pilot)
    await until(pilot, lambda: screen.has_class("-failing"))
    return screen


def files_under(folder: Path) -> list[Path]:
    """Every file that was written."""
    return [path for path in folder.rglob("*") if path.is_file()]


def headline(pilot: Pilot[int]) -> str:
    """What the first line says about the machines."""
    return str(wizard(pilot).step_screen.query_one("#changed", Static).render())


# ---- settings


async def test_settings_are_checked_as_they_are_typed(app: SitewrightApp) -> None:
    async with app.run_test(size=SMALL) as pilot:
        await to_settings(pilot)
        await shows(pilot, "! needed", "The portal answers at this name.")
        await types(pilot, "https://x")
        await shows(pilot, "Write the name alone, without https://")
        await pilot.press("f10")
        await shows(pilot, "the cursor is there now")
        await on_step(pilot, StepId.SETTINGS)
        await pilot.press(*["backspace"] * 9)
        await types(pilot, "tiny.example.org")
        await pilot.press("f10")
        await on_step(pilot, StepId.SUPPLIES)
        assert app.answers.site.settings == {"domain": "tiny.example.org"}


async def test_a_setting_appears_when_another_calls_for_it(app: SitewrightApp) -> None:
    async with app.run_test(size=SMALL) as pilot:
        await to_settings(pilot)
        board = app.screen.query_one("#settings", Board)
        assert "mirror_url" not in [row.key for row in board.rows]
        board.move_to("mirror")
        await shows(pilot, "[no]")
        await pilot.press("y")
        await shows(pilot, "Address of the mirror")
        board.move_to("flavour")
        await shows(pilot, "[plain]")
        await pilot.press("space")
        await shows(pilot, "[rich]")
        await pilot.press("escape")
        await on_step(pilot, StepId.SUMMARY)
        assert app.answers.site.settings == {"mirror": True, "flavour": "rich"}


async def test_a_secret_is_typed_unseen_and_stands_in_no_file(
    app: SitewrightApp, hermetic: Path, tmp_path: Path
) -> None:
    async with app.run_test(size=SMALL) as pilot:
        await to_settings(pilot)
        await types(pilot, "tiny.example.org")
        app.screen.query_one("#settings", Board).move_to("token")
        await shows(pilot, "typed unseen")
        await types(pilot, TOKEN)
        assert TOKEN not in text(pilot)
        await pilot.press("f10")
        await on_step(pilot, StepId.SUPPLIES)
        assert app.memory.secrets["token"].reveal() == TOKEN
        await app.services.write_site(app.answers, hermetic / "site.yaml")
        app.keep_place()
    written = files_under(tmp_path)
    assert any("wizard" in path.name for path in written)
    assert not [path for path in written if TOKEN in path.read_text(errors="replace")]


# ---- plan


async def test_the_plan_opens_to_its_commands_and_nothing_begins_unconfirmed(
    app: SitewrightApp, hermetic: Path
) -> None:
    async with app.run_test(size=SMALL) as pilot:
        await to_plan(pilot)
        await shows(pilot, "3 steps in 2 stages on 1 machine", "NEVER", "1. Preparation")
        board = app.screen.query_one("#steps", Board)
        board.move_to("finish/second")
        await shows(pilot, "cannot be taken back", "is read at once")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, StepPanel))
        await shows(pilot, f"echo 1.2.3 >> {hermetic}/second")
        await pilot.press("escape", "f10")
        await until(pilot, lambda: isinstance(app.screen, SecretsScreen))
        await types(pilot, TOKEN)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, BeginScreen))
        assert app.screen.query_one("#cancel").has_focus  # the name is known
        field = app.screen.query_one("#by", Line)
        field.value = " "
        await pilot.press("y")
        await shows(pilot, "Say who begins it")
        await pilot.press("enter")
        await until(pilot, lambda: app.screen.query_one("#cancel").has_focus)
        field.focus()
        await pilot.pause()
        field.value = "A. Moyo"
        await pilot.press("enter")
        await until(pilot, lambda: app.screen.query_one("#take").has_focus)
        assert "Say who begins it" not in str(app.screen.query_one("#wrong", Static).render())
        await pilot.press("n")
        await on_step(pilot, StepId.PLAN)
        assert app.memory.plan is not None
        app.push_screen(BeginScreen(app.memory.plan, ""))
        await until(pilot, lambda: isinstance(app.screen, BeginScreen))
        # A name that is not known is asked for, and its letters are no keys of the buttons.
        await pilot.press(*"nym")
        assert app.screen.query_one("#by", Line).value == "nym"
        await pilot.press("escape")
        await on_step(pilot, StepId.PLAN)
        assert app.memory.order is None
        assert headline(pilot) == "Nothing has been changed on any machine"
    assert files_under(hermetic) == []


async def test_a_plan_is_refused_where_preflight_says_not_ready(
    hermetic: Path, tmp_path: Path
) -> None:
    root = write_solution(tmp_path / "solutions", hermetic)
    sizing = root / "tiny" / "sizing.yaml"
    sizing.write_text(sizing.read_text().replace("memory_gb: 0.1", "cpu: 9000"))
    app = SitewrightApp(TinyServices(root))
    async with app.run_test(size=SMALL) as pilot:
        await to_plan(pilot)
        await pilot.press("f10")
        await shows(pilot, "The machines are not ready", "box1", "Go back to Preflight")
        assert isinstance(app.screen, type(app.step_screen))
        assert app.memory.order is None


# ---- install


@needs_root
async def test_a_start_that_the_engine_refuses_leaves_no_run_and_g_begins_anew(
    app: SitewrightApp, hermetic: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where Helm is missing on the control host: what was refused is no latest run."""
    (hermetic / "mended").touch()
    ready, refusals = Engine._programs_ready, [Refused("there is no Helm", where="control")]

    async def once(engine: Engine, stages: Sequence[PlannedStage]) -> list[str]:
        if refusals:
            raise refusals.pop()
        return await ready(engine, stages)

    monkeypatch.setattr(Engine, "_programs_ready", once)
    async with app.run_test(size=SMALL) as pilot:
        await to_plan(pilot)
        screen = await begin(pilot)
        await shows(pilot, "There is no Helm", "It was not begun this time")
        # A clock that struck meanwhile, and the room that came late, say nothing else of it.
        order = app.memory.order
        assert order is not None
        screen.view.standing = RunPicture(order.plan, RunState(), 0.0, running=True)
        screen.view._draw_again()
        await shows(pilot, "It was not begun this time")
        assert all_sites() == ()
        assert screen.log_panel.folder is None
        assert headline(pilot) == "Nothing has been changed on any machine"
        await pilot.press("g")
        await agree(pilot)
        await until(pilot, lambda: not screen.running)
        assert screen.outcome is Outcome.DONE
    assert len(all_sites()) == 1


@needs_root
async def test_a_failing_step_is_mended_and_retried_to_the_hand_over(
    app: SitewrightApp, hermetic: Path
) -> None:
    async with app.run_test(size=SMALL) as pilot:
        screen = await failing(pilot)
        await shows(pilot, "FAILED: Write the second file", "Where: box1", "r Retry", "not mended")
        await shows(pilot, "On disk:", "/logs")
        assert headline(pilot) == "Machines are being changed, by Thiri Aung"
        (hermetic / "mended").touch()
        await pilot.press("r")
        await until(pilot, lambda: not screen.running)
        assert screen.outcome is Outcome.DONE
        assert headline(pilot).startswith("Machines were changed on ")
        assert (hermetic / "second").read_text() == "1.2.3\n"
        await pilot.press("f10")
        await on_step(pilot, StepId.VERIFY)
        await pilot.press("f10")
        await on_step(pilot, StepId.HAND_OVER)
        await shows(pilot, "Installed: every step was done", "1. Preparation: done")
        await pilot.press("e")
        await shows(pilot, "Write the hand-over report")
        await pilot.press("enter", "enter")
        report = hermetic / "tiny-single-box-hand-over.txt"
        await until(pilot, report.exists)
        told = report.read_text()
        assert app.memory.installed is not None
        run = app.memory.installed.run
    for words in (
        "tiny version: 1.2.3",
        "Thiri Aung confirmed: Agree to the second file",
        str(run.folder),
    ):
        assert words in told
    assert TOKEN not in told
    verify(run.journal)
    kinds = [event.data["action"] for event in read(run.journal) if event.kind is Kind.CONTROL]
    assert kinds == ["retry"]
    site = run.site_file.read_text()
    assert "tiny.example.org" in site
    assert "box1" in site


@needs_root
async def test_a_failing_step_is_skipped_only_with_name_and_reason(app: SitewrightApp) -> None:
    async with app.run_test(size=SMALL) as pilot:
        screen = await failing(pilot)
        await pilot.press("k")
        await until(pilot, lambda: isinstance(app.screen, SkipScreen))
        await pilot.press("f10")
        await shows(pilot, "Both the name and the reason are needed")
        await types(pilot, "not wanted here")
        await pilot.press("f10")
        await until(pilot, lambda: not screen.running)
        assert screen.outcome is Outcome.DONE
        await pilot.press("f10")
        await on_step(pilot, StepId.VERIFY)
        await pilot.press("f10")
        await on_step(pilot, StepId.HAND_OVER)
        assert isinstance(app.screen, HandOverScreen)
        handing_over = app.screen
        await until(pilot, lambda: handing_over.report is not None)
        assert handing_over.report is not None
        (skipped,) = handing_over.report.results(Outcome.SKIPPED)
        assert skipped[1].sentence == "Skipped by Thiri Aung: not wanted here"


@needs_root
async def test_a_stage_is_undone_from_its_failure(app: SitewrightApp, hermetic: Path) -> None:
    async with app.run_test(size=SMALL) as pilot:
        screen = await failing(pilot)
        await pilot.press("u")
        await until(pilot, lambda: isinstance(app.screen, SureScreen))
        await pilot.press("y")
        await until(pilot, lambda: not screen.running)
        assert screen.outcome is Outcome.STOPPED
        assert (hermetic / "first").exists()
        await shows(pilot, "Not taken back: Write the second file")


@needs_root
async def test_the_log_is_searched_filtered_and_lies_on_disk(app: SitewrightApp) -> None:
    async with app.run_test(size=SMALL) as pilot:
        screen = await failing(pilot)
        log = screen.log_panel.log_view
        await until(pilot, lambda: any("line 5 of the first" in line for line in log.lines))
        await pilot.press("slash")
        await types(pilot, "LINE 2")
        await pilot.press("enter")
        await shows(pilot, '"LINE 2": 1 of 1; n the next above')
        assert log.found is not None
        assert "line 2 of the first" in log.lines[log.found]
        await pilot.press("f")
        await until(pilot, lambda: type(app.screen).__name__ == "OnlyScreen")
        app.screen.query_one("#machines", Board).move_to("=box1")
        await pilot.press("enter")
        await shows(pilot, "only box1", "box1.log")
        assert screen.work is not None
        assert "line 5 of the first" in screen.work.run.log("box1").read_text()
        await pilot.press("y")
        await shows(pilot, "Copied")
        assert app.clipboard.endswith("box1.log")


@needs_root
async def test_leaving_stops_it_and_the_next_start_goes_on(
    app: SitewrightApp, hermetic: Path, tmp_path: Path
) -> None:
    async with app.run_test(size=SMALL) as pilot:
        screen = await failing(pilot)
        await pilot.press("escape")
        await shows(pilot, "The installation is under way")
        await on_step(pilot, StepId.INSTALL)
        await pilot.press("ctrl+q")
        await until(pilot, lambda: isinstance(app.screen, LeaveScreen))
        await shows(pilot, "What runs on machines goes on there")
        await pilot.press("y")
        await until(pilot, lambda: not screen.running)
    assert app.memory.installed is not None
    folder = app.memory.installed.run.folder
    assert not open_run(folder).complete

    (hermetic / "mended").touch()
    again = SitewrightApp(TinyServices(tmp_path / "solutions"))
    async with again.run_test(size=SMALL) as pilot:
        await on_step(pilot, StepId.WELCOME)
        await shows(pilot, "Installation", "go on with tiny single-box, 2 of 3 steps done")
        await pilot.press("enter")
        await on_step(pilot, StepId.INSTALL)
        assert headline(pilot).startswith("Machines were changed on ")
        # How it stands, and what it did last, before anything is begun again.
        await shows(pilot, "Not begun again yet: g goes on. 2 of 3 steps", "box1 | E: the folder")
        assert str(folder) in str(again.step_screen.query_one(LogPanel).path)
        await pilot.press("g")
        await until(pilot, lambda: isinstance(again.screen, SecretsScreen))
        await types(pilot, TOKEN)
        await pilot.press("enter")
        await until(pilot, lambda: again.memory.installed is not None)
        resumed = again.step_screen
        assert isinstance(resumed, InstallScreen)
        await until(pilot, lambda: not resumed.running)
        assert resumed.outcome is Outcome.DONE
        assert again.memory.installed is not None
        assert again.memory.installed.run.folder == folder
    assert open_run(folder).complete
    assert (hermetic / "second").read_text() == "1.2.3\n"

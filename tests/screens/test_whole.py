"""The whole wizard: by keyboard alone, by mouse alone, closed and resumed, in small windows."""

from __future__ import annotations

from pathlib import Path

import pytest

from foundation.hosts.model import Host
from foundation.paths import log_file, wizard_file
from preflight.assessment import HostResult, Seen
from screens.answers.answers import load_answers
from screens.answers.wizard import StepId
from screens.services.services import Question
from screens.shell.app import SitewrightApp
from screens.shell.help import HelpScreen
from screens.shell.help_texts import help_on
from screens.shell.leave import LeaveScreen
from screens.shell.small import SmallScreen
from screens.shell.theme import Look, first_look
from screens.widgets.board import Board
from screens.widgets.field import Line
from screens.widgets.keys import KeyHint
from screens.widgets.rail import RailEntry
from tests.screens.driving import (
    LOOKING,
    choose,
    judged,
    mapped,
    on_step,
    shows,
    text,
    to_goal,
    to_list,
    to_machines,
    to_preflight,
    to_summary,
    types,
    until,
)
from tests.screens.recorded import RecordedServices
from tests.screens.saying import said

SMALL = (80, 24)


async def test_the_keyboard_alone_leads_from_the_welcome_to_the_site_file(
    services: RecordedServices, hermetic: Path
) -> None:
    app = SitewrightApp(services)
    async with app.run_test(size=SMALL) as pilot:
        await on_step(pilot, StepId.WELCOME)
        await pilot.press("enter")
        await on_step(pilot, StepId.GOAL)
        await until(pilot, lambda: len(app.screen.query_one("#list", Board).rows) > 5)
        await to_list(pilot)
        await pilot.press("down", "enter")
        await on_step(pilot, StepId.MACHINES)
        await types(pilot, "m1=ops@10.10.0.11\n".strip())
        await pilot.press("enter")
        await until(pilot, lambda: "m1" in app.memory.tried)
        await pilot.press("f3")
        await until(pilot, lambda: "thinkpad" in app.memory.tried)
        await pilot.press("ctrl+n")
        await on_step(pilot, StepId.TRUST)
        await pilot.press("space", "f10")
        await on_step(pilot, StepId.PREFLIGHT)
        await judged(pilot)
        await pilot.press("enter", "down", "f", "escape", "f10")
        await on_step(pilot, StepId.SUMMARY)
        await pilot.press("s", "enter")
        await until(pilot, (hermetic / "pm4ml-production.yaml").exists)
        await shows(pilot, "sitewright preflight --site")
        await pilot.press("ctrl+q", "y")
        await until(pilot, lambda: app.return_code is not None)
    assert app.return_code == 0


async def test_the_mouse_alone_leads_to_the_summary(services: RecordedServices) -> None:
    app = SitewrightApp(services)
    async with app.run_test(size=SMALL) as pilot:
        await on_step(pilot, StepId.WELCOME)
        await pilot.click("#next")
        await on_step(pilot, StepId.GOAL)
        await mapped(pilot, "experimenter", "core-test-harness/single-box")
        await pilot.click("#cases", offset=(3, 0))
        await pilot.click("#next")
        await on_step(pilot, StepId.PREFLIGHT)
        await judged(pilot)
        await pilot.click("#machines", offset=(3, 1))
        await pilot.double_click("#machines", offset=(3, 1))
        await shows(pilot, "expected")
        close = next(k for k in app.screen.query(KeyHint) if k.key.word == "Close")
        await pilot.click(close)
        await on_step(pilot, StepId.PREFLIGHT)
        await pilot.click("#next")
        await on_step(pilot, StepId.SUMMARY)
        goal = next(e for e in app.screen.query(RailEntry) if e.step is StepId.GOAL)
        await pilot.click(goal)
        await on_step(pilot, StepId.GOAL)
        await pilot.click("#back")
        await on_step(pilot, StepId.WELCOME)


async def test_closing_and_starting_again_goes_on_at_the_same_place(
    services: RecordedServices,
) -> None:
    first = SitewrightApp(services)
    async with first.run_test(size=SMALL) as pilot:
        await to_preflight(pilot, "m1=10.10.0.11", "w1=10.10.0.14")
        await pilot.press("q")
        await until(pilot, lambda: isinstance(first.screen, LeaveScreen))
        await pilot.press("y")
        await until(pilot, lambda: first.return_code is not None)
    again = SitewrightApp(services)
    async with again.run_test(size=SMALL) as pilot:
        await shows(pilot, "Go on", "pm4ml production, 2 machines, at preflight")
        await shows(pilot, "kept today 14:05")
        await pilot.press("enter")
        await on_step(pilot, StepId.PREFLIGHT)
        await judged(pilot)
        assert [host.name for host in again.answers.machines] == ["m1", "w1"]


async def test_a_killed_wizard_has_kept_every_machine_that_was_typed(
    services: RecordedServices,
) -> None:
    app = SitewrightApp(services)
    async with app.run_test(size=SMALL) as pilot:
        await to_machines(pilot, "m1=10.10.0.11")
        saved = load_answers().answers
        assert saved is not None
        assert [host.name for host in saved.machines] == ["m1"]


async def test_a_damaged_place_is_told_and_the_wizard_begins_afresh(
    services: RecordedServices,
) -> None:
    wizard_file().parent.mkdir(parents=True)
    wizard_file().write_text('{"schema": "sitewright.wizard/2", "step": "nowhere"}')
    app = SitewrightApp(services)
    async with app.run_test(size=SMALL) as pilot:
        await shows(pilot, "does not make sense", "starts afresh")
        await to_goal(pilot)


async def test_a_site_file_begins_the_wizard(services: RecordedServices, hermetic: Path) -> None:
    (hermetic / "site.yaml").write_text(
        "solution: pm4ml\nenvironment: production\nssh: {user: ubuntu}\n"
        "hosts:\n  - {name: m1, address: 10.10.0.11, roles: [master]}\n"
        "settings: {domain: example.org}\n"
        "waivers: [{check: time.sync, by: A. N., reason: known, until: 2027-01-31}]\n"
    )
    app = SitewrightApp(services, site_file=hermetic / "site.yaml")
    async with app.run_test(size=SMALL) as pilot:
        await on_step(pilot, StepId.MACHINES)
        await until(pilot, lambda: "m1" in app.memory.tried)
        assert app.answers.solution == "pm4ml"
        assert app.answers.roles == {"m1": ("master",)}
        assert app.answers.site.settings == {"domain": "example.org"}
        assert len(app.answers.waivers) == 1


async def test_a_broken_site_file_is_told_with_its_line(
    services: RecordedServices, hermetic: Path
) -> None:
    (hermetic / "site.yaml").write_text("solution: pm4ml\nhots: []\n")
    app = SitewrightApp(services, site_file=hermetic / "site.yaml")
    async with app.run_test(size=(110, 30)) as pilot:
        await shows(pilot, "Line 2", 'did you mean "hosts"')
        assert getattr(app.screen, "STEP", None) is StepId.WELCOME


async def test_back_keeps_what_was_answered(services: RecordedServices) -> None:
    app = SitewrightApp(services)
    async with app.run_test(size=SMALL) as pilot:
        await to_summary(pilot, "m1=10.10.0.11")
        for step in (StepId.PREFLIGHT, StepId.TRUST, StepId.MACHINES, StepId.GOAL):
            await pilot.press("escape")
            await on_step(pilot, step)
        await until(pilot, lambda: len(app.screen.query_one("#list", Board).rows) > 5)
        assert app.screen.query_one("#list", Board).key == "pm4ml/production"
        await pilot.press("f10")
        await on_step(pilot, StepId.MACHINES)
        assert [row.key for row in app.screen.query_one("#machines", Board).rows] == ["m1"]


async def test_another_goal_judges_the_same_facts_anew(services: RecordedServices) -> None:
    app = SitewrightApp(services)
    async with app.run_test(size=SMALL) as pilot:
        await to_preflight(pilot, "m1=10.10.0.11", "w1=10.10.0.14")
        for _ in range(3):
            await pilot.press("escape")
        await on_step(pilot, StepId.GOAL)
        await until(pilot, lambda: len(app.screen.query_one("#list", Board).rows) > 5)
        await choose(pilot, "pm4ml/staging")
        for step in (StepId.MACHINES, StepId.TRUST):
            await on_step(pilot, step)
            await pilot.press("f10")
        await on_step(pilot, StepId.PREFLIGHT)
        await judged(pilot)
        assert app.memory.assessment is not None
        assert app.memory.assessment.needs.environment == "staging"


async def test_a_machine_added_later_is_seen_and_given_a_role(
    services: RecordedServices,
) -> None:
    app = SitewrightApp(services)
    async with app.run_test(size=SMALL) as pilot:
        await to_preflight(pilot, "m1=10.10.0.11")
        await pilot.press("escape")
        await on_step(pilot, StepId.TRUST)
        await pilot.press("escape")
        await on_step(pilot, StepId.MACHINES)
        app.screen.query_one("#add", Line).value = "w1=10.10.0.14"
        await pilot.press("enter")
        await until(pilot, lambda: "w1" in app.memory.tried)
        await pilot.press("f10")
        await on_step(pilot, StepId.TRUST)
        app.screen.query_one("#keys-board", Board).move_to("w1")
        await pilot.press("space", "f10")
        await on_step(pilot, StepId.PREFLIGHT)
        await judged(pilot)
        assert services.looks == ["m1", "w1"]
        assert app.memory.assessment is not None
        roles = {host.seen.host.name: host.roles for host in app.memory.assessment.hosts}
        assert roles == {"m1": ("master",), "w1": ("worker",)}


@pytest.mark.parametrize("size", [(50, 15), (59, 24), (80, 17), (20, 5)])
async def test_a_window_that_is_too_small_says_so_and_comes_back(
    services: RecordedServices, size: tuple[int, int]
) -> None:
    app = SitewrightApp(services)
    async with app.run_test(size=SMALL) as pilot:
        await to_goal(pilot)
        await pilot.resize_terminal(*size)
        await until(pilot, lambda: isinstance(app.screen, SmallScreen))
        if size[0] >= 32:
            await shows(pilot, f"This window is {size[0]}x{size[1]}", "Sitewright needs 60x18")
        await pilot.resize_terminal(*SMALL)
        await on_step(pilot, StepId.GOAL)
        await pilot.press("down")
        assert app.screen.query_one("#cases", Board).key == "developer"


async def test_beginning_in_a_small_window_is_covered_at_once(services: RecordedServices) -> None:
    app = SitewrightApp(services)
    async with app.run_test(size=(50, 15)) as pilot:
        await shows(pilot, "This window is 50x15")
        await pilot.resize_terminal(60, 18)
        await on_step(pilot, StepId.WELCOME)


async def test_sixty_by_eighteen_works_with_the_rail_in_one_line(
    services: RecordedServices,
) -> None:
    app = SitewrightApp(services)
    async with app.run_test(size=(60, 18)) as pilot:
        await to_preflight(pilot, "m1=10.10.0.11", "w1=10.10.0.14")
        await shows(pilot, "Step 5 of 6", "m1", "between them", "Next")
        lines = text(pilot).splitlines()
        assert all(len(line) <= 60 for line in lines)
        assert not app.screen.query_one("#rail").display


async def test_f4_shows_each_look_as_the_cursor_passes_and_remembers_the_one_taken(
    services: RecordedServices,
) -> None:
    app = SitewrightApp(services, look=Look.COLOUR)
    async with app.run_test(size=SMALL) as pilot:
        await to_goal(pilot)
        await pilot.press("f4")
        await shows(pilot, "How should it look?", "High contrast")
        for look in (Look.DARK, Look.LIGHT, Look.CONTRAST, Look.MONO):
            await pilot.press("down")
            await until(pilot, lambda look=look: app.style_look is look)  # type: ignore[misc]  # bound at once
        await pilot.press("escape")
        await until(pilot, lambda: app.style_look is Look.COLOUR)
        assert first_look() is Look.COLOUR
        await pilot.press("f4", "end", "up", "f10")
        await until(pilot, lambda: app.style_look is Look.MONO and not app.screen.is_modal)
        assert not text(pilot).isascii()
        colours = {
            colour
            for strip in app.screen._compositor.render_strips()
            for segment in strip
            if segment.style
            for colour in (segment.style.color, segment.style.bgcolor)
            if colour is not None and not colour.is_default
        }
        assert colours == set()
        await pilot.press("f4", "end", "enter")
        await until(pilot, lambda: app.style_look is Look.ASCII and not app.screen.is_modal)
        await until(pilot, lambda: text(pilot).isascii())
        await shows(pilot, "+ Welcome", "> Goal")
        assert first_look() is Look.ASCII


async def test_no_step_writes_anything_but_ascii_in_ascii(services: RecordedServices) -> None:
    app = SitewrightApp(services, look=Look.ASCII)
    async with app.run_test(size=SMALL) as pilot:
        await to_summary(pilot, "m1=10.10.0.11", "w3=10.10.0.16", "lb2=10.10.0.22")
        for step in reversed(LOOKING):
            await on_step(pilot, step)
            await until(pilot, lambda: text(pilot).isascii())
            await pilot.press("f1")
            await until(pilot, lambda: isinstance(app.screen, HelpScreen))
            assert text(pilot).isascii()
            await pilot.press("escape", "escape")


async def test_f1_explains_every_step_and_panel(services: RecordedServices) -> None:
    app = SitewrightApp(services)
    async with app.run_test(size=SMALL) as pilot:
        await to_machines(pilot, "m1=10.10.0.11")
        await pilot.press("f1")
        await shows(pilot, "Type a machine and press Enter")
        await pilot.press("f1")
        await on_step(pilot, StepId.MACHINES)
        await pilot.press("f2", "f1")
        await shows(pilot, "How to log in", "A bastion is a machine to go through")
        await pilot.press("escape", "escape")
        await on_step(pilot, StepId.MACHINES)


@pytest.mark.parametrize("step", list(StepId))
def test_every_step_has_help_of_its_own(step: StepId) -> None:
    assert help_on(step.value).paragraphs
    if step is not StepId.WELCOME:
        assert help_on(step.value) is not help_on("welcome")


async def test_letters_in_a_line_are_letters(services: RecordedServices) -> None:
    app = SitewrightApp(services)
    async with app.run_test(size=SMALL) as pilot:
        await to_machines(pilot)
        await types(pilot, "qrdefswa")
        assert app.screen.query_one("#add", Line).value == "qrdefswa"
        assert getattr(app.screen, "STEP", None) is StepId.MACHINES


@pytest.mark.parametrize("key", ["q", "ctrl+q", "ctrl+c"])
async def test_leaving_asks_first_and_can_be_taken_back(
    services: RecordedServices, key: str
) -> None:
    app = SitewrightApp(services)
    async with app.run_test(size=SMALL) as pilot:
        await to_goal(pilot)
        await pilot.press(key)
        await until(pilot, lambda: isinstance(app.screen, LeaveScreen))
        await pilot.press("n")
        await on_step(pilot, StepId.GOAL)
        assert app.return_code is None


class BrokenJudge(RecordedServices):
    """Services with a mistake of ours in the place where results are drawn."""

    def judge(self, seen: Seen, roles: tuple[str, ...], question: Question) -> HostResult:
        """Fail as a programming error would."""
        raise ZeroDivisionError("a mistake of ours")


async def test_a_crash_is_logged_and_the_place_is_kept() -> None:
    app = SitewrightApp(BrokenJudge())

    async def crash() -> None:
        async with app.run_test(size=SMALL) as pilot:
            await to_goal(pilot)
            await choose(pilot, "carry")
            await until(pilot, lambda: app.crash)

    with pytest.raises(ZeroDivisionError):
        await crash()
    assert app.crash is not None
    assert str(log_file()) in app.crash
    assert "\n" not in app.crash
    assert "ZeroDivisionError" in log_file().read_text()
    saved = load_answers().answers
    assert saved is not None
    assert saved.carry


class BrokenLook(RecordedServices):
    """Services with a mistake of ours in work in the background."""

    async def look(self, host: Host, access: object) -> Seen:
        """Fail as a programming error would."""
        raise ZeroDivisionError("a mistake of ours")


async def test_an_error_in_the_background_is_told_and_the_wizard_goes_on() -> None:
    app = SitewrightApp(BrokenLook())
    async with app.run_test(size=(110, 30)) as pilot:
        await to_goal(pilot)
        await choose(pilot, "carry")
        await shows(pilot, "met an error of its own", "The rest goes on", "sitewright.log")
        await pilot.press("escape")
        await on_step(pilot, StepId.GOAL)


async def test_a_full_disk_does_not_stop_the_wizard(
    services: RecordedServices, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    app = SitewrightApp(services, state_file=tmp_path / "file" / "wizard.json")
    async with app.run_test(size=SMALL) as pilot:
        await to_goal(pilot)
        await choose(pilot)
        await on_step(pilot, StepId.MACHINES)


async def test_five_hundred_machines_are_judged_and_scroll(services: RecordedServices) -> None:
    machines = tuple(Host(f"w{n}", f"10.1.{n // 250}.{n % 250 + 1}") for n in range(100, 600))
    services.keys = {host.name: "trusted" for host in machines}
    app = SitewrightApp(services)
    async with app.run_test(size=SMALL) as pilot:
        await on_step(pilot, StepId.WELCOME)
        app.go(
            StepId.PREFLIGHT,
            said(solution="pm4ml", environment="production", machines=machines),
        )
        await on_step(pilot, StepId.PREFLIGHT)
        await judged(pilot)
        board = app.screen.query_one("#machines", Board)
        assert len(board.rows) == 502
        await pilot.press("end")
        assert board.cursor == 501
        await shows(pilot, "w599")
        # What fails between them stands first, and not below five hundred machines.
        await pilot.press("home")
        await shows(pilot, "between them", "w100")

"""The levers of an installation: pause, questions by name, the lock of another, filter and save."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from textual.pilot import Pilot

from installer.events import Kind, Outcome
from installer.record.identity import site_key
from installer.record.journal import read
from installer.record.site_lock import Lock
from screens.answers.site_answers import site_from_answers
from screens.answers.wizard import StepId
from screens.run.ask_person import QuestionScreen, SureScreen
from screens.run.ask_secrets import SecretsScreen
from screens.run.install import InstallScreen
from screens.services.memory import Changed
from screens.shell.app import SitewrightApp
from screens.widgets.board import Board
from screens.widgets.field import Line
from screens.widgets.keys import KeyLine
from tests.screens.driving import on_step, shows, types, until, wizard
from tests.screens.run.test_install import SMALL, TOKEN, agree, begin, failing, to_plan
from tests.screens.tiny import TinyServices, write_solution

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="jobs are run as root; this is not root")

CHECKLIST = """\
    - id: points
      kind: checklist
      title: Go through the points
      on: [box]
      items:
        - {section: Names, text: The names resolve}
        - {section: Clocks, text: The clocks are right}
        - {section: Files, text: The folder is there, check: {command: [test, -d, FOLDER]}}
    - id: second
"""


@pytest.fixture
def solutions(hermetic: Path, tmp_path: Path) -> Path:
    """The tiny solution with a checklist after its confirmation, and a first step that waits."""
    root = write_solution(tmp_path / "solutions", hermetic)
    second = root / "tiny" / "stages" / "20-finish.yaml"
    lines = CHECKLIST.replace("FOLDER", str(hermetic))
    text = second.read_text()
    assert "  - id: second\n" in text
    indent = text[: text.index("- id: second")].rpartition("\n")[2]
    shifted = "\n".join(line.removeprefix("    ") for line in lines.splitlines())
    shifted = "\n".join(f"{indent}{line}" for line in shifted.splitlines()).lstrip()
    second.write_text(text.replace("- id: second", shifted, 1))
    first = root / "tiny" / "stages" / "10-prepare.yaml"
    wait = f"until test -e {hermetic}/go; do sleep 0.05; done"
    first.write_text(first.read_text().replace("script: |\n", f"script: |\n        {wait}\n", 1))
    return root


@pytest.fixture
def app(solutions: Path) -> SitewrightApp:
    """The wizard over it."""
    return SitewrightApp(TinyServices(solutions))


@pytest.fixture
def theirs(app: SitewrightApp) -> Iterator[list[Lock]]:
    """Locks of somebody else, given back at the end."""
    locks: list[Lock] = []
    yield locks
    for lock in locks:
        lock.release()


def key_of(app: SitewrightApp) -> str:
    """The key of the site that is answered."""
    return site_key(site_from_answers(app.answers, Path("site.yaml")))


def lost(lock: Lock) -> bool:
    """Whether somebody has taken the site from this lock."""
    return lock.lost


def keys_shown(screen: InstallScreen) -> list[str]:
    """The words beside the keys of the step."""
    return [key.word for key in screen.query_one("#step-keys", KeyLine).keys]


async def question(pilot: Pilot[int]) -> QuestionScreen:
    """The question that is asked now."""
    await until(pilot, lambda: isinstance(pilot.app.screen, QuestionScreen))
    screen = pilot.app.screen
    assert isinstance(screen, QuestionScreen)
    return screen


async def test_a_pause_lets_the_step_end_and_begins_nothing_more(
    app: SitewrightApp, hermetic: Path
) -> None:
    async with app.run_test(size=SMALL) as pilot:
        await to_plan(pilot)
        screen = await begin(pilot)
        await until(pilot, lambda: screen.work is not None and screen.work.engine.state.steps)
        assert screen.work is not None
        state = screen.work.engine.state
        await shows(pilot, "p Pause")
        await pilot.press("p")
        await shows(pilot, "What runs comes to its end", "Paused", "p Go on")
        (hermetic / "go").touch()
        await until(pilot, lambda: state.finished(("prepare", "first", "box1")))
        await shows(pilot, "Paused")
        assert not isinstance(app.screen, QuestionScreen)
        assert ("finish", "agree", "control") not in state.steps
        await pilot.press("p")
        await agree(pilot)
        await pilot.press("escape")
        screen.stop_engine()
        await until(pilot, lambda: not screen.running)
        said = [
            (event.data["action"], event.data["by"])
            for event in read(screen.work.run.journal)
            if event.kind is Kind.CONTROL
        ]
    assert said[:2] == [("pause", "Thiri Aung"), ("continue", "Thiri Aung")]


async def test_questions_are_answered_one_after_another_by_name(
    app: SitewrightApp, hermetic: Path
) -> None:
    (hermetic / "go").touch()
    (hermetic / "mended").touch()
    async with app.run_test(size=SMALL) as pilot:
        await to_plan(pilot)
        screen = await begin(pilot)
        first = await question(pilot)
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is screen)
        await shows(pilot, "A QUESTION WAITS: a answers it", "a Answer")
        await pilot.press("a")
        first = await question(pilot)
        first.query_one("#by", Line).value = ""
        await pilot.press("y")
        await shows(pilot, "Say who answers")
        await types(pilot, "Ko Ko")
        await pilot.press("enter", "y")
        await until(pilot, lambda: app.screen is not first)
        points = await question(pilot)
        await shows(pilot, "[ ]", "The names resolve", "The clocks are right")
        assert "The folder is there" not in " ".join(points.question.items)
        assert points.query_one("#by", Line).value == "Ko Ko"
        await pilot.press("space", "y")
        await shows(pilot, "all of them must be")
        await pilot.press("space", "y")
        await until(pilot, lambda: not screen.running)
        assert screen.outcome is Outcome.DONE
        assert screen.work is not None
        answers = {
            event.step: event.data
            for event in read(screen.work.run.journal)
            if event.kind is Kind.ANSWER
        }
        report = await app.services.hand_over(screen.work.run.folder)
    assert {data["by"] for data in answers.values()} == {"Ko Ko"}
    given = [d for d in report.decisions if d.what == "confirmed"]
    assert given[1].items == ("Names The names resolve", "Clocks The clocks are right")


async def test_a_site_that_another_holds_is_taken_over_only_knowingly(
    app: SitewrightApp, hermetic: Path, theirs: list[Lock]
) -> None:
    (hermetic / "go").touch()
    async with app.run_test(size=SMALL) as pilot:
        await to_plan(pilot)
        theirs.append(Lock(key_of(app), by="Daw Mya").acquire())
        screen = await begin(pilot)
        await until(pilot, lambda: not screen.running)
        await shows(pilot, "Somebody else is working on this site", "Daw Mya")
        assert keys_shown(screen) == ["Take over", "Again"]
        assert app.memory.changed.state is Changed.NOTHING
        await pilot.press("t")
        await until(pilot, lambda: isinstance(app.screen, SureScreen))
        await shows(pilot, "Take this site over?", "Daw Mya")
        await pilot.press("n")
        await until(pilot, lambda: app.screen is screen)
        assert not lost(theirs[0])
        await pilot.press("t")
        await until(pilot, lambda: isinstance(app.screen, SureScreen))
        await pilot.press("y")
        await question(pilot)
        assert lost(theirs[0])
        assert screen.work is not None
        journal = screen.work.run.journal
        await pilot.press("escape")
        screen.stop_engine()
        await until(pilot, lambda: not screen.running)
    notes = [str(event.data["text"]) for event in read(journal) if event.kind is Kind.NOTE]
    assert any("taken over" in note and "Daw Mya" in note for note in notes)


async def test_who_is_taken_over_stops_and_is_told_by_whom(
    app: SitewrightApp, hermetic: Path, theirs: list[Lock]
) -> None:
    (hermetic / "go").touch()
    async with app.run_test(size=SMALL) as pilot:
        await to_plan(pilot)
        screen = await begin(pilot)
        await question(pilot)
        theirs.append(Lock(key_of(app), by="Daw Mya", take_over=True).acquire())
        await until(pilot, lambda: not screen.running)
        await until(pilot, lambda: app.screen is screen)
        await shows(pilot, "taken over: Daw Mya", "Not under way")
        assert wizard(pilot).memory.changed.state is Changed.DONE


async def test_the_log_is_filtered_folded_copied_and_saved(
    app: SitewrightApp, hermetic: Path
) -> None:
    (hermetic / "go").touch()
    async with app.run_test(size=SMALL) as pilot:
        await to_plan(pilot)
        screen = await begin(pilot)
        await agree(pilot)
        await question(pilot)
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is screen)
        log = screen.log_panel.log_view
        await until(pilot, lambda: any("line 5 of the first" in line for line in log.lines))
        await pilot.press("f")
        await until(pilot, lambda: type(app.screen).__name__ == "OnlyScreen")
        app.screen.query_one("#machines", Board).move_to("all")
        app.screen.query_one("#words", Line).value = "LINE 2"
        await pilot.press("f10")
        line = "box1         | line 2 of the first for tiny.example.org"
        await until(pilot, lambda: [shown[6:] for shown in log.lines] == [line])
        await shows(pilot, 'only lines with "line 2"')
        await pilot.press("c")
        await until(pilot, lambda: "line 2 of the first" in app.clipboard)
        await pilot.press("v")
        await until(pilot, lambda: type(app.screen).__name__ == "WriteFileScreen")
        await pilot.press("enter")
        saved = hermetic / "lines.log"
        await until(pilot, saved.exists)
        await shows(pilot, "Written:")
        assert saved.read_text()[6:] == f"{line}\n"
        await pilot.press("w")
        assert log.wrapped
        screen.stop_engine()
        await until(pilot, lambda: not screen.running)


class Nameless(TinyServices):
    """Somebody who works as root, of whom nobody knows who it is."""

    def person(self) -> str:
        return ""


async def test_a_run_of_another_session_is_gone_on_with_by_name(
    hermetic: Path, tmp_path: Path
) -> None:
    root = write_solution(tmp_path / "plain", hermetic)
    app = SitewrightApp(TinyServices(root))
    async with app.run_test(size=SMALL) as pilot:
        screen = await failing(pilot)
        screen.stop_engine()
        await until(pilot, lambda: not screen.running)
    (hermetic / "mended").touch()
    again = SitewrightApp(Nameless(root))
    async with again.run_test(size=SMALL) as pilot:
        await on_step(pilot, StepId.WELCOME)
        await shows(pilot, "2 of 3 steps done")
        await pilot.press("enter")
        await on_step(pilot, StepId.INSTALL)
        await pilot.press("g")
        # Whoever began it is filled in from the record; another types over it.
        await shows(pilot, "Go on with the installation?", "Your name", "Thiri Aung")
        await types(pilot, "Ko Ko")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(again.screen, SecretsScreen))
        await types(pilot, TOKEN)
        await pilot.press("enter")
        await until(pilot, lambda: again.memory.installed is not None)
        resumed = again.step_screen
        assert isinstance(resumed, InstallScreen)
        await until(pilot, lambda: not resumed.running)
        assert resumed.work is not None
        journal = resumed.work.run.journal
    gone_on = [event for event in read(journal) if event.kind is Kind.RUN_RESUMED]
    assert [event.data["by"] for event in gone_on] == ["Ko Ko"]


async def test_retry_on_every_machine_is_offered_only_where_several_failed(
    hermetic: Path, tmp_path: Path
) -> None:
    app = SitewrightApp(TinyServices(write_solution(tmp_path / "plain", hermetic)))
    async with app.run_test(size=SMALL) as pilot:
        screen = await failing(pilot)
        await until(pilot, lambda: keys_shown(screen)[:4] == ["Retry", "Skip", "Undo", "Stop"])
        screen.stop_engine()
        await until(pilot, lambda: not screen.running)
        await until(pilot, lambda: keys_shown(screen)[:2] == ["Go on", "Login"])

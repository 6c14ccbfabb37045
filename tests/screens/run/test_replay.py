"""A run shown again: in time, on the screen, without any machine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Static

from installer.events import Event, Kind
from installer.record.runs import Run
from screens.answers.wizard import StepId
from screens.run.replay import AT_ONCE, Playback, ReplayApp, ReplayScreen
from screens.shell.app import SitewrightApp
from screens.shell.theme import Look
from screens.widgets.board import Board
from screens.widgets.field import Line
from tests.installer.told_run import BEGAN, ID, PLAN, told, write_run
from tests.screens.driving import on_step, shows, until
from tests.screens.recorded import RecordedServices


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return write_run(tmp_path)


def screen_of(run: Run, speed: float = 10.0) -> ReplayScreen:
    return ReplayScreen(run, PLAN, str(run.folder), speed, 2.0)


def test_events_come_when_they_are_due() -> None:
    """They lie ten seconds apart; five times as fast, that is two."""
    playback = Playback(iter(told()), 5.0, 60.0)
    assert len(playback.due(100.0)) == 1
    assert playback.due(101.9) == []
    assert [event.time for event in playback.due(102.0)] == [BEGAN + 10]
    assert playback.time == BEGAN + 10


def test_a_quiet_time_is_passed_over() -> None:
    playback = Playback(iter(told()), 1.0, 2.0)
    playback.due(100.0)
    assert len(playback.due(102.0)) == 1


def test_paused_it_stands_and_to_the_end_it_hurries() -> None:
    playback = Playback(iter(told()), 1.0, 60.0)
    playback.paused = True
    assert playback.due(100.0) == []
    playback.to_end = True
    assert len(playback.due(100.0)) == len(told())
    assert playback.ended


def test_one_turn_takes_no_more_than_the_screen_can_bear() -> None:
    def many() -> Iterator[Event]:
        while True:
            yield from told()

    playback = Playback(many(), 1.0, 60.0)
    playback.to_end = True
    assert len(playback.due(0.0)) == AT_ONCE


@pytest.mark.parametrize(
    "odd",
    [
        Event(Kind.RUN_FINISHED, BEGAN + 30, data={"outcome": "splendid"}),
        Event(Kind.STAGE_FINISHED, BEGAN + 30, stage="a", data={"outcome": ["done"]}),
        Event(Kind.STEP_FINISHED, BEGAN + 30, "a", "b", "m1", data={"outcome": {"a": 1}}),
    ],
)
async def test_a_journal_that_says_what_no_run_writes_is_shown_up_to_there(
    odd: Event, tmp_path: Path
) -> None:
    """Its chain holds: whoever wrote it made it anew."""
    run = write_run(tmp_path, [*told()[:3], odd, *told()[3:]])
    app = ReplayApp(screen_of(run))
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("greater_than_sign")
        await shows(pilot, "The journal is broken", "Line 4: it is not an event", "q Quit")
        assert app.replay.state.events == 3
        await pilot.press("q")
    assert app.return_code == 0


async def test_a_time_that_no_calendar_has_ends_nothing(tmp_path: Path) -> None:
    odd = Event(Kind.NOTE, 1e300, data={"text": "late"})
    app = ReplayApp(screen_of(write_run(tmp_path, [*told(), odd])))
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("greater_than_sign")
        await shows(pilot, "at a time that no calendar has", "ended")
        await pilot.press("q")
    assert app.return_code == 0


@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=["80x24", "120x40"])
async def test_the_whole_run_is_shown(run: Run, size: tuple[int, int]) -> None:
    app = ReplayApp(screen_of(run))
    async with app.run_test(size=size) as pilot:
        await shows(pilot, "A recording; nothing runs", ID)
        await pilot.press("greater_than_sign")
        await shows(pilot, "Done and verified, but for 1 skipped by name", "ended", "q Quit")
        lines = app.replay.log_panel.log_view.lines
        assert "-- skip, A. Name: has a name" in [line[6:] for line in lines]
        # All of it came at once: how far it was then is not told from how it stands now.
        assert not [line for line in lines if "[1/2]" in line and "100 %" in line]
        await pilot.press("slash", "r", "e", "s", "o", "l", "v", "enter")
        await shows(pilot, "is not among the last lines")
        await pilot.press("q")
    assert app.return_code == 0


async def test_a_failure_is_shown_until_it_was_skipped(run: Run, tmp_path: Path) -> None:
    cut = write_run(tmp_path / "cut", told(failed=True))
    app = ReplayApp(screen_of(cut))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("greater_than_sign")
        await shows(pilot, "FAILED: Set the names", "Where: w1", "Do: Mend it.")
        await until(pilot, lambda: app.screen.has_class("-failing"))
    app = ReplayApp(screen_of(run))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("greater_than_sign")
        await until(pilot, lambda: app.replay.playback.ended)
        assert not app.screen.has_class("-failing")


async def test_a_broken_record_is_played_up_to_the_break(run: Run) -> None:
    lines = run.journal.read_bytes().splitlines(keepends=True)
    lines[3] = lines[3].replace(b"a line of", b"a lime of")
    run.journal.write_bytes(b"".join(lines))
    app = ReplayApp(screen_of(run))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("greater_than_sign")
        await shows(pilot, "The journal is broken", "Line 5")


async def test_the_speed_is_changed_and_help_is_given(run: Run) -> None:
    app = ReplayApp(screen_of(run))
    async with app.run_test(size=(80, 24)) as pilot:
        await _title(pilot, "10 times as fast")
        await pilot.press("plus")
        await _title(pilot, "30 times as fast")
        await pilot.press("minus", "minus")
        await _title(pilot, "5 times as fast")
        await pilot.press("space")
        await _title(pilot, "paused")
        await pilot.press("f1")
        await shows(pilot, "A run shown again")
        await pilot.press("escape", "f4", "end", "enter")
        await until(pilot, lambda: app.style_look is Look.ASCII)


async def _title(pilot: Pilot[int], words: str) -> None:
    await until(pilot, lambda: words in str(pilot.app.screen.query_one("#title", Static).render()))


async def test_it_goes_back_and_says_where_nothing_failed(run: Run) -> None:
    app = ReplayApp(screen_of(run))
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("greater_than_sign")
        await until(pilot, lambda: app.replay.playback.ended)
        end = app.replay.playback.time
        await pilot.press("x")
        await shows(pilot, "No step stands failed at this moment")
        await pilot.press("less_than_sign", "space")
        await _title(pilot, "paused")
        assert app.replay.playback.time < end
        await pilot.press("greater_than_sign")
        await until(pilot, lambda: app.replay.playback.ended)
        assert app.replay.playback.time == end


async def test_a_replayed_failure_names_no_key_that_is_not_there(tmp_path: Path) -> None:
    remedy = "Mend pm4ml_id, then: sitewright resume."
    events = [
        replace(event, data={**event.data, "remedy": remedy})
        if event.kind is Kind.PROBLEM
        else event
        for event in told(failed=True)
    ]
    app = ReplayApp(screen_of(write_run(tmp_path, events)))
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("greater_than_sign")
        await until(pilot, lambda: app.replay.playback.ended)
        await shows(pilot, "FAILED: Set the names", f"Do: {remedy}")
        assert "F3" not in str(app.replay.query_one("#failure-text", Static).render())


async def test_welcome_opens_a_run_and_esc_comes_back(run: Run, services: RecordedServices) -> None:
    app = SitewrightApp(services)
    async with app.run_test(size=(80, 24)) as pilot:
        await on_step(pilot, StepId.WELCOME)
        app.screen.query_one("#choices", Board).move_to("open")
        await until(pilot, lambda: app.screen.query_one("#file", Line).display)
        app.screen.query_one("#file", Line).value = str(run.folder / "nothing.tar.gz")
        await pilot.press("f10")
        await shows(pilot, "nothing.tar.gz")
        await until(pilot, lambda: app.step_screen.panel.has_class("-bad"))
        app.screen.query_one("#file", Line).value = str(run.folder)
        await pilot.press("f10")
        await until(pilot, lambda: isinstance(app.screen, ReplayScreen))
        await shows(pilot, "A recording; nothing runs", ID)
        await pilot.press("escape")
        await on_step(pilot, StepId.WELCOME)
        assert not app.step_screen.panel.has_class("-bad")  # what it said is mended by now

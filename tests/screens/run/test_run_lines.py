"""The log of a run: each thing once, with its time, its stage and how far the whole is."""

from __future__ import annotations

import asyncio
import re
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from foundation.problems import InputProblem
from installer.catalogue.solution import load_solution
from installer.cli import main
from installer.events import Event, Json, Kind, Outcome
from installer.hand_over.later import Later, later_of
from installer.plans.plan import CONTROL_HOST, told_host
from installer.record.kept_runs import KeptRuns, kept_runs
from installer.record.last_change import last_change
from installer.record.progress import progress_of
from installer.record.runs import Run, runs_folder
from installer.record.site_lock import Lock
from installer.record.state import RunState
from installer.running.work import Failure
from screens.answers.wizard import StepId
from screens.dialogs.later import LaterScreen
from screens.run.machine_tasks import MachineTasks
from screens.run.run_clock import at
from screens.run.run_lines import RunLines
from screens.run.run_words import (
    MachineRow,
    log_of,
    machine_lines,
    machine_rows,
    machine_states,
    places,
    progress_sentence,
)
from screens.services.file_words import HAND_OVER
from screens.services.live import LiveServices
from screens.shell.app import SitewrightApp
from screens.welcome.runs_list import RunsScreen, run_rows
from screens.widgets.board import Board
from screens.words.plan_words import where
from tests.installer.told_run import PLAN, told, write_run
from tests.screens.driving import on_step, shows, until
from tests.screens.recorded import RecordedServices


def lines_of(events: list[Event]) -> list[str]:
    state = RunState(PLAN)
    lines = RunLines(PLAN, 4, lambda now: progress_of(PLAN, state, {}, now=now))
    found = []
    for event in events:
        state.apply(event)
        found += [said.text for said in lines.of(event)]
    return found


def test_a_stage_says_its_number_and_how_far_the_whole_is() -> None:
    lines = lines_of(told())
    stages = [line for line in lines if " == [" in line]
    assert len(stages) >= len(PLAN.stages)
    assert all("% done, about" in line for line in stages)
    assert all(line[2] == ":" and line[:2].isdigit() for line in lines)


@pytest.mark.parametrize(
    ("control", "shown"), [("", "control host"), ("m1", "m1"), ("jump", "jump")]
)
def test_what_is_run_from_a_machine_that_the_site_names_has_its_name(
    control: str, shown: str
) -> None:
    step = replace(PLAN.stages[0].steps[0], kind="playbook")
    stage = replace(PLAN.stages[0], steps=(step,))
    plan = replace(PLAN, control=control, stages=(stage,))
    begun = Event(Kind.STEP_STARTED, 1e9, step.stage, step.id, CONTROL_HOST, {"title": step.title})
    [line] = RunLines(plan, 4, lambda _now: None).of(begun)
    assert f"{shown} " in line.text
    assert line.host == shown
    states = machine_states(plan, RunState(plan))
    assert list(states) == list(dict.fromkeys(["m1", "w1", shown]))
    problem = InputProblem("it broke")
    failed = Failure(step.stage, step.id, CONTROL_HOST, problem, ())
    assert places(failed, MachineTasks(), control).startswith(f"{shown}, where ")
    assert where(replace(step, hosts=(CONTROL_HOST,)), control) == shown
    assert told_host("w1", control) == "w1"


def test_a_run_of_a_part_does_not_claim_the_whole_and_no_key_is_named_that_goes_nowhere() -> None:
    """`install --until prepare` ends well, and nothing of the rest was done or verified."""

    def ended(outcome: Outcome, *done: Event, again: str = "") -> str:
        state = RunState(PLAN)
        for event in done:
            state.apply(event)
        progress = progress_of(PLAN, state, {}, now=2e9)
        return progress_sentence(progress, state, outcome, paused=False, again=again)

    part = [event for event in told() if event.stage == "prepare"]
    assert "What was asked for is done; the rest waits. 3 of 4 steps" in ended(Outcome.DONE, *part)
    assert "verified" not in ended(Outcome.DONE, *part) + ended(Outcome.ALREADY, *part)
    assert ended(Outcome.DONE, *told()).startswith("Done and verified, but for 1 skipped by name.")
    assert "A step failed. g goes on with it." in ended(Outcome.FAILED, again="g")
    for outcome in Outcome:
        assert "goes on with it" not in ended(outcome)


def test_no_list_has_a_word_of_its_own_for_the_control_host() -> None:
    """Whoever reads a record elsewhere would take "here" for the computer under the hands."""
    root = Path(__file__).parents[3]
    modules = [path for top in ("screens", "installer") for path in (root / top).rglob("*.py")]
    word = re.compile(r"""(or|if|else|=|\() *["']here["']""")
    states = root / "screens/answers/wizard.py"  # a step of the wizard may be "here" too
    own = [path for path in modules if word.search(path.read_text("utf-8")) and path != states]
    assert own == [root / "installer/running/outside.py"]  # tried from the computer at hand


@pytest.mark.parametrize("control", ["", "jump", "m1"])
@pytest.mark.parametrize("kind", ["script", "playbook"])
@pytest.mark.parametrize("stand", ["running", "failed", "done"])
def test_a_control_machine_stands_as_what_is_run_from_it(
    control: str, kind: str, stand: str
) -> None:
    """A step that names no machine is one of the control host, and told of it."""
    step = replace(PLAN.stages[0].steps[0], kind=kind, hosts=(CONTROL_HOST,))
    plan = replace(PLAN, control=control, stages=(replace(PLAN.stages[0], steps=(step,)),))
    state = RunState(plan)
    key = (step.stage, step.id, CONTROL_HOST)
    state.accept(Event(Kind.STEP_STARTED, 1e9, *key, {"title": step.title}), Path(), 1)
    if stand != "running":
        state.accept(Event(Kind.STEP_FINISHED, 1e9 + 1, *key, {"outcome": stand}), Path(), 2)
    name = told_host(CONTROL_HOST, control)
    assert machine_states(plan, state)[name] == stand
    progress = progress_of(plan, state, {}, now=1e9 + 2)
    rows = {row.name: row for row in machine_rows(plan, state, MachineTasks(), progress, 1e9 + 2)}
    row = rows[name]
    assert (row.stand, row.doing) == (stand, "" if stand == "done" else step.title)


def test_a_task_told_of_the_control_host_is_that_of_its_row() -> None:
    """Plays on localhost tell of "control", which nobody reads, in the row or beside it."""
    step = replace(PLAN.stages[0].steps[0], kind="playbook", hosts=(CONTROL_HOST,))
    plan = replace(PLAN, control="", stages=(replace(PLAN.stages[0], steps=(step,)),))
    key = (step.stage, step.id, CONTROL_HOST)
    data: dict[str, Json] = {"play": "p", "task": "Fetch", "status": "failed", "sentence": "no"}
    tasks, state = MachineTasks(), RunState(plan)
    tasks.take(Event(Kind.TASK, 1e9, *key, data))
    progress = progress_of(plan, state, {}, now=1e9)
    [row] = [row for row in machine_rows(plan, state, tasks, progress, 1e9) if "c" in row.name]
    assert (row.name, row.stand, row.doing) == ("control host", "failed", "failed: Fetch")
    failed = Failure(step.stage, step.id, CONTROL_HOST, InputProblem("it broke"), ())
    assert places(failed, tasks) == "control host"


@pytest.mark.parametrize(
    ("width", "said"),
    [
        (44, "▸ m1  Write the second file 3 min, usually 2"),
        (43, "▸ m1  Write the second file           3 min"),
        (24, "▸ m1  Write the s… 3 min"),
    ],
    ids=["all", "without", "cut"],
)
def test_the_usual_time_gives_way_to_what_a_machine_is_doing(width: int, said: str) -> None:
    """It stands with the step too, and what is done there stands nowhere else."""
    row = MachineRow("m1", "running", "Write the second file", "3 min, usually 2", "3 min")
    assert machine_lines([row], width).plain == said


def test_the_log_of_a_control_machine_is_named_where_it_is_written(tmp_path: Path) -> None:
    """What is run from it lies in control.log, whatever it is called."""
    run = Run(tmp_path)
    logs = {
        (control, name): log_of(run, replace(PLAN, control=control), name)
        for control, name in (("", "control host"), ("jump", "jump"), ("m1", "w1"), ("m1", "m1"))
    }
    assert [*logs.values()] == [
        run.log(CONTROL_HOST), run.log(CONTROL_HOST), run.log("w1"), None,
    ]  # fmt: skip


def test_skipped_tasks_are_counted_and_a_minute_says_how_far_it_is() -> None:
    stage = PLAN.stages[0].id
    begin = told()[0].time

    def task(at_second: float, status: str) -> Event:
        data: dict[str, Any] = {"status": status, "task": f"task at {at_second:g}"}
        return Event(Kind.TASK, begin + at_second, stage, "x", "m1", data)

    lines = lines_of(
        [
            Event(Kind.STAGE_STARTED, begin, stage, "", "", {"title": "First"}),
            task(1, "skipped"), task(2, "skipped"), task(3, "changed"), task(70, "ok"),
        ]
    )  # fmt: skip
    assert [line[6:].split(":")[0].strip() for line in lines] == [
        f"== [1/{len(PLAN.stages)}] First",
        "2 skipped",
        "m1   . changed task at 3",
        f"== [1/{len(PLAN.stages)}]",
        "m1   . ok      task at 70",
    ]


def test_a_time_that_no_calendar_has_breaks_nothing() -> None:
    assert at(1e300) == "??:??"


def kept(folder: Path) -> list[Path]:
    """Two sites with runs, as they lie in the data folder."""
    made = []
    for site in ("pm4ml-production-aaaaaaaaaa", "tiny-single-box-bbbbbbbbbb"):
        place = runs_folder() / site
        place.mkdir(parents=True)
        run = write_run(folder / site)
        target = place / run.id
        run.folder.rename(target)
        made.append(target)
    return made


def test_the_runs_of_every_site_are_read_from_their_records(hermetic: Path) -> None:
    made = kept(hermetic)
    found = kept_runs()
    assert {run.folder for run in found.runs} == set(made)
    assert all(run.total and run.when for run in found.runs)
    assert kept_runs(at_most=1).more == 1
    Run(made[0]).journal.write_text("broken\n")
    broken = next(run for run in kept_runs().runs if run.folder == made[0])
    assert broken.stands == "its record is broken"
    assert not broken.open
    rows = run_rows(found.runs, datetime.now(UTC))
    assert [row.heading for row in rows] == [True, False, True, False]


@pytest.mark.parametrize("errand", ["", "verify", "stop", "remove", "remove-with-data"])
def test_only_a_half_done_installation_is_one_to_go_on_with(errand: str, hermetic: Path) -> None:
    """What verifies, stops or removes a site has runs of its own, under the site's name."""
    site = "tiny-single-box-bbbbbbbbbb"
    key = f"{site}-{errand}" if errand else site
    (runs_folder() / key).mkdir(parents=True)
    run = write_run(hermetic / "made", told()[:6])
    run.folder.rename(runs_folder() / key / run.id)
    [found] = kept_runs().runs
    assert (found.site, found.errand, found.stands) == (site, errand, "interrupted")
    assert found.open is (not errand)
    with Lock(key if errand == "verify" else site, by="Ma Ma"):
        [found] = kept_runs().runs
        assert not found.open
        # An operation that was cut off before its site's lock was taken is not the one at work.
        assert found.stands == ("under way" if errand in ("", "verify") else "interrupted")


def test_the_runs_of_a_site_stand_together_the_latest_first(hermetic: Path) -> None:
    for site in ("tiny-bbbbbbbbbb", "tiny-bbbbbbbbbb-stop", "pm4ml-aaaaaaaaaa"):
        for second in range(2):
            (runs_folder() / site).mkdir(parents=True, exist_ok=True)
            run = write_run(hermetic / site)
            ids = {"tiny-bbbbbbbbbb": 0, "tiny-bbbbbbbbbb-stop": 1, "pm4ml-aaaaaaaaaa": 2}
            name = f"20260102-03040{3 * second + ids[site]}-aaaa"
            run.folder.rename(runs_folder() / site / name)
    found = kept_runs().runs
    assert [(run.site[:5], run.folder.name[14]) for run in found] == [
        ("pm4ml", "5"), ("pm4ml", "2"), ("tiny-", "4"), ("tiny-", "3"), ("tiny-", "1"),
        ("tiny-", "0"),
    ]  # fmt: skip
    rows = run_rows(found, datetime.now(UTC))
    assert sum(row.heading for row in rows) == 2
    assert sum("stop" in row.cells[-1].text for row in rows) == 2


@pytest.mark.parametrize("odd", [1e300, -1e300, 253_402_300_799.0])
def test_a_record_with_a_time_that_no_calendar_has_takes_no_list_away(
    odd: float, hermetic: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its chain holds: whoever wrote it made it anew."""
    made = kept(hermetic)
    # One with a job on a machine, which may have changed it, and at whose end the clock jumps.
    events = told(failed=True)
    at = next(n for n, event in enumerate(events) if event.kind is Kind.STEP_STARTED) + 1
    begun: dict[str, Json] = {"job": "j1", "boot_id": "b", "durable": "systemd"}
    job = replace(events[at - 1], kind=Kind.JOB_STARTED, data=begun)
    events = [*events[:at], job, *events[at:-1], replace(events[-1], time=odd)]
    shutil.rmtree(made[0])
    write_run(hermetic / "odd", events).folder.rename(made[0])
    found = {run.folder: run.when for run in kept_runs().runs}
    assert found[made[0]] is None
    assert found[made[1]] is not None
    rows = run_rows(kept_runs().runs, datetime.now(timezone(timedelta(hours=2))))
    assert any("some time ago" in row.cells[0].text for row in rows)
    change = last_change()
    assert change is not None
    assert (change.run.folder, change.when) == (made[0], None)
    services = LiveServices()
    assert asyncio.run(services.touched(())).sentence == "Machines were changed, by Thiri Aung"
    assert asyncio.run(services.unfinished()) is not None
    assert main(["status"]) == 0
    assert str(made[0]) in capsys.readouterr().out
    report = asyncio.run(services.hand_over(made[0]))
    for form in HAND_OVER:
        out = hermetic / f"report-{form.value}"
        asyncio.run(services.write_hand_over(form, out, report))
        assert out.is_file()


async def test_runs_that_are_not_in_the_list_are_said_to_lie_in_their_folder(
    services: RecordedServices, hermetic: Path
) -> None:
    """No command lists them: `status` has the last run of each site alone."""
    kept(hermetic)
    app = SitewrightApp(services)
    async with app.run_test(size=(120, 40)) as pilot:
        await on_step(pilot, StepId.WELCOME)
        app.push_screen(RunsScreen(kept_runs(at_most=1), runs_folder(), datetime.now(UTC)))
        await shows(pilot, "1 run of 1 site; 1 older in", "sitewright/runs")


async def test_a_run_is_watched_from_the_list_and_the_list_comes_back(
    services: RecordedServices, hermetic: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from screens.run.replay import ReplayScreen

    made = kept(hermetic)
    # What was verified is the same site.
    verified = made[0].parent.with_name(f"{made[0].parent.name}-verify")
    shutil.copytree(made[0].parent, verified)
    read: list[int] = []

    def counting() -> KeptRuns:
        read.append(1)
        return kept_runs()

    monkeypatch.setattr("installer.record.kept_runs.kept_runs", counting)
    app = SitewrightApp(services)
    async with app.run_test(size=(80, 24)) as pilot:
        await on_step(pilot, StepId.WELCOME)
        await shows(pilot, "3 runs of 2 sites")
        assert not read  # records may be long, and welcome is often come back to
        app.screen.query_one("#choices", Board).move_to("runs")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, ReplayScreen))
        await pilot.press("q")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen))
        shown: list[Path] = []

        async def later(run: Path) -> tuple[Later, ...]:
            shown.append(run)
            return later_of(load_solution("miniloop"), str(run / "site.yaml"), str(run))

        monkeypatch.setattr(services, "later", later)
        await pilot.press("l")
        await until(pilot, lambda: isinstance(app.screen, LaterScreen))
        assert shown[0] in {run.folder for run in kept_runs().runs}
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen))
        await pilot.press("slash", *"tiny", "enter")
        board = app.screen.query_one("#runs", Board)
        await until(pilot, lambda: len(board.rows) < 4)
        await pilot.press("escape", "escape")
        await on_step(pilot, StepId.WELCOME)

"""A run in plain lines: each thing once, with its time, its stage, and how far it is."""

from __future__ import annotations

from dataclasses import replace

from installer.commands.narration import Narration
from installer.events import Event, Json, Kind
from installer.plans.plan import Plan, PlannedStage, PlannedStep


def plan() -> Plan:
    steps = tuple(
        PlannedStep("one", f"s{n}", "script", f"Step {n}", ("m1",), {}, expected_seconds=100)
        for n in (1, 2)
    )
    stage = PlannedStage("one", "First stage", "It must be.", "here", (), (), steps)
    return Plan("tiny", "box", (stage,), (("m1", ("box",)),), ())


def said(*events: Event) -> list[str]:
    narration = Narration(plan(), json_lines=False)
    return [line for event in events for line in narration.lines(event)]


def event(at: float, kind: Kind, host: str = "m1", step: str = "s1", **data: Json) -> Event:
    return Event(kind, at, "one", step, host, data)


def test_what_the_control_host_says_of_a_task_is_not_said_twice() -> None:
    lines = said(
        event(0, Kind.TASK, task="Put it back", status="changed"),
        event(0, Kind.LINE, "control", text="changed on m1 (Put it back)"),
    )
    assert len([line for line in lines if "Put it back" in line]) == 1
    assert ". changed Put it back" in lines[-1]


def test_the_machine_that_the_site_names_to_run_from_is_called_by_its_name() -> None:
    line = event(0, Kind.LINE, "control", text="a line of helm")
    assert said(line)[0].split(maxsplit=1)[1].startswith("control host | a line")
    narration = Narration(replace(plan(), control="a-bastion-of-the-site"), json_lines=False)
    [told] = list(narration.lines(line))
    assert told.split()[1] == "a-bastion-of-the-site"


def test_skipped_tasks_are_counted() -> None:
    skipped = [event(1, Kind.TASK, task=f"t{n}", status="skipped") for n in range(4)]
    lines = said(*skipped, event(2, Kind.TASK, task="last", status="ok"))
    assert [line for line in lines if "skipped" in line] == [lines[0]]
    assert "4 skipped" in lines[0]


def test_a_long_stage_says_each_minute_how_far_it_is() -> None:
    begun = event(0, Kind.STAGE_STARTED, "", "")
    done = event(10, Kind.STEP_FINISHED, outcome="done", seconds=10.0, sentence="Done.")
    lines = said(
        begun,
        event(1, Kind.STEP_STARTED, title="Step 1", attempt=1),
        done,
        event(20, Kind.STEP_STARTED, step="s2", title="Step 2", attempt=1),
        *(event(20 + n, Kind.LINE, step="s2", text="x") for n in (10, 50, 51, 60)),
    )
    assert "[1/1] First stage: It must be. (0 %, about 3 min left)" in lines[0]
    far = [line for line in lines[1:] if "[1/1]" in line]
    assert len(far) == 1
    assert "% , about" not in far[0]
    assert "left" in far[0]
    assert all(line.lstrip("\n")[2] == ":" for line in lines)  # each has its time


def test_a_time_that_no_calendar_has_and_a_stage_that_no_plan_has_are_told_all_the_same() -> None:
    for kind in (Kind.STAGE_STARTED, Kind.STAGE_FINISHED, Kind.NOTE):
        told = Event(kind, 1e20, "elsewhere", data={"title": "t", "outcome": "done", "text": "x"})
        assert said(told)[0].lstrip().startswith("??:??:??")


def test_a_remedy_goes_on_with_what_was_begun_and_names_the_site() -> None:
    """`sitewright services` alone is refused: nothing tells it which site is meant."""
    named = " --solution core-test-harness"
    narration = Narration(
        plan(), json_lines=False, again=f"sitewright services{named}", named=named
    )
    remedy = "Start it: sitewright start. Mend the cause, then: sitewright resume."
    problem = event(0, Kind.PROBLEM, title="A step failed", where="m1", cause="x", remedy=remedy)
    text = "\n".join(narration.lines(problem))
    assert f"Start it: sitewright start{named}." in text
    assert f"then: sitewright services{named}." in text

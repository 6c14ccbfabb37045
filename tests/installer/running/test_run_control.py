"""What a person tells a run that is under way, and what it asks of a person."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from foundation.problems import InputProblem
from installer.events import Kind, Outcome
from installer.running.levers import Control
from tests.foundation.processes import PATIENCE
from tests.installer.engine_site import (
    Person,
    Watch,
    engine,
    new_run,
    once,
    plan,
    several,
    step,
    when,
    words,
)

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="jobs are run as root; this is not root")


async def test_pause_lets_what_runs_end_and_begins_nothing_more(tmp_path: Path) -> None:
    log = tmp_path / "log"
    body = f"while [ ! -e {tmp_path}/go ]; do sleep 0.05; done"
    made = plan(step("a", **once(log, "a", body=body)), step("b", **once(log, "b")))
    watch, control = Watch(), Control()
    running = asyncio.create_task(engine(made, watch=watch, control=control).run())
    await when(lambda: watch.of(Kind.JOB_STARTED))
    control.pause(by="Ma Ma")
    (tmp_path / "go").touch()
    await when(watch.outcomes)
    await asyncio.sleep(0.2)
    assert words(log) == ["a"]
    assert not running.done()
    control.go_on(by="Ma Ma")
    assert await running is Outcome.DONE
    assert words(log) == ["a", "b"]
    told = [(e.data["action"], e.data["by"]) for e in watch.of(Kind.CONTROL)]
    assert told == [("pause", "Ma Ma"), ("continue", "Ma Ma")]


async def test_what_was_told_before_holds_for_the_first_step_of_all(tmp_path: Path) -> None:
    """Nothing waits between the beginning and the first step, so nothing else gives it time."""
    log = tmp_path / "log"
    made = plan(step("a", **once(log, "a")), step("b", **once(log, "b")))
    watch, control = Watch(), Control()
    for name in ("a", "b"):
        control.skip(by="Ma Ma", reason="not theirs to show", stage="one", step=name)
    assert await engine(made, watch=watch, control=control).run() is Outcome.DONE
    assert [outcome for _, _, outcome in watch.outcomes()] == ["skipped", "skipped"]
    assert not log.exists()


async def test_finish_lets_what_runs_end_and_ends_the_run_then(tmp_path: Path) -> None:
    """A rolling step ends at the machine it is on; a pause ends too."""
    log = tmp_path / "log"
    body = f"while [ ! -e {tmp_path}/go ]; do sleep 0.05; done; echo did >> {log}"
    made = plan(step("a", "w1", "w2", script=body, rolling=1), step("b", "w1", **once(log, "b")))
    run, watch, control = new_run(made), Watch(), Control()
    pool = several("w1", "w2")
    running = asyncio.create_task(engine(made, run, pool=pool, watch=watch, control=control).run())
    await when(lambda: watch.of(Kind.JOB_STARTED))
    control.pause(by="Ma Ma")
    control.finish(by="Ma Ma")
    await when(lambda: len(watch.of(Kind.CONTROL)) == 2)
    (tmp_path / "go").touch()
    assert await running is Outcome.STOPPED
    assert watch.outcomes() == [("a", "w1", "done")]
    assert watch.of(Kind.RUN_FINISHED)[0].data["outcome"] == "stopped"
    assert await engine(made, run, pool=several("w1", "w2"), watch=watch).run() is Outcome.DONE
    assert words(log) == ["did", "did", "b"]


async def test_stop_leaves_the_command_running_and_resume_attaches_to_it(tmp_path: Path) -> None:
    log = tmp_path / "log"
    body = f"echo one; while [ ! -e {tmp_path}/go ]; do sleep 0.05; done; echo two"
    made = plan(step("a", **once(log, "a", body=body)))
    run, watch, control = new_run(made), Watch(), Control()
    running = asyncio.create_task(engine(made, run, watch=watch, control=control).run())
    await when(watch.lines)
    control.stop(by="Ma Ma")
    assert await running is Outcome.STOPPED
    assert words(log) == []
    (tmp_path / "go").touch()
    assert await engine(made, run, watch=watch).run() is Outcome.DONE
    assert watch.lines() == ["one", "two"]
    assert words(log) == ["a"]
    assert [e.data["attempt"] for e in watch.of(Kind.STEP_STARTED)] == [1]


async def test_stop_can_end_the_command_too(tmp_path: Path) -> None:
    made = plan(step("a", script=f"echo one; sleep 30; touch {tmp_path}/x"))
    run, watch, control = new_run(made), Watch(), Control()
    running = asyncio.create_task(engine(made, run, watch=watch, control=control).run())
    await when(watch.lines)
    control.stop(by="Ma Ma", end_jobs=True)
    assert await asyncio.wait_for(running, 40) is Outcome.STOPPED
    assert watch.outcomes() == [("a", "local", "stopped")]
    assert not run.complete


async def test_a_failure_waits_for_a_person_who_retries_or_skips(tmp_path: Path) -> None:
    made = plan(
        step("a", "w1", "w2", script=f"test -e {tmp_path}/mended"), step("b", "w1", script="true")
    )
    watch, control = Watch(), Control()
    asked = engine(made, pool=several("w1", "w2"), watch=watch, control=control, interactive=True)
    running = asyncio.create_task(asked.run())
    await when(lambda: len(watch.outcomes()) == 2)
    with pytest.raises(InputProblem):
        control.skip(by="Ma Ma", reason=" ", stage="one", step="a", host="w2")
    control.skip(by="Ma Ma", reason="it is switched off", stage="one", step="a", host="w2")
    (tmp_path / "mended").touch()
    control.retry(by="Ma Ma", stage="one", step="a", host="w1")
    assert await asyncio.wait_for(running, PATIENCE) is Outcome.DONE
    assert watch.outcomes()[2:] == [
        ("a", "w2", "skipped"), ("a", "w1", "done"), ("b", "w1", "done")
    ]  # fmt: skip
    skipped = [e for e in watch.of(Kind.STEP_FINISHED) if e.data["outcome"] == "skipped"]
    assert skipped[0].data["sentence"] == "Skipped by Ma Ma: it is switched off"
    assert asked.failures == []


async def test_a_stage_is_undone_in_reverse_and_only_where_it_was_done_here(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("a\n")

    def with_undo(word: str) -> dict[str, Any]:
        return {
            **once(log, word),
            "undo": {"script": f"echo un{word} >> {log}; sed -i '/^{word}$/d' {log}"},
        }

    made = plan(*(step(n, **with_undo(n)) for n in "abc"), step("d", script="true"))
    run = new_run(made)
    assert await engine(made, run).run() is Outcome.DONE
    watch = Watch()
    assert await engine(made, run, watch=watch).undo("one", by="Ma Ma") is Outcome.UNDONE
    assert words(log) == ["a", "unc", "unb"]
    assert watch.outcomes() == [
        ("d", "local", "done"), ("c", "local", "undone"), ("b", "local", "undone")
    ]  # fmt: skip
    assert not run.complete
    assert await engine(made, run).run() is Outcome.DONE
    assert words(log) == ["a", "unc", "unb", "b", "c"]


async def test_a_stage_taken_back_from_its_failure_ends_the_run_as_undone(tmp_path: Path) -> None:
    log = tmp_path / "log"
    made = plan(
        step("a", **once(log, "a"), undo={"script": f"rm {log}"}), step("b", script="exit 9")
    )
    run, watch, control = new_run(made), Watch(), Control()
    asked = engine(made, run, watch=watch, control=control, interactive=True)
    running = asyncio.create_task(asked.run())
    await when(lambda: asked.failures)
    control.undo_stage(by="Ma Ma", stage="one")
    assert await running is Outcome.UNDONE
    assert words(log) == []
    assert run.state().outcome is Outcome.UNDONE
    notes = [event.data["text"] for event in watch.of(Kind.NOTE)]
    assert notes == ["Not taken back: Do b (by hand)."]


async def test_what_a_person_takes_back_in_one_way_is_told_together() -> None:
    made = plan(
        step("a", script="true", by_hand="with rm"), step("b", script="true", by_hand="with rm"),
        step("c", script="true"), step("d", script="true", undo={"script": "true"}),
    )  # fmt: skip
    run = new_run(made)
    assert await engine(made, run).run() is Outcome.DONE
    watch = Watch()
    assert await engine(made, run, watch=watch).undo("one", by="Ma Ma") is Outcome.UNDONE
    notes = [event.data["text"] for event in watch.of(Kind.NOTE)]
    assert notes == ["Not taken back: Do c (by hand), Do b, Do a (by hand: with rm)."]


async def test_where_no_step_says_how_nothing_is_said_to_be_taken_back() -> None:
    made = plan(step("a", script="true"))
    run = new_run(made)
    assert await engine(made, run).run() is Outcome.DONE
    assert await engine(made, run).undo("one", by="Ma Ma") is Outcome.DONE


async def test_an_answer_is_asked_for_once_and_journalled_by_name(tmp_path: Path) -> None:
    made = plan(
        step("q", "control", kind="confirm", text="Is the change window open?"),
        step("a", script=f"test -e {tmp_path}/mended"),
    )
    run, person, watch = new_run(made), Person(), Watch()
    assert await engine(made, run, ask=person, watch=watch).run() is Outcome.FAILED
    (tmp_path / "mended").touch()
    assert await engine(made, run, ask=person).run() is Outcome.DONE
    assert [question.text for question in person.asked] == ["Is the change window open?"]
    assert watch.of(Kind.ANSWER)[0].data["by"] == "Ma Ma"
    assert watch.of(Kind.QUESTION)[0].data["text"] == "Is the change window open?"


async def test_where_nobody_answers_the_run_is_refused_and_can_be_resumed() -> None:
    made = plan(step("q", "control", kind="confirm", text="Go?"))
    run = new_run(made)
    first = engine(made, run)
    assert await first.run() is Outcome.FAILED
    assert first.failures[0].problem.exit_code == 7
    no = engine(made, run, ask=Person(says=False))
    assert await no.run() is Outcome.FAILED
    assert "Ma Ma did not confirm it" in no.failures[0].problem.cause
    assert await engine(made, run, ask=Person()).run() is Outcome.DONE


async def test_a_checklist_checks_what_it_can_and_asks_the_rest(tmp_path: Path) -> None:
    items = [
        {"text": "The disk is there", "check": {"script": f"test -e {tmp_path}/disk"}},
        {"text": "The switch is labelled"},
        {"text": "The BMC answers", "check": {"script": "exit 2"}},
    ]
    made = plan(step("gate", "control", kind="checklist", items=items))
    run, person = new_run(made), Person()
    first = engine(made, run, ask=person)
    assert await first.run() is Outcome.FAILED
    assert "1 of 3 points do not hold: The disk is there" in first.failures[0].problem.cause
    assert person.asked == []  # what a program denies no person can confirm
    (tmp_path / "disk").touch()
    assert await engine(made, run, ask=person).run() is Outcome.DONE
    assert [question.items for question in person.asked] == [
        ("The switch is labelled", "The BMC answers")
    ]

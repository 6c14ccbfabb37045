"""A machine that restarts in a step: who is asked before the step is begun again."""

from __future__ import annotations

import argparse
import asyncio
import os
import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from foundation.hosts.connection import Connection
from foundation.hosts.jobs import jobs
from foundation.hosts.jobs.jobs_model import JobLine, JobSpec, JobState, JobStatus
from foundation.problems import ExitCode, Refused
from installer.commands.install import _watched
from installer.events import Kind, Outcome
from installer.plans.plan import Plan
from installer.record.runs import Run
from installer.running.levers import Control
from installer.steps.kind import KINDS, comes_to_the_same
from tests.foundation.processes import PATIENCE
from tests.installer.engine_site import (
    Person,
    Watch,
    engine,
    new_run,
    once,
    plan,
    step,
    when,
    words,
)

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="jobs are run as root; this is not root")


class RestartedJobs:
    """A stand-in for a machine that restarts `times` in a job: it knows nothing of it after."""

    def __init__(self, times: int = 1) -> None:
        self.left = times
        self._boots = 0
        self._followed = False

    def _boot(self, status: JobStatus) -> JobStatus:
        return JobStatus(status.state, status.exit_status, status.result, f"boot-{self._boots}")

    async def start(self, connection: Connection, spec: JobSpec) -> None:
        await jobs.start(connection, spec)

    async def status(self, connection: Connection, job_id: str) -> JobStatus:
        status = await jobs.status(connection, job_id)
        if self._followed and self.left:
            self.left -= 1
            self._boots += 1
            self._followed = False
            return JobStatus(JobState.GONE, None, "", f"boot-{self._boots}")
        return self._boot(status)

    async def follow(
        self, connection: Connection, job_id: str, *, cursor: str = "", units: Sequence[str] = ()
    ) -> AsyncIterator[JobLine]:
        async for line in jobs.follow(connection, job_id, cursor=cursor, units=units):
            yield line
        self._followed = True

    async def stop(self, connection: Connection, job_id: str) -> None:
        await jobs.stop(connection, job_id)

    async def forget(self, connection: Connection, job_id: str) -> None:
        await jobs.forget(connection, job_id)

    async def durable_kind(self, connection: Connection) -> str:
        return await jobs.durable_kind(connection)


def unasked(log: Path) -> dict[str, Any]:
    """A script that nobody can ask whether it is done."""
    return {"script": f"echo once >> {log}\n"}


async def test_a_person_is_asked_before_a_cut_off_step_begins_again(tmp_path: Path) -> None:
    log, person, watch = tmp_path / "log", Person(), Watch()
    made = plan(step("a", **unasked(log)))
    run = new_run(made)
    engine_ = engine(made, run, watch=watch, ask=person, jobs=RestartedJobs(2))
    assert await engine_.run() is Outcome.DONE
    assert words(log) == ["once"] * 3
    assert len(person.asked) == 2  # at each restart anew, for the machine may be another then
    assert "was restarted while this step ran" in person.asked[0].text
    assert [event.data["by"] for event in watch.of(Kind.ANSWER)] == ["Ma Ma"] * 2


async def test_a_no_leaves_the_machine_alone(tmp_path: Path) -> None:
    log = tmp_path / "log"
    failing = engine(plan(step("a", **unasked(log))), ask=Person(says=False), jobs=RestartedJobs())
    assert await failing.run() is Outcome.FAILED
    assert words(log) == ["once"]
    assert isinstance(failing.failures[0].problem, Refused)
    assert "--skip one/a=" in failing.failures[0].problem.remedy


async def test_where_nobody_is_there_it_is_refused_and_the_next_run_asks_again(
    tmp_path: Path,
) -> None:
    log, person = tmp_path / "log", Person()
    made = plan(step("a", **unasked(log)))
    run = new_run(made)
    for again in (RestartedJobs(), RestartedJobs(0)):
        failing = engine(made, run, jobs=again)
        assert await failing.run() is Outcome.FAILED
        problem = failing.failures[0].problem
        assert problem.exit_code is ExitCode.REFUSED
        assert "--confirm one/a" in problem.remedy
        assert words(log) == ["once"]
    assert await engine(made, run, ask=person, jobs=RestartedJobs(0)).run() is Outcome.DONE
    assert len(person.asked) == 1
    assert words(log) == ["once"] * 2


async def test_a_step_that_can_be_asked_is_asked_itself(tmp_path: Path) -> None:
    log, person = tmp_path / "log", Person()
    made = plan(step("a", **once(log, "a")))
    assert await engine(made, ask=person, jobs=RestartedJobs()).run() is Outcome.DONE
    assert words(log) == ["a"]
    assert person.asked == []


async def test_a_question_that_cannot_tell_yet_is_a_question_all_the_same(tmp_path: Path) -> None:
    """`grep` on a file that is not there ends with 2, and the step is begun again."""
    log, person = tmp_path / "log", Person()
    lucky = f"[ -e {tmp_path}/second ] || {{ touch {tmp_path}/second; exit 0; }}"
    made = plan(step("a", **once(log, "a", body=lucky)))
    assert await engine(made, ask=person, jobs=RestartedJobs()).run() is Outcome.DONE
    assert words(log) == ["a"]
    assert person.asked == []


async def test_kinds_that_look_before_they_change_begin_again_by_themselves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert all(map(comes_to_the_same, ("playbook", "helm", "kubectl")))
    assert not comes_to_the_same("script")
    monkeypatch.setitem(KINDS, "script", replace(KINDS["script"], again=True))
    log, person = tmp_path / "log", Person()
    made = plan(step("a", **unasked(log)))
    assert await engine(made, ask=person, jobs=RestartedJobs()).run() is Outcome.DONE
    assert person.asked == []
    assert words(log) == ["once"] * 2


async def test_the_command_ends_with_7_for_it_and_with_5_for_every_other_failure(
    tmp_path: Path,
) -> None:
    options = argparse.Namespace(json_lines=False, quiet=True, until=None, only=None)
    cut_off = plan(step("a", **unasked(tmp_path / "log")))
    unconfirmed = plan(step("b", kind="confirm", text="Is it so?"))
    broken = plan(step("c", script="exit 9"))
    for made, code in (
        (cut_off, ExitCode.REFUSED),
        (unconfirmed, ExitCode.STAGE_FAILED),
        (broken, ExitCode.STAGE_FAILED),
    ):
        run = new_run(made)
        failing = engine(made, run, jobs=RestartedJobs() if made is cut_off else jobs)
        assert await _watched(failing, options, run, "sitewright resume") == code


# ---- taking back


def slow(tmp_path: Path) -> dict[str, Any]:
    """A step that ends when a file is there, and an undo that fails before the step has ended."""
    wait = f"until [ -e {tmp_path}/go ]; do sleep 0.05; done"
    return {
        "script": f"echo begun >> {tmp_path}/log\n{wait}\necho ended >> {tmp_path}/log\n",
        "undo": {"script": f"grep -q ended {tmp_path}/log && rm {tmp_path}/log"},
    }


async def left_running(tmp_path: Path) -> tuple[Plan, Run]:
    """A run that was stopped, and whose step goes on on its machine."""
    made = plan(step("a", **slow(tmp_path)))
    run, control = new_run(made), Control()
    running = asyncio.create_task(engine(made, run, control=control).run())
    await when(lambda: words(tmp_path / "log"))
    control.stop(by="Ma Ma")
    assert await running is Outcome.STOPPED
    return made, run


async def test_nothing_is_taken_back_while_the_step_still_works(tmp_path: Path) -> None:
    made, run = await left_running(tmp_path)
    watch = Watch()
    undoing = asyncio.create_task(engine(made, run, watch=watch).undo("one", by="Ma Ma"))
    await when(lambda: any("still runs" in str(e.data["text"]) for e in watch.of(Kind.NOTE)))
    (tmp_path / "go").touch()
    assert await undoing is Outcome.UNDONE
    assert not (tmp_path / "log").exists()


async def test_who_waits_to_take_back_can_end_it_and_is_told_how_the_step_ends(
    tmp_path: Path,
) -> None:
    made, run = await left_running(tmp_path)
    watch, control = Watch(), Control()
    undoing = asyncio.create_task(
        engine(made, run, watch=watch, control=control).undo("one", by="Ma Ma")
    )
    await when(lambda: any("still runs" in str(e.data["text"]) for e in watch.of(Kind.NOTE)))
    control.finish(by="Ctrl-C")
    assert await asyncio.wait_for(undoing, PATIENCE) is Outcome.STOPPED
    assert watch.outcomes() == []  # it is as it was: the next one waits again
    note = next(t for e in watch.of(Kind.NOTE) if "still runs" in (t := str(e.data["text"])))
    [job] = set(re.findall(r"sw-[a-z0-9-]+", note))
    assert f"sudo systemctl stop '{job}.*'" in note
    watch = Watch()
    again = asyncio.create_task(engine(made, run, watch=watch).undo("one", by="Ma Ma"))
    await when(lambda: any("still runs" in str(e.data["text"]) for e in watch.of(Kind.NOTE)))
    (tmp_path / "go").touch()
    assert await again is Outcome.UNDONE


async def test_an_undo_that_is_under_way_is_attached_to(tmp_path: Path) -> None:
    """Who says undo again, after the laptop died in it, does not begin a second one beside it."""
    log = tmp_path / "log"
    undo = f"echo undo >> {log}; until [ -e {tmp_path}/go ]; do sleep 0.05; done"
    made = plan(step("a", **{**once(log, "a"), "undo": {"script": undo}}))
    run, control = new_run(made), Control()
    assert await engine(made, run).run() is Outcome.DONE
    first = asyncio.create_task(engine(made, run, control=control).undo("one", by="Ma Ma"))
    await when(lambda: words(log) == ["a", "undo"])
    control.stop(by="Ma Ma")
    assert await first is Outcome.STOPPED
    second = asyncio.create_task(engine(made, run).undo("one", by="Ma Ma"))
    (tmp_path / "go").touch()
    assert await second is Outcome.UNDONE
    assert words(log) == ["a", "undo"]


@pytest.mark.parametrize("says", [True, False])
async def test_an_undo_that_a_restart_cut_off_begins_again_on_a_word(
    says: bool, tmp_path: Path
) -> None:
    log, person = tmp_path / "log", Person(says=says)
    undo = f"echo undo >> {log}; [ -e {tmp_path}/go ] || sleep 60"
    made = plan(step("a", **{**once(log, "a"), "undo": {"script": undo}}))
    run, control = new_run(made), Control()
    assert await engine(made, run).run() is Outcome.DONE
    first = asyncio.create_task(engine(made, run, control=control).undo("one", by="Ma Ma"))
    await when(lambda: words(log) == ["a", "undo"])
    control.stop(by="Ma Ma", end_jobs=True)
    assert await first is Outcome.STOPPED
    (tmp_path / "go").touch()
    restarted = RestartedJobs()
    restarted._followed = True
    again = engine(made, run, ask=person, jobs=restarted)
    outcome = await again.undo("one", by="Ma Ma")
    if not person.asked:
        pytest.fail(f"nobody was asked: {outcome} {again.failures}")
    assert "was restarted while this step was taken back" in person.asked[0].text
    assert outcome is (Outcome.UNDONE if says else Outcome.FAILED)
    assert words(log) == ["a", "undo", *(["undo"] if says else [])]
    if not says:
        assert "sitewright undo one" in again.failures[0].problem.remedy

"""The engine on this machine, with real durable jobs: order, results, controls, resume."""

from __future__ import annotations

import asyncio
import gc
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from foundation.hosts.model import LOCAL_ADDRESS, Host, Inventory
from foundation.hosts.pool import Pool
from foundation.problems import InputProblem, Problem, Refused
from foundation.secrets import MASK, Secret
from installer.catalogue.stages import Retry
from installer.events import Kind, Outcome
from installer.record.journal import read, verify
from installer.record.site_lock import Lock
from installer.running.work import may_retry
from installer.steps.kind import StepFailed
from tests.installer.engine_site import (
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


async def test_a_plan_runs_in_order_and_a_second_run_changes_nothing(tmp_path: Path) -> None:
    log = tmp_path / "log"
    made = plan(
        step("c", stage="last", **once(log, "c")),
        step("a", stage="first", **once(log, "a", body="echo hello; echo oh >&2")),
        step("b", stage="first", **once(log, "b")),
        needs={"last": ("first",)},
    )
    run, watch = new_run(made), Watch()
    assert await engine(made, run, watch=watch).run() is Outcome.DONE
    assert words(log) == ["a", "b", "c"]
    assert watch.lines() == ["hello", "oh"]
    assert watch.events == list(read(run.journal))
    assert run.complete

    again = Watch()
    assert await engine(made, run, watch=again).run() is Outcome.ALREADY
    assert again.outcomes() == []
    other = Watch()
    assert await engine(made, watch=other).run() is Outcome.ALREADY
    assert {outcome for _, _, outcome in other.outcomes()} == {"already"}
    assert words(log) == ["a", "b", "c"]


async def test_a_step_is_on_disk_before_it_is_done(tmp_path: Path) -> None:
    """The script itself finds its STEP_STARTED and JOB_STARTED in the journal."""
    run = new_run(plan(step("a", script="the journal's name is known only now")))
    look = f"grep -c -e step.started -e job.started {run.journal}"
    watch = Watch()
    await engine(plan(step("a", script=look)), run, watch=watch).run()
    assert watch.lines() == ["2"]


async def test_a_failure_stops_the_stage_and_says_what_where_why_and_what_to_do(
    tmp_path: Path,
) -> None:
    log = tmp_path / "log"
    mended = tmp_path / "mended"
    broken = f'[ -e {mended} ] || {{ echo "E: no disk" >&2; exit 9; }}; echo done >> {log}'
    made = plan(
        step("a", "w1", "w2", script="true"),
        step("b", "w1", script=broken),
        step("c", stage="two", **once(log, "c")),
    )
    run, watch = new_run(made), Watch()
    failing = engine(made, run, pool=several("w1", "w2", "local"), watch=watch)
    assert await failing.run() is Outcome.FAILED
    (failure,) = failing.failures
    assert (failure.step, failure.host, failure.lines) == ("b", "w1", ("E: no disk",))
    (told,) = watch.of(Kind.PROBLEM)
    assert told.data["where"] == "w1"
    assert "exit status 9" in str(told.data["cause"])
    assert "E: no disk" in str(told.data["cause"])
    assert told.data["remedy"]
    assert not run.complete
    state = run.state()
    assert state.outcome is Outcome.FAILED
    assert state.stages["one"].outcome is Outcome.FAILED
    assert "two" not in state.stages

    mended.touch()
    watch = Watch()
    resumed = engine(made, run, pool=several("w1", "w2", "local"), watch=watch)
    assert await resumed.run() is Outcome.DONE
    assert watch.outcomes() == [("b", "w1", "done"), ("c", "local", "done")]
    assert words(log) == ["done", "c"]
    verify(run.journal)


async def test_one_machine_that_fails_does_not_end_the_step_on_the_others(tmp_path: Path) -> None:
    names = ["w1", "w2", "w3"]
    # The names are one machine, on which a folder can be made once.
    made = plan(step("a", *names, script=f"mkdir {tmp_path}/one"))
    watch = Watch()
    run = engine(made, pool=several(*names), watch=watch)
    assert await run.run() is Outcome.FAILED
    assert sorted(outcome for _, _, outcome in watch.outcomes()) == ["done", "failed", "failed"]


async def test_a_rolling_step_goes_one_at_a_time_and_ends_at_the_first_failure(
    tmp_path: Path,
) -> None:
    names = [f"w{n}" for n in range(5)]
    script = f"mkdir {tmp_path}/busy; sleep 0.05; rmdir {tmp_path}/busy; echo x >> {tmp_path}/log"
    fine = engine(plan(step("a", *names, script=script, rolling=1)), pool=several(*names))
    assert await fine.run() is Outcome.DONE
    assert len(words(tmp_path / "log")) == 5

    bad = f"echo x >> {tmp_path}/bad; [ $(wc -l < {tmp_path}/bad) -lt 3 ]"
    watch = Watch()
    made = plan(step("a", *names, script=bad, rolling=1))
    assert await engine(made, pool=several(*names), watch=watch).run() is Outcome.FAILED
    assert [outcome for _, _, outcome in watch.outcomes()] == ["done", "done", "failed"]


async def test_a_step_is_tried_again_where_its_output_says_that_this_is_safe(
    tmp_path: Path,
) -> None:
    script = f"""echo x >> {tmp_path}/tries
    n=$(wc -l < {tmp_path}/tries); [ $n -ge 3 ] || {{ echo "Could not get lock"; exit 100; }}"""
    retry = {"times": 3, "first_wait_seconds": 0.01, "on": ["Could not get lock"]}
    watch = Watch()
    assert await engine(plan(step("a", script=script, retry=retry)), watch=watch).run() == "done"
    assert [e.data["attempt"] for e in watch.of(Kind.STEP_STARTED)] == [1, 2, 3]

    other = {"times": 3, "first_wait_seconds": 0.01, "on": ["something else"]}
    (tmp_path / "tries").unlink()
    watch = Watch()
    assert await engine(plan(step("a", script=script, retry=other)), watch=watch).run() == "failed"
    assert len(watch.of(Kind.STEP_STARTED)) == 1


def test_retries_are_bounded() -> None:
    retry = Retry(times=2)
    failure = StepFailed("x")
    assert [may_retry(failure, retry, tries) for tries in (1, 2, 3)] == [True, True, False]
    assert not may_retry(StepFailed("x", again=False), retry, 1)
    assert may_retry(StepFailed("x", output=["a lock b"]), Retry(times=1, on=("lock",)), 1)


async def test_a_step_that_takes_too_long_is_ended_by_the_machine() -> None:
    made = plan(step("a", script="echo begun; sleep 60", timeout_minutes=0.01))
    watch = Watch()
    run = engine(made, watch=watch)
    assert await run.run() is Outcome.FAILED
    assert run.failures[0].problem.cause == (
        'the script was not done after 1 s, and the machine ended it; its last words: "begun"'
    )
    assert run.failures[0].lines == ("begun",)


async def test_a_step_that_ends_well_and_did_nothing_is_found_out(tmp_path: Path) -> None:
    made = plan(step("a", script="true", done={"script": f"test -e {tmp_path}/x"}))
    run = engine(made)
    assert await run.run() is Outcome.FAILED
    assert "still says that it is not done" in run.failures[0].problem.cause
    verify_says = plan(step("a", script="true", verify={"command": ["false"]}))
    run = engine(verify_says)
    assert await run.run() is Outcome.FAILED
    problem = run.failures[0].problem
    assert problem.cause == "it was carried out, and the check afterwards says no"
    assert "Ask it yourself on local: false." in problem.remedy


async def test_until_and_only(tmp_path: Path) -> None:
    log = tmp_path / "log"
    made = plan(
        *(step(n, stage=f"s-{n}", **once(log, n)) for n in "abc"),
        needs={"s-b": ("s-a",), "s-c": ("s-b",)},
    )
    run = new_run(made)
    with pytest.raises(Refused, match="needs s-a"):
        await engine(made, run, only="s-b").run()
    assert await engine(made, run, until="s-a").run() is Outcome.DONE
    assert words(log) == ["a"]
    assert not run.complete
    assert await engine(made, run, only="s-b").run() is Outcome.DONE
    assert words(log) == ["a", "b"]
    with pytest.raises(InputProblem, match="s-x"):
        engine(made, run, until="s-x")
    assert await engine(made, run).run() is Outcome.DONE
    assert words(log) == ["a", "b", "c"]


async def test_a_dry_run_says_what_it_would_do_and_does_nothing(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("a\n")
    target = tmp_path / "file"
    target.write_text("old\n")
    made = plan(
        step("a", **once(log, "a")),
        step("b", **once(log, "b")),
        step("f", kind="file", path=str(target), content="new\n"),
        step("q", "control", kind="confirm", text="Really?"),
    )
    watch = Watch()
    await engine(made, watch=watch, dry_run=True).run()
    assert words(log) == ["a"]
    assert target.read_text() == "old\n"
    assert watch.outcomes()[:2] == [("a", "local", "already"), ("b", "local", "skipped")]
    told = "\n".join(str(event.data["text"]) for event in watch.of(Kind.NOTE))
    assert "Would run a script: Do b." in told
    assert "-old\n+new" in told
    assert "Would ask: Really?" in told
    assert watch.of(Kind.JOB_STARTED) == []


async def test_secrets_reach_the_script_and_nothing_else(tmp_path: Path) -> None:
    secret = Secret("s3cr3t'\"$(id) value")
    script = f'printf %s "$vault_token" > {tmp_path}/got; echo "token is $vault_token"'
    made = plan(step("a", script=script, secrets=["vault_token"]), secrets=("vault_token",))
    with pytest.raises(InputProblem, match="vault_token"):
        engine(made)
    run, watch = new_run(made), Watch()
    assert await engine(made, run, watch=watch, secrets={"vault_token": secret}).run() == "done"
    assert (tmp_path / "got").read_text() == secret.reveal()
    assert watch.lines() == [f"token is {MASK}"]
    for path in run.folder.rglob("*"):
        assert path.is_dir() or b"s3cr3t" not in path.read_bytes()


async def test_a_script_reads_nothing_of_itself_from_standard_input() -> None:
    watch = Watch()
    await engine(plan(step("a", script="cat\necho after\n")), watch=watch).run()
    assert watch.lines() == ["after"]


async def test_a_run_is_not_resumed_with_another_plan() -> None:
    made = plan(step("a", script="true"))
    run = new_run(made)
    await engine(made, run).run()
    with pytest.raises(Refused, match="another plan"):
        await engine(plan(step("a", script="false")), run).run()


async def test_a_run_whose_site_is_taken_over_stops(tmp_path: Path) -> None:
    log = tmp_path / "log"
    made = plan(step("a", script="echo here; sleep 1.5"), step("b", **once(log, "b")))
    run, watch = new_run(made), Watch()
    with Lock("site", by="Ma Ma") as lock:
        running = asyncio.create_task(engine(made, run, watch=watch, lock=lock).run())
        await when(watch.lines)
        with Lock("site", by="Ko Ko", take_over=True) as mine:
            assert await engine(made, run, lock=mine, watch=watch).run() is Outcome.DONE
            with pytest.raises(Refused, match="Ko Ko"):
                await running
    assert words(log) == ["b"]
    assert watch.lines() == ["here"]
    verify(run.journal)


async def test_what_a_stage_depends_on_is_looked_at_before_it_starts() -> None:
    from dataclasses import replace

    made = plan(step("a", script="true"))
    made = replace(made, stages=(replace(made.stages[0], recheck=("disk.*",)),))
    watch = Watch()

    async def recheck(stage: Any) -> Sequence[Problem]:
        return [Problem(f"{stage.recheck[0]} does not hold any more", where="w1")]

    stopped = engine(made, watch=watch, recheck=recheck)
    assert await stopped.run() is Outcome.FAILED
    assert stopped.failures[0].problem.where == "w1"
    assert watch.of(Kind.STEP_STARTED) == []


async def test_what_was_looked_at_a_moment_ago_is_looked_at_again_once_something_was_done() -> None:
    from dataclasses import replace

    made = plan(step("a", script="true"), step("b", stage="two", script="true"))
    made = replace(made, stages=tuple(replace(s, recheck=("disk.*",)) for s in made.stages))
    looked: list[str] = []

    async def recheck(stage: Any) -> Sequence[Problem]:
        looked.append(stage.id)
        return []

    assert await engine(made, recheck=recheck, looked=time.monotonic()).run() is Outcome.DONE
    assert looked == ["two"]
    looked.clear()
    long_ago = time.monotonic() - 3600
    assert await engine(made, recheck=recheck, looked=long_ago).run() is Outcome.DONE
    assert looked == ["one", "two"]


def test_a_plan_that_cannot_run_is_refused_before_anything_starts() -> None:
    with pytest.raises(InputProblem, match="w9"):
        engine(plan(step("a", "w9", script="true")))
    with pytest.raises(InputProblem, match="circle"):
        engine(plan(step("a", script=""), step("b", stage="two", script=""),
                    needs={"one": ("two",), "two": ("one",)}))  # fmt: skip
    with pytest.raises(InputProblem, match="no kind of step"):
        engine(plan(step("a", kind="magic")))


async def test_an_unreachable_machine_is_a_problem_of_that_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("installer.running.reach.FIRST_PATIENCE", 0.5)
    hosts = (Host("local", LOCAL_ADDRESS), Host("gone", "127.0.0.1", port=1))
    pool = Pool(Inventory(hosts, use_ssh_config=False))
    watch = Watch()
    failing = engine(plan(step("a", "local", "gone", script="true")), pool=pool, watch=watch)
    assert await failing.run() is Outcome.FAILED
    assert sorted(watch.outcomes()) == [("a", "gone", "failed"), ("a", "local", "done")]
    assert failing.failures[0].problem.exit_code == 4


async def test_progress_is_told_by_stage_step_and_machine(tmp_path: Path) -> None:
    made = plan(
        step("a", script="true"), step("b", "w1", "w2", stage="two", script=f"mkdir {tmp_path}/x")
    )
    running = engine(made, pool=several("local", "w1", "w2"), expected={("one", "a"): 30.0})
    before = running.progress()
    assert (before.done, before.total, before.left, before.fraction) == (0, 3, 31.0, 0.0)
    await running.run()
    after = running.progress()
    assert (after.done, after.stages[0].stand, after.stages[1].stand) == (2, "done", "failed")
    assert sorted(stand for _, stand in after.stages[1].steps[0].hosts) == ["done", "failed"]


async def test_what_was_there_before_is_not_looked_through_for_garbage_during_a_run() -> None:
    made = plan(step("a", script="echo a"))
    gc.unfreeze()  # the tests settle theirs as well (tests/conftest.py)
    during: list[int] = []
    work = engine(made)
    work.subscribe(lambda events: during.extend(gc.get_freeze_count() for _ in events))
    try:
        assert await work.run() is Outcome.DONE
        assert min(during) > 10_000
        assert gc.get_freeze_count() == 0
    finally:
        gc.freeze()

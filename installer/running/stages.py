"""Stages: the stages of a plan at work, one after the other, each step on all its machines."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from foundation.hosts.model import Host
from foundation.problems import Problem
from installer.events import Event, Json, Kind, Outcome
from installer.plans.plan import PlannedStage, PlannedStep
from installer.record.identity import done_before
from installer.record.runs import Run
from installer.record.state import DECIDED, Key, RunState
from installer.running.context import Context, forget_jobs
from installer.running.levers import Control, Told
from installer.running.shared import Shared
from installer.running.work import Failure, Work
from installer.steps.kind import CHANGES_NOTHING, done_on, step_kind
from preflight.report.areas import is_of_cluster

_FORGET_SECONDS: Final = 15.0
STILL_SO: Final = 60.0
"""Seconds for which what preflight saw is believed without another look, where nothing was done."""

Recheck = Callable[[PlannedStage], Awaitable[Sequence[Problem]]]
"""Looks at what a stage depends on; the problems that it must not start with."""


class _StageStopped(Exception):
    """A stage that ends before its last step."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome)
        self.outcome = outcome


@dataclass(frozen=True, slots=True)
class How:
    """How the stages are to be carried out."""

    hosts: Mapping[str, Host]
    concurrency: int
    interactive: bool
    recheck: Recheck | None
    lost: Callable[[], bool]
    """Whether the site was taken over, so that nothing more may be begun."""
    run: Run
    """The folder of the run, beside those of the runs before it."""
    looked: float | None = None
    """The monotonic time at which all that is looked at again was found good; None where not."""
    anchor: Callable[[], Awaitable[None]] | None = None
    """Leaves on the machines how far the journal is; called at the end of each stage."""

    def just_looked(self, state: RunState) -> bool:
        """Whether it was looked at a moment ago, and nothing was done on any machine since."""
        done = (standing.outcome is Outcome.DONE for standing in state.steps.values())
        recently = self.looked is not None and time.monotonic() - self.looked < STILL_SO
        return recently and not state.changed and not any(done)


class Stages:
    """Carries stages out; puts what failed into `failures`, and takes it off when it is mended."""

    def __init__(
        self,
        shared: Shared,
        state: RunState,
        control: Control,
        how: How,
        failures: list[Failure],
    ) -> None:
        self._shared = shared
        self.state = state
        self.control = control
        self._how = how
        self._hosts = how.hosts
        self.failures = failures
        self._decisions: asyncio.Queue[Told] = asyncio.Queue()
        self._skips: list[Told] = []
        self._unpaused = asyncio.Event()
        self._forgetting: set[asyncio.Task[None]] = set()

    def hear(self, told: Told) -> None:
        """Take a person's word, which is in the journal already."""
        if told.action == "skip":
            self._skips.append(told)
        if not self.control.paused or self.control.finishing:
            self._unpaused.set()
        self._decisions.put_nowait(told)

    def unfinished(self, stages: Sequence[PlannedStage]) -> list[PlannedStage]:
        """The stages in which something is left to do."""
        return [s for s in stages if not all(self.state.finished(key) for key in self.keys(s))]

    def keys(self, stage: PlannedStage) -> list[Key]:
        """Every step of a stage on every machine on which it is carried out."""
        return [(s.stage, s.id, host.name) for s in stage.steps for host in self._step_hosts(s)]

    async def run(self, stages: Sequence[PlannedStage]) -> Outcome:
        """Carry the stages out in this order, passing over what is finished."""
        outcomes: list[Outcome] = []
        unfinished = self.unfinished(stages)
        for stage in stages:
            standing = self.state.stages.get(stage.id)
            if stage not in unfinished and standing is not None and standing.running:
                await self._stage_finished(stage, self._outcome_of(stage), 0.0)  # cut off just then
        for stage in unfinished:
            if not await self._go_on():
                return Outcome.STOPPED
            outcome = await self._stage(stage)
            outcomes.append(outcome)
            if outcome in (Outcome.FAILED, Outcome.STOPPED, Outcome.UNDONE):
                return outcome
        if self._shared.dry_run and self.failures:
            return Outcome.FAILED
        nothing = all(outcome is Outcome.ALREADY for outcome in outcomes)
        return Outcome.ALREADY if nothing else Outcome.DONE

    async def _stage(self, stage: PlannedStage) -> Outcome:
        began = time.monotonic()
        await self._record(Kind.STAGE_STARTED, stage=stage.id, title=stage.title)
        try:
            await self._recheck_stage(stage)
            for step in stage.steps:
                await self._step(step)
            outcome = self._outcome_of(stage)
        except _StageStopped as stopped:
            outcome = stopped.outcome
        await self._stage_finished(stage, outcome, time.monotonic() - began)
        return outcome

    async def _stage_finished(self, stage: PlannedStage, outcome: Outcome, seconds: float) -> None:
        await self._record(
            Kind.STAGE_FINISHED, stage=stage.id, outcome=outcome.value, seconds=round(seconds, 3)
        )
        if self._how.anchor is not None:
            await self._how.anchor()

    async def _recheck_stage(self, stage: PlannedStage) -> None:
        if self._how.recheck is None or not stage.recheck or self._shared.dry_run:
            return
        if self._how.just_looked(self.state):
            # What was looked at were the machines.
            stage = replace(stage, recheck=tuple(filter(is_of_cluster, stage.recheck)))
            if not stage.recheck:
                return
        problems = await self._how.recheck(stage)
        for problem in problems:
            self.failures.append(Failure(stage.id, "", problem.where or "", problem))
            told: dict[str, Json] = {**problem.as_dict()}
            await self._shared.journal.record(Event(Kind.PROBLEM, time.time(), stage.id, data=told))
        if problems:
            raise _StageStopped(Outcome.FAILED)

    def _outcome_of(self, stage: PlannedStage) -> Outcome:
        outcomes = {self.state.of(key).outcome for key in self.keys(stage)}
        return Outcome.ALREADY if outcomes == {Outcome.ALREADY} else Outcome.DONE

    def _step_hosts(self, step: PlannedStep) -> tuple[Host, ...]:
        """The machines on which the step is carried out one by one."""
        return tuple(self._hosts[name] for name in done_on(step))

    async def _step(self, step: PlannedStep) -> None:
        """A step on all its machines, until each has it done or skipped; raises _StageStopped."""
        while True:
            left = []
            for host in self._step_hosts(step):
                if not self.state.finished((step.stage, step.id, host.name)):
                    skip = self._skip_for(step, host)
                    if skip is None:
                        left.append(host)
                    else:
                        await self._skipped(step, host, skip)
            if not left:
                return
            if not await self._go_on():
                raise _StageStopped(Outcome.STOPPED)
            failures = await self._on_machines(step, left)
            self._clear(step)
            self.failures += failures
            if failures and not self._shared.dry_run:
                await self._decide(step, failures)
            elif failures:
                return

    async def _on_machines(self, step: PlannedStep, hosts: Sequence[Host]) -> list[Failure]:
        """The step on these machines, so many at a time; a rolling step ends at a failure."""
        rolling = step.rolling
        places = asyncio.Semaphore(min(rolling or self._how.concurrency, self._how.concurrency))
        failures: list[Failure] = []
        kind = step_kind(step.kind)
        everyone = tuple(self._hosts[name] for name in step.hosts)

        async def one(host: Host) -> None:
            async with places:
                if rolling and failures:
                    return  # the next machine stays as it is while one is in trouble
                if self.control.finishing or (rolling and not await self._go_on()):
                    return
                work = Work(
                    self._shared, self.state, self.control, step, kind, host, everyone,
                    self._forget_later,
                )  # fmt: skip
                await work.run()
                if work.failure is not None:
                    failures.append(work.failure)

        try:
            async with asyncio.TaskGroup() as group:
                for host in hosts:
                    group.create_task(one(host), name=f"{step.key} on {host.name}")
        except BaseExceptionGroup as errors:
            # Only what ends the whole run gets here, and one of it says all.
            raise errors.exceptions[0] from None
        return failures

    async def _go_on(self) -> bool:
        """Wait where a person paused the run; False where nothing more is to be begun."""
        while self.control.paused and not (self.control.stopped or self.control.finishing):
            self._unpaused.clear()
            await self._unpaused.wait()
        if self.control.stopped:
            raise asyncio.CancelledError
        if self.control.finishing:
            return False
        # The lock is looked at again here: a machine that slept may not have seen it lost.
        if self._how.lost():
            await asyncio.Event().wait()  # the watch over the lock ends the run
        return True

    async def end(self) -> None:
        """Let machines forget the jobs whose results the journal has."""
        if self._forgetting:
            await asyncio.wait(self._forgetting, timeout=_FORGET_SECONDS)
        for task in self._forgetting:
            task.cancel()

    def forget_left_over(self) -> None:
        """Forget the jobs of steps that ended just before an earlier process was killed."""
        if self.state.outcome is not None:
            return  # that run came to its end, and forgot them
        last: dict[str, Key] = {}
        for key, standing in self.state.steps.items():
            if standing.finished and standing.jobs and key[2] in self._hosts:
                newest = self.state.steps.get(last.get(key[2], key))
                if newest is None or newest.started <= standing.started:
                    last[key[2]] = key
        for name, key in last.items():
            jobs = [begun.job for begun in self.state.steps[key].jobs]
            reach = self._shared.reaches(self._hosts[name])
            self._forget(forget_jobs(self._shared.jobs, reach, jobs))

    def _forget_later(self, context: Context) -> None:
        if context.jobs_begun:
            reach = self._shared.reaches(context.host)
            self._forget(forget_jobs(self._shared.jobs, reach, context.jobs_begun))

    def _forget(self, forgetting: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(forgetting)
        self._forgetting.add(task)
        task.add_done_callback(self._forgetting.discard)

    def _skip_for(self, step: PlannedStep, host: Host) -> Told | None:
        return next(
            (
                told
                for told in self._skips
                if (told.stage, told.step) == (step.stage, step.id) and told.host in ("", host.name)
            ),
            None,
        )

    async def _skipped(self, step: PlannedStep, host: Host, told: Told) -> None:
        await self._record(
            Kind.STEP_FINISHED, stage=step.stage, step=step.id, host=host.name,
            outcome=Outcome.SKIPPED.value, seconds=0.0,
            sentence=f"Skipped by {told.by}: {told.reason}",
        )  # fmt: skip
        self._clear(step, host.name)

    def _clear(self, step: PlannedStep, host: str = "") -> None:
        """Take failures of a step off the list, of one machine or of all."""
        self.failures[:] = [
            failure
            for failure in self.failures
            if (failure.stage, failure.step) != (step.stage, step.id)
            or host not in ("", failure.host)
        ]

    async def _decide(self, step: PlannedStep, failures: Sequence[Failure]) -> None:
        """Wait until every failure is to be retried or skipped; raises _StageStopped."""
        if not self._how.interactive:
            raise _StageStopped(Outcome.FAILED)
        open_hosts = {failure.host for failure in failures}
        while open_hosts:
            for host in tuple(open_hosts):
                if self._skip_for(step, self._hosts[host]) is not None:
                    open_hosts.discard(host)
            if not open_hosts:
                return
            told = await self._decisions.get()
            if told.action == "undo":
                stage = next((s for s in self._shared.plan.stages if s.id == told.stage), None)
                if stage is not None:
                    undone = await self.undo(stage)
                    told_so = (Outcome.FAILED, Outcome.UNDONE)
                    raise _StageStopped(undone if undone in told_so else Outcome.STOPPED)
            if told.action == "retry" and (told.stage, told.step) == (step.stage, step.id):
                if not told.host:
                    return
                open_hosts.discard(told.host)

    async def undo(self, stage: PlannedStage) -> Outcome:
        """Take a stage back, its last step first; stops at the first that fails.

        ALREADY where neither this run nor an earlier one did anything of it, DONE where none of
        its steps says how it is taken back.
        """
        earlier = await asyncio.to_thread(done_before, self._how.run)
        outcome = Outcome.ALREADY
        left: dict[str, list[str]] = {}
        for step in reversed(stage.steps):
            kind = step_kind(step.kind)
            everyone = tuple(self._hosts[name] for name in step.hosts)
            for host in reversed(self._step_hosts(step)):
                key = (step.stage, step.id, host.name)
                standing = self.state.steps.get(key)
                if standing is not None and standing.running:
                    touched = True
                elif standing is not None and standing.outcome in DECIDED:
                    touched = standing.outcome is not Outcome.UNDONE
                else:
                    touched = key in earlier
                if not touched:
                    continue  # what was found done before us is not ours to take back
                if self.control.finishing:
                    return Outcome.STOPPED
                work = Work(
                    self._shared, self.state, self.control, step, kind, host, everyone,
                    self._forget_later,
                )  # fmt: skip
                undone = await work.undo()
                if undone is Outcome.STOPPED:
                    return Outcome.STOPPED
                if undone is Outcome.FAILED:
                    self.failures += [work.failure] if work.failure else []
                    return Outcome.FAILED
                if undone is Outcome.UNDONE or outcome is Outcome.ALREADY:
                    outcome = undone
                if undone is Outcome.DONE and step.kind not in CHANGES_NOTHING:
                    how = "it cannot be" if step.irreversible else step.by_hand
                    left.setdefault(how, []).append(step.title)
        if left:
            # What is taken back in one way is told together: it may be a whole list of them.
            told = (f"{', '.join(dict.fromkeys(titles))} ({how})" for how, titles in left.items())
            text = f"Not taken back: {', '.join(told)}."
            note = Event(Kind.NOTE, time.time(), stage.id, data={"text": text})
            await self._shared.journal.record(note)
        return outcome

    async def _record(
        self, kind: Kind, *, stage: str, step: str = "", host: str = "", **data: Json
    ) -> None:
        await self._shared.journal.record(Event(kind, time.time(), stage, step, host, data))

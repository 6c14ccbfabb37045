"""Work: one step on one machine, from the first question to the journalled result."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from foundation.hosts.jobs.jobs_model import Fenced, JobState
from foundation.hosts.model import Host
from foundation.problems import Problem, Refused
from installer.catalogue.stages import Retry
from installer.events import Event, Json, Kind, Outcome
from installer.plans.plan import Plan, PlannedStep
from installer.record.journal import JournalProblem
from installer.record.state import TAKE_BACK, RunState
from installer.running.context import Context
from installer.running.levers import Control
from installer.running.shared import Shared
from installer.steps.kind import (
    JobGone,
    Restarted,
    StepFailed,
    StepKind,
    comes_to_the_same,
    done_at_once,
)

log = logging.getLogger(__name__)

_GOOD_ENDS: Final = frozenset({Outcome.DONE, Outcome.ALREADY, Outcome.UNDONE})
MOST_RESTARTS: Final = 5
"""How often a machine may lose one step's command before a person must look."""
_LOOK_SECONDS: Final = 1.0
"""Between looks at what must end before a step is taken back."""
_LONGEST_WAIT: Final = 120.0
_UNDOING: Final = re.compile(r"-undo-\d+")


class CutOff(Refused):
    """A step that a restart of its machine cut off, and that nobody let begin again."""

    code = "cut-off"


class _LeftOff(Exception):
    """A person ended the run before a try of a step could begin."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A step that failed on a machine."""

    stage: str
    step: str
    host: str
    problem: Problem
    lines: tuple[str, ...] = ()
    """The last lines that it wrote."""


class Work:
    """One step on one machine. Its results are events; `failure` holds what went wrong."""

    def __init__(
        self,
        shared: Shared,
        state: RunState,
        control: Control,
        step: PlannedStep,
        kind: StepKind,
        host: Host,
        hosts: tuple[Host, ...],
        later: Callable[[Context], None],
    ) -> None:
        self._shared = shared
        self._state = state
        self._control = control
        self._step = step
        self._kind = kind
        self._host = host
        self._hosts = hosts
        self._later = later
        """Takes a context whose jobs may be forgotten, once the journal has the result."""
        self._context: Context | None = None
        self.key = (step.stage, step.id, host.name)
        self.failure: Failure | None = None

    async def run(self) -> Outcome:
        """Do the step, or go on with it where it was left; raises JournalProblem only.

        STOPPED, with no word in the journal, where a person ended the run before it could begin.
        """
        began = time.monotonic()
        try:
            outcome, sentence = await self._go()
        except JournalProblem:
            raise
        except _LeftOff:
            return Outcome.STOPPED
        except asyncio.CancelledError:
            # A playbook here would go on with machines that are another's now.
            ends = self._control.end_jobs or (self._control.lost and self._host.local)
            if ends and self._context is not None:
                await self._end_jobs(self._context, time.monotonic() - began)
            raise
        except Fenced as fenced:
            if self._shared.locks is None:
                return await self._failed(fenced, time.monotonic() - began)
            await self._shared.locks.look()
            self._shared.locks.lost = True
            return await asyncio.Future()  # the watch over the locks ends the run
        except Problem as problem:
            return await self._failed(problem, time.monotonic() - began)
        except Exception as error:
            log.exception("the step %s failed on %s", self._step.key, self._host.name)
            ours = StepFailed(
                f"Sitewright met an error of its own: {type(error).__name__}: {error}",
                where=self._host.name,
                remedy="Please report it with the log. The other machines are not affected.",
                again=False,
            )
            return await self._failed(ours, time.monotonic() - began)
        await self._finish(outcome, sentence, time.monotonic() - began)
        return outcome

    async def undo(self) -> Outcome:
        """Take the step back; raises JournalProblem only.

        STOPPED where a person ended the run while what the step began was waited for: nothing was
        taken back, and it is as it was.
        """
        began = time.monotonic()
        try:
            context = await self._to_take_back()
            if context is None:
                return Outcome.STOPPED
            undone = await self._kind.undo(context)
        except JournalProblem:
            raise
        except _LeftOff:
            return Outcome.STOPPED
        except Problem as problem:
            return await self._failed(problem, time.monotonic() - began)
        sentence = "It was taken back." if undone else "It does not say how to be taken back."
        await self._finish(
            Outcome.UNDONE if undone else Outcome.DONE, sentence, time.monotonic() - began
        )
        return Outcome.UNDONE if undone else Outcome.DONE

    async def _to_take_back(self) -> Context | None:
        """The try that takes the step back: the one that is under way already, or a new one.

        None where a person ends the run before it can begin.

        Nothing is taken back while what the step itself began still works on the machine, and what
        a restart cut off in the middle of it begins again on a person's word.
        """
        standing = self._state.of(self.key)
        if standing.running and standing.jobs:
            context = self._context_for(standing.attempt, resumed=True)
            undoing = _UNDOING.search(standing.jobs[-1].job) is not None
            job = await context.last_job()
            if job is not None and undoing and job.state is not JobState.GONE:
                self._note(context, f"Attached again to what runs on {self._host.name}.")
                return context
            if job is not None and undoing and context.restarted_since(job):
                if not comes_to_the_same(self._step.kind):
                    await self._may_begin_again(context, back=True)
            elif job is not None and job.state is JobState.RUNNING:
                self._note(
                    context,
                    f"What this step began still runs on {self._host.name}; it is taken back when "
                    f"that has ended. {_to_end(standing.jobs[-1].job)}",
                )
                while job is not None and job.state is JobState.RUNNING:
                    await asyncio.sleep(_LOOK_SECONDS)
                    if self._control.finishing:
                        return None
                    job = await context.last_job()
        if not await self._tasks_ended():
            return None
        context = self._new(standing.attempt + 1)
        # Before the start: who ends the run in it leaves the step as it was.
        await self._enter(context)
        await self._start(context, f"{TAKE_BACK}{self._step.title}")
        return context

    # -- tries --------------------------------------------------------------------------------

    async def _go(self) -> tuple[Outcome, str]:
        standing = self._state.of(self.key)
        if not standing.running:
            refused = (standing.problem or {}).get("code") == CutOff.code
            again = self._new(standing.attempt + 1)
            return await self._tries(again, touched=refused, cut_off=refused)
        context = self._context_for(standing.attempt, resumed=True)
        if standing.jobs and _UNDOING.search(standing.jobs[-1].job):
            await self._enter(context, attached=True)
            await self._kind.undo(context)
            await self._finish(Outcome.UNDONE, "It was taken back.", 0.0)
            return await self._tries(self._new(standing.attempt + 1), touched=False)
        job = await context.last_job()
        if job is not None and job.state is not JobState.GONE:
            self._note(context, f"Attached again to what runs on {self._host.name}.")
            return await self._tries(context, touched=True, attached=True)
        cut_off = job is not None and context.restarted_since(job)
        if job is not None:
            self._note(
                context,
                f"{self._host.name} knows nothing of the command any more; asking whether the "
                "step is done before anything is done again.",
            )
        again = self._new(standing.attempt + 1)
        return await self._tries(again, touched=job is not None, cut_off=cut_off)

    async def _tries(
        self, context: Context, *, touched: bool, attached: bool = False, cut_off: bool = False
    ) -> tuple[Outcome, str]:
        """Try until it is done or no further try is allowed.

        `touched` says whether an earlier try may have changed something, `attached` whether this
        try is under way on the machine already, `cut_off` whether a restart of the machine cut an
        earlier try off at a place that nobody knows.
        """
        restarts = 0
        retry = Retry.model_validate(self._step.retry or {})
        while True:
            self._context = context
            try:
                return await self._try(context, touched=touched, attached=attached, cut_off=cut_off)
            except JobGone as problem:
                cut_off = isinstance(problem, Restarted)
                restarts += 1
                if restarts > MOST_RESTARTS:
                    raise
                self._note(context, f"{problem.sentence} Asking whether the step is done.")
            except StepFailed as failure:
                cut_off = False
                tries = self._state.of(self.key).tries
                if not may_retry(failure, retry, tries):
                    raise
                wait = min(retry.first_wait_seconds * 2 ** (tries - 1), _LONGEST_WAIT)
                self._note(
                    context,
                    f"Try {tries} of {retry.times + 1} failed: {failure.sentence} "
                    f"Trying again in {wait:g} s.",
                )
                await asyncio.sleep(wait)
            self._later(context)
            context = self._new(context.attempt + 1)
            touched, attached = True, False

    async def _try(
        self, context: Context, *, touched: bool, attached: bool, cut_off: bool
    ) -> tuple[Outcome, str]:
        if not attached:
            # Before the new try is in the journal, so that whoever comes after us asks too.
            # A step that has a question of its own is asked that, as at every start.
            asked = comes_to_the_same(self._step.kind) or self._step.says_done
            if cut_off and not asked and await self._kind.is_done(context) is None:
                await self._may_begin_again(context)
            if not await self._tasks_ended():
                raise _LeftOff
            await self._start(context, self._step.title)
        await self._enter(context, attached=attached)
        if not attached and await self._kind.is_done(context):
            if not touched:
                return Outcome.ALREADY, "It was found done; nothing was changed."
            return Outcome.DONE, "It was done; found so when the machine was asked again."
        sentence = await self._kind.do(context)
        if context.dry_run:
            return Outcome.SKIPPED, "Dry run: nothing was done."
        await self._kind.verify(context)
        return Outcome.DONE, sentence

    async def _may_begin_again(self, context: Context, *, back: bool = False) -> None:
        """Let a person decide on what a restart cut off and nobody can ask; raises CutOff."""
        key = self._step.key
        did = "was taken back" if back else "ran"
        cause = (
            f"{self._host.name} was restarted while this step {did}, and the step cannot be asked "
            "how far it came"
        )
        again = f"sitewright undo {self._step.stage}" if back else "sitewright resume"
        try:
            answer = await context.ask(
                f"{cause}. Look at the machine first. May it be begun again, from its start "
                f"(try {context.attempt})?"
            )
        except Refused as problem:
            raise CutOff(
                f"{cause}; {problem.cause}",
                where=self._host.name,
                remedy="Look at the machine. If it may be begun again from its start: "
                f'{again} --by "A. Name" --confirm {key}',
            ) from problem
        if not answer.yes:
            raise CutOff(
                f"{cause}; {answer.by or 'nobody'} did not let it begin again"
                + (f": {answer.note}" if answer.note else ""),
                where=self._host.name,
                remedy=f"Finish by hand what it left half done; or {again}, and let it begin again."
                if back
                else "Finish by hand what it left half done, then pass it over: sitewright "
                f"resume --skip {key}=REASON; or resume, and let it begin again.",
            )

    async def _enter(self, context: Context, *, attached: bool = False) -> None:
        """Hold the step's machines that were away in the beginning; see `Entering`.

        Raises _LeftOff where a person ended the run while others were waited for there.
        """
        entering = self._shared.entering
        if entering is None:
            return
        hosts = [h for h in dict.fromkeys((self._host, *context.touched)) if not h.local]
        await entering.enter(hosts, context.until)
        if self._control.finishing and not attached and any(h.name in entering.late for h in hosts):
            raise _LeftOff

    async def _tasks_ended(self) -> bool:
        """Begin no playbook beside the task that one of this run left on its machines.

        Who ends ansible-playbook, or the machine that it runs on, does not end what it is just at.
        False where a person ended the run while that was waited for: then nothing is begun.
        """
        shared = self._shared
        if shared.tasks_ended is None or not self._step.plays:
            return True
        if not playbook_cut_short(shared.plan, self._state):
            return True
        await shared.tasks_ended(self._hosts)
        return not self._control.finishing

    def _new(self, attempt: int) -> Context:
        return self._context_for(attempt, resumed=False)

    def _context_for(self, attempt: int, *, resumed: bool) -> Context:
        once = done_at_once(self._step.kind)
        standing = self._state.of(self.key)
        self._context = Context(
            self._shared,
            self._step,
            self._host,
            self._hosts,
            attempt=attempt,
            timeout=self._step.timeout_seconds,
            # A step that runs once is on the control host, and its services are elsewhere: it
            # follows them itself.
            follow=[] if once else self._step.follow,
            resumed=standing if resumed else None,
            cursors=self._cursors() if resumed else {},
            answers=self._state.answers_of(self.key),
            once=once,
        )
        return self._context

    def _cursors(self) -> dict[str, str]:
        """The cursor of the last line of every machine of the step."""
        cursors: dict[str, str] = {}
        for name in {self._host.name, *(host.name for host in self._hosts)}:
            standing = self._state.steps.get((self._step.stage, self._step.id, name))
            if standing is not None:
                cursors.update(standing.cursors)
        return cursors

    # -- results ------------------------------------------------------------------------------

    async def _start(self, context: Context, title: str) -> None:
        await self._record(Kind.STEP_STARTED, {"title": title, "attempt": context.attempt})

    async def _finish(self, outcome: Outcome, sentence: str, seconds: float) -> None:
        await self._record(
            Kind.STEP_FINISHED,
            {"outcome": outcome.value, "seconds": round(seconds, 3), "sentence": sentence},
        )
        if self._context is not None:
            self._later(self._context)

    async def _failed(self, problem: Problem, seconds: float) -> Outcome:
        lines = problem.output if isinstance(problem, StepFailed) else ()
        self.failure = Failure(*self.key, problem, lines)
        told = problem.as_dict()
        data: dict[str, Json] = {**told, "where": told["where"] or self._host.name}
        self._shared.journal.append(self._event(Kind.PROBLEM, data))
        await self._finish(Outcome.FAILED, problem.cause, seconds)
        return Outcome.FAILED

    async def _end_jobs(self, context: Context, seconds: float) -> None:
        try:
            await context.end_jobs()
            sentence = "It was stopped, and so was what ran on the machine."
        except Problem as problem:
            sentence = f"It was stopped; what ran on the machine may go on: {problem.cause}"
        await self._finish(Outcome.STOPPED, sentence, seconds)

    async def _record(self, kind: Kind, data: dict[str, Json]) -> None:
        await self._shared.journal.record(self._event(kind, data))

    def _event(self, kind: Kind, data: dict[str, Json]) -> Event:
        return Event(kind, time.time(), *self.key, data)

    def _note(self, context: Context, text: str) -> None:
        context.emit(Kind.NOTE, text=text)


def _to_end(job: str) -> str:
    """How a person ends a job on its machine, whichever way it was started there."""
    return (
        f"To end it now, there: sudo systemctl stop '{job}.*' (without systemd: sudo sh -c "
        f"'kill -- -$(cat /var/lib/sitewright/jobs/{job}/pid)')."
    )


def playbook_cut_short(plan: Plan, state: RunState) -> bool:
    """Whether the last try of some playbook came to no good end, so that its task may go on."""
    playbooks = {(stage.id, step.id) for stage in plan.stages for step in stage.steps if step.plays}
    return any(
        (stage, step) in playbooks
        and standing.attempt > 0
        and (standing.running or standing.outcome not in _GOOD_ENDS)
        for (stage, step, _), standing in state.steps.items()
    )


def may_retry(failure: StepFailed, retry: Retry, tries: int) -> bool:
    """Whether a failed try may be repeated by itself: `tries` there were, this one included."""
    if not failure.again or tries > retry.times:
        return False
    if not retry.on:
        return True
    output = "\n".join((failure.cause, *failure.output))
    return any(text in output for text in retry.on)

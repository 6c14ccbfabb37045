"""Run: the engine that carries a plan through, stage by stage, and can be cut off at any moment.

Everything that decides is in the journal before it happens and after; a new engine on the same run
goes on from there. See installer.control for what a person may tell it.
"""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from foundation.hosts import jobs as durable_jobs
from foundation.hosts.connection import Connection
from foundation.hosts.model import LOCAL_ADDRESS, Host
from foundation.problems import InputProblem, Problem, Refused
from foundation.secrets import Secret
from installer.control import Control, Told
from installer.events import Event, Json, Kind, Outcome
from installer.journal import Journal, Subscriber
from installer.plan import Plan, PlannedStage, PlannedStep
from installer.running.context import Context, Jobs, Shared
from installer.running.progress import Progress, progress_of
from installer.running.reach import Connector, Reach
from installer.running.state import RunState, replay
from installer.running.work import Failure, Work
from installer.runs import HostLogs, Run
from installer.steps.kind import Asker, step_kind

if TYPE_CHECKING:
    from installer.site_lock import Lock

CONTROL_HOST: Final = "control"
_LOCK_LOOKS: Final = 0.5
"""Seconds between looks at whether the site was taken over."""
_TAKEOVER_PATIENCE: Final = 15.0

Recheck = Callable[[PlannedStage], Awaitable[Sequence[Problem]]]
"""Looks at what a stage depends on; the problems that it must not start with."""


class _StageStopped(Exception):
    """A stage that ends before its last step."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome)
        self.outcome = outcome


class Engine:
    """Carries a plan through on its machines, in one run.

    `pool` opens the connections; `until` names the last stage to do and `only` the one; a dry run
    asks, shows and changes nothing. Interactive, a failure waits for the person's word, else it
    ends the run, which can be resumed. `expected` gives seconds of (stage, step) from earlier
    runs. `recheck` is called before each stage that names checks.
    """

    def __init__(
        self,
        plan: Plan,
        pool: Connector,
        run: Run,
        *,
        settings: Mapping[str, str],
        secrets: Mapping[str, Secret],
        ask: Asker,
        hosts: Mapping[str, Host] | None = None,
        control_host: Host | None = None,
        until: str | None = None,
        only: str | None = None,
        dry_run: bool = False,
        interactive: bool = False,
        concurrency: int = 16,
        control: Control | None = None,
        lock: Lock | None = None,
        recheck: Recheck | None = None,
        expected: Mapping[tuple[str, str], float] | None = None,
        jobs: Jobs = durable_jobs,
        by: str = "",
    ) -> None:
        self.plan = plan
        self.run_folder = run
        self.control = control or Control()
        self.state = RunState()
        """Where the run stands; kept up to date while it runs."""
        self.failures: list[Failure] = []
        """What failed and was neither done nor skipped since."""
        self._pool = pool
        self._settings = settings
        self._secrets = secrets
        self._ask = ask
        self._until, self._only = until, only
        self._dry_run = dry_run
        self._interactive = interactive
        self._concurrency = max(1, concurrency)
        self._lock = lock
        self._recheck = recheck
        self._expected = dict(expected or {})
        self._jobs = jobs
        self._by = by or _user()
        self._hosts = self._find_hosts(hosts, control_host)
        self._stages = self._in_order()
        self._check()
        self._subscribers: list[Subscriber] = []
        self._reaches: dict[str, Reach] = {}
        self._decisions: asyncio.Queue[Told] = asyncio.Queue()
        self._skips: list[Told] = []
        self._unpaused = asyncio.Event()
        self._unpaused.set()
        self._forgetting: set[asyncio.Task[None]] = set()
        self._journal: Journal | None = None
        self._began = time.monotonic()

    # -- before the start ---------------------------------------------------------------------

    def _find_hosts(
        self, hosts: Mapping[str, Host] | None, control_host: Host | None
    ) -> dict[str, Host]:
        inventory = getattr(self._pool, "inventory", None)
        known = dict(hosts if hosts is not None else getattr(inventory, "hosts_by_name", {}))
        known[CONTROL_HOST] = _as_control(control_host)
        return known

    def _in_order(self) -> tuple[PlannedStage, ...]:
        """The stages that this run is asked for, each after those it needs."""
        by_id = {stage.id: stage for stage in self.plan.stages}
        for name, option in ((self._until, "--until"), (self._only, "--only")):
            if name is not None and name not in by_id:
                raise InputProblem(
                    f'the plan has no stage "{name}"',
                    where=option,
                    remedy=f"Its stages are {', '.join(by_id)}.",
                )
        order: list[PlannedStage] = []
        left = list(self.plan.stages)
        while left:
            done = {stage.id for stage in order}
            ready = next((s for s in left if done.issuperset(set(s.needs) & set(by_id))), None)
            if ready is None:
                raise InputProblem(
                    f"the stages {', '.join(s.id for s in left)} need one another in a circle",
                    where="the plan",
                )
            order.append(ready)
            left.remove(ready)
        if self._only is not None:
            return (by_id[self._only],)
        if self._until is not None:
            return tuple(order[: order.index(by_id[self._until]) + 1])
        return tuple(order)

    def _check(self) -> None:
        for stage in self._stages:
            for step in stage.steps:
                step_kind(step.kind)
                unknown = [name for name in step.hosts if name not in self._hosts]
                if unknown:
                    raise InputProblem(
                        f"the step {step.key} is for machines that the site does not name: "
                        + ", ".join(unknown),
                        where="the plan",
                        remedy="Make the plan again from the site file.",
                    )
        missing = [] if self._dry_run else sorted(self._secret_names() - self._secrets.keys())
        if missing:
            raise InputProblem(
                "secrets were not given that the plan needs: " + ", ".join(missing),
                where="the plan",
                remedy="Give them when you are asked, or in private files.",
            )

    def _secret_names(self) -> set[str]:
        names: set[str] = set()
        for stage in self._stages:
            for step in stage.steps:
                given = step.spec.get("secrets")
                names.update(str(name) for name in given) if isinstance(given, list) else None
        return names

    # -- watching -----------------------------------------------------------------------------

    def subscribe(self, subscriber: Subscriber) -> Callable[[], None]:
        """Have every event from now on, in batches, once on the disk; call to end it."""
        self._subscribers.append(subscriber)

        def end() -> None:
            with contextlib.suppress(ValueError):
                self._subscribers.remove(subscriber)

        return end

    def _publish(self, events: Sequence[Event]) -> None:
        for event in events:
            self.state.apply(event)
        for subscriber in tuple(self._subscribers):
            subscriber(events)

    def progress(self) -> Progress:
        """How far it is, and how long it may still take."""
        return progress_of(self.plan, self.state, self._expected, now=time.time())

    # -- running ------------------------------------------------------------------------------

    async def run(self) -> Outcome:
        """Carry the plan through, from where the journal says it stands.

        ALREADY where nothing had to be done. Raises JournalProblem, BrokenJournal, and Refused
        where the run belongs to another plan or the site was taken over.
        """
        async with self._opened(journal_start=True):
            outcome = await self._watched(self._run_stages())
            await self._finish_run(outcome)
            return outcome

    async def undo(self, stage: str, *, by: str, reason: str = "") -> Outcome:
        """Take back what a stage did, its last step first; UNDONE, or FAILED where one did not."""
        planned = next((s for s in self.plan.stages if s.id == stage), None)
        if planned is None:
            raise InputProblem(f'the plan has no stage "{stage}"', where="--undo")
        async with self._opened(journal_start=False):
            await self._journal_told(Told("undo", by, reason, stage))
            return await self._watched(self._undo_stage(planned))

    async def _watched(self, body: Awaitable[Outcome]) -> Outcome:
        """Do the work until it ends, a person stops it, or the site is taken over."""
        work = asyncio.ensure_future(body)
        stop = asyncio.create_task(self.control.stopping())
        taken = asyncio.create_task(self._taken_over())
        listen = asyncio.create_task(self._listen())
        try:
            await asyncio.wait({work, stop, taken, listen}, return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                return work.result()
            work.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await work
            if taken.done():
                holder = self._lock.taker() if self._lock else None
                raise Refused(
                    "the site was taken over" + (f": {holder.sentence()}" if holder else ""),
                    where=self.run_folder.site_key,
                    remedy="Speak with them. What ran on the machines goes on there.",
                )
            if listen.done():
                listen.result()
            await self._take_told()
            return Outcome.STOPPED
        finally:
            tasks = (work, stop, taken, listen, *self._forgetting)
            for task in (work, stop, taken, listen):
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    @contextlib.asynccontextmanager
    async def _opened(self, *, journal_start: bool) -> AsyncIterator[None]:
        """The journal open, replayed and subscribed to, for the time of the run."""
        path = self.run_folder.journal
        journal = await self._open_journal()
        self._journal = journal
        try:
            self.state = await asyncio.to_thread(replay, path)
            started = self.state.started
            if started is not None and started.data.get("plan_sha256") != self.plan.sha256:
                raise Refused(
                    "this run was begun with another plan",
                    where=str(self.run_folder.folder),
                    remedy="Begin a new run with the new plan: each step is asked whether it is "
                    "done before anything is done.",
                )
            self._check_only()
            journal.subscribe(self._publish)
            journal.subscribe(HostLogs(self.run_folder))
            self._shared = self._share(journal)
            self._began = time.monotonic()
            if journal.cut:
                text = f"A torn last record of {journal.cut} bytes was cut off the journal."
                journal.append(self._event(Kind.NOTE, text=text))
            if journal_start and started is None:
                await self._record(
                    Kind.RUN_STARTED, run=self.run_folder.id, solution=self.plan.solution,
                    environment=self.plan.environment, plan_sha256=self.plan.sha256, by=self._by,
                )  # fmt: skip
            elif journal_start:
                await self._record(Kind.RUN_RESUMED, by=self._by)
            yield
        finally:
            journal.close()

    def _check_only(self) -> None:
        if self._only is None or self._dry_run:
            return
        needed = {s.id: s for s in self.plan.stages if s.id in self._stages[0].needs}
        waiting = [
            stage.id
            for stage in needed.values()
            if not all(self.state.finished(key) for step in stage.steps for key in self._keys(step))
        ]
        if waiting:
            raise Refused(
                f"the stage {self._only} needs {', '.join(waiting)}, which this run has not done",
                where="--only",
                remedy=f"Do them first: --only {waiting[0]}, or --until {self._only}.",
            )

    async def _open_journal(self) -> Journal:
        taken_over = self._lock is not None and self._lock.taken_from is not None
        patience = time.monotonic() + (_TAKEOVER_PATIENCE if taken_over else 0)
        while True:
            try:
                return Journal(self.run_folder.journal)
            except Refused:
                # Whom the site was taken over from stops within a moment.
                if time.monotonic() > patience:
                    raise
                await asyncio.sleep(0.1)

    def _share(self, journal: Journal) -> Shared:
        return Shared(
            plan=self.plan,
            run_id=self.run_folder.id,
            folder=self.run_folder.folder,
            settings=self._settings,
            secrets=self._secrets,
            dry_run=self._dry_run,
            journal=journal,
            jobs=self._jobs,
            asker=self._ask,
            reaches=self._reach,
            durable_kind=getattr(self._jobs, "durable_kind", _unknown_kind),
        )

    def _reach(self, host: Host) -> Reach:
        def say(text: str) -> None:
            if self._journal is not None:
                self._journal.append(
                    Event(Kind.NOTE, time.time(), host=host.name, data={"text": text})
                )

        return self._reaches.setdefault(host.name, Reach(self._pool, host, say))

    async def _run_stages(self) -> Outcome:
        outcomes: list[Outcome] = []
        for stage in self._stages:
            keys = [key for step in stage.steps for key in self._keys(step)]
            if all(self.state.finished(key) for key in keys):
                continue
            await self._go_on()
            outcome = await self._stage(stage)
            outcomes.append(outcome)
            if outcome in (Outcome.FAILED, Outcome.STOPPED):
                return outcome
        nothing = all(outcome is Outcome.ALREADY for outcome in outcomes)
        return Outcome.ALREADY if nothing else Outcome.DONE

    async def _finish_run(self, outcome: Outcome) -> None:
        seconds = round(time.monotonic() - self._began, 3)
        await self._record(Kind.RUN_FINISHED, outcome=outcome.value, seconds=seconds)

    # -- stages -------------------------------------------------------------------------------

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
        await self._record(
            Kind.STAGE_FINISHED,
            stage=stage.id,
            outcome=outcome.value,
            seconds=round(time.monotonic() - began, 3),
        )
        return outcome

    async def _recheck_stage(self, stage: PlannedStage) -> None:
        if self._recheck is None or not stage.recheck or self._dry_run:
            return
        problems = await self._recheck(stage)
        for problem in problems:
            self.failures.append(Failure(stage.id, "", problem.where or "", problem))
            told: dict[str, Json] = {**problem.as_dict()}
            await self._writer.record(Event(Kind.PROBLEM, time.time(), stage.id, data=told))
        if problems:
            raise _StageStopped(Outcome.FAILED)

    def _outcome_of(self, stage: PlannedStage) -> Outcome:
        outcomes = {self.state.of(key).outcome for step in stage.steps for key in self._keys(step)}
        return Outcome.ALREADY if outcomes == {Outcome.ALREADY} else Outcome.DONE

    def _step_hosts(self, step: PlannedStep) -> tuple[Host, ...]:
        """The machines on which the step is carried out one by one."""
        names = (CONTROL_HOST,) if step_kind(step.kind).once or not step.hosts else step.hosts
        return tuple(self._hosts[name] for name in names)

    def _keys(self, step: PlannedStep) -> list[tuple[str, str, str]]:
        return [(step.stage, step.id, host.name) for host in self._step_hosts(step)]

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
            await self._go_on()
            failures = await self._on_machines(step, left)
            self.failures = [f for f in self.failures if (f.stage, f.step) != (step.stage, step.id)]
            self.failures += failures
            if failures and not self._dry_run:
                await self._decide(step, failures)
            elif failures:
                return

    async def _on_machines(self, step: PlannedStep, hosts: Sequence[Host]) -> list[Failure]:
        """The step on these machines, so many at a time; a rolling step ends at a failure."""
        rolling = step.spec.get("rolling")
        rolling = rolling if isinstance(rolling, int) and rolling > 0 else 0
        places = asyncio.Semaphore(min(rolling or self._concurrency, self._concurrency))
        failures: list[Failure] = []
        kind = step_kind(step.kind)
        everyone = tuple(self._hosts[name] for name in step.hosts)

        async def one(host: Host) -> None:
            async with places:
                if rolling and failures:
                    return  # the next machine stays as it is while one is in trouble
                if rolling:
                    await self._go_on()
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

    async def _go_on(self) -> None:
        """Wait where a person paused the run; raises Refused where the site was taken over."""
        while self.control.paused and not self.control.stopped:
            self._unpaused.clear()
            await self._unpaused.wait()
        if self.control.stopped:
            raise asyncio.CancelledError
        # The lock is looked at again here: a machine that slept may not have seen it lost.
        if self._lock is not None and self._lock.lost:
            await asyncio.Event().wait()  # the watch over the lock ends the run

    def _forget_later(self, context: Context) -> None:
        if not context.jobs_begun:
            return
        task = asyncio.create_task(context.forget_jobs())
        self._forgetting.add(task)
        task.add_done_callback(self._forgetting.discard)

    # -- a person's word ----------------------------------------------------------------------

    async def _listen(self) -> None:
        while True:
            await self.control.news()
            await self._take_told()

    async def _take_told(self) -> None:
        for told in self.control.take():
            await self._journal_told(told)
            if told.action == "skip":
                self._skips.append(told)
            if not self.control.paused:
                self._unpaused.set()
            self._decisions.put_nowait(told)

    async def _journal_told(self, told: Told) -> None:
        data: dict[str, Json] = {"action": told.action, "by": told.by, "reason": told.reason}
        event = Event(Kind.CONTROL, time.time(), told.stage, told.step, told.host, data)
        await self._writer.record(event)

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
        self.failures = [
            f
            for f in self.failures
            if (f.stage, f.step, f.host) != (step.stage, step.id, host.name)
        ]

    async def _decide(self, step: PlannedStep, failures: Sequence[Failure]) -> None:
        """Wait until every failure is to be retried or skipped; raises _StageStopped."""
        if not self._interactive:
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
                stage = next((s for s in self.plan.stages if s.id == told.stage), None)
                if stage is not None:
                    await self._undo_stage(stage)
                    raise _StageStopped(Outcome.STOPPED)
            if told.action == "retry" and (told.stage, told.step) == (step.stage, step.id):
                if not told.host:
                    return
                open_hosts.discard(told.host)

    async def _undo_stage(self, stage: PlannedStage) -> Outcome:
        """Take a stage back, its last step first; stops at the first that fails."""
        for step in reversed(stage.steps):
            kind = step_kind(step.kind)
            everyone = tuple(self._hosts[name] for name in step.hosts)
            for host in reversed(self._step_hosts(step)):
                standing = self.state.steps.get((step.stage, step.id, host.name))
                touched = standing is not None and (
                    standing.outcome in (Outcome.DONE, Outcome.FAILED, Outcome.STOPPED)
                    or standing.running
                )
                if not touched:
                    continue  # what was found done before us is not ours to take back
                work = Work(
                    self._shared, self.state, self.control, step, kind, host, everyone,
                    self._forget_later,
                )  # fmt: skip
                if await work.undo() is Outcome.FAILED:
                    self.failures += [work.failure] if work.failure else []
                    return Outcome.FAILED
        return Outcome.UNDONE

    async def _taken_over(self) -> None:
        """Ends when somebody has taken the site over."""
        if self._lock is None:
            await asyncio.Event().wait()
        while self._lock is not None and not self._lock.lost:  # noqa: ASYNC110 - a file, polled
            await asyncio.sleep(_LOCK_LOOKS)

    # -- events -------------------------------------------------------------------------------

    @property
    def _writer(self) -> Journal:
        if self._journal is None:
            raise RuntimeError("the journal is open only while the engine runs")
        return self._journal

    def _event(self, kind: Kind, **data: Json) -> Event:
        return Event(kind, time.time(), data=data)

    async def _record(
        self, kind: Kind, *, stage: str = "", step: str = "", host: str = "", **data: Json
    ) -> None:
        await self._writer.record(Event(kind, time.time(), stage, step, host, data))


def _as_control(host: Host | None) -> Host:
    """The control host under its name in plans."""
    if host is None:
        return Host(CONTROL_HOST, LOCAL_ADDRESS)
    return replace(host, name=CONTROL_HOST)


async def _unknown_kind(connection: Connection) -> str:
    return "unknown"


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"


__all__ = ["Engine", "Failure", "Recheck"]

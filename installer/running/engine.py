"""Run: the engine that carries a plan through, stage by stage, and can be cut off at any moment.

Everything that decides is in the journal before it happens and after; a new engine on the same run
goes on from there. See installer.running.levers for what a person may tell it.
"""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import logging
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from dataclasses import replace
from typing import Any, Final

from foundation.hosts.model import LOCAL_ADDRESS, Host
from foundation.moments import steady
from foundation.problems import InputProblem, Refused
from foundation.version import __version__
from installer.events import Event, Json, Kind, Outcome
from installer.plans.pinned_playbooks import check_kept, told_of_change
from installer.plans.plan import CONTROL_HOST, PlannedStage
from installer.record.identity import machines_pin, site_of_run
from installer.record.journal import Journal, Subscriber
from installer.record.progress import Progress, progress_of
from installer.record.runs import HostLogs, Run
from installer.record.state import RunState, replay
from installer.running.earlier_secrets import remember
from installer.running.levers import Told
from installer.running.login_jobs import docker_will_do
from installer.running.order import Order, Tools
from installer.running.ordering import check_before, stages_in_order
from installer.running.others.company import Company
from installer.running.reach import Reach
from installer.running.settled_memory import settled_memory
from installer.running.shared import Shared
from installer.running.stages import How, Stages
from installer.running.work import Failure
from installer.supply.control_host_programs import needed, ready

log = logging.getLogger(__name__)

_TAKEOVER_PATIENCE: Final = 15.0


class Engine:
    """Carries an order through on its machines, in one run, with the tools that it is given.

    `run` is the folder of the run. What was told before the start holds for its first step.
    """

    def __init__(self, order: Order, run: Run, tools: Tools) -> None:
        self.plan = order.plan
        self.run_folder = run
        self.control = tools.control
        self.state = RunState(order.plan)
        """Where the run stands; kept up to date while it runs."""
        self.failures: list[Failure] = []
        """What failed and was neither done nor skipped since."""
        self._order = order
        self._tools = tools
        self._machines = tools.machines
        self._lock = tools.lock
        self._by = order.by or _user()
        self._hosts = self._find_hosts()
        self._company = Company(self, order, tools, self._hosts, self._reach, self._by)
        self._how = How(
            self._hosts, max(1, order.at_once), order.interactive, tools.recheck,
            self._company.lost, run, tools.looked, self._company.anchor,
        )  # fmt: skip
        self._asked_for = stages_in_order(
            self.plan, until=order.until or None, only=order.only or None
        )
        check_before(
            self._asked_for, self._hosts.keys(), None if order.dry else order.secrets.keys()
        )
        self._subscribers: list[Subscriber] = []
        self._reaches: dict[str, Reach] = {}
        self.journal: Journal | None = None
        self.read = 0
        """Lines of the journal that were there when it was opened."""

    # -- before the start ---------------------------------------------------------------------

    def _find_hosts(self) -> dict[str, Host]:
        known = dict(self._machines.inventory.hosts_by_name)
        named = self.plan.control
        if named and named not in known:
            raise InputProblem(
                f"the plan's control host {named} is no machine of the site",
                where="the plan",
                remedy="Make the plan again from the site file.",
            )
        known[CONTROL_HOST] = _as_control(known[named] if named else None)
        return known

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
            try:
                subscriber(events)
            except Exception:
                log.exception("a view of the run failed")  # which must not end the run

    def progress(self) -> Progress:
        """How far it is, and how long it may still take."""
        return progress_of(self.plan, self.state, self._tools.expected, now=time.time())

    # -- running ------------------------------------------------------------------------------

    async def run(self) -> Outcome:
        """Carry the plan through, from where the journal says it stands.

        ALREADY where nothing had to be done. Raises JournalProblem, BrokenJournal, and Refused
        where the run belongs to another plan or the site was taken over.
        """
        async with self._company.held(), self._opened() as stages:
            self._check_only(stages)
            await self._company.learn()
            told = [*self._company.told_first, *await self._programs_ready(self._asked_for)]
            if self.state.started is None:
                await self.record(
                    Kind.RUN_STARTED, run=self.run_folder.id, solution=self.plan.solution,
                    environment=self.plan.environment, plan_sha256=self.plan.sha256, by=self._by,
                    until=self._order.until, only=self._order.only,
                    site=self.run_folder.site_key, anchored=self._company.machine_locks is not None,
                    machines=machines_pin(site_of_run(self.run_folder)), version=__version__,
                )  # fmt: skip
                self.run_folder.note_begun()
            else:
                await self.record(
                    Kind.RUN_RESUMED, by=self._by, until=self._order.until, only=self._order.only
                )
            for text in (*told, *await asyncio.to_thread(self._tools.begun)):
                await self.record(Kind.NOTE, text=text)
            await self._company.anchor()
            # What was told before the beginning holds for the first step too.
            await self._take_told(stages)
            began = steady()
            outcome = await self._watched(
                stages, self._company.alone_then(stages.run(self._asked_for))
            )
            seconds = round(steady() - began, 3)
            await self.record(Kind.RUN_FINISHED, outcome=outcome.value, seconds=seconds)
            return outcome

    async def undo(self, stage: str, *, by: str, reason: str = "") -> Outcome:
        """Take back what a stage did, its last step first; UNDONE, or FAILED where one did not.

        What earlier runs of the site did, and this one found done, is ours to take back too.
        ALREADY where there was nothing, DONE where no step of it says how.
        """
        planned = next((s for s in self.plan.stages if s.id == stage), None)
        if planned is None:
            raise InputProblem(f'the plan has no stage "{stage}"', where="--undo")
        async with self._company.held(), self._opened(undo=True) as stages:
            await self._journal_told(Told("undo", by, reason, stage))
            await self._company.learn(takes_back=True)
            for text in (*self._company.told_first, *await self._programs_back(planned)):
                await self.record(Kind.NOTE, text=text)
            await self._company.anchor()
            return await self._watched(stages, self._company.alone_then(stages.undo(planned)))

    async def _watched(self, stages: Stages, body: Coroutine[Any, Any, Outcome]) -> Outcome:
        """Do the work until it ends, a person stops it, or the site is taken over."""
        work = asyncio.create_task(body)
        stop = asyncio.create_task(self.control.stopping())
        taken = asyncio.create_task(self._company.taken_over())
        listen = asyncio.create_task(self._listen(stages))
        try:
            await asyncio.wait({work, stop, taken, listen}, return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                return work.result()
            # A playbook of ours would go on with the machines of another, task by task. Whoever
            # took over in this very home finds it by itself: to attach to it, or to wait for it.
            here = self._lock is not None and self._lock.lost
            self.control.lost = taken.done() and not here
            work.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await work
            if taken.done():
                holder = self._company.taker()
                raise Refused(
                    f"the site was taken over: {holder.sentence()}"
                    if holder
                    else "the site was taken over and given back, or its lock was removed",
                    where=self.run_folder.site_key,
                    remedy="Speak with them. What ran on the machines goes on there.",
                )
            if listen.done():
                listen.result()
            await self._take_told(stages)
            return Outcome.STOPPED
        finally:
            for task in (work, stop, taken, listen):
                task.cancel()
            await asyncio.gather(work, stop, taken, listen, return_exceptions=True)
            await stages.end()

    @contextlib.asynccontextmanager
    async def _opened(self, *, undo: bool = False) -> AsyncIterator[Stages]:
        """The journal open, replayed and subscribed to, for the time of the run."""
        path = self.run_folder.journal
        journal = await self._open_journal()
        self.journal = journal
        try:
            self.state = await asyncio.to_thread(replay, path, self.plan)
            self.read = self.state.events
            started = self.state.started
            if started is not None and started.data.get("plan_sha256") != self.plan.sha256:
                raise Refused(
                    "this run was begun with another plan",
                    where=str(self.run_folder.folder),
                    remedy="Begin a new run with the new plan: each step is asked whether it is "
                    "done before anything is done.",
                )
            await asyncio.to_thread(check_kept, self.plan, self.run_folder.folder)
            journal.subscribe(self._publish)
            journal.subscribe(HostLogs(self.run_folder))
            if journal.cut:
                text = f"A torn last record of {journal.cut} bytes was cut off the journal."
                journal.append(Event(Kind.NOTE, time.time(), data={"text": text}))
            told: list[str] = []
            if started is not None:
                told = await asyncio.to_thread(told_of_change, self.plan, undo=undo)
            if self._order.secrets and not self._order.dry:
                folder = self.run_folder.folder
                told += await asyncio.to_thread(remember, folder, self._order.secrets)
            for text in (*self._company.lock_notes(), *told):
                journal.append(Event(Kind.NOTE, time.time(), data={"text": text}))
            # It asks sudo, which may take its time, and nothing waits for that on the screen.
            without_root = await asyncio.to_thread(
                docker_will_do,
                self.plan.solution,
                sudo_password=self._machines.has_sudo_password,
            )
            shared = self._share(journal, docker_will_do=without_root)
            self.failures.clear()
            stages = Stages(shared, self.state, self.control, self._how, self.failures)
            stages.forget_left_over()
            with settled_memory():
                yield stages
        finally:
            journal.close()

    async def _programs_back(self, stage: PlannedStage) -> list[str]:
        """The same for what takes a stage back; one that cannot be had is told, for the step says.

        There may be nothing to take back that needs it.
        """
        try:
            return await self._programs_ready([stage])
        except Refused as problem:
            return [f"{problem.where}: {problem.cause}."]

    async def _programs_ready(self, stages: Sequence[PlannedStage]) -> list[str]:
        """What was brought to the control host, in sentences; raises Refused, ConnectionProblem."""
        names = needed(stages)
        told: list[str] = []
        if names:
            connection = await self._machines.connect(self._hosts[CONTROL_HOST])
            await ready(connection, self.plan, names, dry_run=self._order.dry, say=told.append)
        return told

    def _check_only(self, stages: Stages) -> None:
        if not self._order.only or self._order.dry:
            return
        needed = [s for s in self.plan.stages if s.id in self._asked_for[0].needs]
        waiting = [stage.id for stage in stages.unfinished(needed)]
        if waiting:
            raise Refused(
                f"the stage {self._order.only} needs {', '.join(waiting)}, which this run has not "
                "done",
                where="--only",
                remedy=f"Do them first: --only {waiting[0]}, or --until {self._order.only}.",
            )

    async def _open_journal(self) -> Journal:
        held = (self._lock, self._company.machine_locks)
        taken_over = any(lock is not None and lock.taken_from is not None for lock in held)
        patience = time.monotonic() + (_TAKEOVER_PATIENCE if taken_over else 0)
        while True:
            try:
                return Journal(self.run_folder.journal)
            except Refused:
                # Whom the site was taken over from stops within a moment.
                if time.monotonic() > patience:
                    raise
                await asyncio.sleep(0.1)

    def _share(self, journal: Journal, *, docker_will_do: bool) -> Shared:
        return Shared(
            plan=self.plan,
            run_id=self.run_folder.id,
            folder=self.run_folder.folder,
            settings=dict(self.plan.settings),
            secrets=self._order.secrets,
            dry_run=self._order.dry,
            journal=journal,
            jobs=self._tools.jobs,
            asker=self._tools.ask,
            reaches=self._reach,
            inventory=self._machines.inventory,
            locks=self._company.machine_locks,
            docker_will_do=docker_will_do,
            tasks_ended=None if self._order.dry else self._company.tasks_ended,
            entering=self._company.entering,
        )

    def _reach(self, host: Host) -> Reach:
        def say(text: str) -> None:
            if self.journal is not None:
                self.journal.append(
                    Event(Kind.NOTE, time.time(), host=host.name, data={"text": text})
                )

        return self._reaches.setdefault(
            host.name, Reach(self._machines, host, say, once=self._order.dry)
        )

    # -- a person's word ----------------------------------------------------------------------

    async def _listen(self, stages: Stages) -> None:
        while True:
            await self.control.news()
            await self._take_told(stages)

    async def _take_told(self, stages: Stages) -> None:
        for told in self.control.take():
            await self._journal_told(told)
            stages.hear(told)

    async def _journal_told(self, told: Told) -> None:
        data: dict[str, Json] = {"action": told.action, "by": told.by, "reason": told.reason}
        event = Event(Kind.CONTROL, time.time(), told.stage, told.step, told.host, data)
        await self.writer.record(event)

    # -- events -------------------------------------------------------------------------------

    @property
    def writer(self) -> Journal:
        """The journal, which is open; raises RuntimeError."""
        if self.journal is None:
            raise RuntimeError("the journal is open only while the engine runs")
        return self.journal

    async def record(self, kind: Kind, **data: Json) -> None:
        """Write of the run as a whole; raises JournalProblem."""
        await self.writer.record(Event(kind, time.time(), data=data))


def _as_control(host: Host | None) -> Host:
    """The control host under its name in plans."""
    if host is None:
        return Host(CONTROL_HOST, LOCAL_ADDRESS)
    return replace(host, name=CONTROL_HOST)


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"


__all__ = ["Engine", "Failure"]

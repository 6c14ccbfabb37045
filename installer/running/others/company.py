"""Company: who else is on the machines of a run, from its beginning to its end.

The machines are held, and asked who worked on them and what that left; what others still do there
is waited for, or ended on a person's word; and each keeps how far the journal is.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, Protocol

from foundation.hosts.connection import Connection
from foundation.hosts.machine_lock import Around
from foundation.hosts.model import Host
from foundation.problems import Problem
from installer.events import Event, Json, Kind, Outcome
from installer.plans.plan import CONTROL_HOST, Plan
from installer.record.anchors import Anchors, told_of_not_kept
from installer.record.journal import Journal
from installer.record.machine_locks import MachineLocks
from installer.record.other_hands import (
    OtherHands,
    left_by,
    marks_of,
    not_what_was_left,
    overtaken,
)
from installer.record.runs import Run
from installer.record.site_lock import Holder, laptop, this_holder
from installer.record.state import RunState
from installer.running.levers import Control
from installer.running.order import Order, Others, Tools
from installer.running.others.entering import AWAY, Entering
from installer.running.reach import Reach

log = logging.getLogger(__name__)

_LOCK_LOOKS: Final = 0.5
"""Seconds between looks at whether the site was taken over."""
_LEFT_BY_US: Final = "It is of a playbook of this run that came to no good end."


class Session(Protocol):
    """What is asked of the engine: the run, where it stands, and its journal."""

    plan: Plan
    run_folder: Run
    control: Control
    state: RunState
    journal: Journal | None
    """None where it is not open."""
    read: int
    """Lines of the journal that were there when it was opened."""

    @property
    def writer(self) -> Journal:
        """The journal, which is open."""

    async def record(self, kind: Kind, **data: Json) -> None:
        """Write of the run as a whole."""


class Company:
    """The locks of one session on its machines, and what is known of others there."""

    def __init__(
        self, session: Session, order: Order, tools: Tools, hosts: Mapping[str, Host],
        reach: Callable[[Host], Reach], by: str,
    ) -> None:  # fmt: skip
        self._session = session
        self._order = order
        self._tools = tools
        self._machines = tools.machines
        self._lock = tools.lock
        self._hosts = hosts
        self._reach = reach
        self._by = by
        self.machine_locks: MachineLocks | None = None
        self.entering: Entering | None = None
        self.learnt = False
        """Whether the machines told who worked there, and nothing was against going on."""
        self.told_first: list[str] = []
        """What the machines told before anything was recorded of this session."""
        self._left_by: dict[str, str] = {}
        """Machines on which a playbook of the run before may have left its task."""
        self._goes_on = self._takes_back = False
        """Whether this session goes on with a run that began before; whether it takes back."""

    @contextlib.asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """The machines' own locks held, where the site's is; raises Locked."""
        if self._lock is None or self._order.dry:
            yield
            return
        run, hosts = self._session.run_folder.id, self._all_hosts()
        locks = MachineLocks(hosts, self._machines.connect, self._lock, run=run)
        await locks.acquire()
        self.machine_locks = locks
        self.entering = Entering(
            locks, self._reached, self._judge, self._alone_on, self._say_of,
            lambda: self._session.control.finishing,
        )  # fmt: skip
        try:
            yield
        finally:
            try:
                # Who was refused says nothing of the machines: what they keep must be there for
                # the next one too.
                if self.learnt:
                    for text in await self.leave_mark(self._session.state.outcome):
                        log.warning("%s", text)  # the journal is closed by now
            except Problem:
                log.exception("the end of the journal could not be noted")
            finally:
                await locks.release()

    def _all_hosts(self) -> list[Host]:
        """Every machine that the plan names, and the control host."""
        named = {
            name
            for stage in self._session.plan.stages
            for step in stage.steps
            for name in step.hosts
        }
        return [self._hosts[name] for name in sorted({*named, CONTROL_HOST})]

    def _other_hands(self, found: Callable[[str], None] = lambda _: None) -> OtherHands:
        locks = [one for one in (self._lock, self.machine_locks) if one is not None]
        before = [one.taken_from or one.stale for one in locks]
        others = self._session.run_folder.folder.parent.glob("[0-9]*-[0-9]*-*")
        here = frozenset(one.name.lower() for one in others) - {self._session.run_folder.id.lower()}

        return OtherHands(
            # Here nothing of root's is looked for by who would have to ask sudo for it.
            [host for host in self._all_hosts() if not host.local or os.geteuid() == 0],
            self._machines.connect, self._session.run_folder.id, self._tools.jobs.status,
            self._tools.jobs.stop, self._say_of,
            lambda: self._order.end_theirs or self._session.control.ending_theirs, here,
            any(one.taken_from is not None for one in locks),
            next((holder for holder in before if holder is not None), None), found,
            self._left_by, leaving=lambda: self._session.control.finishing,
        )  # fmt: skip

    async def learn(self, *, takes_back: bool = False) -> None:
        """Learn from the machines who worked there, and whether they are as they were left.

        Raises Overtaken, NotAsLeft and BrokenJournal.
        """
        if self._order.dry or self.machine_locks is None:
            return
        hands = self._other_hands()
        seen = await hands.look()
        if self.entering is not None:
            told = {host.name for host, _ in seen}
            self.entering.still(host for host in hands.hosts if host.name not in told)
        self._goes_on = self._session.state.started is not None
        self._takes_back = takes_back
        self.told_first += await self._judge(seen)
        self.learnt = True

    async def _judge(self, seen: Sequence[tuple[Host, Around]]) -> list[str]:
        """Judge what machines tell of those who worked there; notes. Raises as `_learn`."""
        marks = marks_of(seen)
        self._left_by = {**self._left_by, **left_by(marks, self._session.run_folder.id)}
        path = self._session.run_folder.journal
        await asyncio.to_thread(not_what_was_left, path, marks, self._session.run_folder.id)
        started = self._session.state.started
        began = started.time if started is not None else 0.0
        refused = overtaken(marks, self._session.run_folder.id, laptop(), began)
        if refused is not None and self._goes_on:
            if self._lock is None or not self._lock.take_over:
                raise refused
            await self._session.record(
                Kind.NOTE, text=f"{refused.cause}. It is gone on with knowingly."
            )
        return await asyncio.to_thread(
            told_of_not_kept, seen, self._session.run_folder, goes_on=self._goes_on,
            takes_back=self._takes_back,
        )  # fmt: skip

    async def alone_then(self, body: Coroutine[Any, Any, Outcome]) -> Outcome:
        """The work, once nobody else works on any of its machines."""
        try:
            if not self._order.dry and self.machine_locks is not None:
                away = await self._alone_on()
                entering = self.entering
                # Who ends the run did not wait; that says nothing of the machines.
                if entering is not None and not self._session.control.finishing:
                    entering.still(away)
                    if entering.late:
                        text = AWAY.format(names=", ".join(entering.late))
                        await self._session.record(Kind.NOTE, text=text)
            return await body
        finally:
            body.close()

    async def _alone_on(self, hosts: Sequence[Host] = ()) -> Sequence[Host]:
        """Wait until nobody else works on these machines, or any; those that did not answer.

        A person is asked meanwhile, once.
        """
        async with self._person_asked() as found:
            hands = self._other_hands(found)
            return await (replace(hands, hosts=hosts) if hosts else hands).alone()

    async def _reached(self, host: Host, until: float) -> Connection:
        """A connection to a machine that was away; it is waited for until a moment."""
        if not until:
            return await self._machines.connect(host)
        return await self._reach(host).connect(until)

    def _say_of(self, host: Host, text: str) -> None:
        self._session.writer.append(
            Event(Kind.NOTE, time.time(), host=host.name, data={"text": text})
        )

    async def tasks_ended(self, hosts: Sequence[Host]) -> None:
        """Wait until no task that a playbook of this run left runs on machines; asked alike."""
        left = {host.name: _LEFT_BY_US for host in hosts if not host.local}
        asked = [host for host in hosts if host.name in left]
        async with self._person_asked() as found:
            hands = self._other_hands(found)
            await replace(hands, hosts=asked, left_by=left, only_tasks=True).alone()

    @contextlib.asynccontextmanager
    async def _person_asked(self) -> AsyncIterator[Callable[[str], None]]:
        """Asks a person, once, what to do about that which is found; it is waited for meanwhile."""
        asking: list[asyncio.Task[None]] = []

        async def ask(others: Others, text: str) -> None:
            try:
                await others(text, self._session.control)
            except Exception:
                log.exception("the question about others could not be put")  # it is waited for

        def found(text: str) -> None:
            if self._tools.others is not None and not asking:
                asking.append(asyncio.create_task(ask(self._tools.others, text)))

        try:
            yield found
        finally:
            for task in asking:
                task.cancel()

    async def leave_mark(self, outcome: Outcome | None = None) -> list[str]:
        """Leave on each machine that is held how far the journal is; what went wrong with it.

        `outcome` is how the session ended; None while it is at work, taking back too.
        """
        locks, journal = self.machine_locks, self._session.journal
        if locks is None or journal is None:
            return []
        if self._session.state.started is None:
            return []  # what never began did nothing there
        by = (self._lock.by if self._lock is not None else "") or self._by
        anchors = Anchors(
            self._session.run_folder,
            self._session.plan,
            this_holder(by),
            journal,
            self._session.read,
            locks,
        )
        return await anchors.leave(outcome)

    async def anchor(self) -> None:
        """Leave how far the journal is while it is written on; raises JournalProblem."""
        for text in await self.leave_mark():
            self._session.writer.append(Event(Kind.NOTE, time.time(), data={"text": text}))

    def lock_notes(self) -> list[str]:
        """What is to be recorded of the locks: whom they were taken from, or who left them."""
        notes = []
        gone: set[tuple[str, str, int]] = set()
        for lock in (self._lock, self.machine_locks):
            if lock is not None and lock.taken_from is not None:
                notes.append(f"The site was taken over: {lock.taken_from.sentence()}.")
            elif lock is not None and lock.stale is not None:
                # It holds the site's lock and the machines', some moments apart.
                process = (lock.stale.user, lock.stale.host, lock.stale.pid)
                if process not in gone:
                    notes.append(
                        f"A lock was found whose process is gone: {lock.stale.sentence()}."
                    )
                gone.add(process)
        return list(dict.fromkeys(notes))

    async def taken_over(self) -> None:
        """Ends when somebody has taken the site over."""
        if self._lock is None:
            await asyncio.Event().wait()
        locks = self.machine_locks
        signs = asyncio.create_task(locks.watch()) if locks is not None else None
        try:
            while not self.lost():  # noqa: ASYNC110 - a file, polled
                await asyncio.sleep(_LOCK_LOOKS)
        finally:
            if signs is not None:
                signs.cancel()
                await asyncio.gather(signs, return_exceptions=True)

    def lost(self) -> bool:
        """Whether the site, or its machines, are another's by now."""
        locks = self.machine_locks
        return (self._lock is not None and self._lock.lost) or (locks is not None and locks.lost)

    def taker(self) -> Holder | None:
        """Who took the site over, where that can be told."""
        locks = self.machine_locks
        holder = locks.taker() if locks is not None and locks.lost else None
        if holder is None and self._lock is not None and self._lock.lost:
            holder = self._lock.taker()
        return holder

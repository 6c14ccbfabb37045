"""Other hands: what others did and still do on the machines of a run, asked of the machines.

Two never work on one machine. What somebody else began there is waited for, or ended on a person's
word, before anything of ours begins; and so is the task of a playbook that came to no end, for the
task goes on without it. Who goes on with a run learns first whether another worked there meanwhile.
Each run leaves a mark with the hash of its journal, so that one that was cut, changed or exchanged
is known by what the machines keep.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from foundation.hosts import machine_lock
from foundation.hosts.connection import Connection
from foundation.hosts.jobs.jobs_model import JobState, JobStatus
from foundation.hosts.jobs.output_lines import clean_line
from foundation.hosts.machine_lock import Around
from foundation.hosts.model import Host
from foundation.problems import ConnectionProblem, MachineProblem, Refused
from foundation.wording import counted, duration
from installer.events import Outcome
from installer.plans.plan import Plan
from installer.plans.verification import STAGE as VERIFY
from installer.record.journal_lines import FIRST, BrokenJournal, digest, records
from installer.record.site_lock import Holder, Locked
from installer.steps.kind import CHANGES_NOTHING

END_THEIRS: Final = "--end-theirs"
_OF_RUN: Final = re.compile(r"sw-(\d{8}-\d{6}-[0-9a-f]{4})-")
_PAUSE: Final = 2.0
"""Seconds between two looks at what others still do."""
_SAID_AGAIN: Final = 300.0
"""Seconds after which it is said again that something is waited for."""
_SHOWN: Final = 4
_GOOD_ENDS: Final = frozenset({Outcome.DONE, Outcome.ALREADY, Outcome.UNDONE})
CLOCKS_APART: Final = 3600.0
"""Seconds by which the clocks of two laptops may differ."""


class Overtaken(Locked):
    """A run that is gone on with, on machines on which another worked since."""

    code = "overtaken"
    title = "Somebody else worked on this site meanwhile"

    def __init__(self, mark: Mark, where: str) -> None:
        Refused.__init__(
            self,
            mark.sentence(),
            where=where,
            remedy="Ask them what they did. Then begin a new run, in which each step is asked "
            "whether it is done: sitewright install. To go on with this one all the same: "
            "sitewright resume --take-over",
        )
        self.holder = None


@dataclass(frozen=True, slots=True)
class Mark:
    """What a run leaves on each machine that it may change."""

    run: str
    site: str
    by: str
    user: str
    host: str
    laptop: str
    time: str
    """UTC, ISO 8601."""
    outcome: str
    """How it ended; "" while it is at work."""
    events: int
    """How many lines its journal had."""
    sha256: str
    """The hash of the last of them, which stands for them all."""

    def as_text(self) -> str:
        """One line of JSON."""
        return json.dumps(asdict(self), ensure_ascii=False)

    def sentence(self) -> str:
        """Who, where, when, without a full stop."""
        name = f"{self.by} ({self.user})" if self.by and self.by != self.user else self.user
        how = f", which ended as {self.outcome}" if self.outcome else ", which came to no end"
        return f"{name} on {self.host} worked on it with the run {self.run} at {self.time}{how}"


def mark_from_text(text: str) -> Mark | None:
    """What a machine says that a run left; None for what is no such thing. Never believed."""
    try:
        value = json.loads(text)
        if not isinstance(value, dict):
            return None
        words = {
            name: clean_line(str(value.get(name, ""))[:300])
            for name in ("run", "site", "by", "user", "host", "laptop", "time", "outcome", "sha256")
        }
        return Mark(events=int(value.get("events", 0)), **words)
    except (ValueError, TypeError, RecursionError, OverflowError):
        return None


def new_mark(holder: Holder, run: str, site: str, outcome: str, events: int, last: str) -> Mark:
    """The mark of a run as it stands now."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return Mark(
        run, site, holder.by, holder.user, holder.host, holder.laptop, now, outcome, events, last
    )


def changes_nothing(plan: Plan) -> bool:
    """Whether a plan only asks and waits, so that nobody need know that it ran."""
    return all(
        stage.id == VERIFY or step.kind in CHANGES_NOTHING
        for stage in plan.stages
        for step in stage.steps
    )


def overtaken(
    marks: Iterable[tuple[str, Mark]], run: str, laptop: str, began: float
) -> Overtaken | None:
    """Why a run that is gone on with must not go on unasked; None where nobody worked meanwhile.

    `began` is when the run did: what was left long before, on a machine that it never reached, is
    no work of meanwhile.
    """
    others = [
        (name, one)
        for name, one in marks
        if one.run != run and one.laptop != laptop and _left_after(one, began - CLOCKS_APART)
    ]
    if not others:
        return None
    name, mark = max(others, key=lambda one: one[1].time)
    return Overtaken(mark, name)


def _left_after(mark: Mark, time: float) -> bool:
    """Whether a mark was left after a time; one that does not say when was."""
    try:
        left = datetime.fromisoformat(mark.time)
    except ValueError:
        return True
    return (left if left.tzinfo else left.replace(tzinfo=UTC)).timestamp() >= time


def not_what_was_left(
    path: Path,
    marks: Iterable[tuple[str, Mark]],
    run: str,
    hashes: Mapping[int, str] = MappingProxyType({}),
    lines: int = 0,
) -> None:
    """Raise BrokenJournal where a journal is not the one whose hash the machines keep.

    Where it was read already, how many `lines` it has, and the `hashes` of some of them by their
    numbers, it is read again only for the hash of another line.
    """
    kept = [(name, mark) for name, mark in marks if mark.run == run]
    if not kept:
        return
    wanted = {mark.events for _, mark in kept} - {0}
    if not wanted <= hashes.keys():
        read: dict[int, str] = {}
        lines = 0
        for record in records(path):
            lines = record.number
            if lines in wanted:
                read[lines] = digest(record.raw)
        hashes = read
    seen = {0: FIRST, **hashes}
    for name, mark in kept:
        events = mark.events
        if events > lines:
            raise BrokenJournal(
                f"it has {counted(lines, 'line')}, and {name} knows that it had {events}: "
                "its end is gone",
                where=str(path),
            )
        if seen.get(events) != mark.sha256:
            raise BrokenJournal(
                f"its line {events} is not the one whose hash {name} keeps: it is another's, or "
                "was changed",
                where=str(path),
            )


@dataclass(frozen=True, slots=True)
class OtherHands:
    """Looks at the machines of a run, and waits until nobody else works there."""

    hosts: Sequence[Host]
    connect: Callable[[Host], Awaitable[Connection]]
    run: str
    status: Callable[[Connection, str], Awaitable[JobStatus]]
    stop: Callable[[Connection, str], Awaitable[None]]
    say: Callable[[Host, str], None]
    end_theirs: Callable[[], bool] = lambda: False
    """Whether a person said, by now, that what others began is to be ended."""
    runs_here: frozenset[str] = frozenset()
    """Ids of other runs of the same site: on this machine only their jobs are in the way."""
    taken_over: bool = False
    """Whether the site was taken over, so that a playbook of theirs may be in a task."""
    held_before: Holder | None = None
    """Who held the site before us, where that is known."""
    found: Callable[[str], None] = lambda _: None
    """Hears of work of others that is waited for: where, what, who began it and since when."""
    left_by: Mapping[str, str] = field(default_factory=dict)
    """Machines on which a playbook that came to no end may have left its task: who, a sentence."""
    only_tasks: bool = False
    """Whether tasks of Ansible alone are asked for, and no jobs."""
    instead: str = f"To have it ended instead: {END_THEIRS}."
    """What a person may do who does not want to wait for it, a sentence."""
    leaving: Callable[[], bool] = lambda: False
    """Whether a person ended the run by now, so that nothing is waited for any more."""

    async def look(self) -> list[tuple[Host, Around]]:
        """What each machine tells; one that does not answer tells nothing yet."""

        async def one(host: Host) -> tuple[Host, Around] | None:
            with contextlib.suppress(ConnectionProblem):
                return host, await machine_lock.around(await self.connect(host))
            return None

        found = await asyncio.gather(*(one(host) for host in self.hosts))
        return [each for each in found if each is not None]

    async def alone(self) -> list[Host]:
        """Return once nobody else works on any machine that answers, or a person ended the run.

        The machines of which nobody knows: those that did not answer, or were not waited for.
        """
        looking: list[asyncio.Task[bool]] = []
        try:
            async with asyncio.TaskGroup() as group:
                looking += [group.create_task(self._alone_on(host)) for host in self.hosts]
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None
        return [host for host, one in zip(self.hosts, looking, strict=True) if not one.result()]

    async def _alone_on(self, host: Host) -> bool:
        loop = asyncio.get_running_loop()
        began, told, ending, said = loop.time(), "", "", 0.0
        while not self.leaving():
            try:
                theirs, tasks, mark = await self._theirs(host)
            except ConnectionProblem:
                return False  # it is asked before anything is begun there (see `entering`)
            if not theirs and not tasks:
                if told:
                    waited = duration(loop.time() - began)
                    self.say(host, f"Nothing of others runs on {host.name} any more ({waited}).")
                return True
            what = _what(theirs, tasks)
            if self.end_theirs():
                if what != ending:
                    whose = self._whose(host, theirs)
                    self.say(host, f"Ending on {host.name} what {whose}: {what}.")
                    said = loop.time()
                elif loop.time() - said > _SAID_AGAIN:
                    self.say(
                        host,
                        f"On {host.name} it was ended and runs all the same: {what}. See there "
                        "what it is at: ps -eo pid,stat,etime,args",
                    )
                    said = loop.time()
                ending = what
                await self._end(host, theirs, tasks)
            elif what != told:
                begun = self._begun(host, theirs, what, mark)
                self.say(host, f"{begun} Nothing is begun here before it has ended. {self.instead}")
                self.found(begun)
                said = loop.time()
            elif loop.time() - said > _SAID_AGAIN:
                waited = duration(loop.time() - began)
                self.say(
                    host, f"On {host.name} it still runs, and was waited for {waited}: {what}."
                )
                said = loop.time()
            told = what
            await asyncio.sleep(_PAUSE)
        return False

    async def _end(self, host: Host, theirs: Sequence[str], tasks: int) -> None:
        """End what runs there; a machine that is lost meanwhile is looked at again by the caller.

        Raises MachineProblem where it answers, and does not end it.
        """
        try:
            connection = await self.connect(host)
            for job in theirs:
                await self.stop(connection, job)
            if tasks:
                await machine_lock.end_tasks(connection)
        except MachineProblem:
            raise
        except ConnectionProblem:
            return

    def _whose(self, host: Host, theirs: Sequence[str]) -> str:
        return "was left there" if host.name in self.left_by and not theirs else "others began"

    def _begun(self, host: Host, theirs: Sequence[str], what: str, mark: Mark | None) -> str:
        """What runs there and who began it, in sentences."""
        whose = self._whose(host, theirs)
        left = self.left_by.get(host.name, "")
        who = left if left and not theirs else begun_by(theirs, mark, self.held_before)
        return f"On {host.name} runs what {whose}: {what}. {who}"

    async def _theirs(self, host: Host) -> tuple[list[str], int, Mark | None]:
        connection = await self.connect(host)
        seen = await machine_lock.around(connection)
        mine = f"sw-{self.run.lower()}-"
        theirs = []
        for job in () if self.only_tasks else (*seen.jobs, *seen.detached):
            others = not host.local or any(job.startswith(f"sw-{run}-") for run in self.runs_here)
            if job.startswith(mine) or not others:
                continue
            try:
                running = (await self.status(connection, job)).state is JobState.RUNNING
            except MachineProblem:
                running = True  # that it has ended was not said
            if running:
                theirs.append(job)
        asked = self.taken_over or host.name in self.left_by
        tasks = seen.tasks if asked and not host.local else 0
        return theirs, tasks, mark_from_text(seen.mark)


def begun_by(jobs: Sequence[str], mark: Mark | None, before: Holder | None) -> str:
    """Who began some jobs, and since when they are at work, as far as anything tells: sentences.

    A job carries the id of its run, which is the moment that it began; the mark of that run on the
    machine names the person, as does the lock that we took over.
    """
    runs = sorted({found[1] for job in jobs if (found := _OF_RUN.match(job))})
    said = []
    for run in runs:
        if mark is not None and mark.run.lower() == run:
            who = f"{_named(mark.by, mark.user)} on {mark.host}"
        elif before is not None:
            who = f"probably {_named(before.by, before.user)} on {before.host}"
        else:
            who = "somebody of whom the machine knows no name"
        said.append(f"It is of a run that {who} began at {_moment(run)}.")
    if not said and before is not None:
        said.append(f"It is probably of {_named(before.by, before.user)} on {before.host}.")
    return " ".join(said) or "Who began it is not known."


def _named(by: str, user: str) -> str:
    return f"{by} ({user})" if by and by != user else user


def _moment(run: str) -> str:
    try:
        began = datetime.strptime(run[:15], "%Y%m%d-%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return "a time that is not known"
    return f"{began:%Y-%m-%d %H:%M:%S} UTC"


def _what(jobs: Sequence[str], tasks: int) -> str:
    more = f" and {len(jobs) - _SHOWN} more" if len(jobs) > _SHOWN else ""
    words = [", ".join(jobs[:_SHOWN]) + more] if jobs else []
    return " and ".join([*words, *(["a task of Ansible"] if tasks else [])])


def left_by(marks: Iterable[tuple[str, Mark]], run: str) -> dict[str, str]:
    """Machines on which the last run came to no good end, and whose it was, in a sentence.

    A task of its playbook may go on there; what this very run left is asked at each step.
    """
    return {
        name: f"{mark.sentence()}."
        for name, mark in marks
        if mark.run != run and mark.outcome not in _GOOD_ENDS
    }


def marks_of(seen: Iterable[tuple[Host, Around]]) -> list[tuple[str, Mark]]:
    """The marks on machines, by the machine's name."""
    found: list[tuple[str, Any]] = [(host.name, mark_from_text(one.mark)) for host, one in seen]
    return [(name, mark) for name, mark in found if mark is not None]

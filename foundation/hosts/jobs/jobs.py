"""Jobs: commands that live on their machine whether or not anybody watches.

Where systemd keeps a journal on disk a job is a transient unit; elsewhere it is a detached
process with a log file. Standard output and standard error are one stream, in the order in which
they were written; journald drops empty lines and blanks at a line's end. Lines are bounded and
have no control characters.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import weakref
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Final, Literal

from foundation.hosts.connection import Become, Connection
from foundation.hosts.jobs import jobs_detached, jobs_scripts, jobs_systemd
from foundation.hosts.jobs.jobs_model import Fenced, JobLine, JobSpec, JobState, JobStatus
from foundation.hosts.jobs.jobs_shell import Records, call, problem, read_standing
from foundation.hosts.jobs.journald import is_cursor
from foundation.problems import (
    ConnectionLost,
    ConnectTimeout,
    InputProblem,
    MachineProblem,
    Unreachable,
)

DurableKind = Literal["systemd", "detached"]

_ID: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,199}")
_UNIT: Final = re.compile(r"[A-Za-z0-9:_.@\\*?\[\]!][A-Za-z0-9:_.@\\*?\[\]!-]{0,250}")
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SYSTEMD_FLOOR: Final = 240
"""The first version with Type=exec and a rate limit of a unit's own."""
_kinds: weakref.WeakKeyDictionary[Connection, dict[Become, DurableKind]] = (
    weakref.WeakKeyDictionary()
)
_ended: weakref.WeakKeyDictionary[Connection, dict[str, JobStatus]] = weakref.WeakKeyDictionary()
"""How jobs ended that were followed to their end, until somebody asks."""
_following: weakref.WeakKeyDictionary[Connection, dict[str, Records]] = weakref.WeakKeyDictionary()
"""What comes of jobs that were started to be followed, until `follow` takes it."""


async def durable_kind(connection: Connection, *, become: Become = Become.ROOT) -> DurableKind:
    """How jobs are kept on that machine; asked once a connection. Raises ConnectionProblem."""
    known = _kinds.setdefault(connection, {})
    if become not in known:
        kind: DurableKind = "detached"
        if become is Become.ROOT:
            done = await call(connection, jobs_scripts.KIND, [], become=become)
            kind = _kind_of(done.stdout)
        known[become] = kind
    return known[become]


def _kind_of(told: bytes) -> DurableKind:
    name, _, version = told.decode("ascii", "replace").strip().partition(" ")
    if name == "systemd" and version.isdecimal() and int(version[:9]) >= _SYSTEMD_FLOOR:
        return "systemd"
    return "detached"


async def start(connection: Connection, spec: JobSpec, *, become: Become = Become.ROOT) -> None:
    """Start a job and come back once it runs; a job of that id that exists is left alone.

    Raises InputProblem for a spec that cannot be one, ConnectionProblem classes else. With
    `Become.LOGIN` it runs as the user who logged in, detached.
    """
    _check(spec)
    settings = [f"{name}={value}" for name, value in spec.environment]
    command = ("/usr/bin/env", *settings, *spec.command) if settings else spec.command
    told = replace(spec, command=command, environment=())
    if await durable_kind(connection, become=become) == "systemd":
        done, following = await jobs_systemd.start(connection, told, secrets.token_hex(12))
        await _drop_following(connection, spec.id)
        if following is not None:
            _following.setdefault(connection, {})[spec.id] = following
    else:
        done = await jobs_detached.start(connection, told, become)
    if done.status == jobs_scripts.FENCED:
        raise Fenced(
            "another works on the machine now, so nothing more is begun there",
            where=connection.host.name,
            remedy="Speak with them: sitewright resume says who it is.",
        )
    if done.status == jobs_scripts.NO_MEMORY:
        raise MachineProblem(
            "the machine has no file system in memory, so nothing secret can be handed to a job",
            where=connection.host.name,
            remedy="Mount one: mount -t tmpfs -o mode=755 tmpfs /run",
        )
    if done.status == jobs_scripts.CUT_SHORT:
        raise ConnectionLost(
            "the job's input did not arrive whole, so it was not started",
            where=connection.host.name,
            remedy="Try again.",
        )
    if done.status != 0:
        raise problem(connection, f"the job {spec.id} could not be started", done)


async def _drop_following(connection: Connection, job_id: str) -> None:
    """End what was left to be followed of a job; the job itself goes on."""
    following = _following.get(connection, {}).pop(job_id, None)
    if following is not None:
        await following.close()


def _check(spec: JobSpec) -> None:
    _check_id(spec.id)
    texts = (*spec.command, spec.directory, *(v for pair in spec.environment for v in pair))
    if not spec.command or any("\0" in text for text in texts):
        raise InputProblem("a job's command is empty or holds a NUL", where=spec.id)
    if not spec.directory.startswith("/"):
        raise InputProblem("a job's folder must be an absolute path", where=spec.id)
    if not all(_NAME.fullmatch(name) for name, _ in spec.environment):
        raise InputProblem("a job's environment has a name that is none", where=spec.id)
    if not 0 < spec.timeout < 10**8:
        raise InputProblem("a job's time-out must be between 0 and 10^8 seconds", where=spec.id)


def _check_id(job_id: str) -> None:
    if not _ID.fullmatch(job_id):
        raise InputProblem(
            f'"{job_id[:80]}" cannot be the id of a job',
            remedy="Use lower-case letters, digits and hyphens, 200 at most.",
        )


def _check_units(units: Sequence[str]) -> None:
    for unit in units:
        if not _UNIT.fullmatch(unit):
            raise InputProblem(
                f'"{unit[:80]}" cannot be the name of a systemd unit',
                remedy="Write it as systemctl does, for example haproxy.service.",
            )


async def status(connection: Connection, job_id: str, *, become: Become = Become.ROOT) -> JobStatus:
    """Where a job stands; what `follow` found at its end is told once without asking again.

    Raises ConnectionProblem classes.
    """
    _check_id(job_id)
    found = _ended.get(connection, {}).pop(job_id, None)
    if found is not None:
        return found
    if become is Become.ROOT and become not in _kinds.setdefault(connection, {}):
        # The first that is asked of a machine, in one go.
        done = await call(connection, jobs_scripts.KIND_AND_STATUS, [job_id], become=become)
        kind, _, told = done.stdout.partition(b"\n")
        _kinds[connection][become] = _kind_of(kind)
        if done.status == 0 and _kinds[connection][become] == "systemd":
            return jobs_systemd.as_status(read_standing(told)[0])
    if await durable_kind(connection, become=become) == "systemd":
        return await jobs_systemd.status(connection, job_id)
    return await jobs_detached.status(connection, job_id, become)


async def follow(
    connection: Connection,
    job_id: str,
    *,
    cursor: str = "",
    units: Sequence[str] = (),
    become: Become = Become.ROOT,
) -> AsyncGenerator[JobLine, None]:
    """The job's lines after the cursor; ends when the job has ended and everything was read.

    The journals of `units` since the job's start come in between, where jobs are units. Raises
    ConnectionProblem classes: then go on with the cursor of the last line on a new connection.
    """
    _check_id(job_id)
    _check_units(units)

    def ended(status: JobStatus) -> None:
        if status.state is not JobState.GONE:
            _ended.setdefault(connection, {})[job_id] = status

    if await durable_kind(connection, become=become) == "systemd":
        # A cursor of another kind is from before the machine was changed: all is read again.
        after = cursor if is_cursor(cursor) else ""
        if after or units:
            await _drop_following(connection, job_id)
        begun = _following.get(connection, {}).pop(job_id, None)
        lines = jobs_systemd.follow(connection, job_id, after, units, ended, begun)
    else:
        after = cursor if cursor.isdecimal() and len(cursor) < 19 else ""
        lines = jobs_detached.follow(connection, job_id, after, become, ended)
    async with aclosing(lines) as open_lines:
        async for line in open_lines:
            yield line


async def follow_again(
    connect: Callable[[], Awaitable[Connection]],
    job_id: str,
    *,
    cursor: str = "",
    units: Sequence[str] = (),
    become: Become = Become.ROOT,
    patience: float = 600.0,
) -> AsyncGenerator[JobLine, None]:
    """`follow` over connections that break: connects again and goes on after the last line.

    Raises the last ConnectionProblem once the machine was away for `patience` seconds; other
    problems (a refused login, a changed host key) at once.
    """
    loop = asyncio.get_running_loop()
    away_since: float | None = None
    pause = 0.5
    while True:
        try:
            connection = await connect()
            lines = follow(connection, job_id, cursor=cursor, units=units, become=become)
            async with aclosing(lines) as open_lines:
                async for line in open_lines:
                    cursor, away_since, pause = line.cursor, None, 0.5
                    yield line
            return
        except (ConnectionLost, ConnectTimeout, Unreachable):
            now = loop.time()
            away_since = now if away_since is None else away_since
            if now - away_since >= patience:
                raise
        await asyncio.sleep(pause)
        pause = min(pause * 2, 10.0)


async def follow_units(
    connection: Connection, units: Sequence[str], *, cursor: str = ""
) -> AsyncGenerator[JobLine, None]:
    """The journals of services from now on, or after the cursor, until this is closed.

    Ends at once where the machine has no journal.
    """
    _check_units(units)
    lines = jobs_systemd.follow_units(connection, units, cursor if is_cursor(cursor) else "")
    async with aclosing(lines) as open_lines:
        async for line in open_lines:
            yield line


async def stop(connection: Connection, job_id: str, *, become: Become = Become.ROOT) -> None:
    """End a job: SIGTERM to all of its processes, SIGKILL after ten seconds."""
    await _end(connection, job_id, become, jobs_scripts.UNIT_STOP, jobs_scripts.DETACHED_STOP)


async def forget(connection: Connection, job_id: str, *, become: Become = Become.ROOT) -> None:
    """Leave nothing of a job on its machine but its lines in the journal; ends it if it runs."""
    await _end(connection, job_id, become, jobs_scripts.UNIT_FORGET, jobs_scripts.DETACHED_FORGET)


async def _end(
    connection: Connection, job_id: str, become: Become, unit: str, detached: str
) -> None:
    _check_id(job_id)
    _ended.get(connection, {}).pop(job_id, None)
    await _drop_following(connection, job_id)
    kind = await durable_kind(connection, become=become)
    script = unit if kind == "systemd" else detached
    done = await call(connection, script, [job_id], become=become)
    if done.status != 0:
        raise problem(connection, f"the job {job_id} could not be ended", done)


__all__ = [
    "DurableKind", "Fenced", "JobLine", "JobSpec", "JobState", "JobStatus", "durable_kind",
    "follow", "follow_again", "follow_units", "forget", "start", "status", "stop",
]  # fmt: skip

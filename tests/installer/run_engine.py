"""Runs an engine in a process of its own that can be killed at a place of choice.

    python -m tests.installer.run_engine RUN-FOLDER JSON

JSON: {"hosts": [{"name":…, "address":…, "user":…, "port":…}], "known_hosts":…, "key":…,
"kill_after": N events on the disk, "kill_text": the text of a progress event, "die": a place as
tests.installer.deaths has them, "by": the name of the person where the site's lock is to be held,
"take_over": whether knowingly}.
It prints the outcome or the problem, or dies by SIGKILL.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from foundation.hosts.connection import Connection
from foundation.hosts.jobs import jobs
from foundation.hosts.jobs.jobs_model import JobLine, JobSpec, JobStatus
from foundation.hosts.model import Host, Inventory
from foundation.hosts.pool import Pool
from foundation.problems import Refused
from installer.events import Event
from installer.record.runs import open_run
from installer.record.site_lock import Lock
from installer.running.engine import Engine
from installer.running.order import Order, Tools
from installer.steps.kind import Answer, Question
from tests.forked import forked

_HERE = Path(__file__).parents[2]


def die() -> None:
    """End as in a power cut, as far as a process can."""
    os.kill(os.getpid(), signal.SIGKILL)


class DyingJobs:
    """The real durable jobs, dying at one call about one step."""

    def __init__(self, at: str, step: str) -> None:
        self.at = at
        self.step = f"-{step}-"

    def _reached(self, call: str, job_id: str) -> bool:
        return self.at == call and self.step in job_id

    async def start(self, connection: Connection, spec: JobSpec) -> None:
        if self._reached("start", spec.id):
            die()
        await jobs.start(connection, spec)
        if self._reached("after-start", spec.id):
            die()

    async def status(self, connection: Connection, job_id: str) -> JobStatus:
        status = await jobs.status(connection, job_id)
        if self._reached("status", job_id) and status.state != "gone":
            die()
        return status

    def follow(
        self, connection: Connection, job_id: str, *, cursor: str = "", units: Sequence[str] = ()
    ) -> AsyncIterator[JobLine]:
        return jobs.follow(connection, job_id, cursor=cursor, units=units)

    async def stop(self, connection: Connection, job_id: str) -> None:
        await jobs.stop(connection, job_id)

    async def forget(self, connection: Connection, job_id: str) -> None:
        if self._reached("forget", job_id):
            die()
        await jobs.forget(connection, job_id)

    async def durable_kind(self, connection: Connection) -> str:
        return await jobs.durable_kind(connection)


async def _nobody(question: Question) -> Answer:
    raise Refused("nobody is there", where=question.step)


def inventory_of(told: dict[str, Any]) -> Inventory:
    """The machines that the process is told of."""
    keys = (Path(told["key"]),) if told.get("key") else ()
    return Inventory(
        hosts=tuple(Host(identity_files=keys, **host) for host in told["hosts"]),
        known_hosts=(Path(told["known_hosts"]),) if told.get("known_hosts") else (),
        use_ssh_config=False,
    )


async def _main(folder: Path, told: dict[str, Any]) -> None:
    run = open_run(folder)
    seen = 0
    kill_after = int(told.get("kill_after", 0))
    kill_text = told.get("kill_text", "")
    place: dict[str, Any] = told.get("die", {})
    left = int(place.get("count", 1))

    def watch(events: Sequence[Event]) -> None:
        nonlocal seen, left
        seen += len(events)
        if kill_after and seen >= kill_after:
            die()
        for event in events:
            wanted = event.kind == place.get("kind")
            wanted = wanted and place.get("step", event.step) == event.step
            left -= wanted and place.get("stage", event.stage) == event.stage
            if place.get("kind") and left == 0:
                die()
        if any(kill_text and event.data.get("text") == kill_text for event in events):
            die()

    by, take_over = told.get("by", ""), bool(told.get("take_over"))
    async with contextlib.AsyncExitStack() as held:
        lock = held.enter_context(Lock(run.site_key, by=by, take_over=take_over)) if by else None
        pool = await held.enter_async_context(Pool(inventory_of(told)))
        dying = DyingJobs(place.get("call", ""), place.get("step", ""))
        tools = Tools(machines=pool, ask=_nobody, lock=lock, jobs=dying)
        engine = Engine(Order(plan=run.plan()), run, tools)
        engine.subscribe(watch)
        try:
            outcome = await engine.run()
        except Refused as problem:
            print(f"{problem}; {problem.remedy}")
            sys.exit(problem.exit_code)
        for failure in engine.failures:
            print(failure.host, failure.problem, failure.lines)
        print(f"outcome={outcome}", flush=True)


def start_engine(
    folder: Path, told: dict[str, Any], *, home: Path | None = None
) -> subprocess.Popen[str]:
    """Start such a process; on another laptop, as far as it knows, where it has its own home."""
    own = {"XDG_DATA_HOME": str(home)} if home is not None else {}
    return subprocess.Popen(
        [sys.executable, "-m", "tests.installer.run_engine", str(folder), json.dumps(told)],
        cwd=_HERE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, **own},
    )


def run_engine(folder: Path, told: dict[str, Any], *, seconds: int = 300) -> tuple[int, str]:
    """Run such a process to its end: its return code (-9 where it was killed) and output.

    It is a copy of ours, for it is done dozens of times.
    """
    with tempfile.TemporaryFile("w+") as said:
        code = forked(lambda: asyncio.run(_main(folder, told)), seconds=seconds, said=said)
        said.seek(0)
        return code, said.read()


if __name__ == "__main__":
    asyncio.run(_main(Path(sys.argv[1]), json.loads(sys.argv[2])))

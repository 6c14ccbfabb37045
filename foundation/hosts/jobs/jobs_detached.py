"""Jobs as detached processes: their lines are in a log file, their result in another."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Mapping

from foundation.hosts.connection import Become, Completed, Connection
from foundation.hosts.jobs import jobs_scripts as scripts
from foundation.hosts.jobs.jobs_model import JobLine, JobSpec, JobState, JobStatus
from foundation.hosts.jobs.jobs_shell import Records, call, problem, read_standing
from foundation.hosts.jobs.output_lines import LINE_LIMIT, clean_line


async def start(connection: Connection, spec: JobSpec, become: Become) -> Completed:
    """Start a job that nobody waits for; one that is there already is left alone."""
    size = -1 if spec.stdin is None else len(spec.stdin)
    arguments = [spec.id, f"{spec.timeout:.3f}", spec.directory, str(size), spec.fence]
    arguments += spec.command
    return await call(
        connection, scripts.DETACHED_START, arguments, stdin=spec.stdin, become=become
    )


def as_status(standing: Mapping[str, str]) -> JobStatus:
    """What the files of a job and its lock come to."""
    boot = standing.get("Boot", "")
    number, _, word = standing.get("Exit", "").partition(" ")
    if number.isdecimal() and len(number) < 6:
        status = int(number)
        if word == "timeout":
            return JobStatus(JobState.TIMED_OUT, None, word, boot)
        if status == 0:
            return JobStatus(JobState.SUCCEEDED, 0, "success", boot)
        return JobStatus(JobState.FAILED, status, word[:40], boot)
    if standing.get("Alive") == "yes":
        return JobStatus(JobState.RUNNING, None, "", boot)
    if standing.get("Started") == "yes" and standing.get("Began") == boot:
        word = "stopped" if standing.get("Stopped") == "yes" else "killed"
        return JobStatus(JobState.FAILED, None, word, boot)
    return JobStatus(JobState.GONE, None, "", boot)


async def status(connection: Connection, job_id: str, become: Become) -> JobStatus:
    """Where the job stands."""
    done = await call(connection, scripts.DETACHED_STATUS, [job_id], become=become)
    if done.status != 0:
        raise problem(connection, "the state of a job could not be read", done)
    return as_status(read_standing(done.stdout)[0])


async def follow(
    connection: Connection,
    job_id: str,
    cursor: str,
    become: Become,
    ended: Callable[[JobStatus], None],
) -> AsyncGenerator[JobLine, None]:
    """The job's lines until it has ended and all was read; a line's time is when it came here.

    `ended` is told how it ended, so that nobody needs to ask again.
    """
    offset = int(cursor or 0)
    pause = 0.02
    while True:
        for script in (scripts.DETACHED_FOLLOW, scripts.DETACHED_READ):
            reading = script is scripts.DETACHED_READ
            async with Records(
                connection,
                script,
                [job_id, str(offset + 1)],
                become=become,
                limit=LINE_LIMIT,
                offset=offset,
            ) as records:
                status = as_status(await records.standing()) if reading else None
                running = status is None or status.state is JobState.RUNNING
                async for raw, left_out in records.lines():
                    offset += len(raw) + left_out + 1
                    text = clean_line(raw, left_out=left_out)
                    yield JobLine(text, "stdout", str(offset), time.time())
                last = None if running else records.cutter.last()
                if last is not None:
                    raw, left_out, offset = last
                    text = clean_line(raw, left_out=left_out)
                    yield JobLine(text, "stdout", str(offset), time.time())
                if status is not None and not running:
                    ended(status)
                    return
        await asyncio.sleep(pause)
        pause = min(pause * 2, 1.0)

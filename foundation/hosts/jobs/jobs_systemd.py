"""Jobs as transient systemd units: their lines are in the journal, their result in the unit."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from typing import Final

from foundation.hosts.connection import Become, Completed, Connection
from foundation.hosts.jobs import jobs_scripts as scripts
from foundation.hosts.jobs.jobs_model import JobLine, JobSpec, JobState, JobStatus
from foundation.hosts.jobs.jobs_shell import Records, call, problem, read_standing
from foundation.hosts.jobs.journald import ENTRY_LIMIT, JournalReader, is_cursor
from foundation.hosts.jobs.output_lines import Turns
from foundation.moments import steady
from foundation.problems import ConnectTimeout

START_SECONDS: Final = 60.0
"""How long a machine may take to start a job."""
_KILLED: Final = "2"
"""ExecMainCode of a process that a signal ended (CLD_KILLED)."""


async def start(
    connection: Connection, spec: JobSpec, nonce: str
) -> tuple[Completed, Records | None]:
    """Hand a job to systemd; one that is there already is left alone.

    What follows it comes too, where the job is to be followed at once.
    """
    command = [word.replace("$", "$$") for word in spec.command]
    size = -1 if spec.stdin is None else len(spec.stdin)
    arguments = [
        spec.id,
        f"{spec.timeout:.3f}",
        spec.directory,
        nonce,
        str(size),
        spec.fence,
        str(int(spec.mark)),
    ]
    arguments += command
    if not spec.followed or spec.mark:
        script = scripts.UNIT_START
        done = await call(connection, script, arguments, stdin=spec.stdin, become=Become.ROOT)
        return done, None
    records = Records(
        connection, scripts.UNIT_START_AND_FOLLOW, arguments,
        become=Become.ROOT, limit=ENTRY_LIMIT, stdin=spec.stdin,
    )  # fmt: skip
    began, watch = time.time(), steady()
    begun = False
    try:
        async with asyncio.timeout(START_SECONDS):
            told = (await records.standing()).get("Begun", "")
        begun = told == "0"
    except TimeoutError as error:
        raise ConnectTimeout(
            f"the job {spec.id} was not started within {START_SECONDS:g} s",
            where=connection.host.name,
            remedy="The machine may be overloaded. Look at it, then try again.",
        ) from error
    finally:
        if not begun:
            await records.close()
    status = int(told) if told.isdecimal() and len(told) < 4 else -1
    done = Completed(status, b"", bytes(records.stderr), began, steady() - watch)
    return done, records if begun else None


def as_status(standing: Mapping[str, str]) -> JobStatus:
    """What the words of systemd come to."""
    boot = standing.get("Boot", "")
    if standing.get("GoingDown") == "yes" and standing.get("Stopped") != "yes":
        # Not known yet: it is told when the machine is back, by what is left of the job then.
        return JobStatus(JobState.RUNNING, None, "", boot)
    if standing.get("LoadState") != "loaded":
        if standing.get("Started") == "yes":
            # It began in this boot and the unit is gone: somebody stopped it.
            by = "stopped" if standing.get("Stopped") == "yes" else "stopped-by-another"
            return JobStatus(JobState.FAILED, None, by, boot)
        return JobStatus(JobState.GONE, None, "", boot)
    result = standing.get("Result", "")
    active, sub = standing.get("ActiveState", ""), standing.get("SubState", "")
    code, number = standing.get("ExecMainCode", "0"), standing.get("ExecMainStatus", "")
    status = int(number) if number.isdecimal() and len(number) < 6 else None
    if code in {_KILLED, "3"} and status is not None:
        status += 128
    if active == "failed":
        if result == "timeout":
            return JobStatus(JobState.TIMED_OUT, None, result, boot)
        if standing.get("Stopped") == "yes":
            result = "stopped"
        return JobStatus(JobState.FAILED, status if code != "0" else None, result, boot)
    if active == "active" and sub == "exited":
        if code in {_KILLED, "3"}:
            return JobStatus(JobState.FAILED, status, "signal", boot)
        return JobStatus(JobState.SUCCEEDED, status, result, boot)
    if active == "inactive":
        return JobStatus(JobState.GONE, None, result, boot)
    return JobStatus(JobState.RUNNING, None, "", boot)


async def status(connection: Connection, job_id: str) -> JobStatus:
    """Where the job stands."""
    done = await call(connection, scripts.UNIT_STATUS, [job_id], become=Become.ROOT)
    if done.status != 0:
        raise problem(connection, "the state of a job could not be read", done)
    return as_status(read_standing(done.stdout)[0])


async def follow(
    connection: Connection,
    job_id: str,
    cursor: str,
    units: Sequence[str],
    ended: Callable[[JobStatus], None],
    begun: Records | None = None,
) -> AsyncGenerator[JobLine, None]:
    """The job's lines and those of the units, until the job has ended and all was read.

    `ended` is told how it ended, so that nobody needs to ask again. `begun` is what `start` left to
    be read first.
    """
    reader = JournalReader(job=f"{job_id}.service", read=cursor)
    pause = 0.02
    synced = False
    while True:
        arguments = [job_id, "1" if synced else "0", reader.read, *units]
        script, first, begun = scripts.UNIT_FOLLOW, begun, None
        async with _entries(connection, script, arguments, reader, first=first) as entries:
            async for line in entries:
                yield line
            standing = entries.standing
        if standing.get("Follow") == "yes":
            continue
        status = as_status(standing)
        if status.state is JobState.RUNNING:
            await asyncio.sleep(pause)
            pause = min(pause * 2, 1.0)
            continue
        if reader.ended or synced:
            ended(status)
            break
        # No last line of its own: it was ended from outside, or journald is behind.
        synced = True
    turns = Turns()
    for line in reader.flush():
        yield line
        await turns.after(line.text)
    own = status.result in _ENDED_BY_ITSELF and (status.exit_status or 0) < _SYSTEMDS_OWN
    if own and not cursor and not reader.ended:
        # Its shell wrote a last word, and the journal has not kept it.
        yield JobLine(LOST, "journal", reader.read, time.time())


async def follow_units(
    connection: Connection, units: Sequence[str], cursor: str
) -> AsyncGenerator[JobLine, None]:
    """The journals of services from now on, or after the cursor, until this is closed."""
    reader = JournalReader(read=cursor)
    arguments = [cursor, *units]
    async with _entries(connection, scripts.JOURNAL_FOLLOW, arguments, reader, head=False) as all_:
        async for line in all_:
            yield line


class _Entries:
    """One run of journalctl on a machine, its entries as lines."""

    def __init__(self, records: Records, reader: JournalReader, *, head: bool) -> None:
        self._records = records
        self._reader = reader
        self._head = head
        self.standing: dict[str, str] = {}

    async def __aiter__(self) -> AsyncIterator[JobLine]:
        if self._head:
            self.standing = await self._records.standing()
            nonce = self.standing.get("Nonce", "")
            if nonce:
                self._reader.end = END.format(nonce)
            if not self._reader.read and is_cursor(self.standing.get("From", "")):
                self._reader.read = self.standing["From"]
        turns = Turns()
        async for raw, left_out in self._records.lines():
            if not left_out:
                # One entry may be thousands of lines.
                for line in self._reader.feed(raw):
                    yield line
                    await turns.after(line.text)


LOST: Final = (
    "The machine's journal has lost lines of this command, the last ones at least: look at the "
    "free space of /var/log, and at journalctl --disk-usage."
)
_ENDED_BY_ITSELF: Final = ("success", "exit-code")
_SYSTEMDS_OWN: Final = 200
"""Exit statuses from here up are systemd's where it could not run the command (systemd.exec(5))."""

END: Final = "sitewright: the job ended {}"


@contextlib.asynccontextmanager
async def _entries(
    connection: Connection,
    script: str,
    arguments: Sequence[str],
    reader: JournalReader,
    *,
    head: bool = True,
    first: Records | None = None,
) -> AsyncIterator[_Entries]:
    # What was half read when a stream ends is read again after the last cursor.
    async with first or Records(
        connection, script, arguments, become=Become.ROOT, limit=ENTRY_LIMIT
    ) as records:
        reader.forget_pending()
        yield _Entries(records, reader, head=head)

"""Context: one step on one machine at work; the gate through which every change passes."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import re
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from foundation.hosts.connection import Become, Completed, Connection
from foundation.hosts.jobs.jobs_model import Fenced, JobLine, JobSpec, JobState, JobStatus
from foundation.hosts.model import Host, Inventory
from foundation.problems import ConnectionLost, ConnectionProblem, ConnectTimeout
from foundation.secrets import Secret
from foundation.wording import counted
from installer.catalogue.stages import Probe
from installer.events import KINDS, Event, Json, Kind
from installer.plans.plan import CONTROL_HOST, Plan, PlannedStep
from installer.record.state import TAIL_LINES, BegunJob, StepState
from installer.running.login_jobs import LoginJobs, login_state, runs_as_login
from installer.running.others.package_lock import FIND, tell_holders
from installer.running.output_cap import OUTPUT_CAP, OutputCap, where_it_lies
from installer.running.reach import Reach
from installer.running.shared import ENVIRONMENT, Jobs, Shared, ask, ask_unseen
from installer.steps.kind import (
    Answer,
    Ended,
    JobGone,
    ProbeAnswer,
    Restarted,
    StepFailed,
)
from installer.steps.probed import command_of

GRACE: Final = 90.0
"""Seconds after a machine should have ended a command by itself, to learn how it ended."""
_QUIET_FOLLOWS: Final = 3
_LONGEST_JOB_ID: Final = 150
_NOT_IN_ID: Final = re.compile(r"[^a-z0-9]+")


class Context:
    """One step on one machine; implements installer.steps.kind.StepContext."""

    def __init__(
        self,
        shared: Shared,
        step: PlannedStep,
        host: Host,
        hosts: tuple[Host, ...],
        *,
        attempt: int,
        timeout: float,
        follow: Sequence[str],
        resumed: StepState | None = None,
        cursors: Mapping[str, str] | None = None,
        answers: Mapping[str, Json] | None = None,
        once: bool = False,
    ) -> None:
        self._shared = shared
        self.step = step
        self.host = host
        self.hosts = hosts
        self.attempt = attempt
        self.timeout = timeout
        self.until = self._patience()
        self.jobs_begun: list[str] = []
        """Ids of the jobs on the machine, to be forgotten when the journal has the result."""
        self._follow = tuple(follow)
        as_login = runs_as_login(host, CONTROL_HOST) or (host.local and shared.docker_will_do)
        self._jobs: Jobs = LoginJobs() if as_login else shared.jobs
        self._become = Become.LOGIN if as_login else Become.ROOT
        self._environment = {
            **dict(ENVIRONMENT),
            **({"HOME": str(Path.home()), "SITEWRIGHT_STATE": login_state()} if as_login else {}),
        }
        self._begun: dict[str, BegunJob] = {}
        self._cursors = dict(cursors or {})
        self._answers = dict(answers or {})
        self._tail: deque[str] = deque(maxlen=TAIL_LINES)
        self.touched = tuple(h for h in hosts if h.name != host.name) if once else (host,)
        """The machines on which it works."""
        self._cap = OutputCap()
        self._wrote = time.monotonic()
        """When it last wrote a line."""
        if resumed is not None:
            self._begun = {job.job: job for job in resumed.jobs}
            self._tail.extend(resumed.tail)
            self.jobs_begun = list(self._begun)

    def _patience(self) -> float:
        """The monotonic time until which a machine that is away is waited for."""
        return time.monotonic() + self.timeout + GRACE

    # -- what there is ------------------------------------------------------------------------

    @property
    def plan(self) -> Plan:
        """The plan of the run."""
        return self._shared.plan

    @property
    def run_id(self) -> str:
        """The id of the run."""
        return self._shared.run_id

    @property
    def folder(self) -> Path:
        """The run's folder on this machine."""
        return self._shared.folder

    @property
    def settings(self) -> Mapping[str, str]:
        """The settings of the site."""
        return self._shared.settings

    @property
    def inventory(self) -> Inventory | None:
        """How every machine of the site is reached."""
        return self._shared.inventory

    @property
    def secrets(self) -> Mapping[str, Secret]:
        """The secrets of the run, by name."""
        return self._shared.secrets

    @property
    def dry_run(self) -> bool:
        """Whether nothing may be changed."""
        return self._shared.dry_run

    # -- looking ------------------------------------------------------------------------------

    async def connect(self, host: Host | None = None) -> Connection:
        """A live connection to a machine; see StepContext."""
        return await self._shared.reaches(host or self.host).connect(self.until)

    async def look(
        self,
        command: Sequence[str],
        *,
        stdin: bytes | None = None,
        timeout: float = 60.0,
        host: Host | None = None,
        still_so: float | None = None,
    ) -> Completed:
        """Run a command that changes nothing; see StepContext."""
        own = host is None or host.name == self.host.name
        become = self._become if own else Become.ROOT
        environment = self._environment if own else dict(ENVIRONMENT)
        full = ["env", *(f"{name}={value}" for name, value in environment.items()), *command]

        async def run(connection: Connection) -> Completed:
            return await connection.run(full, stdin=stdin or b"", become=become, timeout=timeout)

        reach = self._shared.reaches(host or self.host)
        if still_so is None:
            return await reach.again(run, self.until)
        asked, began = (*full, become.name), time.monotonic()
        when, known = reach.seen.get(asked, (0.0, None))
        if known is None or began - when >= still_so:
            known = await reach.again(run, self.until)
            reach.seen[asked] = (began, known)
        return known

    async def ask_machine(self, probe: Probe, *, host: Host | None = None) -> ProbeAnswer:
        """Put a probe's question; one that takes too long cannot tell."""
        command, stdin = command_of(probe)
        try:
            seen = await self.look(command, stdin=stdin, timeout=probe.timeout_seconds, host=host)
        except ConnectTimeout as problem:
            return ProbeAnswer(None, problem.cause)
        output = (seen.stdout + seen.stderr).decode("utf-8", "replace").rstrip("\n")
        if seen.status == 0:
            return ProbeAnswer(not probe.expect or probe.expect in output, output)
        return ProbeAnswer(False if seen.status == 1 else None, output)

    # -- the gate -----------------------------------------------------------------------------

    async def privately(
        self, says: str, command: Sequence[str], *, stdin: bytes, timeout: float = 60.0
    ) -> Completed:
        """Run a command whose words nobody else may have, once; see StepContext."""
        if self.dry_run:
            self.emit(Kind.NOTE, text=f"Would {says}.")
            return Completed(0, b"", b"", time.time(), 0.0)
        await self._still_ours()
        full = ["env", *(f"{name}={value}" for name, value in self._environment.items()), *command]
        connection = await self._shared.reaches(self.host).connect(self.until)
        try:
            return await connection.run(full, stdin=stdin, become=self._become, timeout=timeout)
        except ConnectTimeout:
            # Not its last words, as of other commands.
            raise ConnectTimeout(
                f"what was to {says} did not end within {timeout:g} s and was ended",
                where=self.host.name,
            ) from None

    async def _still_ours(self) -> None:
        """Wait to be ended where another laptop took the site over: a job is fenced by its lock."""
        locks = self._shared.locks
        if locks is not None and not await locks.look(None if self.host.local else self.host):
            locks.lost = True
            await asyncio.Event().wait()  # the watch over the locks ends the run

    async def change(
        self,
        says: str,
        command: Sequence[str],
        *,
        label: str = "do",
        stdin: bytes | None = None,
        environment: Sequence[tuple[str, str]] = (),
        directory: str = "/",
        timeout: float | None = None,
        on_line: Callable[[JobLine], bool] | None = None,
    ) -> Ended:
        """Run a command that changes the machine, as a durable job; see StepContext."""
        if self.dry_run:
            self.emit(Kind.NOTE, text=f"Would {says}.")
            return Ended(JobState.SUCCEEDED, 0, "dry run", (), dry=True)
        locks = self._shared.locks
        spec = JobSpec(
            id=self._job_id(label),
            mark=bool(self._follow),
            followed=True,
            fence=locks.token if locks is not None and not self.host.local else "",
            command=tuple(command),
            stdin=stdin,
            environment=tuple({**self._environment, **dict(environment)}.items()),
            directory=directory,
            timeout=self.timeout if timeout is None else timeout,
        )
        self.until = self._patience()
        begun = self._begun.get(spec.id)
        reach = self._shared.reaches(self.host)
        if begun is None:
            boot_id = await self._begin(spec, reach)
            cursor = ""
            self._tail.clear()
        else:
            boot_id = begun.boot_id
            cursor = self._cursors.get(self.host.name, "")
        self._cap = OutputCap()
        async with self._lock_holders_told():
            status = await self._follow_to_end(spec.id, cursor, reach, on_line)
        self._tell_left_out(spec.id, reach)
        if status.state is JobState.GONE:
            what = "the machine knows nothing of the command any more"
            if another_boot(status.boot_id, boot_id):
                raise Restarted(f"{what}: it was restarted meanwhile", where=self.host.name)
            raise JobGone(
                f"{what}: the command never began there, or was removed by somebody",
                where=self.host.name,
            )
        return Ended(status.state, status.exit_status, status.result, tuple(self._tail))

    async def _begin(self, spec: JobSpec, reach: Reach) -> str:
        """Journal the job, then hand it to the machine; its boot id."""
        locks = self._shared.locks
        boot_id, durable = await reach.again(lambda c: self._boot(c, reach, spec.id), self.until)
        job: dict[str, Json] = {"job": spec.id, "boot_id": boot_id, "durable": durable}
        await self._shared.journal.record(self._event(Kind.JOB_STARTED, self.host.name, job))
        self._begun[spec.id] = BegunJob(spec.id, boot_id, durable)
        self._cursors.pop(self.host.name, None)
        self.jobs_begun.append(spec.id)
        reach.seen.clear()

        async def start(connection: Connection) -> None:
            now, _ = await self._boot(connection, reach, spec.id)
            if now != boot_id:
                # It may have begun and been cut off by a restart: the step must be asked first.
                raise Restarted("the machine was restarted while the command was handed to it",
                                where=self.host.name)  # fmt: skip
            await self._jobs.start(connection, spec)

        try:
            if locks is not None and self.host.local and not await locks.look():
                raise Fenced("another works on the site now", where=self.host.name)
            await reach.again(start, self.until)
        except Fenced:
            if locks is None:
                raise
            await locks.look(None if self.host.local else self.host)
            locks.lost = True
            await asyncio.Event().wait()  # the watch over the locks ends the run
        return boot_id

    async def _boot(self, connection: Connection, reach: Reach, job_id: str) -> tuple[str, str]:
        """The machine's boot id and kind of job, asked once a connection."""
        known = reach.known
        if "boot_id" not in known:
            status = await self._jobs.status(connection, job_id)
            durable = (
                "detached"
                if self._become is Become.LOGIN
                else await self._shared.jobs.durable_kind(connection)
            )
            known.update(boot_id=status.boot_id, durable=durable)
        return known["boot_id"], known["durable"]

    async def _follow_to_end(
        self, job_id: str, cursor: str, reach: Reach, on_line: Callable[[JobLine], bool] | None
    ) -> JobStatus:
        """Every line after the cursor, once, to the job's end; through lost connections."""
        quiet = 0

        async def follow(connection: Connection) -> JobStatus:
            nonlocal cursor
            async for line in self._jobs.follow(
                connection, job_id, cursor=cursor, units=self._follow
            ):
                cursor = line.cursor
                self._line(line, on_line)
            return await self._jobs.status(connection, job_id)

        while True:
            status = await reach.again(follow, self.until)
            if status.state is not JobState.RUNNING:
                return status
            quiet += 1
            if quiet > _QUIET_FOLLOWS or time.monotonic() > self.until:
                raise ConnectionLost(
                    "the command runs on, and its output cannot be followed to its end",
                    where=self.host.name,
                    remedy="Look at the machine's journal, then go on: sitewright resume.",
                )
            await asyncio.sleep(0.2 * quiet)

    @contextlib.asynccontextmanager
    async def _lock_holders_told(self) -> AsyncIterator[None]:
        """While the command is silent, say who holds the package lock that it may wait for."""

        async def look(host: Host) -> bytes:
            return (await self.look(("sh", "-c", FIND), host=host)).stdout

        def quiet() -> float:
            return time.monotonic() - self._wrote

        def say(host: Host, text: str) -> None:
            self.emit(Kind.NOTE, host=host.name, text=text)

        self._wrote = time.monotonic()
        telling = asyncio.create_task(tell_holders(self.touched, look, quiet, say))
        try:
            yield
        finally:
            telling.cancel()
            await asyncio.gather(telling, return_exceptions=True)

    def _line(self, line: JobLine, on_line: Callable[[JobLine], bool] | None) -> None:
        self._wrote = time.monotonic()
        if not line.unit:
            self._tail.append(line.text)
        if on_line is not None and not on_line(line):
            return
        if self._cap.keeps(line):
            self._write_line(line)
        elif self._cap.left_out == 1:
            self.emit(
                Kind.NOTE,
                text=f"It has written {OUTPUT_CAP // (1024 * 1024)} MB, and more is not kept here: "
                f"it goes on, and all of it stands on {self.host.name}.",
            )

    def _write_line(self, line: JobLine) -> None:
        self._cursors[self.host.name] = line.cursor
        data: dict[str, Json] = {
            "text": line.text,
            "stream": line.stream,
            "cursor": line.cursor,
            "unit": line.unit,
        }
        self._shared.journal.append(self._event(Kind.LINE, self.host.name, data))

    def _tell_left_out(self, job_id: str, reach: Reach) -> None:
        """Write down the end of an output that was too long, and where the whole of it is."""
        if not self._cap.left_out:
            return
        durable = reach.known.get("durable", "")
        ending = tuple(self._cap.ending())
        self.emit(
            Kind.NOTE,
            text=f"{counted(self._cap.left_out, 'line')} "
            f"({self._cap.bytes_left_out / 1e6:.1f} MB) of its output are not kept here. "
            f"On {self.host.name}: {where_it_lies(job_id, durable)}. "
            "Its last lines follow.",
        )
        for line in ending:
            self._write_line(line)
        if durable != "systemd" and job_id in self.jobs_begun:
            self.jobs_begun.remove(job_id)  # to forget it would take the log away

    def _job_id(self, label: str) -> str:
        words = [self.run_id, self.step.stage, self.step.id, self.host.name, label]
        text = _NOT_IN_ID.sub("-", "-".join(words).lower())
        if len(text) > _LONGEST_JOB_ID:
            text = f"{text[:_LONGEST_JOB_ID]}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
        return f"sw-{text}-{self.attempt}"

    async def last_job(self) -> JobStatus | None:
        """What the machine says of the last job of the try that is resumed; None without one."""
        if not self._begun:
            return None
        job = list(self._begun)[-1]
        return await self._shared.reaches(self.host).again(
            lambda connection: self._jobs.status(connection, job), self.until
        )

    def restarted_since(self, job: JobStatus) -> bool:
        """Whether the machine was restarted since that last job was handed to it."""
        return another_boot(job.boot_id, list(self._begun.values())[-1].boot_id)

    async def end_jobs(self) -> None:
        """End what runs on the machine for this step."""
        for job in self.jobs_begun:
            await self._shared.reaches(self.host).again(
                lambda connection, job=job: self._jobs.stop(connection, job),  # type: ignore[misc]  # mypy cannot infer a lambda with a default
                self.until,
            )

    # -- telling and asking -------------------------------------------------------------------

    def emit(self, kind: Kind, *, host: str | None = None, **data: Json) -> None:
        """Write an event of this step; see StepContext."""
        if data.keys() != KINDS[kind]:
            raise ValueError(f"{kind} has the fields {sorted(KINDS[kind])}, not {sorted(data)}")
        name = self.host.name if host is None else host
        if kind is Kind.LINE:
            self._cursors[name] = str(data["cursor"])
        self._shared.journal.append(self._event(kind, name, data))

    def _event(self, kind: Kind, host: str, data: dict[str, Json]) -> Event:
        return Event(kind, time.time(), self.step.stage, self.step.id, host, data)

    def event(self, kind: Kind, data: dict[str, Json]) -> Event:
        """An event of this step on its machine, for who writes it himself."""
        return self._event(kind, self.host.name, data)

    async def ask(self, text: str, items: Sequence[str] = ()) -> Answer:
        """Put a question to a person; see StepContext."""
        answer = await ask(self, self._shared, text, items, self._answers)
        self.until = self._patience()  # a person may take hours
        return answer

    async def ask_unseen(
        self, text: str, *, hands: Secret | None = None, wants: str = "", person: str = ""
    ) -> Answer:
        """Hand a person a secret, or have one typed; see StepContext."""
        answer = await ask_unseen(self, self._shared, text, hands=hands, wants=wants, person=person)
        self.until = self._patience()
        return answer

    def resume_cursor(self, host: str) -> str:
        """The cursor of the last line of a machine; see StepContext."""
        return self._cursors.get(host, "")

    def failed(self, cause: str, *, remedy: str | None = None, again: bool = True) -> StepFailed:
        """A failure of this step, with the last lines."""
        return StepFailed(
            cause, where=self.host.name, remedy=remedy, output=tuple(self._tail), again=again
        )


def another_boot(now: str, then: str) -> bool:
    """Whether two boot ids are known and tell of two boots."""
    return bool(now and then) and now != then


async def forget_jobs(jobs: Jobs, reach: Reach, ids: Sequence[str]) -> None:
    """Let a machine forget jobs; what is left behind there does no harm."""
    with contextlib.suppress(ConnectionProblem):
        connection = await reach.connect(time.monotonic())
        for job in ids:
            await jobs.forget(connection, job)

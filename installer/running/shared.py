"""Shared: what all steps of a run have in common, and what every command of theirs finds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from foundation.hosts.connection import Connection
from foundation.hosts.jobs.jobs_model import JobLine, JobSpec, JobStatus
from foundation.hosts.model import Host, Inventory
from foundation.secrets import Secret
from installer.plans.plan import Plan
from installer.record.journal import Journal
from installer.record.machine_locks import MachineLocks
from installer.running.entering import Entering
from installer.running.reach import Reach
from installer.steps.kind import Asker
from installer.supply.control_host_programs import FOLDER

ENVIRONMENT: Final = (
    ("PATH", f"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/snap/bin:{FOLDER}"),
    ("LC_ALL", "C.UTF-8"),
    ("HOME", "/root"),
    ("DEBIAN_FRONTEND", "noninteractive"),
    ("NEEDRESTART_SUSPEND", "1"),
)
"""What every command finds: a service has no /snap/bin nor what was brought, words are looked for
in its output, and what it installs has no other services restarted (Ubuntu's needrestart does so
after every package since 24.04)."""


class Jobs(Protocol):
    """Durable jobs, as the module foundation.hosts.jobs.jobs has them."""

    async def start(self, connection: Connection, spec: JobSpec) -> None: ...

    async def status(self, connection: Connection, job_id: str) -> JobStatus: ...

    def follow(
        self, connection: Connection, job_id: str, *, cursor: str = "", units: Sequence[str] = ()
    ) -> AsyncIterator[JobLine]: ...

    async def stop(self, connection: Connection, job_id: str) -> None: ...

    async def forget(self, connection: Connection, job_id: str) -> None: ...

    async def durable_kind(self, connection: Connection) -> str: ...


@dataclass(slots=True)
class Shared:
    """What all steps of a run have in common."""

    plan: Plan
    run_id: str
    folder: Path
    settings: Mapping[str, str]
    secrets: Mapping[str, Secret]
    dry_run: bool
    journal: Journal
    jobs: Jobs
    asker: Asker
    reaches: Callable[[Host], Reach]
    inventory: Inventory | None = None
    """How every machine of the site is reached, for programs that reach them themselves."""
    locks: MachineLocks | None = None
    """The machines' own locks, where the run holds them."""
    docker_will_do: bool = False
    """Whether this machine's steps run as the login, who can never be root and may use Docker."""
    tasks_ended: Callable[[Sequence[Host]], Awaitable[None]] | None = None
    """Returns once no task of Ansible that an earlier try left runs on machines any more, or a
    person ended the run meanwhile."""
    entering: Entering | None = None
    """Holds and asks, before their first step, the machines that were away in the beginning."""
    asking: asyncio.Lock = field(default_factory=asyncio.Lock)
    """One question at a time is put to the person."""

"""Jobs with the rights of the login: for the control host, where nothing asks for root."""

from __future__ import annotations

import os
import subprocess
from collections.abc import AsyncIterator, Sequence
from typing import Final

from foundation.hosts.connection import Become, Connection
from foundation.hosts.jobs import jobs
from foundation.hosts.jobs.jobs_model import JobLine, JobSpec, JobStatus
from foundation.hosts.model import Host
from foundation.isolation import NOWHERE, environment
from foundation.paths import data_folder
from foundation.problems import InputProblem
from installer.catalogue.solution import load_solution

_SOCKET: Final = "/var/run/docker.sock"
_SUDO_SECONDS: Final = 10


def runs_as_login(host: Host, control: str) -> bool:
    """Whether a machine is this one as control host, and we are not root on it.

    Ansible, Helm and kubectl need no root where they run; a laptop's sudo is nobody's business.
    """
    return host.name == control and host.local and os.geteuid() != 0


def docker_will_do(solution: str, *, sudo_password: bool) -> bool:
    """Whether this machine's steps run as the login, who may use Docker and is not made root.

    Only where the solution says that nothing else is needed; see DockerNeed.suffices. Who may
    become root, because sudo asks for nothing or its password was given, does so: then nothing
    depends on where the login may put files.
    """
    if os.geteuid() == 0 or sudo_password or not os.access(_SOCKET, os.W_OK) or _sudo_works():
        return False
    try:
        platforms = load_solution(solution).file.platforms
    except InputProblem:
        return False
    return any(p.needs.docker is not None and p.needs.docker.suffices for p in platforms)


def _sudo_works() -> bool:
    """Whether sudo makes us root without a password."""
    try:
        seen = subprocess.run(
            ["sudo", "-n", "true"], stdin=subprocess.DEVNULL, capture_output=True,
            timeout=_SUDO_SECONDS, check=False, cwd=NOWHERE, env=environment(),
        )  # fmt: skip
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return False
    return seen.returncode == 0


def login_state() -> str:
    """Where steps that run as the login keep what root keeps in /var/lib/sitewright."""
    return str(data_folder() / "machine")


class LoginJobs:
    """The module foundation.hosts.jobs.jobs, with the rights of the login."""

    async def start(self, connection: Connection, spec: JobSpec) -> None:
        """See foundation.hosts.jobs.jobs.start."""
        await jobs.start(connection, spec, become=Become.LOGIN)

    async def status(self, connection: Connection, job_id: str) -> JobStatus:
        """See foundation.hosts.jobs.jobs.status."""
        return await jobs.status(connection, job_id, become=Become.LOGIN)

    def follow(
        self, connection: Connection, job_id: str, *, cursor: str = "", units: Sequence[str] = ()
    ) -> AsyncIterator[JobLine]:
        """See foundation.hosts.jobs.jobs.follow."""
        return jobs.follow(connection, job_id, cursor=cursor, units=units, become=Become.LOGIN)

    async def stop(self, connection: Connection, job_id: str) -> None:
        """See foundation.hosts.jobs.jobs.stop."""
        await jobs.stop(connection, job_id, become=Become.LOGIN)

    async def forget(self, connection: Connection, job_id: str) -> None:
        """See foundation.hosts.jobs.jobs.forget."""
        await jobs.forget(connection, job_id, become=Become.LOGIN)

    async def durable_kind(self, connection: Connection) -> str:
        """See foundation.hosts.jobs.jobs.durable_kind."""
        return await jobs.durable_kind(connection, become=Become.LOGIN)

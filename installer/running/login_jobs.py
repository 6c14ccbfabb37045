"""Jobs with the rights of the login: for the control host, where nothing asks for root."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Sequence

from foundation.hosts import jobs
from foundation.hosts.connection import Become, Connection
from foundation.hosts.jobs_model import JobLine, JobSpec, JobStatus
from foundation.hosts.model import Host


def runs_as_login(host: Host, control: str) -> bool:
    """Whether a machine is this one as control host, and we are not root on it.

    Ansible, Helm and kubectl need no root where they run; a laptop's sudo is nobody's business.
    """
    return host.name == control and host.local and os.geteuid() != 0


class LoginJobs:
    """The module foundation.hosts.jobs, with the rights of the login."""

    async def start(self, connection: Connection, spec: JobSpec) -> None:
        """See foundation.hosts.jobs.start."""
        await jobs.start(connection, spec, become=Become.LOGIN)

    async def status(self, connection: Connection, job_id: str) -> JobStatus:
        """See foundation.hosts.jobs.status."""
        return await jobs.status(connection, job_id, become=Become.LOGIN)

    def follow(
        self, connection: Connection, job_id: str, *, cursor: str = "", units: Sequence[str] = ()
    ) -> AsyncIterator[JobLine]:
        """See foundation.hosts.jobs.follow."""
        return jobs.follow(connection, job_id, cursor=cursor, units=units, become=Become.LOGIN)

    async def stop(self, connection: Connection, job_id: str) -> None:
        """See foundation.hosts.jobs.stop."""
        await jobs.stop(connection, job_id, become=Become.LOGIN)

    async def forget(self, connection: Connection, job_id: str) -> None:
        """See foundation.hosts.jobs.forget."""
        await jobs.forget(connection, job_id, become=Become.LOGIN)

"""Compose: a Docker Compose project brought up, with every service's log, until all stand.

`docker compose up --wait` is not used: it takes a service that ended as it should for a failure.
One durable job brings the project up, follows the services and their logs, and ends when every
service stands, one has failed, or time is up; it goes on where nobody watches.
"""

from __future__ import annotations

import math
from typing import Final, Literal

from pydantic import Field

from foundation.hosts.connection import PortState
from foundation.wording import counted
from installer.compose import scripts
from installer.compose.containers import FORMAT, Stand, judge_all
from installer.compose.project import Project
from installer.steps.kind import StepContext, StepFailed, StepKind
from installer.steps.of_project import Lines, OfProject, ProjectData, silent_daemon
from installer.steps.probed import must_be_good, parsed

_SPARE_SECONDS: Final = 15
"""Left to the job for its last words before the machine itself ends it."""


class ComposeStep(ProjectData):
    """A Docker Compose project brought up, until every service stands."""

    kind: Literal["compose"]
    services: tuple[str, ...] = ()
    """Only these and what they depend on; empty: all of the profiles."""
    ending: tuple[str, ...] = ()
    """Services that are meant to end, besides those whose end others wait for."""
    settle_seconds: float = Field(default=1.0, ge=0, le=600)
    """How long all must stand before they are believed."""
    unhealthy_seconds: float = Field(default=20.0, ge=0, le=3600)
    """How long a service may be unhealthy before it is given up."""
    remove_volumes: bool = False
    """Whether taking it back removes the data as well."""


class Compose(OfProject):
    """Done where every service stands with just the configuration of the files."""

    model = ComposeStep

    def data(self, context: StepContext) -> ComposeStep:
        """The step's data."""
        return parsed(context, ComposeStep)

    async def is_done(self, context: StepContext) -> bool | None:
        """Whether every service stands, with the configuration that the files have now."""
        data = self.data(context)
        reading = await self.read(context, data)
        if reading.project is None or reading.containers is None:
            return None
        services = data.services or reading.project.names
        if not reading.unchanged(services):
            return False
        ending = reading.project.ending.union(data.ending)
        if not all(one.good for one in judge_all(reading.containers, services, ending)):
            return False
        return True if data.done is None else (await context.ask_machine(data.done)).yes

    async def do(self, context: StepContext) -> str:
        """Bring the project up and wait until every service stands; raises StepFailed."""
        data = self.data(context)
        if context.dry_run:
            await context.change(f"bring up the Compose project {data.project}", ("true",))
            return f"The project {data.project} would be brought up."
        project = await self.project(context, data)
        reading = await self.read(context, data)
        ending = sorted(project.ending.union(data.ending))
        lines = Lines(context, data.services or project.names, ending, reading.containers or ())
        seconds = max(data.timeout_minutes * 60 - _SPARE_SECONDS, 1)
        services = data.services or project.names
        up = ("up", "--detach", "--no-build", "--pull", "never", "--remove-orphans", *data.services)
        ended = await context.change(
            f"bring up the Compose project {data.project}",
            ("sh", "-c", scripts.UP, "sh", str(math.ceil(seconds)),
             str(math.ceil(data.settle_seconds)), str(math.ceil(data.unhealthy_seconds)),
             data.project, " ".join(services), " ".join(ending), FORMAT, reading.config,
             " ".join(up),
             *self.command(data)),
            directory=data.directory,
            on_line=lines,
        )  # fmt: skip
        if not ended.good:
            raise await self._why(context, data, project, ended.exit_status, lines)
        stand = "stands" if len(services) == 1 else "stand"
        return f"The project {data.project} is up: {counted(len(services), 'service')} {stand}."

    async def verify(self, context: StepContext) -> None:
        """That the ports which the services publish are open, and the step's own `verify`."""
        data = self.data(context)
        project = await self.project(context, data)
        connection = await context.connect()
        for service in project.services:
            for port in service.published:
                if port.protocol != "tcp" or (data.services and service.name not in data.services):
                    continue
                address = "127.0.0.1" if port.address in ("", "0.0.0.0", "::") else port.address  # noqa: S104 - compared, not bound
                dialled = await connection.dial(address, port.port)
                if dialled.state is PortState.REFUSED:
                    raise StepFailed(
                        f"{service.name} runs, and nothing answers at its port {port.port}",
                        where=context.host.name,
                        remedy=f"Read what it says: docker compose -p {data.project} logs "
                        f"{service.name}. Then: sitewright resume.",
                    )
        await super().verify(context)

    async def undo(self, context: StepContext) -> bool:
        """By the step's `undo`, else by `docker compose down`; the volumes are kept."""
        data = self.data(context)
        if data.undo is not None:
            return await super().undo(context)
        if context.step.irreversible:
            return False
        volumes = ("--volumes",) if data.remove_volumes else ()
        ended = await context.change(
            f"take down the Compose project {data.project}",
            self.command(data, "down", "--remove-orphans", *volumes),
            label="undo",
        )
        must_be_good(context, ended, "docker compose down")
        return True

    async def _why(
        self,
        context: StepContext,
        data: ComposeStep,
        project: Project,
        status: int | None,
        lines: Lines,
    ) -> StepFailed:
        """Why the project does not stand."""
        containers = await self.containers(context, data)
        if containers is None or status == scripts.DAEMON_GONE:
            return silent_daemon(context, while_="while the services start")
        services = data.services or project.names
        judged = judge_all(containers, services, project.ending.union(data.ending))
        failed = [one for one in judged if one.stand is Stand.FAILED]
        if failed:
            return await self.failure(context, data, failed)
        waiting = [one for one in judged if not one.good]
        if status == scripts.TIME_IS_UP and waiting:
            before = f"it was waited for {data.timeout_minutes:g} minutes: "
            return await self.failure(context, data, waiting, before)
        if not waiting:
            return StepFailed(
                "a service failed while they started, and all of them stand by now",
                where=context.host.name,
                remedy="The machine may be very busy. Go on: sitewright resume.",
            )
        said = lines.said_by_compose
        last = f": {said[-1][:300]}" if said else f" ({status})"
        return StepFailed(
            f"docker compose up failed{last}",
            where=context.host.name,
            remedy=_remedy(said[-1] if said else ""),
            output=said[-20:],
        )


def _remedy(words: str) -> str | None:
    """What to do about Docker's own words; None where they say it all."""
    text = words.lower()
    if "no space left" in text:
        return (
            "The disk is full. See what takes the space: docker system df; df -h. Make room, "
            "then: sitewright resume."
        )
    if "port is already allocated" in text or "address already in use" in text:
        return (
            "Another program took the port meanwhile. Find it with: ss -lntp. End it, then: "
            "sitewright resume."
        )
    return None


KIND: Final[StepKind] = Compose()

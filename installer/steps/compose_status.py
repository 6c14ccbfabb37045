"""Compose-status: where each service of a project stands; it looks and changes nothing."""

from __future__ import annotations

from typing import Final, Literal

from installer.compose.containers import is_stopped, judge_all
from installer.events import Kind
from installer.steps.kind import StepContext, StepFailed, StepKind
from installer.steps.of_project import OfProject, ProjectData, silent_daemon
from installer.steps.probed import parsed


class ComposeStatusStep(ProjectData):
    """Where each service of a Compose project stands; it looks, and fails unless all is well."""

    kind: Literal["compose-status"]
    ending: tuple[str, ...] = ()


class ComposeStatus(OfProject):
    """Never found done: what it tells is of now."""

    model = ComposeStatusStep

    def data(self, context: StepContext) -> ComposeStatusStep:
        """The step's data."""
        return parsed(context, ComposeStatusStep)

    async def is_done(self, context: StepContext) -> bool | None:
        """Never."""
        return False

    async def do(self, context: StepContext) -> str:
        """Tell where each service stands; raises StepFailed unless all stand."""
        data = self.data(context)
        if context.dry_run:
            return "The services would be looked at."
        project = await self.project(context, data)
        containers = (await self.read(context, data)).containers
        if containers is None:
            raise silent_daemon(context, while_="when it is asked for the services")
        ending = project.ending.union(data.ending)
        judged = judge_all(containers, project.names, ending)
        for one in judged:
            context.emit(Kind.NOTE, text=f"{one.service}: {one.words}")
        if is_stopped(containers, project.names, ending):
            raise StepFailed(
                f"{data.project} is stopped: every container of it has ended in order, and none"
                " runs",
                where=context.host.name,
                remedy="Its containers and data are kept. Start it: sitewright start.",
                again=False,
            )
        if not any(one.service in project.names for one in containers):
            raise StepFailed(
                f"{data.project} has no containers: they were removed, or never made",
                where=context.host.name,
                remedy="Where only they were removed, they are made again by: sitewright start. "
                "Where its data was removed too: sitewright install.",
                again=False,
            )
        bad = [one for one in judged if not one.good]
        if bad:
            raise await self.failure(
                context, data, bad, f"{len(bad)} of {len(judged)} services do not stand: "
            )
        return f"All {len(judged)} services of {data.project} stand."


KIND: Final[StepKind] = ComposeStatus()

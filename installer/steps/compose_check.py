"""Compose-check: what stands against a Compose project, told before anything is started."""

from __future__ import annotations

import asyncio
from typing import Final, Literal

from foundation.wording import counted
from installer.compose.objections import Objection, objections
from installer.compose.surroundings import LOOK, MISSING, paths_of, surroundings_of
from installer.events import Kind
from installer.steps.kind import StepContext, StepFailed, StepKind
from installer.steps.of_project import OfProject, ProjectData, silent_daemon
from installer.steps.probed import parsed


class ComposeCheckStep(ProjectData):
    """What stands against bringing a Compose project up, told before anything is started."""

    kind: Literal["compose-check"]
    floating_tags: Literal["refuse", "tell"] = "tell"


class ComposeCheck(OfProject):
    """Never found done: it only looks, and looks each time."""

    model = ComposeCheckStep

    def data(self, context: StepContext) -> ComposeCheckStep:
        """The step's data."""
        return parsed(context, ComposeCheckStep)

    async def is_done(self, context: StepContext) -> bool | None:
        """Never."""
        return False

    async def do(self, context: StepContext) -> str:
        """Look; raises StepFailed with everything that stands against it."""
        data = self.data(context)
        if context.dry_run:
            context.emit(Kind.NOTE, text="The project's files are looked at once they are there.")
            return "The project would be looked at."
        look = context.look(("sh", "-c", LOOK, "sh", *self.command(data)), timeout=120)
        looking = asyncio.ensure_future(look)
        try:
            project = await self.project(context, data)
            seen = await looking
        finally:
            looking.cancel()
        if seen.status != 0:
            raise silent_daemon(context, while_="when it is asked what there is")
        missing = await context.look(("sh", "-c", MISSING, "sh", *paths_of(project)))
        around = surroundings_of((seen.stdout + missing.stdout).decode("utf-8", "replace"))
        found = objections(
            project, around, data.chosen_profiles, refuse_floating=data.floating_tags == "refuse"
        )
        against = [one for one in found if one.stops]
        for one in found:
            context.emit(Kind.NOTE, text=f"{one.cause}. {one.remedy}")
        if against:
            raise _refused(context, against)
        without = sum(not service.health_check for service in project.services)
        return (
            f"Nothing stands against it: {counted(len(project.services), 'service')} from "
            f"{counted(len(project.images), 'image')}, {without} of them without a health check."
        )


def _refused(context: StepContext, against: list[Objection]) -> StepFailed:
    more = f" (and {len(against) - 1} more, named above)" if len(against) > 1 else ""
    return StepFailed(
        "; ".join(one.cause for one in against[:6]),
        where=context.host.name,
        remedy=f"Nothing was started. {against[0].remedy}{more}",
        output=[f"{one.cause}. {one.remedy}" for one in against],
        again=False,
    )


KIND: Final[StepKind] = ComposeCheck()

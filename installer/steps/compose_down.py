"""Compose-down: a Compose project stopped, or removed with or without its data."""

from __future__ import annotations

from typing import Final

from installer.steps.kind import StepContext, StepKind
from installer.steps.model import ComposeDownStep
from installer.steps.of_project import OfProject
from installer.steps.probed import must_be_good, parsed

_VOLUMES: Final = (
    "docker", "volume", "ls", "--quiet", "--filter",
)  # fmt: skip


class ComposeDown(OfProject):
    """Stopping keeps everything; removing keeps the named volumes unless the data goes too."""

    def data(self, context: StepContext) -> ComposeDownStep:
        """The step's data."""
        return parsed(context, ComposeDownStep)

    async def is_done(self, context: StepContext) -> bool | None:
        """Whether nothing of it runs, or nothing of it is there."""
        data = self.data(context)
        containers = await self.containers(context, data)
        if containers is None:
            return None
        if data.how == "stop":
            return not any(one.status in ("running", "restarting") for one in containers)
        if containers:
            return False
        if data.how == "remove":
            return True
        label = f"label=com.docker.compose.project={data.project}"
        seen = await context.look((*_VOLUMES, label))
        return None if seen.status != 0 else not seen.stdout.strip()

    async def do(self, context: StepContext) -> str:
        """Stop or remove it; raises StepFailed."""
        data = self.data(context)
        words: tuple[str, ...] = ("stop",)
        if data.how != "stop":
            words = ("down", "--remove-orphans")
        if data.how == "remove-with-data":
            words = (*words, "--volumes")
        ended = await context.change(
            f"{data.how.replace('-', ' ')} the Compose project {data.project}",
            # By its name alone: its files may be gone, and its profiles others than today's.
            ("docker", "compose", "--project-name", data.project, *words),
        )
        must_be_good(context, ended, f"docker compose {words[0]}")
        left = {
            "stop": "is stopped; its containers and data are kept",
            "remove": "is removed; its data is kept in its volumes",
            "remove-with-data": "is removed, and its data with it",
        }[data.how]
        return f"The project {data.project} {left}."

    async def verify(self, context: StepContext) -> None:
        """By the step's `verify`, else by asking once more."""
        await super(OfProject, self).verify(context)


KIND: Final[StepKind] = ComposeDown()

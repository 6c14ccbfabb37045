"""Compose-down: a Compose project stopped, or removed with or without its data."""

from __future__ import annotations

from typing import Final, Literal

from installer.steps.kind import StepContext, StepKind
from installer.steps.of_project import OfProject, ProjectData
from installer.steps.probed import must_be_good, parsed

_VOLUMES: Final = (
    "docker", "volume", "ls", "--quiet", "--filter",
)  # fmt: skip

_DOWN: Final = r"""
project=$1; shift
ids=$(docker ps --all --quiet --no-trunc --filter "label=com.docker.compose.project=$project") ||
    exit 1
# Volumes without a name, which images ask for: no later container would ever find them again.
# shellcheck disable=SC2086 # ids are words
nameless=$([ -z "$ids" ] || docker inspect --format \
    '{{range .Mounts}}{{if eq .Type "volume"}}{{println .Name}}{{end}}{{end}}' $ids |
    grep -x '[0-9a-f]\{64\}')
docker compose --project-name "$project" "$@" || exit
for one in $nameless; do docker volume rm "$one" >/dev/null 2>&1; done
exit 0
"""
"""Arguments: the project, the words that remove it."""


class ComposeDownStep(ProjectData):
    """A Compose project stopped, or removed with its containers and networks."""

    kind: Literal["compose-down"]
    how: Literal["stop", "remove", "remove-with-data"]


class ComposeDown(OfProject):
    """Stopping keeps everything; removing keeps the named volumes unless the data goes too."""

    model = ComposeDownStep

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
        # By its name alone: its files may be gone, and its profiles others than today's.
        command: tuple[str, ...] = ("docker", "compose", "--project-name", data.project, "stop")
        if data.how != "stop":
            command = ("sh", "-c", _DOWN, "sh", data.project, "down", "--remove-orphans")
        if data.how == "remove-with-data":
            command = (*command, "--volumes")
        ended = await context.change(
            f"{data.how.replace('-', ' ')} the Compose project {data.project}", command
        )
        must_be_good(context, ended, f"docker compose {'stop' if data.how == 'stop' else 'down'}")
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

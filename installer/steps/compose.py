"""Compose: a Docker Compose project, up and healthy as its files say."""

from __future__ import annotations

from typing import Final

from installer.steps.kind import StepContext, StepKind
from installer.steps.model import ComposeStep
from installer.steps.probed import Probed, must_be_good, parsed

_FORMAT: Final = (
    '{{.Label "com.docker.compose.service"}} {{.Label "com.docker.compose.config-hash"}} {{.State}}'
)
_ONE_SHOT: Final = "exited"


class Compose(Probed):
    """`docker compose up --wait`; done where every service runs with just this configuration."""

    def data(self, context: StepContext) -> ComposeStep:
        """The step's data."""
        return parsed(context, ComposeStep)

    def _command(self, data: ComposeStep, *words: str) -> tuple[str, ...]:
        files = [part for file in data.files for part in ("--file", f"{data.directory}/{file}")]
        profiles = [part for profile in data.profiles for part in ("--profile", profile)]
        return (
            *("docker", "compose", "--project-name", data.project),
            *("--project-directory", data.directory, *files, *profiles, *words),
        )

    async def is_done(self, context: StepContext) -> bool | None:
        """Whether every service runs, or has ended well, with the configuration of the files."""
        data = self.data(context)
        wanted = await context.look(self._command(data, "config", "--hash", "*"))
        if wanted.status != 0:
            return None
        there = await context.look(
            ("docker", "ps", "--all", "--format", _FORMAT,
             "--filter", f"label=com.docker.compose.project={data.project}")
        )  # fmt: skip
        if there.status != 0:
            return None
        running = {
            tuple(line.split()[:2])
            for line in there.stdout.decode("utf-8", "replace").splitlines()
            if len(line.split()) == 3 and line.split()[2] in ("running", _ONE_SHOT)
        }
        services = {
            tuple(line.split())
            for line in wanted.stdout.decode("utf-8", "replace").splitlines()
            if line.strip()
        }
        if not services or not services <= running:
            return False
        return True if data.done is None else (await context.ask_machine(data.done)).yes

    async def do(self, context: StepContext) -> str:
        """Bring the project up and wait until it is healthy."""
        data = self.data(context)
        seconds = max(int(data.timeout_minutes * 60) - 15, 15)
        ended = await context.change(
            f"bring up the Compose project {data.project}",
            self._command(
                data, "up", "--detach", "--remove-orphans", "--wait", "--wait-timeout", str(seconds)
            ),
            directory=data.directory,
        )
        must_be_good(context, ended, "docker compose up")
        return f"The project {data.project} is up."

    async def undo(self, context: StepContext) -> bool:
        """By the step's `undo`, else by `docker compose down`, which keeps the volumes."""
        data = self.data(context)
        if data.undo is not None:
            return await super().undo(context)
        if context.step.irreversible:
            return False
        ended = await context.change(
            f"take down the Compose project {data.project}",
            self._command(data, "down"),
            label="undo",
        )
        must_be_good(context, ended, "docker compose down")
        return True


KIND: Final[StepKind] = Compose()

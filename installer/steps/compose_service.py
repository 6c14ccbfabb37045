"""Compose-service: one service of a Compose project brought to another image, taken back if it
fails.

What watches is a durable job on the machine (`on_machine/compose_service.py`): it takes the service
back by itself, though nobody may be there any more. A second updater finds other containers than
the plan says and leaves them.
"""

from __future__ import annotations

from typing import Any, Final, Literal

from installer.plans.plan import PlannedStep
from installer.steps.kind import StepContext, StepKind
from installer.steps.on_machine import kube
from installer.steps.probed import parsed
from installer.steps.rollout import InWindow, Windowed, as_one, bring, command_of, failed, told

_REMEDIES: Final = {
    kube.CHANGED: "Look at what changed it, then make the list anew: sitewright updates apply.",
    kube.REFUSED: "Mend what is named, then make the list anew: sitewright updates apply.",
    kube.BACK: "What runs is what ran before. Mend what is named, then make the list anew: "
    "sitewright updates apply.",
    kube.NOT_BACK: "Look at it now: docker compose -p PROJECT ps --all; docker logs CONTAINER.",
    kube.LEFT: "Look at it now: docker compose -p PROJECT ps --all; docker logs CONTAINER. Where "
    "its data may be changed, the way back is the backup.",
}


class ComposeServiceStep(Windowed):
    """One service of a Compose project brought to another image."""

    kind: Literal["compose-service"]
    project: str
    directory: str
    """Where its files lie on the machine; absolute."""
    files: tuple[str, ...]
    """Absolute, the vendor's first."""
    env_files: tuple[str, ...] = ()
    profiles: tuple[str, ...] | None = None
    """None: all that its files have."""
    service: str
    image: str
    """As the project's files name it now."""
    becomes: str
    """With the digest that was looked at."""
    former: str
    """The machine's own name of the image that runs."""
    pinned: str = ""
    """The image that runs, with its digest; "" where that is not known."""
    containers: int = 1
    unhealthy_seconds: float = 20.0
    """How long it may be unhealthy before it is given up."""


class ComposeService(InWindow):
    """One service, by the file beside the vendor's that says its image."""

    model = ComposeServiceStep

    def data(self, context: StepContext) -> ComposeServiceStep:
        """The step's data."""
        return parsed(context, ComposeServiceStep)

    def programs(self, step: PlannedStep) -> tuple[str, ...]:
        """None: Docker is where the service runs."""
        return ()

    async def do(self, context: StepContext) -> str:
        """Bring it there; raises StepFailed, by then taken back where it did not stand."""
        data = self.data(context)
        return await bring(
            context, _words(data), data.becomes, _order(data), _program(), _remedies(data)
        )

    async def undo(self, context: StepContext) -> bool:
        """Put its former image back, and see that it stands."""
        data = self.data(context)
        if context.step.irreversible:
            return False
        ended = await context.change(
            f"put the former image of {_words(data)} back",
            command_of({**_order(data), "back": True}),
            label="undo",
            stdin=_program().encode(),
            on_line=lambda line: told(context, line),
        )
        if not ended.good and not ended.dry:
            raise failed(context, ended, _words(data), _remedies(data))
        return True


def _words(data: ComposeServiceStep) -> str:
    return f"service {data.project}/{data.service}"


def _remedies(data: ComposeServiceStep) -> dict[int, str]:
    return {key: text.replace("PROJECT", data.project) for key, text in _REMEDIES.items()}


def _order(data: ComposeServiceStep) -> dict[str, Any]:
    return {
        "project": data.project,
        "directory": data.directory,
        "files": list(data.files),
        "env_files": list(data.env_files),
        "profiles": None if data.profiles is None else list(data.profiles),
        "service": data.service,
        "before": data.image,
        "after": data.becomes,
        "former": data.former,
        "pinned": data.pinned,
        "containers": data.containers,
        "seconds": data.stands_within_minutes * 60,
        "settle": data.settle_seconds,
        "unhealthy": data.unhealthy_seconds,
        "migrates": data.migrates,
    }


def _program() -> str:
    return as_one("kube.py", "compose_files.py", "compose_service.py")


KIND: Final[StepKind] = ComposeService()

"""Kubectl: manifests applied on the server's side; nothing is done where nothing differs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from installer.catalogue.stages import Planned, Planning, StepData
from installer.events import Json
from installer.plans.plan import PlannedStep
from installer.steps.kind import StepContext, StepKind
from installer.steps.probed import Probed, must_be_good, parsed, text_of, usual_program

_OURS: Final = ("--server-side", "--field-manager=sitewright")
_DIFFERS: Final = 1
"""Exit status of `kubectl diff` where something would change; above it could not tell."""


class KubectlStep(StepData):
    """Manifests applied with kubectl, server side."""

    kind: Literal["kubectl"]
    manifest: str
    """A template in the solution folder."""
    namespace: str = ""
    program: tuple[str, ...] = ("kubectl",)

    def planned(
        self, planning: Planning, spec: Mapping[str, Json], hosts: tuple[str, ...], where: str
    ) -> Planned:
        """With the manifests, rendered."""
        return Planned(dict(spec), ((self.manifest, planning.renderer.file(self.manifest)),))


class Kubectl(Probed):
    """`kubectl apply` with the manifests over standard input."""

    model = KubectlStep

    def data(self, context: StepContext) -> KubectlStep:
        """The step's data."""
        return parsed(context, KubectlStep)

    def _command(self, data: KubectlStep, *words: str) -> tuple[str, ...]:
        namespace = ("--namespace", data.namespace) if data.namespace else ()
        return (*data.program, *words, *namespace, "--filename", "-")

    def _manifest(self, context: StepContext, data: KubectlStep) -> bytes:
        return text_of(context, data.manifest, data.manifest).encode()

    def programs(self, step: PlannedStep) -> tuple[str, ...]:
        """Its own."""
        return usual_program(step, "kubectl")

    async def is_done(self, context: StepContext) -> bool | None:
        """Whether the server holds just this."""
        data = self.data(context)
        seen = await context.look(
            self._command(data, "diff", *_OURS), stdin=self._manifest(context, data)
        )
        if seen.status > _DIFFERS or seen.status < 0:
            return None
        if seen.status == 0 and data.done is not None:
            return (await context.ask_machine(data.done)).yes
        return seen.status == 0

    async def do(self, context: StepContext) -> str:
        """Apply the manifests."""
        data = self.data(context)
        ended = await context.change(
            f"apply {data.manifest if len(data.manifest) < 80 else 'manifests'}",
            self._command(data, "apply", *_OURS),
            stdin=self._manifest(context, data),
        )
        must_be_good(context, ended, "kubectl apply")
        return "The manifests were applied."

    async def undo(self, context: StepContext) -> bool:
        """By the step's `undo` only: to delete manifests may delete data with them."""
        return await super().undo(context)


KIND: Final[StepKind] = Kubectl()

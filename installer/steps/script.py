"""Script: a POSIX shell script on each machine, as root, as a durable job."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from typing import Final, Literal

from pydantic import Field

from foundation.problems import InputProblem
from installer.catalogue.stages import Planned, Planning, StepData
from installer.events import Json
from installer.steps.kind import StepContext, StepKind
from installer.steps.probed import SCRIPT, Probed, must_be_good, parsed, text_of

_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class ScriptStep(StepData):
    """A POSIX shell script on each machine, as a durable job."""

    kind: Literal["script"]
    script: str = ""
    file: str = ""
    """A file of the solution folder instead of `script`."""
    environment: dict[str, str] = Field(default_factory=dict)

    def planned(
        self, planning: Planning, spec: Mapping[str, Json], hosts: tuple[str, ...], where: str
    ) -> Planned:
        """With the script of its file, whose values a shell reads."""
        if not self.file:
            return Planned(dict(spec))
        source = planning.renderer.source(self.file)
        text = planning.renderer.script(source, where=f"{where}, {self.file}")
        return Planned({**spec, "script": text}, ((self.file, text),))


class Script(Probed):
    """The script comes over standard input, after its secrets as shell variables."""

    model = ScriptStep

    def data(self, context: StepContext) -> ScriptStep:
        """The step's data."""
        return parsed(context, ScriptStep)

    async def do(self, context: StepContext) -> str:
        """Run the script to its end."""
        data = self.data(context)
        script = text_of(context, data.file, data.script)
        if not script.strip():
            raise InputProblem(f"the step {context.step.key} has no script", where="the plan")
        ended = await context.change(
            f"run a script: {context.step.title}",
            SCRIPT,
            stdin=(with_secrets(context, data.secrets) + script).encode(),
            environment=tuple(data.environment.items()),
        )
        must_be_good(context, ended, "the script")
        return "The script ran to its end."


def with_secrets(context: StepContext, names: tuple[str, ...]) -> str:
    """Secrets as assignments of shell variables, not exported; for standard input only."""
    lines = []
    for name in names:
        variable = name.replace("-", "_").replace(".", "_")
        if name not in context.secrets or not _VARIABLE.fullmatch(variable):
            raise InputProblem(
                f'the secret "{name}" was not given', where=context.step.key,
                remedy="Give it when you are asked for it, or in a private file.",
            )  # fmt: skip
        lines.append(f"{variable}={shlex.quote(context.secrets[name].reveal())}\n")
    return "".join(lines)


KIND: Final[StepKind] = Script()

"""Script: a POSIX shell script on each machine, as root, as a durable job."""

from __future__ import annotations

import re
import shlex
from typing import Final

from foundation.problems import InputProblem
from installer.steps.kind import StepContext, StepKind
from installer.steps.model import ScriptStep
from installer.steps.probed import SCRIPT, Probed, must_be_good, parsed, text_of

_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Script(Probed):
    """The script comes over standard input, after its secrets as shell variables."""

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

"""Probed: what most kinds of step share, as their data states `done`, `verify` and `undo`."""

from __future__ import annotations

import shlex
from typing import Final, TypeVar

from pydantic import ValidationError

from foundation.hosts.jobs_model import JobState
from foundation.problems import InputProblem
from installer.steps.kind import SHOWN_LINES, Ended, StepContext, StepFailed
from installer.steps.model import Probe, _Step

SCRIPT: Final = ("sh", "-c", 'script=$(cat) && exec </dev/null && set -eu && eval "$script"')
"""Runs the script that comes over standard input, which is then empty for its commands."""

Data = TypeVar("Data", bound=_Step)


class Probed:
    """Done, verified and undone by the probes of the step's data; kinds add `do`."""

    once: bool = False

    def data(self, context: StepContext) -> _Step:
        """The step's data; each kind reads its own model."""
        raise NotImplementedError

    async def is_done(self, context: StepContext) -> bool | None:
        """By the step's `done`; None where it has none."""
        done = self.data(context).done
        return None if done is None else (await context.ask_machine(done)).yes

    async def verify(self, context: StepContext) -> None:
        """By the step's `verify`, else by asking once more whether it is done."""
        data = self.data(context)
        if data.verify is not None:
            answer = await context.ask_machine(data.verify)
            if answer.yes is not True:
                raise StepFailed(
                    "the step ended well, and its verification says no"
                    + ("" if answer.yes is False else " (it could not tell)")
                    + said(answer.output),
                    where=context.host.name,
                    output=answer.output.splitlines(),
                )
        elif await self.is_done(context) is False:
            raise StepFailed(
                "the step ended well, and the machine still says that it is not done",
                where=context.host.name,
                remedy="What the step asks and what it does differ, or something on the machine "
                "takes it back at once (a management agent, a timer). Look for that first.",
            )

    async def undo(self, context: StepContext) -> bool:
        """By the step's `undo`; False where it has none."""
        undo = self.data(context).undo
        if undo is None:
            return False
        await undo_by(context, undo)
        return True


async def undo_by(context: StepContext, undo: Probe) -> None:
    """Take a step back with a command; raises StepFailed."""
    command, stdin = command_of(undo)
    ended = await context.change(
        f"take back: {context.step.title}",
        command,
        label="undo",
        stdin=stdin,
        timeout=undo.timeout_seconds,
    )
    must_be_good(context, ended, "taking it back")


def must_be_good(context: StepContext, ended: Ended, what: str) -> None:
    """Raise StepFailed, with the last lines, unless a command did what it should."""
    if ended.good:
        return
    if ended.state is JobState.TIMED_OUT:
        cause = f"{what} did not end in time, and the machine ended it"
    elif ended.exit_status is not None:
        cause = f"{what} ended with exit status {ended.exit_status}"
    else:
        cause = f"{what} failed ({ended.result or ended.state})"
    last = next((line for line in reversed(ended.tail) if line.strip()), "")
    raise StepFailed(cause + said(last), where=context.host.name, output=ended.tail)


def said(output: str) -> str:
    """The last words of an output, for the end of a sentence."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return f": {lines[-1][:300]}" if lines else ""


def command_of(probe: Probe) -> tuple[tuple[str, ...], bytes | None]:
    """A probe as a command and its standard input."""
    if probe.command:
        return probe.command, None
    return SCRIPT, probe.script.encode()


def words_of(probe: Probe) -> str:
    """A probe as one command line for a POSIX shell, safely quoted."""
    if probe.command:
        return shlex.join(probe.command)
    return shlex.join(["sh", "-euc", probe.script])


def parsed(context: StepContext, model: type[Data]) -> Data:
    """The step's data as its model; raises InputProblem for a plan that was changed by hand."""
    step = context.step
    value = {"id": step.id, "kind": step.kind, "title": step.title, **step.spec}
    try:
        return model.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise InputProblem(
            f'the step {step.key} cannot be used: "{place}": {first["msg"]}', where="the plan"
        ) from error


def text_of(context: StepContext, name: str, given: str) -> str:
    """A rendered text: of the file of that name that the step brings, else the text itself."""
    return dict(context.step.files).get(name, given) if name else given


def last_lines(output: tuple[str, ...]) -> str:
    """The last lines of an output, to be shown below a failure."""
    return "\n".join(output[-SHOWN_LINES:])

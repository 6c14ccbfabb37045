"""Probed: what most kinds of step share, as their data states `done`, `verify` and `undo`."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from typing import Final, TypeVar

from pydantic import ValidationError

from foundation.hosts.jobs.jobs_model import JobState
from foundation.problems import InputProblem
from foundation.secrets import cut
from foundation.sentences import Meaning, understood
from foundation.wording import duration
from installer.catalogue.stages import Probe, StepData
from installer.plans.plan import PlannedStep
from installer.steps.earlier_undo import of_this_version
from installer.steps.kind import Delivery, Ended, StepContext, StepFailed

SCRIPT: Final = ("sh", "-c", 'script=$(cat) && exec </dev/null && set -eu && eval "$script"')
"""Runs the script that comes over standard input, which is then empty for its commands."""

LATE: Final = (
    "What it was doing then stands in its last lines. Mend what it waits for, then retry it: "
    "sitewright resume. It is asked first whether it is done by now."
)
"""What to do about a command that took too long."""
_LOOKED_AT: Final = 12
"""Last lines among which the reason is looked for: programs say more after it."""
_LONGEST: Final = 300
_MOST_SAID: Final = 2_000
_TELLING: Final = re.compile(
    r"(^E: |\b(error|fatal|failed|failure|cannot|can't|could not|unable|denied|refused|not found|"
    r"no such|no space|invalid|unknown|timed out|must be|is required)\b)",
    re.IGNORECASE,
)
_RESULTS: Final = {
    "oom-kill": "was killed, because the machine ran out of memory",
    "stopped": "was stopped on the machine, not by this run",
    "signal": "was ended by a signal",
    "core-dump": "crashed",
}
"""What systemd says of a unit that gave no exit status."""
_STATUSES: Final = {
    126: "a command in it cannot be executed",
    127: "a command in it is not installed there",
    137: "it was killed, as by a machine that runs out of memory",
    143: "it was ended from outside",
}
"""What a shell means by its exit status."""

_OWN: Final = "program"
"""The field in which a step names another program than the usual one, and minds it by itself."""

Data = TypeVar("Data", bound=StepData)


class Probed:
    """Done, verified and undone by the probes of the step's data; kinds add `do`."""

    model: type[StepData]
    """The step's data, as its files and its plan have them."""

    def data(self, context: StepContext) -> StepData:
        """The step's data; each kind reads its own model."""
        return parsed(context, self.model)

    def programs(self, step: PlannedStep) -> tuple[str, ...]:
        """Programs that must be on the control host before it begins, as they are brought there."""
        return ()

    def delivers(self, step: PlannedStep) -> Delivery | None:
        """What of the bundle a planned step brings to its machines; None for what brings none."""
        return None

    def brings(self, step: PlannedStep) -> str:
        """What a planned step brings to its machines, in words; "" for what brings nothing."""
        return ""

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
                no = "says no" if answer.yes is False else "could not tell"
                raise StepFailed(
                    f"it was carried out, and the check afterwards {no}{said(answer.output)}",
                    where=context.host.name,
                    remedy=f"{_to_see(data.verify, context.host.name)}Mend what is named, then "
                    "retry it: sitewright resume.",
                    output=answer.output.splitlines(),
                )
        elif await self.is_done(context) is False:
            raise StepFailed(
                "it was carried out, and the machine still says that it is not done",
                where=context.host.name,
                remedy="What the step asks and what it does differ, or something on the machine "
                "takes it back at once (a management agent, a timer). Look for that first.",
            )

    async def undo(self, context: StepContext) -> bool:
        """By the step's `undo`; False where it has none."""
        undo = self.data(context).undo
        if undo is None:
            return False
        await undo_by(context, of_this_version(undo))
        return True


def usual_program(step: PlannedStep, name: str) -> tuple[str, ...]:
    """The program that a kind uses, whatever it is told; none where the step names another."""
    program = step.spec.get(_OWN, [name])
    return (name,) if isinstance(program, list) and program[:1] == [name] else ()


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
    must_be_good(context, ended, "taking it back", seconds=undo.timeout_seconds)


def must_be_good(
    context: StepContext, ended: Ended, what: str, *, seconds: float | None = None
) -> None:
    """Raise StepFailed, with the last lines, unless a command did what it should.

    `what` it was, as a sentence begins; `seconds` it had, where not the step's own time.
    """
    if ended.good:
        return
    if seconds is None:
        seconds = context.step.timeout_seconds
    late = ended.state is JobState.TIMED_OUT
    raise StepFailed(
        why(ended, what, seconds),
        where=context.host.name,
        remedy=remedy_for(ended.tail) or (LATE if late else None),
        output=ended.tail,
    )


_PROGRAMS: Final = frozenset(
    {
        "kernel",
        "polkit",
        "systemd",
        "snapd",
        "apt",
        "proxy",
        "tls",
        "dns",
        "git",
        "registry",
        "docker",
        "kubernetes",
    }
)
"""Whose sentences a step's output is looked through for; a login was had already."""


def meant(tail: Sequence[str]) -> Meaning | None:
    """What the last lines of a command come to, where they hold a known sentence."""
    return understood("\n".join(tail[-_LOOKED_AT:]), programs=_PROGRAMS)


def remedy_for(tail: Sequence[str]) -> str | None:
    """What to do about the last lines, where they hold a known sentence; else None."""
    known = meant(tail)
    if known is None:
        return None
    meaning = known.meaning[:1].upper() + known.meaning[1:]
    return f"{meaning}. {known.remedy.rstrip('.')}. Then retry it: sitewright resume."


def why(ended: Ended, what: str, seconds: float) -> str:
    """Why a command failed, in one line: the machine's own words first, where they tell it."""
    how = f"{what} {_how(ended, seconds)}"
    lines = [line.strip() for line in ended.tail[-_LOOKED_AT:] if line.strip()]
    telling = next((line for line in reversed(lines) if _TELLING.search(line)), "")
    if telling:
        return f"{cut(telling, _LONGEST)} ({how})"
    if not lines:
        return f"{how}; it said nothing"
    return f'{how}; its last words: "{cut(lines[-1], _LONGEST)}"'


def _how(ended: Ended, seconds: float) -> str:
    if ended.state is JobState.TIMED_OUT:
        return f"was not done after {duration(seconds)}, and the machine ended it"
    if ended.exit_status is None:
        return _RESULTS.get(ended.result, f"failed ({ended.result or ended.state})")
    status = f"ended with exit status {ended.exit_status}"
    hint = _STATUSES.get(ended.exit_status)
    return f"{status}: {hint}" if hint else status


def said(output: str) -> str:
    """The last words of an output, for the end of a sentence; where they are cut, that is seen."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    if not lines:
        return ""
    # A person agrees to what stands here: what a restore takes away is a long sentence.
    return f": {cut(lines[-1], _MOST_SAID)}"


def command_of(probe: Probe) -> tuple[tuple[str, ...], bytes | None]:
    """A probe as a command and its standard input."""
    if probe.command:
        return probe.command, None
    return SCRIPT, probe.script.encode()


def _to_see(probe: Probe, host: str) -> str:
    """How a person asks it, where that is one line."""
    return f"Ask it yourself on {host}: {shlex.join(probe.command)}. " if probe.command else ""


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

"""Wait: until a machine answers a question with yes; asked on the machine, not by many logins."""

from __future__ import annotations

import math
import re
import shlex
from typing import Final, Literal

from foundation.wording import duration
from installer.catalogue.stages import Probe, StepData
from installer.plans.verification import STAGE
from installer.steps.kind import StepContext, StepFailed, StepKind
from installer.steps.probed import Probed, must_be_good, parsed, said, words_of
from installer.steps.unit_state import PROPERTIES, shown, unit_of, unit_state

TIME_IS_UP: Final = 75
"""Exit status of the waiting script when time is up (sysexits: try again later)."""

_KLOG: Final = re.compile(r"[EWIF]\d{4} [0-9:.]+ +\d+ \S+\] ")
"""How a line of a Kubernetes program's own log begins."""

GIVEN_UP: Final = 76
"""Exit status of the waiting script when the service is not on its way, so that waiting is no use.
"""
_SAME_ANSWERS: Final = 3
"""Answers in a row that a service is stopped or failed, after which it will not start by itself."""

_WAITING: Final = """\
last= down=0
end=$(( $(date +%s) + $3 ))
while :; do
    said=$(timeout -k 5 "$4" sh -c "$1" 2>&1) && status=0 || status=$?
    if [ "$said" != "$last" ]; then printf '%s\\n' "$said"; last=$said; fi
    case $status:$said in 0:*"$2"*) exit 0 ;; esac
    if [ -n "$6" ]; then
        case $(systemctl show -p ActiveState "$6" 2>/dev/null) in
        ActiveState=inactive|ActiveState=failed) down=$((down + 1)) ;;
        *) down=0 ;;
        esac
        [ "$down" -lt "$7" ] || exit 76
    fi
    if [ "$(date +%s)" -ge "$end" ]; then
        echo "time is up; the last answer had exit status $status"
        exit 75
    fi
    sleep "$5"
done
"""
"""Arguments: the question, the text expected, seconds in all, seconds an answer, seconds between,
the service that is waited for or "", answers in a row after which a stopped one is given up.

What the question says is written when it changes, so that the log tells a story."""


class WaitStep(StepData):
    """Wait until a question is answered with yes."""

    kind: Literal["wait"]
    until: Probe
    every_seconds: float = 5.0
    explain: Probe | None = None
    """Run when it does not become true: its output says why."""


class Wait(Probed):
    """One durable job polls on the machine itself."""

    model = WaitStep

    def data(self, context: StepContext) -> WaitStep:
        """The step's data."""
        return parsed(context, WaitStep)

    async def is_done(self, context: StepContext) -> bool | None:
        """Whether there is nothing to wait for."""
        return (await context.ask_machine(self.data(context).until)).yes is True

    async def do(self, context: StepContext) -> str:
        """Wait; raises StepFailed with the explanation when time is up."""
        data = self.data(context)
        seconds = max(data.timeout_minutes * 60, 1.0)
        arguments = [
            words_of(data.until),
            data.until.expect,
            str(math.ceil(seconds)),
            str(math.ceil(data.until.timeout_seconds)),
            f"{max(data.every_seconds, 0.1):g}",
            unit_of(data.until.command),
            str(_SAME_ANSWERS),
        ]
        ended = await context.change(
            f"wait: {context.step.title}",
            ("sh", "-c", _WAITING, "sh", *arguments),
            timeout=seconds + data.until.timeout_seconds + 10,
        )
        if ended.exit_status == TIME_IS_UP:
            raise await self._too_late(context, data, ended.tail)
        if ended.exit_status == GIVEN_UP:
            raise await self._down(context, data, unit_of(data.until.command))
        must_be_good(context, ended, "waiting")
        return "It is so now." if not ended.dry else "It would be waited for."

    async def verify(self, context: StepContext) -> None:
        """By the step's `verify` only: that it is so was just seen."""
        if self.data(context).verify is not None:
            await super().verify(context)

    async def _down(self, context: StepContext, data: WaitStep, unit: str) -> StepFailed:
        seen = await context.look(("systemctl", "show", "-p", PROPERTIES, "--", unit))
        state = unit_state(unit, shown(seen.stdout.decode("utf-8", "replace")))
        lines: list[str] = []
        if data.explain is not None:
            lines = (await context.ask_machine(data.explain)).output.splitlines()
        return StepFailed(
            state.sentence,
            where=context.host.name,
            remedy=f"On {context.host.name}: {state.remedy}. Then ask again: {_again(context)}",
            output=lines,
        )

    async def _too_late(
        self, context: StepContext, data: WaitStep, tail: tuple[str, ...]
    ) -> StepFailed:
        last = said("\n".join(tail[:-1]))
        why: list[str] = []
        if data.explain is not None:
            told = (await context.ask_machine(data.explain)).output.splitlines()
            # kubectl logs the same failure several times before it says it in a sentence.
            why = [line for line in told if not _KLOG.match(line)]
        return StepFailed(
            f"after {duration(data.timeout_minutes * 60)} it is still not so"
            + (": " + " / ".join(line.strip() for line in why[:5]) if why else last),
            where=context.host.name,
            remedy=f"Mend what is named, then wait again: {_again(context)}. "
            f"To see for yourself: {shlex.join(data.until.command) or 'read the plan'}",
            output=(*tail, *why),
        )


def _again(context: StepContext) -> str:
    only_asks = all(stage.id == STAGE for stage in context.plan.stages)
    return "sitewright verify" if only_asks else "sitewright resume"


KIND: Final[StepKind] = Wait()

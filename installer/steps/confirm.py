"""Confirm: a person must say yes, by name."""

from __future__ import annotations

from typing import Final, Literal

from foundation.problems import Refused
from installer.catalogue.stages import StepData
from installer.steps.kind import StepContext, StepKind
from installer.steps.probed import Probed, parsed


class ConfirmStep(StepData):
    """A person must say yes, by name."""

    kind: Literal["confirm"]
    text: str


class Confirm(Probed):
    """Asked once, for all machines of the step together."""

    model = ConfirmStep

    def data(self, context: StepContext) -> ConfirmStep:
        """The step's data."""
        return parsed(context, ConfirmStep)

    async def do(self, context: StepContext) -> str:
        """Ask; raises Refused where the answer is no."""
        answer = await context.ask(self.data(context).text)
        if not answer.yes:
            raise Refused(
                f"{answer.by} did not confirm it" + (f": {answer.note}" if answer.note else ""),
                where=context.step.key,
                remedy="Go on when it can be confirmed: sitewright resume.",
            )
        return f"Confirmed by {answer.by}." if answer.by else "It would be asked."


KIND: Final[StepKind] = Confirm()

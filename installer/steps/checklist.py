"""Checklist: a gate; a program checks what it can, a person confirms the rest by name."""

from __future__ import annotations

from typing import Final, Literal

from foundation.problems import Refused
from installer.catalogue.stages import Probe, StepData, StrictData
from installer.events import Kind
from installer.steps.kind import StepContext, StepFailed, StepKind
from installer.steps.probed import Probed, parsed, said


class ChecklistItem(StrictData):
    """A line of a checklist: a program checks it, or a person confirms it by name."""

    text: str
    check: Probe | None = None
    section: str = ""


class ChecklistStep(StepData):
    """A gate: every item is checked by a program or confirmed by a person."""

    kind: Literal["checklist"]
    items: tuple[ChecklistItem, ...]


class Checklist(Probed):
    """Every point must hold: what a program denies, no person can confirm."""

    model = ChecklistStep

    def data(self, context: StepContext) -> ChecklistStep:
        """The step's data."""
        return parsed(context, ChecklistStep)

    async def do(self, context: StepContext) -> str:
        """Check, then ask; raises StepFailed for points that do not hold, Refused for a no."""
        items = self.data(context).items
        wrong: list[str] = []
        to_ask: list[str] = []
        for number, item in enumerate(items, 1):
            denied, uncertain = await self._check(context, item)
            if denied is not None:
                wrong.append(denied)
            if uncertain is not None:
                to_ask.append(uncertain)
            context.emit(Kind.STEP_PROGRESS, done=number, total=len(items), text=item.text)
        if wrong and not context.dry_run:
            raise StepFailed(
                f"{len(wrong)} of {len(items)} points do not hold: " + "; ".join(wrong),
                where=context.host.name,
                remedy="Mend each of them, then check again: sitewright resume.",
                output=wrong,
                again=False,
            )
        by = ""
        if to_ask:
            answer = await context.ask(context.step.title, to_ask)
            by = answer.by
            open_points = [
                text for text, yes in zip(to_ask, answer.items, strict=False) if not yes
            ] + to_ask[len(answer.items) :]
            if not answer.yes or open_points:
                raise Refused(
                    f"{answer.by or 'nobody'} confirmed all points"
                    if not open_points
                    else f"not confirmed: {'; '.join(open_points)}",
                    where=context.step.key,
                    remedy="Go on when each of them holds: sitewright resume.",
                )
        checked = len(items) - len(to_ask)
        return f"{checked} points were checked, {len(to_ask)} confirmed" + (
            f" by {by}." if by else "."
        )

    async def _check(
        self, context: StepContext, item: ChecklistItem
    ) -> tuple[str | None, str | None]:
        """What is wrong with a point, or what a person must be asked about it."""
        text = f"{item.section} {item.text}" if item.section else item.text
        if item.check is None:
            return None, text
        answer = await context.ask_machine(item.check)
        if answer.yes is False:
            context.emit(Kind.NOTE, text=f"Does not hold: {text}{said(answer.output)}")
            return f"{text}{said(answer.output)}", None
        if answer.yes is None:
            context.emit(Kind.NOTE, text=f"Cannot be checked: {text}{said(answer.output)}")
            # The person who is asked sees what was found.
            return None, f"{text}{said(answer.output)}"
        context.emit(Kind.NOTE, text=f"Holds: {text}")
        return None, None


KIND: Final[StepKind] = Checklist()

"""The last question before machines are changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from foundation.wording import counted
from installer.supply.review import beside_the_steps
from preflight.report.words import clean, clean_lines
from screens.dialogs.begin_form import BeginForm
from screens.words.plan_words import final_steps, size_sentence, touched

if TYPE_CHECKING:
    from installer.plans.plan import Plan


class BeginScreen(BeginForm):
    """How many machines will be changed, what cannot be taken back, by whom, and yes or no."""

    HELP = "plan"

    def __init__(self, plan: Plan, person: str, first_time: Sequence[str] = ()) -> None:
        super().__init__("Begin the installation?", paragraphs_of(plan, first_time), person)


def paragraphs_of(plan: Plan, first_time: Sequence[str] = ()) -> list[str]:
    """What a yes means: the machines, the size, what came from elsewhere, what is for good."""
    names = touched(plan)
    # What came from elsewhere comes first: it is what nobody has looked at yet.
    beside = clean_lines("\n".join((*first_time, *beside_the_steps(plan, notes=False))))
    final = [clean(f"- {step.title}: {step.irreversible}") for step in final_steps(plan)]
    paragraphs = (
        f"{counted(len(names), 'machine')} will be changed: {', '.join(names)}.",
        size_sentence(plan),
        "\n".join(beside),
        "\n".join(final),
    )
    return [text for text in paragraphs if text]

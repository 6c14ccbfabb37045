"""Straight to the plan: past settings and supplies, where everything they ask has an answer."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from foundation.problems import Problem
from screens.answers.wizard import StepId, installs
from screens.services.judging import stands_against, with_settled_roles

if TYPE_CHECKING:
    from installer.plans.plan import Plan
    from screens.shell.step import StepScreen

OFFER: Final = "Nothing more must be answered. F9 shows the plan; it begins when you say so."


async def _planned(screen: StepScreen) -> Plan:
    """The plan of the answers as they are, with the older bundles that a person meant."""
    memory = screen.memory
    return await screen.services.plan(with_settled_roles(screen.answers, memory), memory.older)


async def nothing_is_asked(screen: StepScreen) -> bool:
    """Whether a plan can be made with the answers as they are, and nothing stands against it."""
    answers, memory = screen.answers, screen.memory
    if not installs(answers) or memory.assessment is None or stands_against(answers, memory):
        return False
    try:
        plan = await _planned(screen)
    except Problem:
        return False
    return set(plan.secrets) <= set(screen.memory.secrets)


async def straight_to_plan(screen: StepScreen) -> None:
    """Show the plan; raises Problem that names what must be answered first."""
    from installer.supply.bundle_order import OlderBundle

    with suppress(OlderBundle):  # the step of the plan asks whether it is meant
        await _planned(screen)
    screen.wizard.go(StepId.PLAN, screen.answers)

"""Standing on: which steps of a plan rest on which others, and so what a change puts in doubt.

A step rests on the steps before it in its stage, and on every stage that its own needs, straight
or through others. What verifies the whole rests on all of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from installer.plans.plan import Plan
from installer.plans.verification import STAGE as VERIFY
from installer.steps.kind import CHANGES_NOTHING

Place = tuple[str, str]
"""Stage, step."""


@dataclass(slots=True)
class Changes:
    """When something last changed, by place, counted in events; and what rests on what."""

    below: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """The stages that each stage rests on."""
    number: Mapping[Place, int] = field(default_factory=dict)
    """The place of each step in its stage."""
    looks_only: frozenset[Place] = frozenset()
    """Steps that wait and ask, and change nothing."""
    stages: dict[str, int] = field(default_factory=dict)
    steps: dict[Place, int] = field(default_factory=dict)

    @classmethod
    def of(cls, plan: Plan | None) -> Changes:
        """Nothing has changed yet. Without a plan, only what verifies is known to rest on all."""
        if plan is None:
            return cls()
        return cls(
            _below(plan),
            {
                (stage.id, step.id): number
                for stage in plan.stages
                for number, step in enumerate(stage.steps)
            },
            frozenset(
                (stage.id, step.id)
                for stage in plan.stages
                for step in stage.steps
                if step.kind in CHANGES_NOTHING
            ),
        )

    def seen(self, stage: str, step: str, when: int) -> None:
        """Something of a step may have changed a machine, or was taken back."""
        if (stage, step) not in self.looks_only:
            self.stages[stage] = when
            self.steps[stage, step] = when

    def since(self, stage: str, step: str, when: int) -> bool:
        """Whether anything that a step rests on changed after that moment."""
        if stage == VERIFY:
            return any(last > when for name, last in self.stages.items() if name != VERIFY)
        if any(self.stages.get(name, 0) > when for name in self.below.get(stage, ())):
            return True
        mine = self.number.get((stage, step))
        return mine is not None and any(
            last > when
            for place, last in self.steps.items()
            if place[0] == stage and self.number.get(place, mine) < mine
        )


def _below(plan: Plan) -> dict[str, frozenset[str]]:
    needs = {stage.id: set(stage.needs) for stage in plan.stages}
    while True:
        grown = {
            name: wanted.union(*(needs.get(other, set()) for other in wanted))
            for name, wanted in needs.items()
        }
        if grown == needs:
            return {name: frozenset(wanted - {name}) for name, wanted in needs.items()}
        needs = grown

"""Each machine: to which machines an operation is done one after another, and what to each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from foundation.problems import InputProblem

if TYPE_CHECKING:
    from installer.catalogue.stages import StepData
    from installer.planning.groups import Machine
    from installer.steps.stage_files import EachMachine

FIRST: Final = "first"
"""In a step's `of`: the first machine to which the operation is done."""


@dataclass(frozen=True, slots=True)
class OneMachine:
    """A machine, and the steps that are for it."""

    name: str
    steps: tuple[StepData, ...]


def in_order(each: EachMachine, machines: Sequence[Machine]) -> tuple[str, ...]:
    """The machines that an operation is for: by its order of roles, and by name in each."""
    last = {m.name: max((each.roles.index(r) for r in m.roles if r in each.roles), default=-1)
            for m in machines}  # fmt: skip
    return tuple(sorted((name for name, at in last.items() if at >= 0),
                        key=lambda name: (last[name], name)))  # fmt: skip


def machines_one_by_one(
    each: EachMachine, machines: Sequence[Machine], names: Sequence[str], *, where: str
) -> list[OneMachine]:
    """The machines of these names with the steps that are for each; raises InputProblem."""
    roles = {machine.name: set(machine.roles) for machine in machines}
    known = {FIRST, *each.roles}
    for step in each.steps:
        for word in step.of:
            if word not in known:
                raise InputProblem(
                    f'the operation is for no machine that is "{word}"',
                    where=f"operation {where}, step {step.id}, of",
                    remedy=f"Choose of: {', '.join(sorted(known))}.",
                )
    return [
        OneMachine(
            name,
            tuple(
                step
                for step in each.steps
                if not step.of
                or {*roles[name], *([FIRST] if name == names[0] else [])} & {*step.of}
            ),
        )
        for name in names
    ]

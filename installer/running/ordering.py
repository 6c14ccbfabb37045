"""Ordering: which stages of a plan a run is asked for, in which order, and whether it can begin."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from foundation.problems import InputProblem
from installer.plans.plan import Plan, PlannedStage
from installer.steps.kind import step_kind


def stages_in_order(
    plan: Plan, *, until: str | None = None, only: str | None = None
) -> tuple[PlannedStage, ...]:
    """The stages to do, each after those it needs, otherwise in the plan's order.

    Raises InputProblem for a stage that the plan has not, and for needs that go in a circle.
    """
    by_id = {stage.id: stage for stage in plan.stages}
    for name, option in ((until, "--until"), (only, "--only")):
        if name is not None and name not in by_id:
            raise InputProblem(
                f'the plan has no stage "{name}"',
                where=option,
                remedy=f"Its stages are {', '.join(by_id)}.",
            )
    order: list[PlannedStage] = []
    left = list(plan.stages)
    while left:
        done = {stage.id for stage in order}
        ready = next((s for s in left if done.issuperset(set(s.needs) & set(by_id))), None)
        if ready is None:
            raise InputProblem(
                f"the stages {', '.join(s.id for s in left)} need one another in a circle",
                where="the plan",
            )
        order.append(ready)
        left.remove(ready)
    if only is not None:
        return (by_id[only],)
    if until is not None:
        return tuple(order[: order.index(by_id[until]) + 1])
    return tuple(order)


def check_before(
    stages: Sequence[PlannedStage], hosts: Collection[str], secrets: Collection[str] | None
) -> None:
    """Raise InputProblem for what would stop these stages later: kinds, machines, secrets.

    `secrets` are the names of those that were given; None where none is needed (a dry run).
    """
    needed: set[str] = set()
    for stage in stages:
        for step in stage.steps:
            step_kind(step.kind)
            unknown = [name for name in step.hosts if name not in hosts]
            if unknown:
                raise InputProblem(
                    f"the step {step.key} is for machines that the site does not name: "
                    + ", ".join(unknown),
                    where="the plan",
                    remedy="Make the plan again from the site file.",
                )
            needed.update(step.secrets)
    missing = sorted(needed.difference(secrets)) if secrets is not None else []
    if missing:
        raise InputProblem(
            "secrets were not given that the plan needs: " + ", ".join(missing),
            where="the plan",
            remedy="Give them when you are asked, or in private files.",
        )

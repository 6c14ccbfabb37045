"""The plan of an update: a stage for each workload, on the engine of all other runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from installer.planning.make import make_plan
from installer.plans.plan import CONTROL_HOST, Plan, PlannedStage, PlannedStep
from installer.steps.rollout import ImageChange, RolloutStep
from installer.steps.stage_files import Stage
from installer.updates.applying.workloads import Workload

if TYPE_CHECKING:
    from installer.catalogue.solution import Solution
    from installer.catalogue.stages import StepData
    from installer.sites.site import Site
    from installer.sites.site_updates import Updates

OPERATION: Final = "updates"
_SOURCE: Final = "Mojaloop Versioning (document 004); kubernetes.io, Deployments, StatefulSets"


@dataclass(frozen=True, slots=True)
class Way:
    """By which kubectl a cluster is changed, and on which machine that is."""

    host: str = CONTROL_HOST
    program: tuple[str, ...] = ("kubectl",)


def update_plan(
    workloads: Sequence[Workload],
    way: Way,
    solution: Solution,
    site: Site,
    base: Path,
    *,
    within_minutes: float,
    origin: str,
) -> Plan:
    """What will be done, one workload after another; raises InputProblem."""
    # What a cluster says is never a template: only the frame of the plan is rendered.
    frame = Stage.model_construct(
        id=OPERATION, title="Updates", why="-", source=_SOURCE, needs=(), when="", recheck=(),
        steps=(),
    )  # fmt: skip
    plan = make_plan(solution, site, (), operation=frame, base=base)
    stages: list[PlannedStage] = []
    for number, one in enumerate(workloads, 1):
        name = f"update-{number}"
        step = planned_step(name, _step(one, way, within_minutes, site.updates), way.host)
        stages.append(
            PlannedStage(
                id=name,
                title=step.title,
                why=_why(one, origin),
                source=_SOURCE,
                needs=(stages[-1].id,) if stages else (),
                recheck=(),
                steps=(step,),
            )
        )
    return replace(plan, stages=tuple(stages))


def planned_step(stage: str, step: StepData, host: str) -> PlannedStep:
    """A step as it stands in a plan, its words as they are."""
    left_out = {"for_each", "of", "behind", "before"}
    return PlannedStep(
        stage=stage,
        id=step.id,
        kind=step.kind,
        title=step.title,
        hosts=(host,),
        spec=step.model_dump(mode="json", exclude=left_out),
        irreversible=step.irreversible,
        expected_seconds=step.expected_minutes * 60,
    )


def _why(one: Workload, origin: str) -> str:
    changes = "; ".join(
        f"{change.container}: {change.before} becomes {change.after.partition('@')[0]}, for "
        f"{change.why} at {origin}"
        for change in one.changes
    )
    risks = list(one.risks) or ["pods are replaced as its strategy says"]
    if one.migrates:
        risks.append(f"{one.migrates} changes its data, so it is not taken back by itself")
    risk = "; ".join(risks)
    return f"{changes}. Owner: {one.owner.words if one.owner else 'nobody'}. Risk: {risk}."


def _step(one: Workload, way: Way, within: float, updates: Updates | None) -> StepData:
    tags = ", ".join(dict.fromkeys(change.tag for change in one.changes))
    values: dict[str, Any] = {
        "id": "rollout",
        "kind": "rollout",
        "title": f"Bring {one.words} to {tags}",
        "on": (CONTROL_HOST,),
        "workload": one.kind,
        "namespace": one.namespace,
        "name": one.name,
        "program": way.program,
        "uid": one.uid,
        "template": one.template,
        "owned": dict(one.marks),
        "changes": tuple(
            ImageChange(
                container=change.container,
                init=change.init,
                before=change.before,
                after=change.after,
            )
            for change in one.changes
        ),
        "migrates": one.migrates,
        "irreversible": f"{one.migrates[0].upper()}{one.migrates[1:]} changes its data."
        if one.migrates
        else "",
        "updates": updates,
        "stands_within_minutes": within,
        "expected_minutes": 1,
        # Bringing it there, and taking it back where it does not stand.
        "timeout_minutes": 2 * within + 10,
    }
    return RolloutStep.model_validate(values)

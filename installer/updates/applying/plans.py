"""The plan of an update: a stage for each workload, on the engine of all other runs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from installer.planning.make import make_plan
from installer.plans.plan import CONTROL_HOST, Plan, PlannedStage, PlannedStep
from installer.steps.helm_values import HelmValuesStep
from installer.steps.rollout import ImageChange, OfWorkload, RolloutStep
from installer.steps.stage_files import Stage
from installer.updates.applying.workloads import Workload
from installer.updates.owners import By

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
    helm: tuple[str, ...] = ("helm",)


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
    plan = framed(solution, site, base, _SOURCE)
    return in_a_row(
        plan,
        _SOURCE,
        (
            (
                _step(together, way, within_minutes, site.updates),
                way.host,
                " ".join(_why(one, origin, many=len(together) > 1) for one in together),
            )
            for together in _together(workloads)
        ),
    )


def in_a_row(plan: Plan, source: str, steps: Iterable[tuple[StepData, str, str]]) -> Plan:
    """A plan with a stage for each step, after the one before: the step, its machine, and why."""
    stages: list[PlannedStage] = []
    for number, (data, host, why) in enumerate(steps, 1):
        name = f"update-{number}"
        step = planned_step(name, data, host)
        stages.append(
            PlannedStage(
                id=name,
                title=step.title,
                why=why,
                source=source,
                needs=(stages[-1].id,) if stages else (),
                recheck=(),
                steps=(step,),
            )
        )
    return replace(plan, stages=tuple(stages))


def framed(solution: Solution, site: Site, base: Path, source: str) -> Plan:
    """A plan without stages yet; raises InputProblem.

    What a cluster or a machine says is never a template: only this frame is rendered.
    """
    frame = Stage.model_construct(
        id=OPERATION, title="Updates", why="-", source=source, needs=(), when="", recheck=(),
        steps=(),
    )  # fmt: skip
    return make_plan(solution, site, (), operation=frame, base=base)


def _together(workloads: Sequence[Workload]) -> list[list[Workload]]:
    """Each by itself, and those of one Helm release together: an upgrade is of all of it."""
    found: dict[tuple[str, ...], list[Workload]] = {}
    for one in workloads:
        key = (one.kind, one.namespace, one.name)
        if one.owner is not None and one.owner.by is By.HELM:
            key = ("release", one.owner.namespace, one.owner.name)
        found.setdefault(key, []).append(one)
    return list(found.values())


def planned_step(stage: str, step: StepData, host: str) -> PlannedStep:
    """A step as it stands in a plan, its words as they are."""
    left_out = {"for_each", "of", "behind", "before", "by_hand"}
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


def _why(one: Workload, origin: str, *, many: bool) -> str:
    changes = "; ".join(
        f"{change.container}: {change.before} becomes {change.after.partition('@')[0]}, for "
        f"{change.why} at {origin}"
        for change in one.changes
    )
    risks = list(one.risks) or ["pods are replaced as its strategy says"]
    if one.migrates:
        risks.append(f"{one.migrates} changes its data, so it is not taken back by itself")
    owner = one.owner.words if one.owner else "nobody"
    if one.owner is not None:
        owner += ", whose values are changed by helm upgrade --reuse-values --set-string"
    whose = f"{one.words}: " if many else ""
    return f"{whose}{changes}. Owner: {owner}. Risk: {'; '.join(risks)}."


def _step(
    together: Sequence[Workload], way: Way, within: float, updates: Updates | None
) -> StepData:
    every = [change for one in together for change in one.changes]
    tags = ", ".join(dict.fromkeys(change.tag for change in every))
    migrates = next((one.migrates for one in together if one.migrates), "")
    owner = together[0].owner
    what = together[0].words if owner is None else f"{owner.words} in {owner.namespace}"
    values: dict[str, Any] = {
        "id": "rollout",
        "title": f"Bring {what} to {tags}",
        "program": way.program,
        "migrates": migrates,
        "irreversible": f"{migrates[0].upper()}{migrates[1:]} changes its data."
        if migrates
        else "",
        "updates": updates,
        "stands_within_minutes": within,
        "expected_minutes": len(together),
        # Bringing them there, and taking them back where one does not stand.
        "timeout_minutes": 2 * within * len(together) + 20,
    }
    if owner is None:
        values |= {"kind": "rollout", "to_change": _of_workload(together[0])}
        return RolloutStep.model_validate(values)
    values |= {
        "kind": "helm-values",
        "release": owner.name,
        "namespace": owner.namespace,
        "helm": way.helm,
        "workloads": tuple(_of_workload(one) for one in together),
    }
    return HelmValuesStep.model_validate(values)


def _of_workload(one: Workload) -> OfWorkload:
    return OfWorkload(
        workload=one.kind,
        namespace=one.namespace,
        name=one.name,
        uid=one.uid,
        template=one.template,
        owned=dict(one.marks),
        changes=tuple(
            ImageChange(
                container=change.container,
                init=change.init,
                before=change.before,
                after=change.after,
            )
            for change in one.changes
        ),
    )

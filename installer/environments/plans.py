"""The plans of what is done with an environment, on the engine of all other runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from foundation.wording import counted, shortened
from installer.environments.centre import ENVIRONMENT
from installer.plans.plan import CONTROL_HOST, Plan, PlannedStage, PlannedStep
from installer.steps.opentofu import OpenTofuStep

if TYPE_CHECKING:
    from installer.environments.centre import Environment
    from installer.opentofu.program import Tool
    from installer.opentofu.saved import Kept

SOURCE: Final = "Mojaloop Deployment Tools (document 001), Infrastructure as Code; opentofu.org"
_MINUTES: Final = 120.0
"""A managed cluster takes half an hour to be made; nobody ends an apply in the middle lightly."""


def ready_plan(environment: Environment, tool: Tool) -> Plan:
    """Make ready what the configuration needs."""
    return _plan(environment, (_init(environment, tool),))


def making_plan(environment: Environment, tool: Tool, *, destroy: bool = False) -> Plan:
    """Make ready, and make a plan that is saved."""
    what = "what destroying it would take" if destroy else "what would be changed"
    step = _step(
        environment, tool, "plan", f"Find out {what} of {environment.name}", destroy=destroy
    )
    stage = _stage("plan", "The plan", f"It tells {what}; nothing is changed.", step, "ready")
    return _plan(environment, (_init(environment, tool), stage))


def looking_plan(environment: Environment, tool: Tool) -> Plan:
    """Make ready, and look for drift."""
    step = _step(environment, tool, "look", f"Hold {environment.name} against its state")
    stage = _stage("look", "Drift", "It looks, and changes nothing.", step, "ready")
    return _plan(environment, (_init(environment, tool), stage))


def applying_plan(environment: Environment, tool: Tool, kept: Kept) -> Plan:
    """Put the state away, apply the saved plan, and look what still differs."""
    pinned = {"sha256": kept.sha256, "lineage": kept.lineage, "serial": kept.serial}
    check = _step(environment, tool, "check", "See that the plan still holds", **pinned)
    away = _step(environment, tool, "back-up", "Put the state away as it is")
    lost = kept.destroyed
    apply = _step(
        environment,
        tool,
        "apply",
        f"Apply the plan of {environment.name}: {kept.summary}",
        irreversible=f"It destroys {counted(len(lost), 'resource')}: {shortened(lost, 6)}."
        if lost
        else "",
        by_hand=f"sitewright environments destroy {environment.words}",
        expected_minutes=max(1.0, len(kept.changes) / 4),
        **pinned,
    )
    stages = [
        _stage("check", "The plan still holds", "A state that moved on ends it here.", check),
        _stage("state", "The state as it is", "It can be gone back to by hand.", away, "check"),
        _stage(
            "apply", "Apply", f"The plan of {kept.at}, and no other, is applied.", apply, "state"
        ),
    ]
    if not kept.destroy:
        look = _step(environment, tool, "look", f"Hold {environment.name} against its state")
        stages.append(_stage("look", "What still differs", "It looks only.", look, "apply"))
    return _plan(environment, tuple(stages))


def unlocking_plan(environment: Environment, tool: Tool, lock: str) -> Plan:
    """Give back a lock by its id, once it is known that nobody works there."""
    away = _step(environment, tool, "back-up", "Put the state away as it is")
    step = _step(
        environment,
        tool,
        "unlock",
        f"Give back the lock {lock} of {environment.name}",
        lock=lock,
        irreversible="Whoever still works there writes into the state beside the next.",
    )
    why = "It was left behind by a program that died; no other lock is touched."
    return _plan(
        environment,
        (
            _stage("state", "The state as it is", "It can be gone back to by hand.", away),
            _stage("unlock", "The lock", why, step, "state"),
        ),
    )


def _init(environment: Environment, tool: Tool) -> PlannedStage:
    step = _step(environment, tool, "init", "Make ready what the configuration needs")
    providers = environment.centre.providers or (
        "servers, as centre.yaml allows" if environment.centre.fetches else "nowhere: none is named"
    )
    return _stage("ready", "Made ready", f"Providers come from {providers}.", step)


def _step(
    environment: Environment, tool: Tool, action: str, title: str, **more: Any
) -> PlannedStep:
    place = environment.place(tool)
    data = OpenTofuStep.model_validate(
        {
            "kind": "opentofu",
            "id": action,
            "title": title,
            "action": action,
            "named": environment.name,
            "words": environment.words,
            "program": tool.path,
            "title_of_program": tool.title,
            "version": tool.version,
            "configuration": str(place.configuration),
            "root": str(place.root),
            "beside": (str(environment.folder.resolve() / ENVIRONMENT),),
            "providers": place.providers,
            "fetches": place.fetches,
            "answers": environment.file.answers if action in ("plan", "look") else {},
            "variables": environment.file.secrets,
            "environment": environment.file.environment_secrets,
            "timeout_minutes": _MINUTES,
            **more,
        }
    )
    return PlannedStep(
        stage="",
        id=data.id,
        kind=data.kind,
        title=data.title,
        hosts=(CONTROL_HOST,),
        spec=data.model_dump(mode="json", exclude={"for_each", "of", "behind", "before"}),
        irreversible=data.irreversible,
        expected_seconds=data.expected_minutes * 60,
    )


def _stage(id_: str, title: str, why: str, step: PlannedStep, *needs: str) -> PlannedStage:
    from dataclasses import replace

    return PlannedStage(
        id=id_,
        title=title,
        why=why,
        source=SOURCE,
        needs=needs,
        recheck=(),
        steps=(replace(step, stage=id_),),
    )


def _plan(environment: Environment, stages: tuple[PlannedStage, ...]) -> Plan:
    return Plan(
        solution="iac",
        environment=environment.file.environment,
        stages=stages,
        hosts=(),
        settings=(("environment", environment.name), ("line", environment.centre.line)),
    )

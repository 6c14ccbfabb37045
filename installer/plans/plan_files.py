"""Plan files: a plan that was written down, read again and checked as the outside input it is."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

from pydantic import ConfigDict, RootModel

from foundation.documents import read_text, validate
from foundation.problems import InputProblem
from installer.plans.plan import AS_MAP, SCHEMA, Plan

BROUGHT: Final = ".brought"
"""Beside the plan of a run that a machine gave, as out of a backup: nobody reviewed it here. No
name that comes in an archive is like it."""


class _File(RootModel[Plan]):
    """A plan in the very types that it has in memory, so that no field is listed twice."""

    model_config = ConfigDict(frozen=True, defer_build=True)


def plan_from_json(path: Path) -> Plan:
    """A plan from its file, equal to the one that was written; raises InputProblem."""
    text = read_text(path)
    try:
        value: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputProblem(
            f"it is not JSON: {error}", where=str(path), remedy="Check that this is a plan."
        ) from error
    if not isinstance(value, dict) or value.get("schema") != SCHEMA:
        raise InputProblem(
            "it is no plan that this version can read",
            where=str(path),
            remedy=f'A plan is a JSON file whose "schema" is "{SCHEMA}".',
        )
    plan = validate(_File, _as_held(value), where=str(path)).root
    if plan.supplies and not {"bundle", "index"} <= dict(plan.supplies).keys():
        raise InputProblem(
            "it is supplied from a bundle, and does not say from which",
            where=str(path),
            remedy="Make the plan again: `sitewright plan`.",
        )
    for stage in plan.stages:
        if any(step.stage != stage.id for step in stage.steps):
            raise InputProblem(
                f'a step in the stage "{stage.id}" says that it is of another',
                where=str(path),
                remedy="Make the plan again: `sitewright plan`.",
            )
    return plan


def _as_held(value: dict[str, Any]) -> dict[str, Any]:
    """The plain values in the form in which a plan holds them; what misfits is left to be told."""
    held = {key: part for key, part in value.items() if key != "schema"}
    for one in fields(Plan):
        if AS_MAP.keys() <= one.metadata.keys() and isinstance(held.get(one.name), dict):
            held[one.name] = list(held[one.name].items())
    if isinstance(held.get("stages"), list):
        held["stages"] = [_with_stage(stage) for stage in held["stages"]]
    return held


def _with_stage(stage: Any) -> Any:
    """A stage each of whose steps says of which stage it is."""
    if not isinstance(stage, dict) or not isinstance(stage.get("steps"), list):
        return stage
    steps = [
        {**step, "stage": stage.get("id")} if isinstance(step, dict) and "stage" not in step
        else step
        for step in stage["steps"]
    ]  # fmt: skip
    return {**stage, "steps": steps}

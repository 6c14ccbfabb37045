"""Verification: the part of a plan that asks whether what was installed works."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from installer.plans.plan import Plan
from preflight.report.areas import is_of_cluster

STAGE: Final = "verify"
"""The id that the stage has in every solution which has one."""


def verification(plan: Plan) -> Plan | None:
    """The plan that only verifies, with the secrets that it needs; None where there is none.

    Of what the stage looks at again the cluster is left: the machines may be as they are by now.
    """
    stages = tuple(
        replace(stage, needs=(), recheck=tuple(filter(is_of_cluster, stage.recheck)))
        for stage in plan.stages
        if stage.id == STAGE
    )
    if not stages:
        return None
    named = {name for stage in stages for step in stage.steps for name in step.secrets}
    return replace(plan, stages=stages, secrets=tuple(n for n in plan.secrets if n in named))

"""Judge of a cluster: from what was seen of it and what a solution asks to findings."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from preflight.assessment import Assessment, ClusterResult, SeenCluster
from preflight.checks.registry import CLUSTER_CHECKS
from preflight.checks.wording import sentence
from preflight.cluster.case import ClusterCase
from preflight.findings import Finding, Severity, Waiver
from preflight.needs import SolutionNeeds
from preflight.waivers import apply_waivers, judge_waivers


def judge_cluster(
    seen: SeenCluster,
    needs: SolutionNeeds,
    *,
    waivers: Sequence[Waiver] = (),
    today: date,
    now: datetime,
) -> ClusterResult:
    """One cluster against what a solution asks; the findings in the order of the layers."""
    if seen.facts is None:
        return ClusterResult(seen, (_unreached(seen),))
    case = ClusterCase(seen.name, seen.facts, needs, now)
    findings = tuple(finding for check in CLUSTER_CHECKS for finding in check.run(case))
    return ClusterResult(seen, apply_waivers(findings, waivers, today))


def _unreached(seen: SeenCluster) -> Finding:
    problem = seen.problem
    cause = problem.cause if problem else "it was not asked"
    return Finding(
        id="cluster.reachable",
        severity=Severity.UNKNOWN,
        title=sentence(f"The cluster {seen.name} could not be looked at: {cause}"),
        expected="its API server answers",
        actual=f"{problem.title}: {cause}" if problem else cause,
        source="Sitewright: what was not seen is not called ready",
        host=seen.name,
        evidence="kubectl version",
        remedy=(problem.remedy if problem else "") or "See that its API server answers from here.",
    )


def assess_cluster(
    seen: SeenCluster,
    needs: SolutionNeeds,
    *,
    waivers: Sequence[Waiver] = (),
    now: datetime,
) -> Assessment:
    """The whole result for a cluster alone, from which every report is made."""
    today = now.astimezone().date()
    result = judge_cluster(seen, needs, waivers=waivers, today=today, now=now)
    about = judge_waivers(result.findings, waivers, today)
    return Assessment(
        needs=needs,
        hosts=(),
        clusters=(result,),
        findings=apply_waivers(about, waivers, today),
        waivers=tuple(waivers),
        made_at=now,
    )

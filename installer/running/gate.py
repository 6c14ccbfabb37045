"""The gate before a run and before each stage: preflight decides whether it may begin."""

from __future__ import annotations

import asyncio
import fnmatch
import importlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from foundation.hosts.connection import Become
from foundation.problems import ExitCode, Problem
from preflight.assessment import Assessment
from preflight.findings import Finding, Severity

if TYPE_CHECKING:
    from foundation.hosts.model import Host
    from foundation.hosts.pool import Pool
    from installer.catalogue.solution import Solution
    from installer.plans.plan import PlannedStage
    from installer.sites.site import Site


OUTSIDE: Final = "outside"
_ABOUT_NONE: Final = {"egress": OUTSIDE, "firewall": "the settings", "disk": "the settings"}
"""Where a finding is about that is of no machine, by its area."""


class NotReady(Problem):
    """Machines that may not carry what is to be installed."""

    code = "not-ready"
    title = "The machines are not ready"
    exit_code = ExitCode.NOT_READY


async def look_at(
    pool: Pool,
    site: Site,
    solution: Solution,
    *,
    base: Path | None = None,
    tell: Callable[[str], None] = lambda _: None,
    whole: float | None = None,
) -> Assessment:
    """A whole preflight of a site over connections that stay open for the run.

    With `base`, the folder of the site's file, what the run fetches from outside is tried too;
    `tell` hears how far that is; it is given `whole` seconds where some are named.
    """
    from preflight.survey import SurveyOptions, survey

    hosts = list(pool.inventory)
    # What judges is read from the disk while the machines answer.
    reading = asyncio.create_task(asyncio.to_thread(importlib.import_module, "preflight.judge"))
    seen = [entry async for entry in survey(pool, hosts, SurveyOptions(become=Become.IF_ALLOWED))]
    await reading
    from preflight.judge import assess

    order = {host.name: place for place, host in enumerate(hosts)}
    seen.sort(key=lambda entry: order[entry.host.name])
    needs = solution.needs(site.environment, site.sizing).with_settings(site.settings)
    roles = {host.name: tuple(host.roles) for host in site.hosts}
    today = datetime.now(UTC).astimezone().date()
    egress = None
    if base is not None:
        from installer.running.outside import try_outside

        egress = await try_outside(
            pool, seen, needs, solution=solution, roles=roles, waivers=site.waivers, site=site,
            base=base, today=today, tell=tell, whole=whole,
        )  # fmt: skip
    from installer.planning.named_disks import judged_settings

    return assess(
        seen,
        needs,
        roles=roles,
        waivers=site.waivers,
        today=today,
        mesh=None,
        egress=egress,
        told=await asyncio.to_thread(judged_settings, solution, site, seen, today),
    )


def objections(assessment: Assessment) -> tuple[Problem, ...]:
    """What stands against beginning: machines that were not seen, and failures nobody waived."""
    unseen = [host.seen.problem for host in assessment.hosts if host.seen.problem is not None]
    failed = [finding for finding in assessment.all_findings if finding.blocks]
    return (*unseen, *(_problem(finding) for finding in failed))


def _problem(finding: Finding) -> NotReady:
    return NotReady(
        finding.title.rstrip("."),
        where=finding.host or _ABOUT_NONE.get(finding.area, "between the machines"),
        remedy=finding.remedy,
    )


def concerns(stage: PlannedStage, finding: Finding) -> bool:
    """Whether a finding is among those a stage depends on; patterns as in waivers."""
    return finding.severity is Severity.FAIL and any(
        fnmatch.fnmatchcase(finding.id, pattern) for pattern in stage.recheck
    )


async def recheck(
    pool: Pool, site: Site, solution: Solution, stage: PlannedStage
) -> Sequence[Problem]:
    """Look again at what a stage depends on: its own machines, and the cluster through one.

    What it names of a cluster is asked of the kubectl of its first step's first machine.
    """
    from preflight.report.areas import is_of_cluster

    asked = [is_of_cluster(pattern) for pattern in stage.recheck]
    own = [name for step in stage.steps for name in step.hosts]
    problems: list[Problem] = []
    if not all(asked):
        assessment = await look_at(pool, site, solution)
        problems = [
            _problem(finding)
            for finding in assessment.all_findings
            if finding.blocks and concerns(stage, finding) and finding.host in own
        ]
    if own and any(asked):
        problems += await _of_the_cluster(pool, site, stage, pool.inventory.hosts_by_name[own[0]])
    return problems


async def _of_the_cluster(
    pool: Pool, site: Site, stage: PlannedStage, host: Host
) -> Sequence[Problem]:
    from preflight.cluster.case import no_solution
    from preflight.cluster.judge import judge_cluster
    from preflight.cluster.look import look_through

    seen = await look_through(pool, host)
    if seen.problem is not None:
        return [seen.problem]
    now = datetime.now(UTC)
    today = now.astimezone().date()
    result = judge_cluster(seen, no_solution(), waivers=site.waivers, today=today, now=now)
    return [
        _problem(finding)
        for finding in result.findings
        if finding.blocks and concerns(stage, finding)
    ]

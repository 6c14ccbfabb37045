"""Prepared: what an update would do with a cluster's workloads or a machine's services, in a plan.

The command and the wizard come through here, so that one code says what is done and what is left.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from foundation.problems import InputProblem
from installer.record.identity import site_key
from installer.record.runs import runs_of
from installer.running.unfinished import cut_off
from installer.updates.applying.plans import OPERATION, update_plan
from installer.updates.applying.services import Service, service_plan, services_of
from installer.updates.applying.workloads import Workload, read_workloads
from installer.updates.in_cluster import read_applications, read_running
from installer.updates.in_docker import found_in, recorded
from installer.updates.running import Found
from installer.updates.serving import reviewed

if TYPE_CHECKING:
    from foundation.clusters.api import Api
    from installer.catalogue.solution import Solution
    from installer.compose.found import Projects
    from installer.plans.plan import Plan
    from installer.record.runs import Run
    from installer.sites.site import Site
    from installer.updates.applying.ways import Reached
    from installer.updates.lookup import Question
    from installer.updates.origins import BundleOrigin
    from installer.updates.review import Review
    from installer.updates.serving import Ways

STANDS_WITHIN = 10.0
"""Minutes in which a workload must stand, where nobody says another number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Whose updates are wanted, from where, and how far they may go."""

    site: Site
    solution: Solution
    base: Path
    """The folder that paths in the site are relative to."""
    source: Ways | BundleOrigin
    usual: Question
    chosen: Sequence[str] = ()
    """[NAMESPACE/]NAME, of Compose [[MACHINE/]PROJECT/]SERVICE; empty for every one."""
    within_minutes: float = STANDS_WITHIN
    """What does not stand by then is taken back."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """What would be done, and what not."""

    plan: Plan
    """A stage for each that is changed; none where nothing is."""
    review: Review
    workloads: tuple[Workload, ...] = ()
    """Of a cluster: each that has something newer, what is left among them."""
    services: tuple[Service, ...] = ()
    """Of Compose projects, the same."""

    @property
    def left(self) -> tuple[tuple[str, str], ...]:
        """What is not changed, in words, and why."""
        return tuple((words, why) for words, why, _ in self._every if why)

    @property
    def due(self) -> int:
        """How many are changed."""
        return sum(not why for _, why, _ in self._every)

    @property
    def migrates(self) -> tuple[str, ...]:
        """Which of those that are changed change their data as they begin."""
        return tuple(words for words, why, data in self._every if data and not why)

    @property
    def _every(self) -> list[tuple[str, str, str]]:
        return [
            *((one.words, one.left, one.migrates) for one in self.workloads),
            *((one.words, one.against, one.migrates) for one in self.services),
        ]


async def seen_in_cluster(
    api: Api, source: Ways | BundleOrigin, usual: Question, chosen: Sequence[str] = ()
) -> tuple[Review, tuple[Workload, ...]]:
    """What is newer than what runs in a cluster, and what would be done about each workload.

    Raises ClusterProblem, BundleProblem.
    """
    review = await reviewed(source, await read_running(api), usual)
    applications = await read_applications(api)
    return review, await read_workloads(api, review, applications, chosen)


async def in_cluster(reached: Reached, wanted: Wanted) -> Prepared:
    """What is newer than what runs in a cluster, and its plan; the cluster is only read.

    Raises InputProblem for a workload that is not there, ClusterProblem, BundleProblem.
    """
    review, workloads = await seen_in_cluster(
        reached.api, wanted.source, wanted.usual, wanted.chosen
    )
    names = {word for one in workloads for word in (one.name, f"{one.namespace}/{one.name}")}
    _require_found(wanted.chosen, names, "sitewright updates --cluster")
    plan = update_plan(
        [one for one in workloads if not one.left],
        reached.way,
        wanted.solution,
        wanted.site,
        wanted.base,
        within_minutes=wanted.within_minutes,
        origin=review.origin,
    )
    return Prepared(plan, review, workloads=workloads)


async def seen_on_machines(
    read: Mapping[str, Projects],
    projects: Mapping[str, tuple[str, ...]],
    source: Ways | BundleOrigin,
    usual: Question,
    site: Site | None,
    chosen: Sequence[str] = (),
) -> tuple[Review, tuple[Service, ...]]:
    """What is newer than what Compose runs on machines, and what would be done about each service.

    `site` is the one whose record knows how projects were brought up. Raises InputProblem,
    BundleProblem.
    """
    found = Found()
    for name, there in read.items():
        found.take(found_in(there, name, projects[name]))
    review = await reviewed(source, found, usual)
    known = () if site is None else await asyncio.to_thread(recorded, site)
    return review, services_of(review, read, known, chosen)


async def on_machines(
    read: Mapping[str, Projects], projects: Mapping[str, tuple[str, ...]], wanted: Wanted
) -> Prepared:
    """What is newer than what Compose runs on machines, and its plan; nothing is asked of them.

    `read` is what each machine's Docker has, `projects` which of them are meant (none named: all).
    Raises InputProblem for a service that is not there, BundleProblem.
    """
    review, services = await seen_on_machines(
        read, projects, wanted.source, wanted.usual, wanted.site, wanted.chosen
    )
    names = {name for one in services for name in one.names}
    _require_found(wanted.chosen, names, "sitewright updates --site FILE")
    plan = service_plan(
        [one for one in services if not one.against],
        wanted.solution,
        wanted.site,
        wanted.base,
        within_minutes=wanted.within_minutes,
        origin=review.origin,
    )
    return Prepared(plan, review, services=services)


def _require_found(chosen: Sequence[str], names: set[str], see: str) -> None:
    """Raise InputProblem for what a person named and has nothing newer."""
    for word in chosen:
        if word not in names:
            raise InputProblem(
                f"nothing of {word} has something newer, or there is no such workload",
                where="--workload",
                remedy=f"See what there is: {see}; --strategy says how far it may go.",
            )


def under_way(site: Site) -> Run | None:
    """The site's last update, where what it was at may still be under way.

    It is seen to its end before another begins.
    """
    last = next(iter(runs_of(f"{site_key(site)}-{OPERATION}")), None)
    if last is None or not any(one.running for one in last.state().steps.values()):
        return None
    return cut_off(site, OPERATION)

"""The way to a cluster as a person typed it, for both faces."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from foundation.problems import InputProblem
from screens.answers.answers import Answers
from screens.services.services import Access, ClusterWay, Services, ToUpdate, UpdatesSeen

if TYPE_CHECKING:
    from preflight.assessment import Assessment


async def look_and_judge(
    way: ClusterWay, answers: Answers, access: Access, services: Services
) -> Assessment:
    """The cluster at the end of a way, judged; raises InputProblem and ProgramsNotAllowed."""
    way, access = await reached(way, answers, access, services)
    return await services.judge_cluster(await services.look_at_cluster(way, access))


async def look_for_updates(
    asked: ToUpdate, answers: Answers, access: Access, services: Services
) -> UpdatesSeen:
    """What is newer than what runs at the end of a way; raises Problem and ProgramsNotAllowed."""
    way, access = await reached(asked.way, answers, access, services)
    seen = await services.look_for_updates(replace(asked, way=way), access)
    return replace(seen, asked=asked)  # a second look resolves what was typed again


async def reached(
    way: ClusterWay, answers: Answers, access: Access, services: Services
) -> tuple[ClusterWay, Access]:
    """A way whose machine, if one was typed, is one of those that there is access to."""
    if way.machine and all(host.name != way.machine for host in access.inventory):
        hosts = await services.hosts_from_text(way.machine)
        if len(hosts) != 1:
            raise InputProblem(
                "it is not one machine" if hosts else "it is no machine",
                where="Machine",
                remedy="Name the one machine whose kubectl is to be asked.",
            )
        # It is reached as the others are: the same user, the same bastion.
        access = replace(access, inventory=answers.with_machines(hosts).inventory())
        way = replace(way, machine=hosts[0].name)
    return way, access


def way_words(way: ClusterWay) -> str:
    """A way in a few words."""
    if way.facts is not None:
        return f"the facts in {way.facts}"
    if way.machine:
        return f"the cluster of {way.machine}"
    context = f"the context {way.context}" if way.context else "the current context"
    return f"{context} of {way.kubeconfig}" if way.kubeconfig is not None else context


def apply_words(asked: ToUpdate) -> list[str]:
    """The words by which `sitewright updates apply` finds the same cluster and the same newer."""
    from screens.services.live_updates import newer_option

    way, words = asked.way, list[str]()
    if way.machine:
        words += ["--through", way.machine]
    elif way.kubeconfig is not None:
        words += ["--kubeconfig", str(way.kubeconfig)]
    if way.context or not words:
        words += ["--cluster", *([way.context] if way.context else [])]
    kind, place = newer_option(asked.newer)
    words += [f"--{kind}", place] if kind else []
    return words + (["--strategy", asked.strategy] if asked.strategy != "bugfix" else [])

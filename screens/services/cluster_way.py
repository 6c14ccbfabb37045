"""The way to a cluster as a person typed it, for both faces."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from foundation.problems import InputProblem
from screens.answers.answers import Answers
from screens.services.services import Access, ClusterWay, Services

if TYPE_CHECKING:
    from preflight.assessment import Assessment


async def look_and_judge(
    way: ClusterWay, answers: Answers, access: Access, services: Services
) -> Assessment:
    """The cluster at the end of a way, judged; raises InputProblem and ProgramsNotAllowed."""
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
    return await services.judge_cluster(await services.look_at_cluster(way, access))


def way_words(way: ClusterWay) -> str:
    """A way in a few words."""
    if way.facts is not None:
        return f"the facts in {way.facts}"
    if way.machine:
        return f"the cluster of {way.machine}"
    context = f"the context {way.context}" if way.context else "the current context"
    return f"{context} of {way.kubeconfig}" if way.kubeconfig is not None else context

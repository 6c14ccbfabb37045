"""Live services that apply an update: planned, held by its gates, approved, as the command does."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from foundation.problems import InputProblem
from foundation.wording import listed
from screens.services.live_clusters import access_of, machine_of
from screens.services.live_install import base_of, site_of
from screens.services.live_updates import projects_on, source_of, update_command
from screens.services.services import Access, ToApply, ToUpdate

if TYPE_CHECKING:
    from installer.catalogue.solution import Solution
    from installer.plans.plan import Plan
    from installer.sites.site import Site
    from installer.updates.applying.commits import Planned as Commit
    from installer.updates.applying.ways import Reached
    from installer.updates.applying.workloads import Workload
    from screens.answers.answers import Answers


class LiveApplying:
    """The part of the live services that plans an update; what carries it through installs too."""

    def _solution(self, answers: Answers) -> Solution:
        raise NotImplementedError

    async def prepare_update(
        self, asked: ToUpdate, chosen: tuple[str, ...], answers: Answers, access: Access
    ) -> ToApply:
        """Read them once more, and plan their update; what is under way comes first."""
        prepared, gates = await _imported("prepared"), await _imported("gates")
        again = update_command(asked, chosen, answers)

        def known() -> tuple[Site, Solution, Any]:
            site, solution = site_of(answers), self._solution(answers)
            return site, solution, prepared.under_way(site)

        site, solution, before = await asyncio.to_thread(known)
        if before is not None:
            plan = await asyncio.to_thread(before.plan)
            return ToApply(asked, chosen, answers, access, plan, again, run=before.folder)
        source, usual, _ = await asyncio.to_thread(source_of, asked)
        wanted = prepared.Wanted(
            site=site,
            solution=solution,
            base=base_of(answers).absolute(),
            source=source,
            usual=usual,
            chosen=chosen,
        )
        if asked.on:
            read = await projects_on(asked.on, access)
            found = await prepared.on_machines(read, dict.fromkeys(asked.on, ()), wanted)
        else:
            async with _reached(asked, access, site, solution) as reached:
                found = await prepared.in_cluster(reached, wanted)
        # What was chosen is all planned, or the person looks again.
        if found.due < len(chosen):
            raise InputProblem(
                "; ".join(f"{words} is left: {why}" for words, why in found.left),
                where=listed(chosen),
                remedy="Look again: the list was made before.",
            )
        stand = await asyncio.to_thread(
            gates.gates_of, site, found.plan, found.migrates, again=again
        )
        return ToApply(asked, chosen, answers, access, found.plan, again, found, stand)

    async def approve_update(self, to_apply: ToApply, person: str) -> ToApply:
        """Keep a person's word for the plan; the gates as they stand then. Raises NotNow."""
        gates = await _imported("gates")

        def approve() -> ToApply:
            site = site_of(to_apply.answers)
            gates.approve(site, to_apply.plan, person)
            found = gates.gates_of(site, to_apply.plan, to_apply.migrates, again=to_apply.again)
            return replace(to_apply, gates=found)

        return await asyncio.to_thread(approve)

    async def through_gates(self, to_apply: ToApply, by: str, without: str) -> Plan:
        """The plan with who approved it; raises NotNow where it may not begin as things are."""
        gates = await _imported("gates")

        def passed() -> Plan:
            plan: Plan = gates.through_gates(
                site_of(to_apply.answers),
                to_apply.plan,
                to_apply.migrates,
                again=to_apply.again,
                without=gates.without_backup(by, without),
            )
            return plan

        return await asyncio.to_thread(passed)

    async def plan_commit(self, workloads: Sequence[Workload], folder: Path) -> Commit:
        """What must change in a clone; its work tree stays as it is. Raises InputProblem."""
        commits = await _imported("commits")
        planned: Commit = await asyncio.to_thread(commits.planned, folder, workloads)
        return planned

    async def make_commit(self, commit: Commit, branch: str) -> str:
        """Put it on a new branch; nothing is pushed. Raises InputProblem."""
        return await asyncio.to_thread(commit.make, branch)


async def _imported(name: str) -> Any:
    return await asyncio.to_thread(import_module, f"installer.updates.applying.{name}")


@asynccontextmanager
async def _reached(
    asked: ToUpdate, access: Access, site: Site, solution: Solution
) -> AsyncIterator[Reached]:
    """The cluster as it is read and as it is changed; raises Problem."""
    ways, way = await _imported("ways"), asked.way
    if way.machine:
        # What changes it is a machine of the site, however it was named.
        host = ways.machine_of(way.machine, site, solution, access.inventory)
        async with machine_of(host.name, access) as (pool, there):
            yield await ways.through(pool, there)
        return
    from foundation.clusters.kubeconfig import kubeconfig_files

    cluster = await asyncio.to_thread(access_of, way)
    files = kubeconfig_files(way.kubeconfig, os.environ)
    async with ways.by_kubeconfig(cluster, files, site) as reached:
        yield reached

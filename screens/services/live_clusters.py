"""Live services for clusters: named, looked at, judged and written, as the command does it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from foundation.problems import InputProblem
from screens.services.live_install import CONNECT_TIMEOUT, written
from screens.services.services import Access, ClusterWay, Export

if TYPE_CHECKING:
    from datetime import datetime

    from foundation.clusters.kubeconfig import Access as ClusterAccess
    from foundation.hosts.model import Host
    from foundation.hosts.pool import Pool
    from preflight.assessment import Assessment, SeenCluster


class LiveClusters:
    """The part of the live services that knows clusters; no solution is asked for."""

    def now(self) -> datetime:
        """The time here, with its zone."""
        raise NotImplementedError

    async def look_at_cluster(self, way: ClusterWay, access: Access) -> SeenCluster:
        """A cluster as it is now, or as it was saved; raises InputProblem for a way of no use."""
        if way.facts is not None:
            recorded = await asyncio.to_thread(import_module, "preflight.cluster.recorded")
            seen: SeenCluster = await asyncio.to_thread(recorded.load_cluster_facts, way.facts)
            return seen
        look = await asyncio.to_thread(import_module, "preflight.cluster.look")
        if way.machine:
            return await self._through(way.machine, access, look)
        cluster = await asyncio.to_thread(access_of, way)
        by_kubeconfig: SeenCluster = await look.look_by_kubeconfig(cluster)
        return by_kubeconfig

    async def _through(self, machine: str, access: Access, look: Any) -> SeenCluster:
        async with machine_of(machine, access) as (pool, host):
            seen: SeenCluster = await look.look_through(pool, host)
            return seen

    async def judge_cluster(self, seen: SeenCluster) -> Assessment:
        """How a cluster is, whatever is to stand on it."""
        now = self.now().astimezone(UTC)

        def work() -> Assessment:
            from foundation.version import __version__
            from preflight.cluster.case import no_solution
            from preflight.cluster.judge import assess_cluster

            assessment = assess_cluster(seen, no_solution(), now=now)
            return replace(assessment, extra={**assessment.extra, "version": __version__})

        return await asyncio.to_thread(work)

    async def write_cluster(self, kind: Export, path: Path, assessment: Assessment) -> None:
        """The report of a cluster, or what was seen of it; raises InputProblem."""

        def write() -> None:
            from foundation.paths import write_whole

            if kind is Export.FACTS:
                from preflight.cluster.recorded import cluster_facts_text

                # What runs in a cluster is nobody else's: for its owner alone.
                write_whole(path, cluster_facts_text(assessment.clusters[0].seen), mode=0o600)
                return
            from preflight.report import render

            write_whole(path, render(assessment, kind.value), mode=0o644)

        await written(write, path)


@asynccontextmanager
async def machine_of(machine: str, access: Access) -> AsyncIterator[tuple[Pool, Host]]:
    """Connections to one machine, and the machine; raises InputProblem where there is none."""
    async with machines_of((machine,), access) as (pool, (host,)):
        yield pool, host


@asynccontextmanager
async def machines_of(
    names: Sequence[str], access: Access
) -> AsyncIterator[tuple[Pool, tuple[Host, ...]]]:
    """Connections to some machines, and they; raises InputProblem for one that is not there."""
    pools = await asyncio.to_thread(import_module, "foundation.hosts.pool")
    known = {host.name: host for host in access.inventory}
    for name in names:
        if name not in known:
            raise InputProblem(f'there is no machine "{name}"', where="Machine")
    hosts = tuple(known[name] for name in names)
    inventory = replace(access.inventory, hosts=hosts, hosts_by_name={})
    async with pools.Pool(
        inventory, credentials=access.credentials, connect_timeout=CONNECT_TIMEOUT
    ) as pool:
        yield pool, hosts


def access_of(way: ClusterWay) -> ClusterAccess:
    """The context of a kubeconfig; raises ProgramsNotAllowed where it would start a program."""
    from foundation.clusters.https import require_allowed
    from foundation.clusters.kubeconfig import kubeconfig_files, read_access

    access = read_access(kubeconfig_files(way.kubeconfig, os.environ), way.context or None)
    require_allowed(access)
    return access

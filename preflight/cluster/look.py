"""Look at a cluster by one of the ways to it; a problem becomes part of the answer."""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from foundation.clusters.api import ChangingApi
from foundation.clusters.https import HttpsApi
from foundation.clusters.kubeconfig import Access
from foundation.clusters.machine import MachineApi
from foundation.clusters.problems import ClusterProblem
from foundation.hosts.connection import Connector
from foundation.hosts.model import Host
from foundation.problems import InputProblem, Problem
from preflight.assessment import SeenCluster
from preflight.cluster.facts import ClusterFacts
from preflight.cluster.read import read_cluster

if TYPE_CHECKING:
    from preflight.cluster.probes.wish import Wish

log = logging.getLogger(__name__)


async def look_by_kubeconfig(access: Access, wish: Wish | None = None) -> SeenCluster:
    """A cluster as it is now, asked over HTTPS; raises InputProblem for a kubeconfig of no use.

    With a wish, pods of ours try what no read tells.
    """
    started = time.monotonic()
    facts: ClusterFacts | None = None
    problem: Problem | None = None
    try:
        async with HttpsApi(access) as api:
            facts = await _facts(api, wish)
    except InputProblem:
        raise
    except Problem as error:
        problem = error
    except Exception as error:
        problem = _ours(error, access.name)
    return _seen(access.name, access.server, facts, problem, started)


async def look_through(connector: Connector, host: Host, wish: Wish | None = None) -> SeenCluster:
    """A cluster as it is now, asked by the kubectl of one machine."""
    started = time.monotonic()
    facts: ClusterFacts | None = None
    problem: Problem | None = None
    try:
        connection = await connector.connect(host)
        facts = await _facts(await MachineApi.found(connection), wish)
    except InputProblem:
        raise
    except Problem as error:
        problem = error
    except Exception as error:
        problem = _ours(error, host.name)
    return _seen(host.name, host.endpoint, facts, problem, started)


async def _facts(api: ChangingApi, wish: Wish | None) -> ClusterFacts:
    facts = await read_cluster(api)
    if wish is None:
        return facts
    from preflight.cluster.probes.wish import tried

    return await tried(api, facts, wish)


def _ours(error: Exception, name: str) -> Problem:
    log.error("looking at the cluster %s failed", name, exc_info=error)
    return ClusterProblem(
        f"Sitewright met an error of its own: {type(error).__name__}: {error}",
        where=name,
        remedy="Please report it with the log.",
    )


def _seen(
    name: str, where: str, facts: ClusterFacts | None, problem: Problem | None, started: float
) -> SeenCluster:
    return SeenCluster(
        name=name,
        where=where,
        facts=facts,
        problem=problem,
        seen_at=datetime.now(UTC),
        seconds=time.monotonic() - started,
    )

"""Before a stage the cluster is looked at again, by the kubectl of one of its machines."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from foundation.clusters.problems import ClusterProblem
from foundation.hosts.model import Host, Inventory
from installer.plans.verification import verification
from installer.running import gate
from installer.sites.site import Site
from preflight.assessment import SeenCluster
from preflight.cluster.facts import ClusterFacts, Node, SystemPod
from preflight.findings import Waiver
from tests.installer.engine_site import plan, step


class _Pool:
    """The machines of a site, of which none is spoken with."""

    inventory = Inventory((Host("w1", "10.0.0.1"), Host("m1", "10.0.0.2")))


def _seen(monkeypatch: pytest.MonkeyPatch, **more: Any) -> list[str]:
    asked: list[str] = []

    async def look_through(_pool: object, host: Host) -> SeenCluster:
        asked.append(host.name)
        return SeenCluster(host.name, host.address, **more)

    monkeypatch.setattr("preflight.cluster.look.look_through", look_through)
    return asked


async def _problems(site: Site, *patterns: str) -> list[str]:
    (stage,) = plan(step("a", script="true")).stages
    stage = replace(
        stage, recheck=patterns, steps=tuple(replace(s, hosts=("m1",)) for s in stage.steps)
    )
    pool: Any = _Pool()
    solution: Any = None  # no machine is judged
    return [problem.cause for problem in await gate.recheck(pool, site, solution, stage)]


@pytest.fixture
def site() -> Site:
    return Site.model_validate({
        "solution": "pm4ml", "environment": "production",
        "hosts": [{"name": "m1", "address": "10.0.0.2", "roles": ["master"]}],
    })  # fmt: skip


_BROKEN = ClusterFacts(
    nodes=(Node("n1", ready=False, why="its disk is full"),),
    dns=(SystemPod("kube-system", "coredns-1", ready=False),),
    storage_classes=(),
)


async def test_what_fails_of_what_the_stage_names_stops_it(
    monkeypatch: pytest.MonkeyPatch, site: Site
) -> None:
    asked = _seen(monkeypatch, facts=_BROKEN)
    (said,) = await _problems(site, "dns.pods")
    assert asked == ["m1"]
    assert "DNS" in said
    assert len(await _problems(site, "dns.*", "nodes.ready")) == 2


async def test_a_waiver_of_the_site_counts(monkeypatch: pytest.MonkeyPatch, site: Site) -> None:
    _seen(monkeypatch, facts=_BROKEN)
    waiver = Waiver(check="dns.pods", reason="on purpose", by="Ma Ma", until=date(2100, 1, 1))
    assert await _problems(site.model_copy(update={"waivers": (waiver,)}), "dns.pods") == []


async def test_a_cluster_that_is_not_reached_stops_it(
    monkeypatch: pytest.MonkeyPatch, site: Site
) -> None:
    _seen(monkeypatch, problem=ClusterProblem("nobody answers", where="m1"))
    assert await _problems(site, "dns.pods") == ["nobody answers"]


def test_verifying_looks_at_the_cluster_and_not_at_the_machines() -> None:
    whole = plan(step("a", script="true"))
    stage = replace(whole.stages[0], id="verify", recheck=("disk.*", "dns.pods"))
    only = verification(replace(whole, stages=(stage,)))
    assert only is not None
    assert [one.recheck for one in only.stages] == [("dns.pods",)]

"""What the checks say of a cluster: well, and with one layer after another broken."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from foundation.clusters.https import HttpsApi
from foundation.clusters.kubeconfig import read_access
from installer.catalogue.solution import load_solution
from preflight.assessment import Assessment, SeenCluster
from preflight.checks.registry import CLUSTER_CHECKS
from preflight.cluster.case import BINDING, READER, no_solution
from preflight.cluster.facts import ClusterFacts
from preflight.cluster.judge import assess_cluster
from preflight.cluster.read import read_cluster
from preflight.findings import Finding, Severity, Verdict, Waiver
from preflight.report.clusters import begin_with, earliest
from tests.preflight.cluster import fake_api as fake
from tests.preflight.cluster.fake_api import FakeApi

NOW = datetime(2025, 6, 1, tzinfo=UTC)
"""When Kubernetes 1.31 was still mended."""


@pytest.fixture
def served(tmp_path: Path) -> Iterator[FakeApi]:
    with fake.fake_api(tmp_path) as api:
        yield api


async def _facts(served: FakeApi) -> ClusterFacts:
    async with HttpsApi(read_access([served.way_in(days=300)])) as api:
        return await read_cluster(api)


async def _judged(served: FakeApi, solution: str = "", **more: Any) -> Assessment:
    facts = await _facts(served)
    needs = load_solution(solution).needs(None, None) if solution else no_solution()
    return assess_cluster(SeenCluster("lab", "https://x", facts=facts), needs, now=NOW, **more)


def _open(assessment: Assessment) -> dict[str, Finding]:
    return {
        finding.id: finding
        for finding in assessment.all_findings
        if finding.severity is not Severity.PASS
    }


async def test_a_cluster_that_is_well_is_ready(served: FakeApi) -> None:
    assessment = await _judged(served)
    assert _open(assessment) == {}
    assert assessment.verdict is Verdict.READY
    assert begin_with(assessment.clusters[0]) == ""
    titles = {finding.id: finding.title for finding in assessment.all_findings}
    assert titles["api.aggregated"] == "The one API that another program serves answers."
    assert titles["dns.pods"] == "The cluster's DNS runs in 2 pods."
    assert titles["admission.webhooks"] == "There is no admission webhook."


async def test_every_finding_comes_from_a_check_of_the_registry(served: FakeApi) -> None:
    for broken in (False, True):
        if broken:
            served.objects[fake.NODES] = []
        for finding in (await _judged(served, "helm-deploy")).all_findings:
            (check,) = (one for one in CLUSTER_CHECKS if one.covers(finding.id))
            assert finding.severity in check.severities
            assert finding.source
            assert finding.evidence
            assert finding.severity is Severity.PASS or finding.remedy


BROKEN: dict[str, tuple[Any, str, Severity, str]] = {
    "a node that is not ready": (
        lambda o: o.update({fake.NODES: [*o[fake.NODES], fake.node("n4", ready="False")]}),
        "nodes.ready", Severity.FAIL, "The node n4 is NotReady: KubeletNotReady: container runtime",
    ),
    "a node that nobody hears": (
        lambda o: o.update({fake.NODES: [*o[fake.NODES], fake.node("n4", ready="Unknown")]}),
        "nodes.ready", Severity.FAIL, "The node n4 is Unknown",
    ),
    "a node that is cordoned": (
        lambda o: o.update({fake.NODES: [*o[fake.NODES], fake.node("n4", unschedulable=True)]}),
        "nodes.schedulable", Severity.WARN, "n4 takes no new pods",
    ),
    "an API that is down": (
        lambda o: o[fake.SERVICES].append(fake.api_service("v1.other", available=False)),
        "api.aggregated", Severity.FAIL, "v1.other does not answer. MissingEndpoints",
    ),
    "no metrics": (
        lambda o: o.update({fake.SERVICES: []}), "api.metrics", Severity.WARN, "no metrics API",
    ),
    "one DNS": (
        lambda o: o[fake.PODS].pop(1), "dns.pods", Severity.WARN, "runs on n1 alone, of 3 nodes",
    ),
    "no DNS": (
        lambda o: o.update({fake.PODS: o[fake.PODS][2:]}), "dns.pods", Severity.FAIL, "no pod of",
    ),
    "no network plug-in": (
        lambda o: o.update({fake.PODS: [p for p in o[fake.PODS]
                                        if "calico" not in p["metadata"]["name"]]}),
        "cni.policy", Severity.WARN, "not told",
    ),
    "no way in": (
        lambda o: o.update({fake.INGRESSES: []}), "ingress.class", Severity.WARN, "neither",
    ),
    "no class": (
        lambda o: o.update({fake.CLASSES: []}), "storage.default", Severity.FAIL,
        "no storage class",
    ),
    "no default class": (
        lambda o: o.update({fake.CLASSES: [fake.storage_class("slow")]}),
        "storage.default", Severity.FAIL, "None of the 1 storage class is the default",
    ),
    "two default classes": (
        lambda o: o[fake.CLASSES].append(fake.storage_class("other", default=True)),
        "storage.default", Severity.FAIL, "retained and other are all the default",
    ),
    "volumes that go": (
        lambda o: o.update({fake.CLASSES: [
            fake.storage_class("d", default=True, reclaim="Delete")]}),
        "storage.reclaim", Severity.WARN, "deleted with their claim",
    ),
    "a claim of a class that is not there": (
        lambda o: o[fake.CLAIMS].append(fake.claim("kafka", "shop", "Pending", "gold")),
        "storage.claims", Severity.FAIL, "there is no storage class gold",
    ),
    "a webhook with nobody behind it": (
        lambda o: o.update({fake.MUTATING: [fake.webhook("guard")]}),
        "admission.webhooks", Severity.FAIL, "mutating webhook guard.example.org fails closed",
    ),
    "a quota that is used up": (
        lambda o: o.update({fake.QUOTAS: [{
            "metadata": {"name": "q", "namespace": "shop"},
            "status": {"hard": {"pods": "10"}, "used": {"pods": "10"}}}]}),
        "admission.quota", Severity.FAIL, "used up: pods, 10 of 10",
    ),
    "a namespace that does not end": (
        lambda o: o[fake.NAMESPACES].append(
            {"metadata": {"name": "old"}, "status": {"phase": "Terminating"}}),
        "admission.terminating", Severity.WARN, "old is being deleted",
    ),
    "a pod that crashes": (
        lambda o: o[fake.PODS].append(fake.pod(
            "till", "shop", node="n1", waiting={"reason": "CrashLoopBackOff"},
            ended={"reason": "Error", "exitCode": 1})),
        "pods.well", Severity.FAIL, "till of shop crashes again and again (CrashLoop",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
async def test_what_is_broken_is_found_and_nothing_else(name: str, served: FakeApi) -> None:
    breaks, check_id, severity, says = BROKEN[name]
    breaks(served.objects)
    found = _open(await _judged(served))
    assert set(found) == {check_id}
    assert found[check_id].severity is severity
    assert says in found[check_id].title


async def test_the_earliest_layer_is_named_first(served: FakeApi) -> None:
    """Pods, an admission webhook and storage are broken, and a node is the cause of it all."""
    for name in ("a pod that crashes", "a webhook with nobody behind it", "no class"):
        BROKEN[name][0](served.objects)
    result = (await _judged(served)).clusters[0]
    first = earliest(result)
    assert first is not None
    assert first.id == "storage.default"
    BROKEN["a node that is not ready"][0](served.objects)
    result = (await _judged(served)).clusters[0]
    assert begin_with(result).startswith("nodes: The node n4")


async def test_what_may_not_be_read_is_no_pass_and_names_the_right(served: FakeApi) -> None:
    served.forbidden.update({fake.PODS, fake.CLASSES})
    assessment = await _judged(served)
    assert assessment.verdict is Verdict.INCOMPLETE
    found = _open(assessment)
    assert set(found) == {"dns.pods", "cni.policy", "storage.default", "pods.well"}
    assert 'User "nobody" cannot list resource "pods"' in found["pods.well"].actual
    assert READER in found["pods.well"].remedy
    page = (Path(__file__).parents[3] / "docs" / "cluster.md").read_text(encoding="utf-8")
    assert f"    {READER}\n    {BINDING}\n" in page


@pytest.mark.parametrize(
    ("kubelet", "fits"),
    [("v1.31.0", True), ("v1.28.9", True), ("v1.27.9", False), ("v1.32.0", False)],
)
async def test_a_kubelet_may_be_three_releases_older(
    kubelet: str, fits: bool, served: FakeApi
) -> None:
    served.objects[fake.NODES][0]["status"]["nodeInfo"]["kubeletVersion"] = kubelet
    assert ("api.skew" not in _open(await _judged(served))) is fits


async def test_a_release_that_nobody_mends_is_warned_of(served: FakeApi) -> None:
    served.version = "v1.29.3+k3s1"
    for one in served.objects[fake.NODES]:
        one["status"]["nodeInfo"]["kubeletVersion"] = "v1.29.3+k3s1"
    assessment = await _judged(served)
    assert "was mended by its makers until 2025-02-28" in _open(assessment)["api.version"].title
    assert assessment.clusters[0].seen.facts is not None
    assert assessment.clusters[0].seen.facts.distribution == "k3s"


async def test_certificates_and_their_last_days(served: FakeApi) -> None:
    facts = await _facts(served)
    for day, severity in (("2025-05-30", "fail"), ("2025-06-10", "warn"), ("2025-12-01", "pass")):
        known = replace(facts, serving_ends=f"{day}T00:00:00+00:00", client_ends="later")
        seen = SeenCluster("lab", "https://x", facts=known)
        made = assess_cluster(seen, no_solution(), now=NOW).clusters[0].findings
        told = {f.subject: f.severity.value for f in made if f.id == "api.certificate"}
        assert told == {"server": severity, "client": "unknown"}


async def test_the_sizing_table_of_a_solution_is_asked(served: FakeApi) -> None:
    found = _open(await _judged(served, "helm-deploy"))
    assert set(found) == {"api.version"}  # 1.31 is not what it was tested on
    for one in served.objects[fake.NODES][1:]:
        one["status"]["allocatable"] = {"cpu": "2", "memory": "4Gi", "pods": "110"}
    found = _open(await _judged(served, "helm-deploy"))
    assert "1 of 3 nodes have the size of worker: 4 CPU and 16 GB" in found["capacity.nodes"].title
    assert "capacity.left" not in found  # 20 CPUs and 72 GiB are enough together
    served.objects[fake.PODS].append(fake.pod("big", "shop", node="n1", cpu="12", memory="60Gi"))
    left = _open(await _judged(served, "helm-deploy"))["capacity.left"]
    assert left.severity is Severity.FAIL
    assert "the table asks for" in left.title


async def test_a_workload_of_others_stands_against_no_installation(served: FakeApi) -> None:
    BROKEN["a pod that crashes"][0](served.objects)
    found = _open(await _judged(served, "helm-deploy"))
    assert found["pods.well"].severity is Severity.WARN


async def test_a_waiver_covers_a_finding_of_a_cluster(served: FakeApi) -> None:
    BROKEN["no class"][0](served.objects)
    waivers = [
        Waiver(check="storage.*", by="Ann", reason="it comes later", until=date(2025, 7, 1)),
        Waiver(check="cluster.reachable", by="Ann", reason="why not", until=date(2025, 7, 1)),
    ]
    assessment = await _judged(served, waivers=waivers)
    found = _open(assessment)
    assert found["storage.default"].waiver == waivers[0]
    assert set(found) == {"storage.default", "waiver.not-allowed"}
    assert assessment.verdict is Verdict.READY_WITH_WARNINGS

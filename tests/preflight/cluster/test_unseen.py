"""What a cluster does not say is no pass, and what it says is counted as Kubernetes counts it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from foundation.clusters.https import HttpsApi
from foundation.clusters.kubeconfig import read_access
from installer.catalogue.solution import load_solution
from preflight.assessment import SeenCluster
from preflight.cluster import read as reading
from preflight.cluster.case import no_solution
from preflight.cluster.facts import ClusterFacts, known
from preflight.cluster.judge import assess_cluster
from preflight.cluster.read import read_cluster
from preflight.findings import Finding, Severity
from tests.preflight.cluster import fake_api as fake
from tests.preflight.cluster.fake_api import FakeApi

NOW = datetime(2025, 6, 1, tzinfo=UTC)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[FakeApi]:
    with fake.fake_api(tmp_path) as api:
        yield api


async def _facts(served: FakeApi) -> ClusterFacts:
    async with HttpsApi(read_access([served.way_in(days=300)])) as api:
        return await read_cluster(api)


async def _judged(served: FakeApi, solution: str = "") -> list[Finding]:
    needs = load_solution(solution).needs(None, None) if solution else no_solution()
    seen = SeenCluster("lab", "https://x", facts=await _facts(served))
    return list(assess_cluster(seen, needs, now=NOW).all_findings)


async def _open(served: FakeApi, solution: str = "") -> dict[str, Finding]:
    found = await _judged(served, solution)
    return {one.id: one for one in found if one.severity is not Severity.PASS}


def _aged(pod: dict[str, Any], minutes: float, **more: str) -> dict[str, Any]:
    moment = (datetime.now(UTC) - timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")
    pod["metadata"] |= {"creationTimestamp": moment, **dict.fromkeys(more, moment)}
    return pod


@pytest.mark.parametrize(
    ("pod", "title"),
    [
        # No scheduler runs: it says nothing at all of the pod.
        (fake.pod("a", "shop", phase="Pending", conditions=[{"type": "x"}]), "finds no node"),
        (fake.pod("a", "shop", node="n1", phase="Pending",
                  waiting={"reason": "ContainerCreating"}), "cannot begin"),
        (fake.pod("a", "shop", node="n1", phase="Unknown"), "in a state that is not known"),
        (fake.pod("a", "shop", node="n1", phase=""), "in a state that is not known"),
    ],
    ids=["no scheduler", "no kubelet", "a lost node", "no phase"],
)  # fmt: skip
async def test_a_pod_that_nobody_takes_care_of_is_not_well(
    pod: dict[str, Any], title: str, served: FakeApi
) -> None:
    served.objects[fake.PODS].append(_aged(pod, 30))
    assert title in (await _open(served))["pods.well"].title


async def test_a_pod_that_was_made_just_now_is_let_begin(served: FakeApi) -> None:
    for word, waiting in (("a", None), ("b", {"reason": "ContainerCreating"})):
        pod = fake.pod(word, "shop", node="n1" if waiting else "", phase="Pending",
                       waiting=waiting, conditions=[{"type": "x"}])  # fmt: skip
        served.objects[fake.PODS].append(_aged(pod, 0.2))
    assert await _open(served) == {}


async def test_a_pod_that_does_not_end_is_not_well(served: FakeApi) -> None:
    pod = _aged(fake.pod("a", "shop", node="n1"), 30, deletionTimestamp="")
    served.objects[fake.PODS].append(pod)
    assert "does not end" in (await _open(served))["pods.well"].title


async def test_a_version_that_says_no_release_is_not_called_newer(served: FakeApi) -> None:
    served.version = "latest"
    found = await _open(served)
    assert found["api.version"].severity is Severity.UNKNOWN
    assert found["api.skew"].severity is Severity.UNKNOWN


async def test_until_when_a_newer_release_is_mended_is_no_pass(served: FakeApi) -> None:
    served.version = "v1.99.0"
    for node in served.objects[fake.NODES]:
        node["status"]["nodeInfo"]["kubeletVersion"] = "v1.99.0"
    assert "is not known here" in (await _open(served))["api.version"].title


async def test_a_kubelet_that_says_no_release_does_not_fit(served: FakeApi) -> None:
    served.objects[fake.NODES][1]["status"]["nodeInfo"]["kubeletVersion"] = ""
    skew = (await _open(served))["api.skew"]
    assert (skew.severity, "n2" in skew.title) == (Severity.UNKNOWN, True)


async def test_a_kubelet_before_1_25_may_be_two_releases_older(served: FakeApi) -> None:
    served.version = "v1.27.3"
    for node, minor in zip(served.objects[fake.NODES], (27, 25, 24), strict=True):
        node["status"]["nodeInfo"]["kubeletVersion"] = f"v1.{minor}.0"
    skew = (await _open(served))["api.skew"]
    assert (skew.severity, "n3" in skew.title) == (Severity.FAIL, True)


def _asks(pod: dict[str, Any], *init: tuple[str, bool], **spec: Any) -> dict[str, Any]:
    pod["spec"] |= spec | {
        "initContainers": [
            {"resources": {"requests": {"cpu": cpu}}}
            | ({"restartPolicy": "Always"} if side else {})
            for cpu, side in init
        ]
    }
    return pod


@pytest.mark.parametrize(
    ("init", "spec", "millis"),
    [
        # A sidecar is there for the init containers that come after it, not for those before.
        ([("4", False), ("1", True)], {}, 4000),
        ([("1", True), ("4", False)], {}, 5000),
        ([("500m", True)], {"overhead": {"cpu": "250m"}}, 1750),
        ([("4", False)], {"resources": {"requests": {"cpu": "2"}}}, 2000),
        ([("4", False)], {"resources": {"requests": {"memory": "1Gi"}}}, 4000),
        ([("1e3", False)], {}, 1_000_000),
    ],
)
async def test_requests_are_those_of_the_scheduler(
    init: list[tuple[str, bool]], spec: dict[str, Any], millis: int, served: FakeApi
) -> None:
    pod = _asks(fake.pod("a", "shop", node="n2", cpu="1"), *init, **spec)
    ended = [fake.pod(word, "shop", node="n2", phase=word) for word in ("Succeeded", "Failed")]
    served.objects[fake.PODS] = [pod, *ended]
    node = {one.name: one for one in known((await _facts(served)).nodes) or ()}["n2"]
    assert (node.used_cpu_millis, node.used_pods) == (millis, 1)


async def test_the_older_word_for_the_default_class_is_a_word(served: FakeApi) -> None:
    (one,) = served.objects[fake.CLASSES]
    one["metadata"]["annotations"] = {"storageclass.beta.kubernetes.io/is-default-class": "true"}
    assert await _open(served) == {}


async def test_a_pod_of_anybody_is_no_network_plug_in_by_its_name(served: FakeApi) -> None:
    pods = [one for one in served.objects[fake.PODS] if "calico" not in one["metadata"]["name"]]
    served.objects[fake.PODS] = [*pods, fake.pod("cilium-shop", "shop", node="n1")]
    assert "cni.policy" in await _open(served)


async def test_a_webhook_that_is_called_by_a_url_was_not_tried(served: FakeApi) -> None:
    hook = fake.webhook("far")
    hook["webhooks"][0]["clientConfig"] = {"url": "https://guard.example.org/"}
    served.objects[fake.VALIDATING].append(hook)
    found = (await _open(served))["admission.webhooks"]
    assert (found.severity, "far.example.org" in found.title) == (Severity.UNKNOWN, True)


async def test_an_address_that_was_not_read_is_not_one_that_is_missing(
    served: FakeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "_PAGE", 10)
    served.objects[fake.VALIDATING].append(fake.webhook("guard"))
    served.objects[fake.SLICES] = [fake.named(f"s{n}") for n in range(20)]
    found = [one for one in await _judged(served) if one.id == "admission.webhooks"]
    assert [one.severity for one in found] == [Severity.UNKNOWN]


async def test_a_claim_of_whose_warnings_nothing_is_known_is_told(served: FakeApi) -> None:
    served.forbidden = {fake.EVENTS}
    served.objects[fake.CLAIMS].append(fake.claim("logs", "shop", "Pending"))
    found = [one for one in await _judged(served) if one.severity is Severity.UNKNOWN]
    assert [one.id for one in found] == ["api.complete"]
    assert "warnings" in found[0].title


async def test_lines_of_quotas_that_are_left_out_are_told(
    served: FakeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "_ITEMS", 3)
    room = {f"count/x{n}": "9" for n in range(3)}
    meta = {"name": "q", "namespace": "shop"}
    full = {"metadata": meta, "status": {"hard": {"pods": "1"}, "used": {"pods": "1"}}}
    served.objects[fake.QUOTAS] = [{"metadata": meta, "status": {"hard": room}}, full]
    assert "quotas" in (await _open(served))["api.complete"].title


async def test_a_node_that_takes_nothing_is_no_node_of_the_table(served: FakeApi) -> None:
    for node in served.objects[fake.NODES]:
        node["status"]["allocatable"] |= {"cpu": "64", "memory": "512Gi"}
    before = {one.id for one in await _judged(served, "helm-deploy") if one.severity == "fail"}
    assert "capacity.nodes" not in before
    for node in served.objects[fake.NODES]:
        node["spec"]["unschedulable"] = True
    assert "capacity.nodes" in await _open(served, "helm-deploy")


async def test_a_node_that_is_out_of_service_takes_no_pods(served: FakeApi) -> None:
    taint = {"key": "node.kubernetes.io/out-of-service", "value": "x", "effect": "NoExecute"}
    served.objects[fake.NODES][0]["spec"]["taints"] = [taint]
    nodes = known((await _facts(served)).nodes) or ()
    assert [one.schedulable for one in nodes] == [False, True, True]


async def test_no_command_to_copy_holds_what_a_name_would_run(served: FakeApi) -> None:
    evil = "x;reboot"
    served.objects[fake.SERVICES].append(fake.api_service(evil, available=False))
    served.objects[fake.PODS].append(
        fake.pod(evil, evil, node="n1", waiting={"reason": "CrashLoopBackOff"})
    )
    for one in await _judged(served):
        for text in (one.evidence, one.remedy or ""):
            assert evil not in text.replace(f"'{evil}'", ""), one.id


async def test_a_list_that_has_no_end_is_kept_to_a_bound_and_told(
    served: FakeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "_KEPT", 3)
    items = [fake.named(f"s{n}") for n in range(9)]
    whole = json.dumps({"metadata": {}, "items": items}).encode()
    served.answers[fake.NAMESPACES] = (200, whole)
    assert "namespaces: the first 3 of 9" in (await _open(served))["api.complete"].title


@pytest.mark.parametrize(
    ("hard", "used", "severity"),
    [("a lot", "1", Severity.UNKNOWN), ("2", "x", Severity.UNKNOWN),
     ("9223372036854775807", "1", Severity.PASS), ("7Ei", "7.5E", Severity.WARN)],
)  # fmt: skip
async def test_a_quota_that_cannot_be_read_is_no_room(
    hard: str, used: str, severity: Severity, served: FakeApi
) -> None:
    status = {"hard": {"pods": hard}, "used": {"pods": used}}
    served.objects[fake.QUOTAS] = [{"metadata": {"name": "q", "namespace": "s"}, "status": status}]
    found = [one.severity for one in await _judged(served) if one.id == "admission.quota"]
    assert found == [severity]


async def test_nodes_that_say_no_size_have_no_room(served: FakeApi) -> None:
    for node in served.objects[fake.NODES]:
        node["status"]["allocatable"] = {"cpu": "a lot"}
    assert {"capacity.left", "capacity.pods"} <= set(await _open(served))

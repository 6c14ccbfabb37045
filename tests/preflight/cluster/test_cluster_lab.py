"""A real Kubernetes that is judged: well, with several things broken, and through RBAC."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from installer.cli import main
from preflight.cluster.case import BINDING, READER
from tests.lab.host import required, wait_until
from tests.lab.kubernetes import build, programs
from tests.lab.kubernetes.plane import Plane, plane

# The first use on a machine builds Kubernetes, or waits for `tests/run.sh` to have built it.
pytestmark = [pytest.mark.lab, pytest.mark.timeout(1800)]

_DEFAULT = "storageclass.kubernetes.io/is-default-class"


@pytest.fixture(scope="module")
def kubernetes() -> Iterator[Plane]:
    reason = build.missing()
    if reason is not None:
        if required():
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    with plane("w1", "w2", "w3") as running:
        running.apply(
            _class("retained"),
            {
                "apiVersion": "networking.k8s.io/v1",
                "kind": "IngressClass",
                "metadata": {"name": "public"},
                "spec": {"controller": "k8s.io/ingress-nginx"},
            },
            _on_each_node("coredns", "kube-system", **{"k8s-app": "kube-dns"}),
        )
        running.kubectl(
            "-n", "kube-system", "rollout", "status", "daemonset/coredns", "--timeout=300s"
        )
        yield running


def _class(name: str) -> dict[str, Any]:
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": name, "annotations": {_DEFAULT: "true"}},
        "provisioner": "kubernetes.io/no-provisioner",
        "reclaimPolicy": "Retain",
        "volumeBindingMode": "WaitForFirstConsumer",
    }


def _pods(
    name: str, namespace: str, replicas: int, cpu: str = "100m", **more: str
) -> dict[str, Any]:
    labels = {"app": name, **more}
    container = {"name": "main", "image": "pause", "resources": {"requests": {"cpu": cpu}}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }


def _on_each_node(name: str, namespace: str, **labels: str) -> dict[str, Any]:
    """A DaemonSet: two pods of a Deployment may well lie on one node."""
    made = _pods(name, namespace, 1, **labels)
    del made["spec"]["replicas"]
    return {**made, "kind": "DaemonSet"}


def _judged(
    capsys: pytest.CaptureFixture[str], kubeconfig: Path, *more: str
) -> tuple[int, dict[str, Any]]:
    capsys.readouterr()
    status = main(["preflight", "--kubeconfig", str(kubeconfig), "--format", "json", *more])
    report: dict[str, Any] = json.loads(capsys.readouterr().out)
    return status, report


def _open(report: dict[str, Any]) -> dict[str, str]:
    """Findings that are no pass, but for what no lab of loopback and ten days can have."""
    return {
        f"{one['id']} {one['subject']}".strip(): one["title"]
        for one in report["clusters"][0]["findings"]
        if one["severity"] != "pass"
        and one["id"] not in {"api.version", "api.certificate", "api.metrics", "cni.policy"}
    }


def test_a_real_cluster_that_is_well(kubernetes: Plane, capsys: pytest.CaptureFixture[str]) -> None:
    status, report = _judged(capsys, kubernetes.kubeconfig)
    assert _open(report) == {}
    assert status == 0
    facts = report["clusters"][0]["facts"]
    assert facts["version"] == build.VERSION
    assert [node["name"] for node in facts["nodes"]] == ["w1", "w2", "w3"]
    assert facts["calls"] <= 15
    assert facts["serving_ends"]
    assert facts["client_ends"]


def test_a_solution_is_asked_of_it(kubernetes: Plane, capsys: pytest.CaptureFixture[str]) -> None:
    """Its nodes of 32 CPUs and 256 GiB carry the deployment guide's table, and no production."""
    _, report = _judged(capsys, kubernetes.kubeconfig, "--solution", "helm-deploy")
    assert _open(report) == {}
    status, report = _judged(
        capsys, kubernetes.kubeconfig, "--solution", "helm-deploy",
        "--environment", "production-readiness",
    )  # fmt: skip
    assert status == 3
    assert "capacity.nodes master" in _open(report)


def test_what_a_user_may_not_read_is_told_by_the_real_rules(
    kubernetes: Plane, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Then the role that the remedy names is made, and everything is read."""
    way_in = kubernetes.way_in("support")
    status, report = _judged(capsys, way_in)
    assert status == 3
    assert report["verdict"] == "incomplete"
    unknown = report["clusters"][0]["facts"]["unknown"]
    assert 'User "support" cannot list resource "nodes"' in unknown["nodes"]
    (tmp_path / "kubectl").symlink_to(programs.kubectl())
    variables = kubernetes.environment()
    variables["PATH"] = f"{tmp_path}:{variables['PATH']}"
    for line in (READER, BINDING.replace("=USER", "=support")):
        subprocess.run(["sh", "-c", line], env=variables, check=True, timeout=300)
    # The API knows of a right a moment after it has it.
    may = ("auth", "can-i", "list", "nodes", "--as=support")
    wait_until(lambda: kubernetes.kubectl(*may, check=False).returncode == 0, "the right")
    _, report = _judged(capsys, way_in)
    assert report["clusters"][0]["facts"]["unknown"] == {}


def test_through_a_machine_the_same_is_seen(
    kubernetes: Plane, capsys: pytest.CaptureFixture[str], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """The real kubectl, on this machine as one with a kubeconfig of its own."""
    kubectl = tmp_path / "kubectl"
    kubectl.write_text(
        f'#!/bin/sh\nexec {programs.kubectl()} --kubeconfig {kubernetes.kubeconfig} "$@"\n'
    )
    kubectl.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert main(["preflight", "--through", "local", "--format", "json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert _open(report) == {}
    assert report["clusters"][0]["facts"]["way"].startswith("kubectl on ")


def test_what_is_broken_is_named_and_the_earliest_layer_first(
    kubernetes: Plane, capsys: pytest.CaptureFixture[str]
) -> None:
    """Admission, quota, storage, a pod that finds no node, a claim: as controllers say it."""
    kubernetes.kubectl("create", "namespace", "shop")
    kubernetes.apply(
        _class("second"),
        {
            "apiVersion": "v1", "kind": "ResourceQuota",
            "metadata": {"name": "few", "namespace": "shop"}, "spec": {"hard": {"pods": "1"}},
        },
        _pods("huge", "shop", 1, cpu="400"),
        {
            "apiVersion": "v1", "kind": "PersistentVolumeClaim",
            "metadata": {"name": "data", "namespace": "shop"},
            "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": "gold",
                     "resources": {"requests": {"storage": "1Gi"}}},
        },
        {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingWebhookConfiguration",
            "metadata": {"name": "guard"},
            "webhooks": [{
                "name": "guard.example.org", "failurePolicy": "Fail", "sideEffects": "None",
                "admissionReviewVersions": ["v1"],
                "clientConfig": {"service": {"namespace": "shop", "name": "guard", "path": "/"}},
                "rules": [{"apiGroups": ["example.org"], "apiVersions": ["v1"],
                           "operations": ["CREATE"], "resources": ["tills"]}],
            }],
        },
    )  # fmt: skip
    kubernetes.kubectl("cordon", "w3")

    def settled() -> bool:
        pods = kubernetes.read("pods", "-n", "shop")["items"]
        used = kubernetes.read("resourcequota", "few", "-n", "shop").get("status", {})
        waits = any(
            c["type"] == "PodScheduled" for p in pods for c in p["status"].get("conditions", ())
        )
        return waits and used.get("used", {}).get("pods") == "1"

    wait_until(settled, "the controllers to have said it", seconds=300)
    status, report = _judged(capsys, kubernetes.kubeconfig)
    assert status == 3
    found = _open(report)
    assert set(found) == {
        "nodes.schedulable", "storage.default", "storage.claims shop/data",
        "admission.webhooks guard/guard.example.org", "admission.quota shop/few pods",
        "pods.well shop Unschedulable",
    }  # fmt: skip
    assert "Insufficient cpu" in found["pods.well shop Unschedulable"]
    assert "there is no storage class gold" in found["storage.claims shop/data"] or (
        "gold" in found["storage.claims shop/data"]
    )
    assert report["clusters"][0]["earliest"]["id"] == "storage.default"

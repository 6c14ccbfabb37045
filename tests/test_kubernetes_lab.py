"""The lab's Kubernetes: what its control plane is, and what its played nodes do."""

from __future__ import annotations

import contextlib
import json
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.host import PATIENCE, required, wait_until
from tests.lab.kubernetes import build, images, nodes, programs
from tests.lab.kubernetes.plane import Plane, plane
from tests.lab.lab import Lab
from tests.lab.machine import Machine

# The first use on a machine builds Kubernetes, or waits for `tests/run.sh` to have built it.
pytestmark = [pytest.mark.lab, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def kubernetes() -> Iterator[Plane]:
    reason = build.missing()
    if reason is not None:
        if required():
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    with plane("w1", "w2", "w3") as running:
        yield running


def test_the_api_says_its_version_and_its_nodes_are_ready(kubernetes: Plane) -> None:
    version = kubernetes.kubectl("version").stdout
    assert f"Server Version: {build.VERSION}" in version
    nodes = kubernetes.read("nodes")["items"]
    assert [node["metadata"]["name"] for node in nodes] == ["w1", "w2", "w3"]


def test_a_chart_is_installed_and_its_pods_are_ready(kubernetes: Plane, tmp_path: Path) -> None:
    """Helm waits for what the real controllers make of a Deployment."""
    helm = [str(programs.helm()), "--namespace", "shop"]
    subprocess.run([*helm, "create", "shop"], cwd=tmp_path, check=True, capture_output=True)
    subprocess.run(
        [*helm, "install", "shop", "./shop", "--create-namespace", "--wait", "--timeout", "300s"],
        cwd=tmp_path,
        env=kubernetes.environment(),
        check=True,
        capture_output=True,
    )
    deployment = kubernetes.read("deployment", "shop", "-n", "shop")
    assert deployment["status"]["readyReplicas"] == 1


def test_who_may_not_list_is_told_so_by_the_real_rules(kubernetes: Plane) -> None:
    nobody = kubernetes.way_in("nobody")
    asked = kubernetes.kubectl("get", "nodes", f"--kubeconfig={nobody}", check=False)
    assert asked.returncode != 0
    assert 'User "nobody" cannot list resource "nodes"' in asked.stderr


def test_a_custom_resource_is_kept_and_merged(kubernetes: Plane) -> None:
    """Applied twice, as Argo CD's own objects are."""
    names = {"plural": "tills", "singular": "till", "kind": "Till"}
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    kubernetes.apply(
        {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": "tills.lab.example.org"},
            "spec": {
                "group": "lab.example.org",
                "names": names,
                "scope": "Namespaced",
                "versions": [version],
            },
        }
    )
    wait = ["wait", "--for=condition=Established", "--timeout=300s"]
    kubernetes.kubectl(*wait, "crd/tills.lab.example.org")
    till = {"apiVersion": "lab.example.org/v1", "kind": "Till", "metadata": {"name": "one"}}
    for money in (1, 2):
        kubernetes.kubectl(
            *("apply", "--server-side", "--field-manager=lab", "-f", "-"),
            stdin=json.dumps({**till, "spec": {"money": money}}),
        )
    assert kubernetes.read("till", "one")["spec"] == {"money": 2}


def test_an_api_that_ends_is_there_again_with_all_it_held(kubernetes: Plane) -> None:
    kubernetes.kubectl("create", "configmap", "kept", "--from-literal=a=b")
    kubernetes.end("kube-apiserver")
    refused = kubernetes.kubectl("get", "configmap", "kept", check=False)
    assert "was refused" in refused.stderr
    kubernetes.start("kube-apiserver")
    kubernetes.wait_until_ready()
    assert kubernetes.read("configmap", "kept")["data"] == {"a": "b"}


def _served(name: str) -> dict[str, object]:
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": name},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "containers": [
                        {
                            "name": "pod",
                            "image": images.POD,
                            "imagePullPolicy": "Never",
                            "args": ["serve", ":8080"],
                            "readinessProbe": images.ready_by("/", 8080),
                        }
                    ]
                },
            },
        },
    }


def _reached(name: str) -> dict[str, object]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {
            "type": "NodePort",
            "selector": {"app": name},
            "ports": [{"port": 80, "targetPort": 8080, "nodePort": 30080}],
        },
    }


def _answers(machine: Machine) -> bool:
    with contextlib.suppress(OSError):
        url = f"http://{machine.address}:30080/"
        with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
            return bool(answer.status == 200)
    return False


def test_real_nodes_run_pods_that_reach_each_other_and_survive_a_death(lab: Lab) -> None:
    with nodes.cluster(lab, "k1", "k2") as cluster:
        cluster.apply(_served("shop"), _reached("shop"))
        cluster.kubectl("rollout", "status", "daemonset/shop", "--timeout=300s")
        pods = cluster.read("pods")["items"]
        assert {pod["spec"]["nodeName"] for pod in pods} == {"k1", "k2"}
        here, there = pods
        address = there["status"]["podIP"]
        said = cluster.kubectl(
            "exec", here["metadata"]["name"], "--", "/pod", "fetch", f"http://{address}:8080/"
        )
        assert said.stdout.strip() == there["metadata"]["name"]
        for machine in cluster.machines:
            # Each node has its rules a moment after the pods are there.
            wait_until(lambda: _answers(machine), f"the NodePort of {machine.name}")  # noqa: B023 - waited for within the turn
        worker = cluster.machines[1]
        worker.kill()
        cluster.kubectl("wait", "--for=condition=Ready=Unknown", "--timeout=300s", "node/k2")
        worker.start()
        cluster.kubectl("wait", "--for=condition=Ready", "--timeout=300s", "node/k2")

"""The lab's Kubernetes: what its control plane is, and what its played nodes do."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.host import required
from tests.lab.kubernetes import build, programs
from tests.lab.kubernetes.plane import Plane, plane

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
        [*helm, "install", "shop", "./shop", "--create-namespace", "--wait", "--timeout", "90s"],
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


def test_an_api_that_ends_is_there_again_with_all_it_held(kubernetes: Plane) -> None:
    kubernetes.kubectl("create", "configmap", "kept", "--from-literal=a=b")
    kubernetes.end("kube-apiserver")
    refused = kubernetes.kubectl("get", "configmap", "kept", check=False)
    assert "was refused" in refused.stderr
    kubernetes.start("kube-apiserver")
    kubernetes.wait_until_ready()
    assert kubernetes.read("configmap", "kept")["data"] == {"a": "b"}

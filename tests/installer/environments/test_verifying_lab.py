"""The layers of an environment on a real Kubernetes API; the test plays Flux."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from foundation.clusters.https import HttpsApi
from foundation.clusters.kubeconfig import read_access
from installer.environments.lines import line_of
from installer.environments.verifying import Stands, verify
from tests.lab.host import required, wait_until
from tests.lab.kubernetes import build
from tests.lab.kubernetes.plane import Plane, plane

pytestmark = [pytest.mark.lab, pytest.mark.timeout(1800)]

GROUP = "kustomize.toolkit.fluxcd.io"


@pytest.fixture(scope="module")
def kubernetes() -> Iterator[Plane]:
    """One whose nodes kwok plays."""
    reason = build.missing()
    if reason is not None:
        if required():
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    with plane("w1") as running:
        yield running


async def _verified(running: Plane) -> tuple[Stands, ...]:
    layers = line_of("iac-lite", where="test").layers[1:3]
    async with HttpsApi(read_access((running.kubeconfig,), None)) as api:
        return await verify(layers, (), api)


def _definition() -> dict[str, Any]:
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"kustomizations.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {"plural": "kustomizations", "singular": "kustomization",
                      "kind": "Kustomization"},
            "versions": [{"name": "v1", "served": True, "storage": True,
                          "schema": {"openAPIV3Schema": schema}}],
        },
    }  # fmt: skip


def _kustomization(name: str, needs: str, *, ready: bool) -> dict[str, Any]:
    condition = {"type": "Ready", "status": "True" if ready else "False", "reason": "Told",
                 "message": f"{name} was told by the test"}  # fmt: skip
    return {
        "apiVersion": f"{GROUP}/v1",
        "kind": "Kustomization",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"dependsOn": [{"name": needs}] if needs else []},
        "status": {"conditions": [condition]},
    }


async def test_a_real_cluster_is_asked_layer_by_layer(kubernetes: Plane) -> None:
    wait_until(lambda: "True" in kubernetes.kubectl(
        "get", "nodes", "-o", "jsonpath={.items[*].status.conditions[?(@.type=='Ready')].status}"
    ).stdout, "the node", seconds=300)  # fmt: skip
    nodes, flux = await _verified(kubernetes)
    assert nodes.good is True
    assert flux.said == ("the cluster knows no such thing",)

    kubernetes.apply(_definition())
    kubernetes.kubectl("wait", "--for=condition=Established", f"crd/kustomizations.{GROUP}",
                       "--timeout=300s")  # fmt: skip
    kubernetes.apply(
        _kustomization("crds", "", ready=True),
        _kustomization("storage", "crds", ready=False),
        _kustomization("apps", "storage", ready=False),
    )
    _, flux = await _verified(kubernetes)
    assert flux.said == (
        "default/storage: Told: storage was told by the test",
        "1 more is behind them",
    )
    for name in ("storage", "apps"):
        good = _kustomization(name, "", ready=True)["status"]
        kubernetes.kubectl("patch", f"kustomization.{GROUP}/{name}", "--type=merge", "-p",
                           json.dumps({"status": good}))  # fmt: skip
    _, flux = await _verified(kubernetes)
    assert flux.good is True

"""STAND-IN for Vault: a real pod vault-0 whose program `vault` is tests/stand_ins/vault."""

from __future__ import annotations

import json
from pathlib import Path

from tests.lab.kubernetes.served import Registry, layer
from tests.lab.machine import Machine

_PROGRAMS = ("sh", "cat", "ls", "mkdir", "rm", "tr")


def add(given: Registry) -> None:
    """Give the image out."""
    made = layer(
        given.folder / "vault.tar",
        programs=[f"/bin/{name}" if name != "tr" else "/usr/bin/tr" for name in _PROGRAMS],
        files={"/usr/bin/vault": Path(__file__).with_name("vault").read_bytes()},
    )
    given.add("hashicorp/vault", "1", {"Env": ["PATH=/usr/bin:/bin"]}, made)


def pod(node: str) -> dict[str, object]:
    """The namespace and the pod, whose files lie on this node, as one list."""
    container = {
        "name": "vault",
        "image": "docker.io/hashicorp/vault:1",
        "stdin": True,
        "command": ["cat"],
        "volumeMounts": [{"name": "files", "mountPath": "/var/lib/stand-in"}],
    }
    made = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "vault-0", "namespace": "vault"},
        "spec": {
            "nodeSelector": {"kubernetes.io/hostname": node},
            "terminationGracePeriodSeconds": 1,
            "containers": [container],
            "volumes": [{"name": "files", "hostPath": {"path": "/var/lib/stand-in"}}],
        },
    }
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "vault"}}
    return {"apiVersion": "v1", "kind": "List", "items": [namespace, made]}


def begin(given: Registry, machine: Machine) -> None:
    """Have the pod run in the cluster of a machine, on that machine."""
    add(given)
    kubectl = ["microk8s", "kubectl"]
    machine.exec([*kubectl, "apply", "-f", "-"], stdin=json.dumps(pod(machine.name)))
    wanted = ["-n", "vault", "wait", "--for=condition=Ready", "pod/vault-0", "--timeout=300s"]
    machine.exec([*kubectl, *wanted], timeout=400)

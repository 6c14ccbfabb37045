"""STAND-IN for Istio's gateways as pods: their program is tests/stand_ins/istio_gateway.

Real: the pods on every worker, the Services before them, and the NodePorts that kube-proxy makes of
those. The pods run Python of the node that they are on, since no image of it can be pulled.
"""

from __future__ import annotations

import json

from tests.lab.kubernetes import images
from tests.lab.machine import Machine
from tests.stand_ins.install import FOLDER

NAMESPACE = "istio-system"
_PROGRAM = "/opt/stand-ins/istio_gateway"
_LABELS = {"app": "istio-ingress"}
_NODE_PORTS = {
    "istio-ingress-ext": {80: 32080, 443: 32443, 15021: 32081},
    "istio-ingress-int": {80: 31080, 443: 31443, 15021: 31081},
}
"""Section 1.3.2 of the guide: each port of a Service and its NodePort, on which the pod listens."""
_FROM_THE_NODE = {"/usr": "/usr", "/lib": "/usr/lib", "/lib64": "/usr/lib64",
                  "/etc/ssl": "/etc/ssl", "/opt/stand-ins": "/opt/stand-ins"}  # fmt: skip


def lay_down(worker: Machine) -> None:
    """Put the program on a worker, where its pod finds it."""
    worker.write_file(_PROGRAM, (FOLDER / "istio_gateway").read_text())


def manifest(domain: str) -> str:
    """The namespace, the pods and the Services, as one list in JSON."""
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    services = [_service(name, ports) for name, ports in _NODE_PORTS.items()]
    return json.dumps(
        {"apiVersion": "v1", "kind": "List", "items": [namespace, _pods(domain), *services]}
    )


def _pods(domain: str) -> dict[str, object]:
    volumes: list[dict[str, object]] = [{"name": "run", "emptyDir": {}}]
    mounts: list[dict[str, object]] = [{"name": "run", "mountPath": "/run"}]
    for number, (there, here) in enumerate(_FROM_THE_NODE.items()):
        volumes.append({"name": f"node-{number}", "hostPath": {"path": here}})
        mounts.append({"name": f"node-{number}", "mountPath": there, "readOnly": True})
    container = {
        "name": "gateway",
        "image": images.POD,
        "imagePullPolicy": "IfNotPresent",
        "command": ["/usr/bin/python3", _PROGRAM, domain],
        "volumeMounts": mounts,
        "readinessProbe": images.ready_by("/healthz/ready", 32081),
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": "istio-ingress", "namespace": NAMESPACE},
        "spec": {
            "selector": {"matchLabels": _LABELS},
            "template": {
                "metadata": {"labels": _LABELS},
                "spec": {
                    "terminationGracePeriodSeconds": 1,
                    "containers": [container],
                    "volumes": volumes,
                },
            },
        },
    }


def _service(name: str, ports: dict[int, int]) -> dict[str, object]:
    listed = [
        {"name": f"port-{port}", "port": port, "targetPort": node_port, "nodePort": node_port}
        for port, node_port in ports.items()
    ]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"type": "NodePort", "selector": _LABELS, "ports": listed},
    }

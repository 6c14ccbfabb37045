"""Who reaches what of a cluster on lab machines: by the network of pods, by services, from outside.

What is tried is real: the network of pods, the NodePorts that kube-proxy made, the API, HAProxy and
the firewall. What answers at the NodePorts is tests/stand_ins/istio_gateway, in pods.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from tests.installer.pm4ml.test_pm4ml_firewall_lab import DIAL, dial, from_here
from tests.lab.host import wait_until
from tests.lab.machine import Machine
from tests.stand_ins import istio_pods

NODE_PORTS = (32080, 32443, 32081, 31080, 31443, 31081)
API = ("10.152.183.1", 443)
"""The API's address inside the cluster, the first of MicroK8s' services."""
NETWORKS = ("10.152.183.0/24", "10.1.0.0/16")
"""Of services and of pods, by MicroK8s' default arguments."""


@dataclass(frozen=True)
class Shape:
    """The machines of a site by their roles; a node may be of two."""

    masters: Sequence[Machine]
    workers: Sequence[Machine]
    balancers: Sequence[Machine]
    storage: Sequence[Machine]


def begin_gateways(shape: Shape, domain: str) -> None:
    """Have the gateways run as pods on every worker, and wait until all of them are well."""
    master, *_ = shape.masters
    for worker in shape.workers:
        istio_pods.lay_down(worker)
    kubectl(master, "apply", "-f", "-", stdin=istio_pods.manifest(domain))
    rolled_out = ("rollout", "status", "daemonset/istio-ingress", "--timeout=300s")
    kubectl(master, "-n", istio_pods.NAMESPACE, *rolled_out)


def kubectl(machine: Machine, *words: str, stdin: str | None = None) -> str:
    """What kubectl of a master says."""
    return machine.exec(["microk8s", "kubectl", *words], stdin=stdin, timeout=400).stdout


def pods(master: Machine) -> dict[str, tuple[str, str]]:
    """The gateways' pods: by node, name and address."""
    told = kubectl(master, "-n", istio_pods.NAMESPACE, "get", "pods", "-o", "json")
    return {
        pod["spec"]["nodeName"]: (pod["metadata"]["name"], pod["status"]["podIP"])
        for pod in json.loads(told)["items"]
    }


def dial_from_pod(master: Machine, pod: str, *places: tuple[str, int]) -> list[str]:
    """What becomes of TCP connections from inside a pod."""
    targets = [f"{address}:{port}" for address, port in places]
    program = ["--", "/usr/bin/python3", "-", "0.0.0.0", *targets]
    within = ("-n", istio_pods.NAMESPACE, "exec", "-i", pod)
    return kubectl(master, *within, *program, stdin=DIAL).split()


def shows_the_portal(balancer: Machine, domain: str) -> bool:
    """Whether a client is shown the portal's page through HAProxy."""
    name = f"portal.{domain}"
    asked = ["curl", "-sk", "--max-time", "30", "--resolve", f"{name}:443:{balancer.address}"]
    return "portal" in balancer.exec([*asked, f"https://{name}/"], check=False).stdout


def those_reach_it_whom_it_concerns(shape: Shape, domain: str) -> None:
    """Pods each other, the services and the API; HAProxy the NodePorts; clients the pages."""
    master, *_ = shape.masters
    inside = pods(master)
    assert set(inside) == {worker.name for worker in shape.workers}
    places = [(address, 32080) for _, address in inside.values()]
    places += [("istio-ingress-ext.istio-system", 80), ("kubernetes.default", 443), API]
    # Each node knows of services and of names a moment after their pods are there.
    for pod, _ in inside.values():
        wait_until(
            lambda: dial_from_pod(master, pod, *places) == ["open"] * len(places),  # noqa: B023 - waited for within the turn
            f"{places} from {pod}",
        )
    for balancer in shape.balancers:
        ports = [(worker, port) for worker in shape.workers for port in NODE_PORTS]
        wait_until(lambda: dial(balancer, *ports) == ["open"] * len(ports), "the NodePorts")  # noqa: B023
        wait_until(lambda: shows_the_portal(balancer, domain), "the portal", seconds=300)  # noqa: B023
    for node in {*shape.masters, *shape.workers}:
        assert dial(node, *((each, 16443) for each in shape.masters)) == (
            ["open"] * len(shape.masters)
        )


def nobody_else_reaches_it(shape: Shape) -> None:
    """Neither straight, nor by a route through a node into the cluster's own networks."""
    stranger, *_ = shape.storage
    inside = [(address, 32080) for _, address in pods(shape.masters[0]).values()]
    nodes = {*shape.masters, *shape.workers}
    for node in nodes:
        assert set(dial(stranger, *((node, port) for port in NODE_PORTS))) == {"filtered"}
        assert from_here(node, 32443) == from_here(node, 16443) == "filtered"
        others = [(other, 32080) for other in nodes - {node}]
        assert set(dial(node, *others)) == {"filtered"}
        for machine in (stranger, *shape.balancers):
            assert set(dial(machine, (node, 16443), (node, 10250), (node, 25000))) == {"filtered"}
        each = [f"ip route replace {network} via {node.address}" for network in NETWORKS]
        stranger.script("\n".join(each) + "\n")
        assert set(dial(stranger, API, *inside)) == {"filtered"}
    stranger.script("".join(f"ip route del {network}\n" for network in NETWORKS))

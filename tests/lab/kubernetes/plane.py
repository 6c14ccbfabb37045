"""A control plane of plain processes on the loopback, with nodes that kwok plays.

The API, the controllers, the scheduler and etcd are real. The nodes are not: kwok says that pods
run and are ready, and nothing listens at their addresses. It is for charts whose images nobody can
pull in a test.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.foundation.processes import free_port
from tests.lab.host import wait_until
from tests.lab.kubernetes import build
from tests.lab.kubernetes.certificates import Authority, Pair
from tests.lab.kubernetes.clients import Api, kubeconfig

_SERVICES = "10.244.128.0/20"
_ADDRESS = "127.0.0.1"

_NODE: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Node",
    "metadata": {
        "annotations": {"kwok.x-k8s.io/node": "fake"},
        "labels": {"kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"},
    },
    "status": {
        "allocatable": {"cpu": "32", "memory": "256Gi", "pods": "110"},
        "capacity": {"cpu": "32", "memory": "256Gi", "pods": "110"},
        "nodeInfo": {"kubeletVersion": build.VERSION, "operatingSystem": "linux"},
    },
}


@dataclass
class Plane(Api):
    """A control plane that runs: how to speak with it, and how to end its parts."""

    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    commands: dict[str, list[str]] = field(default_factory=dict)

    def start(self, name: str) -> None:
        """Start one part, again if need be; its output goes to a file of its name."""
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                self.commands[name],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env={"PATH": os.environ["PATH"], "HOME": str(self.folder)},
            )

    def end(self, name: str) -> None:
        """End one part, as when it crashes; `start` brings it back with what etcd holds."""
        process = self.processes.pop(name)
        process.kill()
        process.wait()

    def add_nodes(self, *names: str) -> None:
        """Add nodes that kwok plays, and wait until they are Ready."""
        for name in names:
            node = {**_NODE, "metadata": {**_NODE["metadata"], "name": name}}
            self.kubectl("apply", "-f", "-", stdin=json.dumps(node))
        wanted = [f"node/{name}" for name in names]
        self.kubectl("wait", "--for=condition=Ready", "--timeout=300s", *wanted)


@contextmanager
def plane(*nodes: str, address: str = _ADDRESS) -> Iterator[Plane]:
    """A control plane for the time of a `with` block, with Ready nodes of these names.

    Its API alone listens at `address`, which may be one that machines of the lab reach.
    """
    binary = build.kubernetes()
    with tempfile.TemporaryDirectory(prefix="swlab-plane-") as made:
        running = _prepared(Path(made), binary, address)
        try:
            running.start("etcd")
            running.start("kube-apiserver")
            running.wait_until_ready()
            # Both end when they meet an API that has not yet made its own roles.
            running.start("kube-controller-manager")
            running.start("kube-scheduler")
            running.start("kwok")
            wait_until(lambda: _has_account(running), "the default account", seconds=300)
            running.add_nodes(*nodes)
            yield running
        finally:
            for name in reversed(list(running.processes)):
                running.end(name)


def _has_account(running: Plane) -> bool:
    found = running.kubectl("get", "serviceaccount", "default", "-n", "default", check=False)
    return found.returncode == 0


def _prepared(folder: Path, binary: Path, address: str) -> Plane:
    authority = Authority(folder)
    etcd, peer, api, controllers, scheduler, kwok = (free_port(_ADDRESS) for _ in range(6))
    server = f"https://{address}:{api}"
    names = ("kubernetes", "kubernetes.default", "kubernetes.default.svc", address)
    serving = authority.issue("apiserver", "kube-apiserver", names=(*names, "10.244.128.1"))
    aggregation = authority.issue("front-proxy", "front-proxy-client")
    kubelets = authority.issue("to-kubelets", "kube-apiserver", ("system:masters",))
    signing = authority.signing_key()
    admin = kubeconfig(folder, server, authority, "admin", ("system:masters",))
    running = Plane(folder, admin, server, authority)
    ca = str(authority.pair.certificate)
    running.commands = {
        "etcd": [
            *("etcd", "--data-dir", str(folder / "etcd"), "--unsafe-no-fsync"),
            *("--listen-client-urls", f"http://{_ADDRESS}:{etcd}"),
            *("--advertise-client-urls", f"http://{_ADDRESS}:{etcd}"),
            *("--listen-peer-urls", f"http://{_ADDRESS}:{peer}"),
        ],
        "kube-apiserver": [
            *(str(binary), "kube-apiserver", f"--etcd-servers=http://{_ADDRESS}:{etcd}"),
            *(f"--bind-address={address}", f"--secure-port={api}"),
            f"--service-cluster-ip-range={_SERVICES}",
            *_served(serving),
            *(f"--client-ca-file={ca}", "--authorization-mode=Node,RBAC"),
            "--enable-admission-plugins=NodeRestriction",
            *(
                f"--service-account-key-file={signing}",
                f"--service-account-signing-key-file={signing}",
            ),
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--requestheader-client-ca-file={ca}",
            "--requestheader-allowed-names=front-proxy-client",
            "--requestheader-username-headers=X-Remote-User",
            "--requestheader-group-headers=X-Remote-Group",
            "--requestheader-extra-headers-prefix=X-Remote-Extra-",
            f"--proxy-client-cert-file={aggregation.certificate}",
            f"--proxy-client-key-file={aggregation.key}",
            f"--kubelet-client-certificate={kubelets.certificate}",
            f"--kubelet-client-key={kubelets.key}",
        ],
        "kube-controller-manager": [
            *(str(binary), "kube-controller-manager"),
            *_as(folder, server, authority, "system:kube-controller-manager"),
            *(f"--bind-address={_ADDRESS}", f"--secure-port={controllers}"),
            *(f"--service-account-private-key-file={signing}", f"--root-ca-file={ca}"),
            f"--cluster-signing-cert-file={ca}",
            f"--cluster-signing-key-file={authority.pair.key}",
            *("--use-service-account-credentials", "--leader-elect=false"),
            # A busy machine is late with what kwok says of its nodes, and kwok never calls a pod
            # ready again that was called unready with its node.
            "--node-monitor-grace-period=2h",
            f"--service-cluster-ip-range={_SERVICES}",
        ],
        "kube-scheduler": [
            *(str(binary), "kube-scheduler"),
            *_as(folder, server, authority, "system:kube-scheduler"),
            *(f"--bind-address={_ADDRESS}", f"--secure-port={scheduler}", "--leader-elect=false"),
        ],
        "kwok": [
            *(str(binary), "kwok", f"--kubeconfig={admin}"),
            *("--manage-all-nodes=false", "--manage-nodes-with-annotation-selector"),
            *("kwok.x-k8s.io/node=fake", f"--server-address={_ADDRESS}:{kwok}"),
        ],
    }
    return running


def _served(pair: Pair) -> list[str]:
    return [f"--tls-cert-file={pair.certificate}", f"--tls-private-key-file={pair.key}"]


def _as(folder: Path, server: str, authority: Authority, user: str) -> list[str]:
    path = kubeconfig(folder, server, authority, user, (user,))
    return [f"--{use}kubeconfig={path}" for use in ("", "authentication-", "authorization-")]

"""A Kubernetes of real nodes: lab machines with containerd, runc, kubelet and kube-proxy.

One control plane machine runs etcd, the API server, the controllers and the scheduler as systemd
units; each machine is a node. Pods are real containers with addresses of a bridge on their node,
and nodes reach each other's pods by fixed routes. There is no name service in the cluster, no
ingress and no engine for NetworkPolicy; the kernel's settings that a kubelet writes are files (see
node_init.sh), and images are made from nothing (`images`).
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tests.lab.host import wait_until
from tests.lab.kubernetes import build, images
from tests.lab.kubernetes.certificates import Authority
from tests.lab.kubernetes.clients import Api, kubeconfig
from tests.lab.lab import Lab
from tests.lab.machine import Machine
from tests.lab.recipe import NODE

SERVICES = "10.244.128.0/20"
NAMES = "10.244.128.10"
"""Where kubelets say that the cluster's DNS is; a test that has one puts it there."""
_PODS = "10.244.{number}.0/24"
_ALL_PODS = "10.244.0.0/18"
_BINARY = "/opt/kubernetes/kubernetes"
_FOLDER = "/etc/kubernetes"

_CONTAINERD = f"""\
version = 2
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{images.POD}"
  # Without CAP_SYS_RESOURCE no pod would start.
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = "/etc/containerd/certs.d"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "/etc/cni/net.d"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      SystemdCgroup = false
"""

_KUBELET = {
    "apiVersion": "kubelet.config.k8s.io/v1beta1",
    "kind": "KubeletConfiguration",
    "authentication": {
        "anonymous": {"enabled": False},
        "webhook": {"enabled": True},
        "x509": {"clientCAFile": f"{_FOLDER}/ca.crt"},
    },
    "authorization": {"mode": "Webhook"},
    "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
    "cgroupDriver": "cgroupfs",
    "clusterDNS": [NAMES],
    "clusterDomain": "cluster.local",
    "failSwapOn": False,
    "maxOpenFiles": 4096,
    "enforceNodeAllocatable": ["pods"],
    "evictionHard": {"memory.available": "1Mi", "nodefs.available": "1%"},
    "nodeStatusUpdateFrequency": "2s",
    "tlsCertFile": f"{_FOLDER}/node.crt",
    "tlsPrivateKeyFile": f"{_FOLDER}/node.key",
}

_UNIT = """\
[Unit]
Description={name} of the lab
After={after}
StartLimitIntervalSec=0
[Service]
ExecStart={command}
Restart=always
RestartSec=1
[Install]
WantedBy=multi-user.target
"""

_WAYS = """\
[Unit]
Description=The lab's ways between pods, and none out
After=network.target
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh /usr/local/sbin/lab-ways
[Install]
WantedBy=multi-user.target
"""


@dataclass
class Cluster(Api):
    """A Kubernetes of lab machines; `machines` are its nodes, the control plane first."""

    machines: list[Machine] = field(default_factory=list)

    def put_image(
        self, *names: str, only: Sequence[Machine] = (), more: Mapping[str, Any] = images.NOTHING
    ) -> None:
        """Give the nodes an image of the lab's program under these names.

        `more` goes over its configuration.
        """
        made = images.archive(build.kubernetes().with_name("pod"), *names, more=more)
        for machine in only or self.machines:
            _import(machine, made)


@contextmanager
def cluster(lab: Lab, *names: str) -> Iterator[Cluster]:
    """Machines of these names as one cluster, Ready, for the time of a `with` block."""
    binary = build.kubernetes()
    mounted = ("--volume", f"{binary.parent}:/opt/kubernetes:ro")
    recipe = replace(NODE, options=(*NODE.options, *mounted))
    machines = lab.machines(names=names, recipe=recipe)
    try:
        first = machines[0]
        authority = Authority(lab.folder)
        server = f"https://{first.address}:6443"
        admin = kubeconfig(lab.folder, server, authority, "admin", ("system:masters",))
        running = Cluster(lab.folder, admin, server, authority, machines=machines)
        archive = images.archive(binary.with_name("pod"), images.POD)
        for machine in machines:
            machine.altered = True
            machine.wait_for_boot()
        _control(first, authority, lab.folder, server)
        for number, machine in enumerate(machines, 1):
            _node(machine, number, machines, authority, lab.folder, server)
            _import(machine, archive)
            machine.exec(["systemctl", "enable", "--quiet", "--now", "kubelet", "kube-proxy"])
        running.wait_until_ready()
        wait_until(lambda: _joined(running, len(machines)), "the nodes", seconds=300)
        wanted = [f"node/{machine.name}" for machine in machines]
        running.kubectl("wait", "--for=condition=Ready", "--timeout=300s", *wanted)
        yield running
    finally:
        for machine in machines:
            lab.discard(machine)


def _joined(running: Cluster, count: int) -> bool:
    shown = running.kubectl("get", "nodes", "-o", "name", check=False)
    return len(shown.stdout.split()) == count


def _control(machine: Machine, authority: Authority, folder: Path, server: str) -> None:
    """Make the control plane of a machine and start it."""
    names = ("kubernetes", "kubernetes.default", "kubernetes.default.svc", "127.0.0.1")
    serving = authority.issue(
        "apiserver", "kube-apiserver", names=(*names, machine.address, "10.244.128.1")
    )
    kubelets = authority.issue("to-kubelets", "kube-apiserver", ("system:masters",))
    signing = authority.signing_key()
    _put(machine, authority.pair.certificate, "ca.crt")
    _put(machine, authority.pair.key, "ca.key")
    for pair, name in ((serving, "apiserver"), (kubelets, "to-kubelets")):
        _put(machine, pair.certificate, f"{name}.crt")
        _put(machine, pair.key, f"{name}.key")
    _put(machine, signing, "service-accounts.key")
    for user in ("system:kube-controller-manager", "system:kube-scheduler"):
        path = kubeconfig(folder, server, authority, user, (user,), inline=True)
        _put(machine, path, f"{user.rpartition(':')[2]}.kubeconfig")
    at = _FOLDER
    commands = {
        "etcd": "/usr/bin/etcd --data-dir /var/lib/lab-etcd --unsafe-no-fsync "
        "--listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379",
        "kube-apiserver": f"{_BINARY} kube-apiserver --etcd-servers=http://127.0.0.1:2379 "
        f"--advertise-address={machine.address} --secure-port=6443 --allow-privileged "
        f"--service-cluster-ip-range={SERVICES} --client-ca-file={at}/ca.crt "
        f"--tls-cert-file={at}/apiserver.crt --tls-private-key-file={at}/apiserver.key "
        "--authorization-mode=Node,RBAC --enable-admission-plugins=NodeRestriction "
        f"--service-account-key-file={at}/service-accounts.key "
        f"--service-account-signing-key-file={at}/service-accounts.key "
        "--service-account-issuer=https://kubernetes.default.svc "
        f"--kubelet-client-certificate={at}/to-kubelets.crt "
        f"--kubelet-client-key={at}/to-kubelets.key "
        "--kubelet-preferred-address-types=InternalIP",
        "kube-controller-manager": f"{_BINARY} kube-controller-manager "
        f"{_as('kube-controller-manager')} --leader-elect=false "
        f"--service-account-private-key-file={at}/service-accounts.key "
        f"--root-ca-file={at}/ca.crt --cluster-signing-cert-file={at}/ca.crt "
        f"--cluster-signing-key-file={at}/ca.key --use-service-account-credentials "
        f"--service-cluster-ip-range={SERVICES} --node-monitor-grace-period=40s "
        "--node-monitor-period=2s",
        "kube-scheduler": f"{_BINARY} kube-scheduler {_as('kube-scheduler')} --leader-elect=false",
    }
    for name, command in commands.items():
        unit = _UNIT.format(name=name, after="network.target", command=command)
        machine.write_file(f"/etc/systemd/system/lab-{name}.service", unit)
    units = [f"lab-{name}" for name in commands]
    machine.exec(["systemctl", "daemon-reload"])
    machine.exec(["systemctl", "enable", "--quiet", "--now", *units])


def _as(name: str) -> str:
    path = f"{_FOLDER}/{name}.kubeconfig"
    return " ".join(
        f"--{use}kubeconfig={path}" for use in ("", "authentication-", "authorization-")
    )


def _node(
    machine: Machine,
    number: int,
    machines: Sequence[Machine],
    authority: Authority,
    folder: Path,
    server: str,
) -> None:
    """Make a node of a machine; kubelet and kube-proxy are started once it has its image."""
    user = f"system:node:{machine.name}"
    pair = authority.issue(user, user, ("system:nodes",), names=(machine.name, machine.address))
    _put(machine, authority.pair.certificate, "ca.crt")
    _put(machine, pair.certificate, "node.crt")
    _put(machine, pair.key, "node.key")
    way = kubeconfig(folder, server, authority, user, ("system:nodes",), inline=True)
    _put(machine, way, "kubelet.kubeconfig")
    way = kubeconfig(
        folder, server, authority, "system:kube-proxy", ("system:node-proxier",), inline=True
    )
    _put(machine, way, "kube-proxy.kubeconfig")
    machine.write_file(f"{_FOLDER}/kubelet.json", json.dumps(_KUBELET))
    proxy = {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clientConnection": {"kubeconfig": f"{_FOLDER}/kube-proxy.kubeconfig"},
        "mode": "iptables",
        "clusterCIDR": _ALL_PODS,
        "hostnameOverride": machine.name,
        # Else it would write values of the kernel that are the host's.
        "conntrack": {
            "maxPerCore": 0,
            "min": 0,
            "tcpEstablishedTimeout": "0s",
            "tcpCloseWaitTimeout": "0s",
        },
    }
    machine.write_file(f"{_FOLDER}/kube-proxy.json", json.dumps(proxy))
    network = {
        "cniVersion": "0.4.0",
        "name": "lab",
        "plugins": [
            {
                "type": "bridge",
                "bridge": "cni0",
                "isGateway": True,
                "hairpinMode": True,
                "ipMasq": False,
                "ipam": {
                    "type": "host-local",
                    "ranges": [[{"subnet": _PODS.format(number=number)}]],
                    "routes": [{"dst": "0.0.0.0/0"}],
                },
            },
            {"type": "portmap", "capabilities": {"portMappings": True}},
        ],
    }
    machine.write_file("/etc/cni/net.d/10-lab.conflist", json.dumps(network))
    machine.write_file("/etc/containerd/config.toml", _CONTAINERD)
    ways = [
        f"ip route replace {_PODS.format(number=other)} via {peer.address}"
        for other, peer in enumerate(machines, 1)
        if peer is not machine
    ]
    # What asks a service's address needs a way to it, before kube-proxy's rules see the packet.
    ways += [f"ip route replace {SERVICES} dev eth0", "ip route delete default || true"]
    machine.write_file("/usr/local/sbin/lab-ways", "\n".join(ways) + "\n")
    machine.write_file("/etc/systemd/system/lab-ways.service", _WAYS)
    commands = {
        "kubelet": f"{_BINARY} kubelet --config={_FOLDER}/kubelet.json "
        f"--kubeconfig={_FOLDER}/kubelet.kubeconfig --hostname-override={machine.name} "
        f"--node-ip={machine.address}",
        "kube-proxy": f"{_BINARY} kube-proxy --config={_FOLDER}/kube-proxy.json",
    }
    for name, command in commands.items():
        unit = _UNIT.format(name=name, after="containerd.service", command=command)
        machine.write_file(f"/etc/systemd/system/{name}.service", unit)
    machine.exec(["systemctl", "daemon-reload"])
    machine.exec(["systemctl", "enable", "--quiet", "--now", "lab-ways", "containerd"])


def _put(machine: Machine, path: Path, name: str) -> None:
    machine.write_file(f"{_FOLDER}/{name}", path.read_text(), mode=0o600)


def _import(machine: Machine, archive: bytes) -> None:
    """Have a machine's containerd know the images of an archive."""
    subprocess.run(
        [
            *("podman", "--runtime", "runc", "exec", "--interactive", machine.container),
            *("ctr", "--namespace", "k8s.io", "images", "import", "-"),
        ],
        input=archive,
        check=True,
        capture_output=True,
        timeout=300,
    )

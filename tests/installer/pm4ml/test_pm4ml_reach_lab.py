"""PM4ML reached from outside in the lab: the WireGuard tunnel, and the verification at the end.

The kernel of the lab has no WireGuard: Debian's wireguard-go, a second implementation of the same
protocol that wg-quick takes where the kernel has none, stands in for the module. The tunnel, its
keys and the packets through it are real. Istio's gateways are stand-ins, and
MicroK8s is one whose Kubernetes and CoreDNS are real.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.installer.pm4ml_site import LabSite
from tests.lab.host import run, wait_until
from tests.lab.kubernetes import images
from tests.lab.kubernetes.served import layer
from tests.lab.lab import Lab
from tests.lab.lending import MachineFactory
from tests.lab.machine import Machine
from tests.stand_ins.install import begin_gateways, start

pytestmark = [pytest.mark.lab, pytest.mark.timeout(3000)]

USERSPACE = """\
apt-get update -qq
apt-get install -qq -y --no-install-recommends wireguard-go wireguard-tools >/dev/null 2>&1
"""

ADMINISTRATOR = """\
[Interface]
Address = 10.99.0.2/32
PrivateKey = {key}
[Peer]
PublicKey = {public}
Endpoint = {endpoint}
AllowedIPs = 10.99.0.0/24, {target}/32
"""


def reaches(machine: Machine, address: str, port: int) -> bool:
    """Whether a TCP connection from a machine to a port is taken within four seconds."""
    program = f"import socket; socket.create_connection(('{address}', {port}), 4)"
    return machine.exec(["python3", "-c", program], check=False).returncode == 0


def test_administrators_come_in_through_wireguard(
    lab: Lab, machine_factory: MachineFactory, tmp_path: Path
) -> None:
    """With their key and no other; to the private network beyond it; again: no change; undone."""
    bastion, m1, laptop = machine_factory.several("b1", "m1", "laptop")
    for machine in (bastion, laptop):
        machine.script(USERSPACE, timeout=600)
    site = LabSite(lab, tmp_path, {bastion: ("bastion",), m1: ("master",)})
    key = laptop.exec(["wg", "genkey"]).stdout.strip()
    public = laptop.exec(["wg", "pubkey"], stdin=key).stdout.strip()

    site.settings = {"wireguard": True}
    nobody = site.play("wireguard.yml")
    assert nobody.status != 0
    assert "No public key stands in wireguard_peers" in nobody.flat

    site.settings = {"wireguard": True, "wireguard_peers": public}
    first = site.play("wireguard.yml")
    assert first.status == 0, first.output
    private = bastion.exec(["cat", "/etc/wireguard/wg-sitewright.key"]).stdout.strip()
    assert private not in first.output
    again = site.play("wireguard.yml")
    assert set(again.changed.values()) == {0}, again.output

    theirs = bastion.exec(["wg", "show", "wg-sitewright", "public-key"]).stdout.strip()
    assert theirs in first.output
    # From here on the laptop reaches m1 through the tunnel or not at all.
    laptop.exec(["ip", "route", "add", "blackhole", f"{m1.address}/32", "metric", "9999"])
    laptop.write_file(
        "/etc/wireguard/wg0.conf",
        ADMINISTRATOR.format(
            key=key, public=theirs, endpoint=f"{bastion.address}:51820", target=m1.address
        ),
        mode=0o600,
    )
    assert not reaches(laptop, m1.address, 22)
    laptop.exec(["wg-quick", "up", "wg0"])
    wait_until(lambda: reaches(laptop, "10.99.0.1", 22), "the bastion through the tunnel")
    wait_until(lambda: reaches(laptop, m1.address, 22), "a master through the tunnel")
    shaken = bastion.exec(["wg", "show", "wg-sitewright", "latest-handshakes"]).stdout.split()
    assert shaken[0] == public
    assert int(shaken[1]) > 0
    # A key that is not in the list is not answered.
    laptop.script("umask 077; wg genkey > /root/other; wg set wg0 private-key /root/other")
    assert not reaches(laptop, "10.99.0.1", 22)

    undone = site.play("undo/wireguard.yml")
    assert undone.status == 0, undone.output
    assert bastion.exec(["ls", "/etc/wireguard"]).stdout == ""
    assert bastion.exec(["ip", "link", "show", "wg-sitewright"], check=False).returncode != 0
    assert "sitewright_wireguard" not in bastion.exec(["nft", "list", "ruleset"]).stdout
    assert set(site.play("undo/wireguard.yml").changed.values()) == {0}


TOOLS = "localhost/lab/tools:1"
"""An image with what Argo CD's has and verify.yml uses: bash, and timeout."""


def lay_tools(machine: Machine, folder: Path) -> None:
    """Lay the image down where MicroK8s takes it in when it is installed."""
    made = layer(folder / "tools", programs=["/bin/sh", "/bin/bash", "/usr/bin/timeout"])
    archive = folder / "tools.tar"
    archive.write_bytes(images.packed(made.read_bytes(), TOOLS, entry_point="/bin/bash"))
    machine.exec(["mkdir", "-p", "/var/snap/microk8s/common/sideload"])
    run(["podman", "cp", str(archive), f"{machine.container}:/var/snap/microk8s/common/sideload/"])


def apply(machine: Machine, *things: dict[str, object]) -> None:
    """Apply objects in the cluster of a machine."""
    whole = json.dumps({"apiVersion": "v1", "kind": "List", "items": things})
    machine.exec(["microk8s", "kubectl", "apply", "-f", "-"], stdin=whole)


def wait_for(machine: Machine, name: str, where: str) -> None:
    """Wait until a Deployment has come."""
    wait = ["rollout", "status", f"deployment/{name}", "--timeout=300s"]
    machine.exec(["microk8s", "kubectl", "-n", where, *wait], timeout=400)


def namespace(name: str) -> dict[str, object]:
    """A namespace."""
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def waiting(name: str, image: str, *words: str, where: str = "argocd") -> dict[str, object]:
    """A Deployment of one pod that waits, or does what its words say."""
    container: dict[str, object] = {"name": name, "image": image, "imagePullPolicy": "Never"}
    container |= {"args": words} if words else {"args": ["-c", "read"], "stdin": True}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": where},
        "spec": {
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [container], "terminationGracePeriodSeconds": 1},
            },
        },
    }


def service(name: str, where: str, port: int) -> dict[str, object]:
    """A Service before it."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": where},
        "spec": {"selector": {"app": name}, "ports": [{"port": port, "targetPort": 8080}]},
    }


def test_what_must_answer_at_the_end_answers_or_is_told(
    lab: Lab, machine_factory: MachineFactory, tmp_path: Path
) -> None:
    """Argo CD's page and the PM4ML addresses through HAProxy, services from inside a pod."""
    made = start(machine_factory, {"lb1": ("load-balancer",), "m1": ("master", "worker")})
    lb1, m1 = made["lb1"], made["m1"]
    site = LabSite(lab, tmp_path, {lb1: ("load-balancer",), m1: ("master", "worker")})
    lb1.add_address(site.public_address(5))
    domain = str(site.variables()["domain"])
    begin_gateways(m1, domain)
    lay_tools(m1, tmp_path)
    m1.exec(["snap", "install", "microk8s", "--classic", "--channel=1.31/stable"])
    m1.exec(["microk8s", "status", "--wait-ready"])
    m1.exec(["microk8s", "enable", "dns"])
    apply(m1, namespace("argocd"), namespace("pm4ml"), waiting("argocd-repo-server", TOOLS))
    wait_for(m1, "coredns", "kube-system")
    wait_for(m1, "argocd-repo-server", "argocd")
    site.settings = {
        "verify_certificates": False,
        "pm4ml_endpoints": f"https://portal.{domain}/=200, https://nothing.{domain}/=404",
        "internal_services": "pm4ml-api.pm4ml:31080",
    }
    assert site.play("3.haproxy_setup.yml").status == 0

    no_names = site.play("verify.yml")
    assert no_names.status != 0
    assert "do not reach argocd-server.argocd:443, pm4ml-api.pm4ml:31080" in no_names.flat
    serve = ("serve", ":8080")
    for name, where, port in (("argocd-server", "argocd", 443), ("pm4ml-api", "pm4ml", 31080)):
        apply(m1, waiting(name, images.POD, *serve, where=where), service(name, where, port))
        wait_for(m1, name, where)
    good = site.play("verify.yml")
    assert good.status == 0, good.output
    assert set(good.changed.values()) == {0}

    site.settings["pm4ml_endpoints"] = f"https://nothing.{domain}/=200"
    wrong = site.play("verify.yml")
    assert wrong.status != 0
    assert f"https://nothing.{domain}/ should answer 200 and answers 404 through lb1" in wrong.flat

    # The path unit would start it again at once.
    m1.exec(["systemctl", "stop", "istio-gateways.path", "istio-gateways.service"])
    dead = site.play("verify.yml")
    assert dead.status != 0
    assert f"https://argocd.{domain}/ shows no login page of Argo CD through lb1" in dead.flat

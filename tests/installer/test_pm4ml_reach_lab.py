"""PM4ML reached from outside in the lab: the WireGuard tunnel, and the verification at the end.

The kernel of the lab has no WireGuard: Debian's wireguard-go, a second implementation of the same
protocol that wg-quick takes where the kernel has none, stands in for the module. The tunnel, its
keys and the packets through it are real. Istio's gateways and MicroK8s are stand-ins.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.installer.pm4ml_site import LabSite
from tests.lab.host import wait_until
from tests.lab.lab import Lab
from tests.lab.lending import MachineFactory
from tests.lab.machine import Machine
from tests.stand_ins.install import begin_gateways, install

pytestmark = pytest.mark.lab

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
    """Whether a TCP connection from a machine to a port is taken within two seconds."""
    program = f"import socket; socket.create_connection(('{address}', {port}), 2)"
    return machine.exec(["python3", "-c", program], check=False).returncode == 0


def test_administrators_come_in_through_wireguard(
    lab: Lab, machine_factory: MachineFactory, tmp_path: Path
) -> None:
    """With their key and no other; to the private network beyond it; again: no change; undone."""
    bastion, m1, laptop = (machine_factory(name) for name in ("b1", "m1", "laptop"))
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


def test_what_must_answer_at_the_end_answers_or_is_told(
    lab: Lab, machine_factory: MachineFactory, tmp_path: Path
) -> None:
    """Argo CD's page and the PM4ML addresses through HAProxy, services from inside a pod."""
    lb1, m1 = machine_factory("lb1"), machine_factory("m1")
    site = LabSite(lab, tmp_path, {lb1: ("load-balancer",), m1: ("master", "worker")})
    lb1.add_address(site.public_address(5))
    install(m1)
    domain = str(site.variables()["domain"])
    begin_gateways(m1, domain)
    m1.exec(["snap", "install", "microk8s", "--classic", "--channel=1.31/stable"])
    site.settings = {
        "verify_certificates": False,
        "pm4ml_endpoints": f"https://portal.{domain}/=200, https://nothing.{domain}/=404",
        "internal_services": "pm4ml-api.pm4ml:31080",
    }
    assert site.play("3.haproxy_setup.yml").status == 0

    # The stand-in runs on its machine what is asked of a pod, and finds names as the machine does.
    no_names = site.play("verify.yml")
    assert no_names.status != 0
    assert "do not reach" in no_names.flat
    assert "pm4ml-api.pm4ml:31080" in no_names.flat
    m1.script(
        "printf '%s\\n' '127.0.0.1 argocd-server.argocd kubernetes.default pm4ml-api.pm4ml'"
        " >> /etc/hosts\n"
        "systemd-run --quiet --unit=inside python3 -m http.server 443\n"
    )
    wait_until(lambda: reaches(m1, "127.0.0.1", 443), "what stands for the services inside")
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

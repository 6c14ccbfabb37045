"""PM4ML's host firewall in the lab: real nftables, tried from outside and from inside."""

from __future__ import annotations

import socket
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from tests.installer.pm4ml_site import LabSite
from tests.lab.host import wait_until
from tests.lab.lab import Lab
from tests.lab.lending import MachineFactory
from tests.lab.machine import Machine

pytestmark = pytest.mark.lab

ROLES = {"m1": "master", "w1": "worker", "lb1": "load-balancer", "s1": "storage"}
PROGRAM = "/usr/local/sbin/sitewright-firewall"

LISTEN = """\
import socket, time
servers = [socket.create_server(("0.0.0.0", port)) for port in {ports}]
time.sleep(100000)
"""

LOCKOUT = """\
add table inet sitewright
delete table inet sitewright
table inet sitewright {
    chain nobody {
        type filter hook input priority 0; policy drop;
    }
}
"""

SECONDS = 4
"""After which a port is called filtered: a first packet that is lost is sent again after one
second, and after three."""

DIAL = f"""\
import socket, sys
from concurrent.futures import ThreadPoolExecutor
def dialled(place):
    address, port = place.split(":")
    try:
        socket.create_connection((address, int(port)), {SECONDS}, (sys.argv[1], 0)).close()
        return "open"
    except TimeoutError:
        return "filtered"
    except OSError:
        return "refused"
with ThreadPoolExecutor(len(sys.argv)) as pool:
    print(*pool.map(dialled, sys.argv[2:]))
"""


PODS = """\
sysctl -qw net.ipv4.ip_forward=1
ip netns add pod
ip link add cali5 type veth peer name eth0 netns pod
ip address add 10.1.5.1/24 dev cali5
ip link set cali5 up
ip -n pod address add 10.1.5.2/24 dev eth0
ip -n pod link set eth0 up
ip -n pod route add default via 10.1.5.1
given() { iptables -t nat -A PREROUTING -p tcp "$@"; }
given -d 10.152.183.1 --dport 443 -j DNAT --to-destination API:16443
given -m addrtype --dst-type LOCAL --dport 32090 -j DNAT --to-destination 10.1.5.2:8080
given -m addrtype --dst-type LOCAL --dport 8081 -j DNAT --to-destination 10.1.5.2:8080
iptables -t nat -A POSTROUTING -d API -j MASQUERADE
"""
"""STAND-IN for Calico and kube-proxy: a pod behind an interface of Calico's name, and what leads to
it or to the API: a service's address, a NodePort, and a port that a pod has of its node."""


def listen(machine: Machine, *ports: int) -> None:
    """Have something listen on ports of a machine."""
    program = LISTEN.format(ports=list(ports))
    machine.exec(["systemd-run", "--quiet", "--unit=listen", "python3", "-c", program])
    for port in ports:
        wait_until(lambda: dial(machine, (machine, port)) == ["open"], f"{machine.name}:{port}")  # noqa: B023 - waited for within the turn


def dial(
    machine: Machine, *places: tuple[Machine | str, int], source: str = "0.0.0.0"
) -> list[str]:
    """What becomes of TCP connections from a machine to ports of others, or of any address."""
    targets = [
        f"{other if isinstance(other, str) else other.address}:{port}" for other, port in places
    ]
    shown = machine.exec(["python3", "-", source, *targets], stdin=DIAL)
    return shown.stdout.split()


def from_here(machine: Machine, port: int) -> str:
    """The same from this host, which is no machine of the site."""
    try:
        socket.create_connection((machine.address, port), timeout=SECONDS).close()
    except TimeoutError:
        return "filtered"
    except OSError:
        return "refused"
    return "open"


@pytest.fixture
def site(lab: Lab, machine_factory: MachineFactory, tmp_path: Path) -> LabSite:
    """A machine of each role, with something listening where the real ones would."""
    each = zip(machine_factory.several(*ROLES), ROLES.values(), strict=True)
    made = {machine: (role,) for machine, role in each}
    m1, w1, lb1, s1 = made
    listen(m1, 16443, 19001, 25000, 10250, 32080, 9999)
    listen(w1, 10250, 25000, 32080, 32443, 31080)
    listen(lb1, 80, 443, 8404)
    listen(s1, 3300, 6789, 6800, 7443)
    return LabSite(lab, tmp_path, made)


def test_each_port_is_open_to_those_it_concerns_and_to_nobody_else(site: LabSite) -> None:
    """Section 1.3 of the guide with its corrections, kept after a second run and a reboot."""
    m1, w1, lb1, s1 = site.roles
    first = site.play("host_firewall.yml")
    assert first.status == 0, first.output
    again = site.play("host_firewall.yml")
    assert set(again.changed.values()) == {0}, again.output

    # NodePorts: HAProxy's addresses and no others, the cluster's own included.
    assert dial(lb1, (w1, 32080), (w1, 32443), (w1, 31080)) == ["open"] * 3
    assert dial(s1, (w1, 32080), (w1, 31080)) == ["filtered"] * 2
    assert dial(m1, (w1, 32080)) == ["filtered"]
    assert from_here(w1, 32443) == "filtered"
    # The cluster's ports.
    assert dial(w1, (m1, 16443), (m1, 25000), (m1, 10250)) == ["open"] * 3
    assert dial(w1, (m1, 19001)) == ["filtered"]  # masters only
    assert dial(lb1, (m1, 16443), (m1, 25000), (w1, 10250)) == ["filtered"] * 3
    assert from_here(m1, 16443) == "filtered"
    # Ceph: storage servers and the cluster.
    assert dial(w1, (s1, 3300), (s1, 6789), (s1, 6800)) == ["open"] * 3
    assert dial(w1, (s1, 7443)) == ["filtered"]
    assert dial(lb1, (s1, 3300), (s1, 6800)) == ["filtered"] * 2
    # The front: 80 and 443 for everybody, statistics for the private network only.
    outside = site.public_address(77)
    s1.add_address(outside)
    assert dial(s1, (lb1, 80), (lb1, 443), source=outside) == ["open"] * 2
    assert dial(s1, (lb1, 8404), (m1, 9999), source=outside) == ["filtered"] * 2
    assert dial(s1, (lb1, 8404)) == ["open"]
    assert dial(s1, (m1, 22), source=outside) == ["open"]  # SSH is kept

    w1.restart()
    listen(w1, 32080)
    assert dial(lb1, (w1, 32080)) == ["open"]
    assert dial(m1, (w1, 32080)) == ["filtered"]

    site.settings = {"ssh_networks": "198.51.100.0/24"}
    listed = site.play("host_firewall.yml")
    assert listed.status == 0, listed.output
    assert dial(s1, (m1, 22), source=outside) == ["filtered"]
    assert from_here(m1, 22) == "open"

    undone = site.play("undo/host_firewall.yml")
    assert undone.status == 0, undone.output
    assert dial(m1, (w1, 32080)) == ["open"]


def test_no_route_leads_into_the_cluster(site: LabSite) -> None:
    """Pods and services have addresses of the cluster's own; a node passes on what may come in."""
    m1, w1, lb1, s1 = site.roles
    w1.script(PODS.replace("API", m1.address))
    serve = ["ip", "netns", "exec", "pod", "python3", "-c", LISTEN.format(ports=[8080])]
    w1.exec(["systemd-run", "--quiet", "--unit=pod", *serve])
    pod, service = ("10.1.5.2", 8080), ("10.152.183.1", 443)
    for machine in (s1, lb1):
        machine.script(f"for n in 10.1 10.152; do ip route add $n.0.0/16 via {w1.address}; done\n")
    wait_until(lambda: dial(s1, pod, service) == ["open"] * 2, "the ways in without a firewall")
    outside = site.public_address(77)
    s1.add_address(outside)
    assert dial(s1, (w1, 8081), source=outside) == ["open"]

    played = site.play("host_firewall.yml")
    assert played.status == 0, played.output
    for stranger in (s1, lb1):
        assert dial(stranger, pod, service) == ["filtered"] * 2
    assert dial(lb1, (w1, 32090)) == ["open"]
    assert dial(s1, (w1, 32090)) == ["filtered"]
    assert dial(s1, (w1, 8081)) == ["open"]  # a hostPort is for the private network
    assert dial(s1, (w1, 8081), source=outside) == ["filtered"]
    inside = ["ip", "netns", "exec", "pod", "python3", "-", "0.0.0.0"]
    reached = w1.exec([*inside, "10.152.183.1:443", f"{m1.address}:16443"], stdin=DIAL)
    assert reached.stdout.split() == ["open"] * 2


def test_rules_that_nobody_confirms_are_taken_back(site: LabSite) -> None:
    """A machine that locked everybody out comes back by itself, to what was confirmed last."""
    _, w1, *_ = site.roles
    played = site.play("host_firewall.yml")
    assert played.status == 0, played.output
    w1.write_file(
        "/root/lockout.nft",
        LOCKOUT,
    )
    # So long that the question below is over before it: on a busy machine it takes its time.
    w1.exec([PROGRAM, "apply", "/root/lockout.nft", "30"])
    assert not w1.speaks_ssh()
    wait_until(w1.speaks_ssh, "SSH again")
    listing = w1.exec(["nft", "list", "table", "inet", "sitewright"]).stdout
    assert "chain nodeports" in listing
    late = w1.exec([PROGRAM, "confirm"], check=False)
    assert late.returncode == 1
    assert "taken back already" in late.stderr
    assert site.play("host_firewall.yml").changed[w1.name] == 0


def test_rules_that_are_broken_change_nothing(site: LabSite) -> None:
    """They are checked before the first is loaded, and no way back is armed."""
    _, w1, *_ = site.roles
    assert site.play("host_firewall.yml").status == 0
    before = w1.exec(["nft", "list", "ruleset"]).stdout
    w1.write_file("/root/broken.nft", "table inet sitewright { chain c { type nonsense; } }\n")
    assert w1.exec([PROGRAM, "apply", "/root/broken.nft", "3"], check=False).returncode != 0
    assert w1.exec(["nft", "list", "ruleset"]).stdout == before
    assert "rollback" not in w1.exec(["systemctl", "list-timers", "--all"]).stdout


def test_rules_that_lock_the_installer_out_are_taken_back_by_the_machine(
    lab: Lab, machine_factory: MachineFactory, tmp_path: Path
) -> None:
    """The playbook cannot log in anew, says so, and a little later everybody can again."""
    w1 = machine_factory("w1")
    site = LabSite(lab, tmp_path, {w1: ("worker",)})
    # This host is outside the private network, and the rules do not know from where it comes.
    network = ip_network(f"{w1.address}/29", strict=False)
    site.settings = {"private_network": str(network), "firewall_rollback_seconds": "30"}
    assert ip_address(str(lab.subnet.network_address + 1)) not in network
    locked = '{"ssh_client": "", "ssh_networks": "198.51.100.7/32"}'
    played = site.play("host_firewall.yml", "--extra-vars", locked)
    assert played.status != 0
    assert "Log in anew, through the new rules" in played.flat
    assert (
        "so it takes them back by itself within 30 seconds and is as it was before" in played.flat
    )
    wait_until(w1.speaks_ssh, "SSH again")
    assert w1.exec(["nft", "list", "tables"]).stdout.strip() == ""
    assert site.play("host_firewall.yml").status == 0

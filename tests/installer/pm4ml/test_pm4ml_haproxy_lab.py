"""PM4ML's load balancers in the lab: real HAProxy and keepalived, seen from outside."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.installer.pm4ml_site import LabSite
from tests.lab.host import wait_until
from tests.lab.lab import Lab
from tests.lab.lending import MachineFactory
from tests.lab.machine import Machine

pytestmark = pytest.mark.lab

GATEWAY = r"""
import http.server, socketserver, socket, threading, sys

NAME = sys.argv[1].encode()
SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"


class Gateway(socketserver.BaseRequestHandler):
    # A stand-in for an Istio gateway's NodePort: says who it is, and the client's address where
    # a PROXY protocol header (version 2) tells it.
    def handle(self):
        said = self.request.recv(1024)
        client = b"-"
        if said.startswith(SIGNATURE):
            client = socket.inet_ntoa(said[16:20]).encode()
        self.request.sendall(NAME + b" " + client + b"\n")


class Status(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/healthz/ready" else 404)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


socketserver.ThreadingTCPServer.allow_reuse_address = True
ports = (32080, 32443, 31080, 31443)
servers = [socketserver.ThreadingTCPServer(("0.0.0.0", port), Gateway) for port in ports]
servers += [http.server.ThreadingHTTPServer(("0.0.0.0", p), Status) for p in (32081, 31081)]
for server in servers[1:]:
    threading.Thread(target=server.serve_forever, daemon=True).start()
servers[0].serve_forever()
"""


def begin_gateway(machine: Machine) -> None:
    """Start the stand-in for the NodePorts of both Istio gateways."""
    machine.write_file("/opt/gateway.py", GATEWAY)
    machine.exec(
        ["systemd-run", "--quiet", "--unit=gateway", "python3", "/opt/gateway.py", machine.name]
    )


def said(address: str, port: int, source: str | None = None) -> list[str]:
    """What answers at a port: the words of the gateway; nothing where nobody answers."""
    try:
        with socket.create_connection((address, port), timeout=20) as connection:
            connection.sendall(b"hello\n")
            return connection.recv(200).decode().split()
    except OSError:
        return []


def wait_for_both(address: str, *gateways: Machine) -> None:
    """Wait until each gateway answers in turn behind an address."""
    names = {machine.name for machine in gateways}
    wait_until(
        lambda: {name for _ in range(4) for name in said(address, 443)[:1]} == names,
        f"both gateways behind {address}",
    )


@pytest.fixture
def site(lab: Lab, machine_factory: MachineFactory, tmp_path: Path) -> LabSite:
    """Two load balancers with a public address each, and two workers with gateways."""
    names = ("lb1", "lb2", "w1", "w2")
    machines = dict(zip(names, machine_factory.several(*names), strict=True))
    lab_site = LabSite(
        lab,
        tmp_path,
        {
            machines["lb1"]: ("load-balancer",),
            machines["lb2"]: ("load-balancer",),
            machines["w1"]: ("worker",),
            machines["w2"]: ("worker",),
        },
    )
    for number, machine in enumerate((machines["lb1"], machines["lb2"]), start=5):
        machine.add_address(lab_site.public_address(number))
    for name in ("w1", "w2"):
        begin_gateway(machines[name])
    return lab_site


def test_traffic_flows_and_leaves_a_server_that_died(site: LabSite) -> None:
    """Through both load balancers, in balance, with the client's address where Istio expects it.

    A configuration that HAProxy refuses never takes the place of the good one meanwhile.
    """
    lb1, lb2, w1, w2 = site.roles
    first = site.play("3.haproxy_setup.yml")
    assert first.status == 0, first.output
    this_host = str(site.lab.subnet.network_address + 1)
    for number in (5, 6):
        public = site.public_address(number)
        wait_for_both(public, w1, w2)
        # As PROXY protocol version 2 tells it. A busy gateway may be taken for dead for a moment.
        wait_until(lambda: said(public, 443)[1:] == [this_host], "the client's address")  # noqa: B023 - waited for within the turn
        wait_until(lambda: said(public, 80)[1:] == ["-"], "none at port 80")  # noqa: B023
    for machine in (lb1, lb2):
        # Internal, where no PROXY protocol is sent.
        wait_until(lambda: said(machine.address, 443)[1:] == ["-"], "none inside")  # noqa: B023
        assert machine.exec(["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}",
                             f"http://{machine.address}:8404/"]).stdout == "200"  # fmt: skip
    assert said(site.public_address(5), 8404) == []

    again = site.play("3.haproxy_setup.yml")
    assert again.status == 0, again.output
    assert set(again.changed.values()) == {0}

    before = lb1.exec(["cat", "/etc/haproxy/haproxy.cfg"]).stdout
    broken = site.play("3.haproxy_setup.yml", "--extra-vars", '{"workers": ["no such name"]}')
    assert broken.status != 0
    assert lb1.exec(["cat", "/etc/haproxy/haproxy.cfg"]).stdout == before
    wait_for_both(site.public_address(5), w1, w2)

    w1.kill()
    wait_until(
        lambda: all(said(site.public_address(5), 443)[:1] == [w2.name] for _ in range(6)), "w1 out"
    )

    undone = site.play("undo/haproxy.yml")
    assert undone.status == 0, undone.output
    assert said(site.public_address(5), 443) == []


def test_the_virtual_address_moves_when_its_holder_dies(site: LabSite) -> None:
    """keepalived moves it within seconds, and HAProxy answers on it at once."""
    lb1, lb2, *_ = site.roles
    site.settings = {
        "vip": True,
        "vip_external": site.public_address(9),
        "vip_internal": str(list(site.lab.subnet.subnets(2))[1].network_address + 9),
    }
    played = site.play("3.haproxy_setup.yml")
    assert played.status == 0, played.output
    address = site.public_address(9)
    wait_until(lambda: said(address, 443) != [], "an answer on the virtual address")

    def holder() -> list[Machine]:
        return [
            m
            for m in (lb1, lb2)
            if m.exec(["ip", "-4", "-o", "address"], check=False).stdout.count(f" {address}/")
        ]

    wait_until(lambda: len(holder()) == 1, "one holder")
    gone = holder()[0]
    other = lb2 if gone is lb1 else lb1
    # To the nodes it speaks by its own address, which their firewall knows.
    for node in list(site.roles)[2:]:
        way = gone.exec(["ip", "route", "get", node.address]).stdout
        assert f" src {gone.address} " in way, way
    again = site.play("3.haproxy_setup.yml")
    assert set(again.changed.values()) == {0}, again.output
    # HAProxy alone dies: the machine lives, and gives the address away.
    gone.exec(["systemctl", "stop", "haproxy.service"])
    wait_until(lambda: holder() == [other] and said(address, 443) != [], "the other as holder")
    # Made anew it takes nothing back, whatever its name; nor does a change give the address away.
    conf = "/etc/keepalived/keepalived.conf"
    gone.exec(["sh", "-c", f"systemctl start haproxy; systemctl stop keepalived; rm {conf}"])
    other.exec(["sh", "-c", f"echo '# changed by hand' >>{conf}"])
    played = site.play("3.haproxy_setup.yml")
    assert played.status == 0, played.output
    ranks = [int(m.exec(["sed", "-n", "s/^ *priority //p", conf]).stdout.split()[0])
             for m in (other, gone)]  # fmt: skip
    assert ranks[0] > ranks[1]
    running = ["systemctl", "is-active", "keepalived"]
    wait_until(lambda: gone.exec(running, check=False).stdout.strip() == "active", "both run")
    # Who is late with its word for a few seconds has the address back by its rank, or keeps it.
    wait_until(
        lambda: holder() == [other] and said(address, 443) != [], "the other as holder still"
    )

"""Nginx in front of the MOSIP cluster: its scripts played with a real Nginx on loopback."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import signal
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from foundation.problems import InputProblem
from installer.catalogue.rendering import Renderer
from installer.catalogue.solution import load_solution
from installer.planning.make import make_plan
from installer.sites.site import Site
from tests.lab.kubernetes.certificates import Authority, Pair

MOSIP = load_solution("mosip")
PUBLIC, INTERNAL, NODE = "127.0.0.21", "127.0.0.22", "127.0.0.23"
PORTS = (443, 9000, 5432, 61616, 30080, 31080, 30900, 31432, 31616)
NAMES = ("*.site.example",)

_SYSTEMCTL = """\
#!/bin/sh
# systemctl as far as the script uses it, over one Nginx; a stand-in.
echo "$@" >> {folder}/calls
case $1 in
is-active) test -s {folder}/nginx.pid ;;
# The daemon holds none of the test's pipes.
start) nginx -c {folder}/nginx.conf >{folder}/started 2>&1 ;;
reload) nginx -c {folder}/nginx.conf -s reload ;;
esac
"""
_IP = """\
#!/bin/sh
# ip as far as the script uses it, over a file of addresses; a stand-in.
case $* in
*route*) sed 's/.*/default via 192.0.2.254 dev & proto static/' {folder}/default ;;
*dev*) grep " $6 " {folder}/addresses ;;
*) cat {folder}/addresses ;;
esac
"""


def site(**settings: str) -> Site:
    given = {"domain": "site.example", "public_address": PUBLIC, "internal_address": INTERNAL}
    return Site.model_validate(
        {
            "solution": "mosip",
            "environment": "on-clusters",
            "hosts": [
                {"name": "box", "address": "local", "roles": ["workstation"]},
                {"name": "front", "address": "192.0.2.1", "roles": ["nginx"]},
            ],
            "settings": {**given, "nginx": "yes", "cluster_addresses": NODE, **settings},
        }
    )


class Machine:
    """A folder in which a real Nginx runs as the scripts have it run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.addresses({"eth0": PUBLIC, "eth1": INTERNAL}, default="eth0")
        bin_ = folder / "bin"
        bin_.mkdir()
        for name, text in (("systemctl", _SYSTEMCTL), ("ip", _IP)):
            (bin_ / name).write_text(text.format(folder=folder))
            (bin_ / name).chmod(0o755)
        self.path = f"{bin_}:{os.environ['PATH']}:/usr/sbin"
        self.ports = dict(zip(PORTS, _free(len(PORTS)), strict=True))
        self.file = folder / "nginx.conf"
        self.pair = self.certificate()

    def addresses(self, of: dict[str, str], *, default: str) -> None:
        """What the machine says of its interfaces, and which has the default route."""
        lines = [
            f"{at}: {name} inet {one}/24 scope global" for at, (name, one) in enumerate(of.items())
        ]
        (self.folder / "addresses").write_text("".join(f"{line}\n" for line in lines))
        (self.folder / "default").write_text(f"{default}\n" if default else "")

    def certificate(self, names: tuple[str, ...] = NAMES, days: float = 90) -> Pair:
        """A new certificate, in place of the one before."""
        return Authority(self.folder).issue("nginx", "nginx", names=names, days=days)

    def here(self, text: str) -> str:
        """A script or a configuration, for this folder and these ports."""
        # The ports first: a folder may have any number in its name.
        text = re.sub(r"\b\d{3,5}\b", lambda m: str(self.ports.get(int(m[0]), m[0])), text)
        places = ("/etc/nginx/nginx.conf", "/run/nginx.pid", "/etc/nginx/conf.d")
        for place in (*places, "/etc/nginx/sites-enabled"):
            text = text.replace(place, str(self.folder / Path(place).name))
        text = text.replace("/var/lib/sitewright", str(self.folder))
        return text.replace("/var/log/nginx", str(self.folder))

    def run(self, step: str, probe: str = "", **settings: str) -> tuple[int, str]:
        """A step of the stage, or a probe of it; its exit status and all that it said."""
        given = {
            "nginx_certificate": str(self.pair.certificate),
            "nginx_certificate_key": str(self.pair.key),
        }
        plan = make_plan(MOSIP, site(**given, **settings), ())
        (stage,) = (one for one in plan.stages if one.id == "nginx")
        (spec,) = (one.spec for one in stage.steps if one.id == step)
        asked = spec[probe] if probe else spec
        assert isinstance(asked, dict)
        done = subprocess.run(
            ["sh", "-euc", self.here(str(asked["script"]))],
            env={"PATH": self.path}, capture_output=True, text=True, check=False, timeout=60,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        return done.returncode, done.stdout + done.stderr

    def systemctl(self, *words: str) -> None:
        """As somebody else has it do."""
        program = self.folder / "bin/systemctl"
        subprocess.run([program, *words], check=True, timeout=20, env={"PATH": self.path})

    def calls(self) -> set[str]:
        """What systemctl was told."""
        return {line.split()[0] for line in (self.folder / "calls").read_text().splitlines()}

    def ask(self, address: str, name: str, port: int = 443) -> str:
        """What a client is answered at that address for that name; "" where nothing is."""
        context = ssl.create_default_context(cafile=str(self.pair.certificate.parent / "ca.crt"))
        with (
            socket.create_connection((address, self.ports[port]), timeout=10) as plain,
            context.wrap_socket(plain, server_hostname="any.site.example") as shown,
        ):
            shown.sendall(f"GET / HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode())
            return b"".join(iter(lambda: shown.recv(4096), b"")).decode().rpartition("\r\n")[2]


def _free(count: int) -> list[int]:
    """Ports that nobody has, all at once."""
    with contextlib.ExitStack() as held:
        return [
            held.enter_context(socket.create_server(("127.0.0.1", 0))).getsockname()[1]
            for _ in range(count)
        ]


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    made = Machine(tmp_path)
    made.file.write_text(f"# somebody's own\npid {tmp_path}/nginx.pid;\nevents {{}}\n")
    made.file.chmod(0o640)
    yield made
    pid = tmp_path / "nginx.pid"
    if pid.exists() and (number := pid.read_text().strip()):
        os.kill(int(number), signal.SIGTERM)


@pytest.fixture
def nodes(machine: Machine) -> Iterator[Machine]:
    """A node whose NodePorts each say which they are and what they were asked."""
    with contextlib.ExitStack() as stack:
        for port in PORTS[4:]:
            server = HTTPServer((NODE, machine.ports[port]), _says(port))
            threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
            stack.callback(server.server_close)
            stack.callback(server.shutdown)
        yield machine


def _says(number: int) -> type[BaseHTTPRequestHandler]:
    class Says(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            told = f"{number} {self.headers['Host']} {self.headers.get('X-Forwarded-Proto', '-')}"
            self.send_response(200)
            self.send_header("Content-Length", str(len(told)))
            self.end_headers()
            self.wfile.write(told.encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
            """Nothing."""

    return Says


@pytest.mark.processes
def test_nginx_serves_takes_a_new_certificate_up_and_goes_back(nodes: Machine) -> None:
    before = nodes.file.read_bytes(), nodes.file.stat().st_mode
    assert nodes.run("configuration", "done")[0] == 1
    status, said = nodes.run("configuration")
    assert (status, f"Public names on {PUBLIC}, internal ones on {INTERNAL}" in said) == (
        0,
        True,
    ), said
    assert nodes.run("configuration", "verify")[0] == 0, (nodes.folder / "error.log").read_text()
    assert nodes.run("configuration", "done")[0] == 0
    # Public names go to the public gateway, no others do; the internal address is the other's.
    assert nodes.ask(PUBLIC, "api.site.example") == "30080 api.site.example https"
    assert nodes.ask(PUBLIC, "iam.site.example") == ""
    assert nodes.ask(INTERNAL, "iam.site.example") == "31080 iam.site.example https"
    assert nodes.ask(INTERNAL, "minio.site.example", 9000) == "30900 minio.site.example https"
    for port, node in ((5432, "31432"), (61616, "31616")):
        asked = http.client.HTTPConnection(INTERNAL, nodes.ports[port], timeout=10)
        asked.request("GET", "/")
        assert asked.getresponse().read().decode().startswith(f"{node} ")
    # A certificate that was renewed in its place is seen, and taken up by a reload.
    nodes.pair = nodes.certificate()
    status, said = nodes.run("configuration", "done")
    assert (status, "shows another certificate" in said) == (1, True)
    assert nodes.run("configuration")[0] == 0
    assert nodes.run("configuration", "verify")[0] == 0
    assert nodes.run("configuration", "undo")[0] == 0
    assert (nodes.file.read_bytes(), nodes.file.stat().st_mode) == before
    assert nodes.run("configuration", "undo")[1].startswith("The configuration was not changed")
    assert nodes.calls() == {"is-active", "start", "reload", "enable"}


@pytest.mark.processes
def test_what_fails_nginxs_own_test_never_takes_the_place(machine: Machine) -> None:
    before = machine.file.read_bytes()
    machine.pair = Pair(machine.pair.certificate, Authority(machine.folder).pair.key)
    status, said = machine.run("configuration")
    assert status == 1
    assert "key values mismatch" in said
    assert "does not pass Nginx's own test" in said
    assert machine.file.read_bytes() == before
    assert not list(machine.folder.glob("*.sitewright"))
    assert not (machine.folder / "calls").exists()


@pytest.mark.processes
def test_a_port_that_another_holds_is_told_of_an_nginx_that_says_nothing(machine: Machine) -> None:
    """A reload that could not take its ports ends well, and Nginx goes on with what it had."""
    machine.run("configuration", "done")
    machine.systemctl("start")
    with socket.create_server((INTERNAL, machine.ports[5432])):
        assert machine.run("configuration")[0] == 0
        status, said = machine.run("configuration", "done")
    assert status == 1
    # Meanwhile it tries once more and once more, and has its other ports for moments.
    assert f"{INTERNAL}, port {machine.ports[443]}: " in said


@pytest.mark.processes
@pytest.mark.parametrize(
    ("addresses", "default", "settings", "says"),
    [
        ({"eth0": "192.0.2.7"}, "eth0", {}, f"internal_address {INTERNAL} is none of"),
        ({"eth1": INTERNAL, "eth0": "192.0.2.7"}, "", {}, "no interface has the default route"),
        ({"eth1": INTERNAL, "eth0": "192.0.2.7"}, "eth1", {}, "which of them is the public one"),
        ({"eth1": INTERNAL, "eth0": "192.0.2.7"}, "eth0", {"nginx_listen": "192.0.2.9"},
         "nginx_listen 192.0.2.9 is none"),
        # By the machine's word, which the kernel of the test does not share: Nginx itself refuses.
        ({"eth1": INTERNAL, "eth0": "192.0.2.7"}, "eth0", {}, "bind() to 192.0.2.7:"),
    ],
)  # fmt: skip
def test_addresses_are_those_that_the_machine_says(
    machine: Machine, addresses: dict[str, str], default: str, settings: dict[str, str], says: str
) -> None:
    machine.addresses(addresses, default=default)
    status, said = machine.run("configuration", **settings)
    assert (status, says in said) == (1, True), said


@pytest.mark.processes
def test_one_address_for_both_is_served_by_names(nodes: Machine) -> None:
    nodes.addresses({"eth0": INTERNAL}, default="eth0")
    assert nodes.run("configuration")[0] == 0
    assert nodes.run("configuration", "verify")[0] == 0
    assert nodes.ask(INTERNAL, "api.site.example") == "30080 api.site.example https"
    assert nodes.ask(INTERNAL, "iam.site.example") == "31080 iam.site.example https"


@pytest.mark.processes
@pytest.mark.parametrize(
    ("names", "days", "says"),
    [
        (NAMES, 90, ""),
        (NAMES, 10, "ends within 30 days"),
        (NAMES, -0.5, "ended on"),
        (("api.site.example", "prereg.site.example"), 90, "is not of: resident.site.example api-"),
    ],
)
def test_a_certificate_is_judged_before_anything_is_changed(
    machine: Machine, names: tuple[str, ...], days: float, says: str
) -> None:
    machine.pair = machine.certificate(names, days)
    machine.pair.key.chmod(0o600)
    status, said = machine.run("certificate")
    assert (status, says in said) == (1 if says else 0, True), said


@pytest.mark.processes
def test_a_key_of_another_and_one_that_all_may_read_are_told(machine: Machine) -> None:
    other = Authority(machine.folder).pair.key
    machine.pair = Pair(machine.pair.certificate, other)
    other.chmod(0o644)
    status, said = machine.run("certificate")
    assert status == 1
    assert "is not the key of" in said
    assert f"chmod 600 {other}" in said
    other.unlink()
    assert f"{other} is not there" in machine.run("certificate")[1]


@pytest.mark.processes
def test_a_gateway_that_is_not_ready_is_named(machine: Machine) -> None:
    renderer = Renderer({"cluster_addresses": f"{NODE}, 127.0.0.24"}, MOSIP.folder)
    script = renderer.script(renderer.source("scripts/nginx-gateways.sh"), where="x")
    for port, held in zip(("30521", "31521"), _free(2), strict=True):
        script = script.replace(port, str(held))
        machine.ports[int(port)] = held
    with HTTPServer((NODE, machine.ports[30521]), _says(0)) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        done = subprocess.run(
            ["sh", "-euc", script], capture_output=True, text=True, check=False, timeout=60
        )
        server.shutdown()
    assert done.returncode == 1
    assert f"the public gateway at {NODE}," not in done.stdout
    assert f"the internal gateway at {NODE}, port {machine.ports[31521]}:" in done.stdout
    assert "the public gateway at 127.0.0.24," in done.stdout


@pytest.mark.processes
def test_an_nginx_that_serves_others_too_is_not_removed(machine: Machine) -> None:
    for name, does in (("dpkg-query", "exit 1"), ("apt-get", f'echo "$@" >> {machine.folder}/apt')):
        (machine.folder / "bin" / name).write_text(f"#!/bin/sh\n# {name}, a stand-in.\n{does}\n")
        (machine.folder / "bin" / name).chmod(0o755)
    assert machine.run("packages", "undo") == (0, "No package was installed for it.\n")
    assert machine.run("packages", "done")[0] == 1
    assert machine.run("packages")[0] == 0
    (machine.folder / "conf.d").mkdir()
    (machine.folder / "conf.d/theirs.conf").touch()
    status, said = machine.run("packages", "undo")
    assert (status, "The packages stay, since" in said) == (0, True)
    assert "remove" not in (machine.folder / "apt").read_text()
    (machine.folder / "conf.d/theirs.conf").unlink()
    assert machine.run("packages", "undo")[0] == 0
    assert (machine.folder / "apt").read_text().endswith("Dpkg::Use-Pty=0 libnginx-mod-stream\n")


def test_no_machine_for_nginx_is_told_and_no_nginx_asks_nothing() -> None:
    alone = site().model_copy(update={"hosts": site().hosts[:1]})
    with pytest.raises(InputProblem, match='no machine of the site has the role "nginx"'):
        make_plan(MOSIP, alone, ())
    plan = make_plan(MOSIP, site(nginx="no"), ())
    assert "nginx" not in {stage.id for stage in plan.stages}
    with pytest.raises(InputProblem, match="cluster_addresses"):
        make_plan(MOSIP, site(cluster_addresses=""), ())

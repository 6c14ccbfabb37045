"""Miniloop on a lab machine: what is given out to it, and its site file.

Real: Kubernetes 1.31 of one node, containerd, CoreDNS, Helm 3.17, kubectl, Ansible, SSH, systemd;
the images are pulled and the charts fetched over HTTP. Made by the tests: the charts
(miniloop/charts.py), what runs in their pods (miniloop/hub_pod). Stand-ins: snapd, MicroK8s but
for its Kubernetes, its ingress.
"""

from __future__ import annotations

import http.server
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.installer.miniloop import charts
from tests.lab.kubernetes import served
from tests.lab.lab import Lab
from tests.lab.machine import Machine

_POD = Path(__file__).parent / "miniloop/hub_pod"
PYTHON = "/usr/bin/python3"
DYNLOAD = ("usr", "usr/lib", "usr/lib/python3.11", "usr/lib/python3.11/lib-dynload")
"""Without the last Python looks for where it lies, and says so."""
_AREAS = (
    "machine cpu memory disk nic software kernel limits os role host unique consistency time"
    " network firewall port egress"
)


@dataclass
class Given:
    """What a machine without the internet is given."""

    registry: served.Registry
    charts: str
    """The address of the repository."""


def library() -> dict[str, Path | bytes]:
    """The standard library of this machine's own Python, without what a pod never needs."""
    asked = "import sysconfig; print(sysconfig.get_path('stdlib'))"
    folder = Path(
        subprocess.run([PYTHON, "-I", "-c", asked], check=True, capture_output=True, text=True)
        .stdout.strip()
    )  # fmt: skip
    without = {"test", "idlelib", "lib2to3", "tkinter", "ensurepip", "pydoc_data", "__pycache__",
               "dist-packages", "site-packages", "distutils", "unittest"}  # fmt: skip
    return {
        str(path): path
        for path in folder.rglob("*.py")
        if without.isdisjoint(path.relative_to(folder).parts)
    }


def add_images(registry: served.Registry, *, without: str = "") -> None:
    """Give out every image of the charts, but the one that has `without` in its name."""
    program = _POD.read_bytes()
    made = served.layer(
        registry.folder / "hub.tar",
        programs=[PYTHON],
        files={"/bin/hub": program, "/bin/wget": program, **library()},
        folders=DYNLOAD,
    )
    for image in charts.images():
        name, _, tag = image.partition(":")
        config = {
            "Entrypoint": ["/bin/hub"],
            "Env": ["PATH=/bin:/usr/bin", f"STAND_IN={name.rpartition('/')[2]}"],
        }
        if not without or without not in image:
            registry.add(name, tag, config, made)


@contextmanager
def given_out(lab: Lab, folder: Path) -> Iterator[Given]:
    """A registry with every image and a repository of the charts, at an address of this machine."""
    address = str(lab.subnet.network_address + 1)
    place = folder / "charts"
    place.mkdir()
    charts.write_repository(place)

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *words: object) -> None:
            super().__init__(*words, directory=str(place))  # type: ignore[arg-type]  # as http.server calls it

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer((address, 0), Quiet)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        with served.registry(address) as registry:
            add_images(registry)
            yield Given(registry, f"http://{address}:{server.server_port}/")
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
        shutil.rmtree(place, ignore_errors=True)


def site_text(lab: Lab, machine: Machine, given: Given, settings: str = "") -> str:
    """A site file whose machine is the lab's; what the lab's machines are not is waived."""
    waivers = "".join(
        f"  - {{check: '{area}.*', by: A. Tester, reason: the lab, until: 2099-01-01}}\n"
        for area in _AREAS.split()
    )
    return (
        "solution: miniloop\n"
        f"ssh: {{user: ubuntu, identity_files: [{lab.key}], known_hosts: {lab.known_hosts}}}\n"
        f"hosts:\n  - {{name: box, address: {machine.address}, roles: [box]}}\n"
        f"settings:\n  chart_repository: {given.charts}\n"
        f"  registry_mirror: {given.registry.address}\n  registry_mirror_only: 'yes'\n{settings}"
        f"waivers:\n{waivers}"
    )

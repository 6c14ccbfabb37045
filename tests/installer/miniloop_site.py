"""Miniloop on a lab machine: what is given out to it, and its site file.

Real: Kubernetes 1.31 of one node, containerd, CoreDNS, Helm 3.17, kubectl, Ansible, SSH, systemd;
the images are pulled and the charts fetched over HTTP. Made by the tests: the charts
(miniloop/charts.py), what runs in their pods (miniloop/hub_pod). Stand-ins: snapd, MicroK8s but
for its Kubernetes, its ingress.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

from tests.installer.miniloop import charts
from tests.lab.kubernetes import given, served
from tests.lab.kubernetes.given import Given
from tests.lab.lab import Lab
from tests.lab.machine import Machine

_POD = Path(__file__).parent / "miniloop/hub_pod"
_AREAS = (
    "machine cpu memory disk nic software kernel limits os role host unique consistency time"
    " network firewall port egress"
)


def add_images(registry: served.Registry, *, without: str = "") -> None:
    """Give out every image of the charts, but the one that has `without` in its name."""
    made = given.pods_layer(registry, _POD, ("hub", "wget"))
    for image in charts.images():
        name, _, tag = image.partition(":")
        config = {
            "Entrypoint": ["/bin/hub"],
            "Env": ["PATH=/bin:/usr/bin", f"STAND_IN={name.rpartition('/')[2]}"],
        }
        if not without or without not in image:
            registry.add(name, tag, config, made)


def given_out(lab: Lab, folder: Path) -> AbstractContextManager[Given]:
    """A registry with every image and a repository of the charts, at an address of this machine."""
    return given.given_out(lab, folder, charts.write_repository, add_images)


def site_text(lab: Lab, machine: Machine, it: Given, settings: str = "") -> str:
    """A site file whose machine is the lab's; what the lab's machines are not is waived."""
    waivers = "".join(
        f"  - {{check: '{area}.*', by: A. Tester, reason: the lab, until: 2099-01-01}}\n"
        for area in _AREAS.split()
    )
    return (
        "solution: miniloop\n"
        f"ssh: {{user: ubuntu, identity_files: [{lab.key}], known_hosts: {lab.known_hosts}}}\n"
        f"hosts:\n  - {{name: box, address: {machine.address}, roles: [box]}}\n"
        f"settings:\n  chart_repository: {it.charts}\n"
        f"  registry_mirror: {it.registry.address}\n  registry_mirror_only: 'yes'\n{settings}"
        f"waivers:\n{waivers}"
    )

"""A lab site to install on by hand: machines with roles, stand-ins, and the site file for them.

The machines say that they are Ubuntu 24.04, and `snap`, `microk8s` and `microceph` are the
stand-ins of tests/stand_ins, and so is Argo CD's manifest; Kubernetes, SSH, systemd, Ansible, the
firewall and HAProxy are real. What a machine of the lab cannot have (disks, clocks of their own) is
waived in the site file.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tests.lab.lab import Lab
from tests.lab.lending import MachineFactory
from tests.lab.machine import Machine
from tests.lab.recipe import UBUNTU_24_04
from tests.stand_ins import argocd_small
from tests.stand_ins.install import start

ROLES: Mapping[str, str] = {
    "m1": "master",
    "w1": "worker",
    "lb1": "load-balancer",
    "lb2": "load-balancer",
}
"""Machine and role, where no others are asked for."""

_AREAS = (
    "machine cpu memory disk nic software kernel limits os role host unique consistency time"
    " network firewall port egress"
)


def bring_up(lab: Lab, roles: Mapping[str, str], environment: str) -> tuple[list[Machine], Path]:
    """Start the machines, put the stand-ins on them, write site.yaml and hosts.txt beside it."""
    wanted = {name: (role,) for name, role in roles.items()}
    machines = list(start(MachineFactory(lab), wanted, stand_in=UBUNTU_24_04).values())
    for machine in machines:
        machine.write_file("/root/argocd.yaml", argocd_small.manifest())
    site = lab.folder / "site.yaml"
    site.write_text(site_text(lab, machines, roles, environment))
    lines = [f"{machine.name}=ubuntu@{machine.address}\n" for machine in machines]
    (lab.folder / "hosts.txt").write_text("".join(lines))
    return machines, site


def site_text(lab: Lab, machines: list[Machine], roles: Mapping[str, str], environment: str) -> str:
    """The site file: the platform and the load balancers, no storage and no applications."""
    hosts = "".join(
        f"  - {{name: {one.name}, address: {one.address}, roles: [{roles[one.name]}]}}\n"
        for one in machines
    )
    waivers = "".join(
        f"  - {{check: '{area}.*', by: The lab, reason: a machine of the lab, until: 2099-01-01}}\n"
        for area in _AREAS.split()
    )
    return (
        f"solution: pm4ml\nenvironment: {environment}\n"
        f"ssh: {{user: ubuntu, identity_files: [{lab.key}], known_hosts: {lab.known_hosts}}}\n"
        f"hosts:\n{hosts}"
        "settings:\n"
        "  domain: pm4ml.example.org\n  pm4ml_id: bank-one\n"
        f"  private_network: {lab.subnet}\n"
        "  argocd_manifest: /root/argocd.yaml\n"
        "  ceph: false\n  applications: false\n  internal_ingress: false\n"
        f"waivers:\n{waivers}"
    )


def what_to_type(lab: Lab, machines: list[Machine], site: Path) -> str:
    """What to type next, in another terminal."""
    addresses = "\n".join(
        f"  {one.name:<4} ubuntu@{one.address}  {one.fingerprint}" for one in machines
    )
    return f"""\
A lab site is up: PM4ML on {len(machines)} machines, gone when this ends (Ctrl-C).
{addresses}
The key of every login: {lab.key}

The wizard, from its site file:
  sitewright --site {site}
The wizard from the beginning: sitewright, and on its machines step F6 with
  {site.with_name("hosts.txt")}
and F2 for the key above. By the command:
  sitewright install --site {site} --by "A. Name" \\
    --skip "prepare/host-preparation=the clocks of a lab stand still"
"""

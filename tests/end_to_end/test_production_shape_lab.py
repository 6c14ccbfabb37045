"""The production shape of PM4ML by the command: firewall, HAProxy and a real Kubernetes together.

The firewall's rules meet the cluster's own here: pods on other nodes, services, NodePorts that
kube-proxy made, and the API. Small in CI, one master and no applications; the guide's own eleven
machines (section 4.1) where SITEWRIGHT_PRODUCTION_SHAPE=whole says so. What stands in for what is
said in tests/lab/kubernetes/README.md and tests/stand_ins.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.end_to_end.cluster_network import (
    Shape,
    begin_gateways,
    kubectl,
    nobody_else_reaches_it,
    shows_the_portal,
    those_reach_it_whom_it_concerns,
)
from tests.end_to_end.test_install_lab import killed_in_the_middle, sitewright
from tests.installer.pm4ml.test_pm4ml_firewall_lab import dial
from tests.lab.host import wait_until
from tests.lab.lab import Lab
from tests.lab.machine import Machine
from tests.lab.site import bring_up
from tests.stand_ins import istio_pods
from tests.stand_ins.install import calls

pytestmark = [pytest.mark.lab, pytest.mark.timeout(5400)]

SMALL = {"m1": "master", "w1": "worker", "w2": "worker", "lb1": "load-balancer", "s1": "storage"}
WHOLE = {
    **{f"m{n}": "master" for n in (1, 2, 3)},
    **{f"w{n}": "worker" for n in (1, 2, 3)},
    **{f"lb{n}": "load-balancer" for n in (1, 2)},
    **{f"s{n}": "storage" for n in (1, 2, 3)},
}
DOMAIN = "pm4ml.example.org"
"""As the site file of tests/lab/site.py has it."""
TAKEN_BACK = ("system-tuning", "haproxy", "argocd", "microk8s", "firewall")
LEFT = """\
{
    grep -rIl -i sitewright /etc /usr/local /var/spool /var/lib/systemd
    find /etc /usr/local /root /var/snap /run -xdev -iname '*sitewright*' ! -type d
    find /etc/sitewright ! -type d
} 2>/dev/null | grep -v -x /etc/os-release | sort -u
nft list tables | grep sitewright
systemctl list-units --all --plain --no-legend '*sitewright*'
ls -d /var/snap/microk8s 2>/dev/null
true
"""
"""A script that shows what is left on a machine of what was installed there; best nothing.

/var/lib/sitewright stays, so that the run can be told of (docs/machines.md), and os-release is the
lab's own.
"""


@dataclass(frozen=True)
class Site:
    """The machines by name, what they are for, and the site file."""

    machines: Mapping[str, Machine]
    shape: Shape
    file: Path


@pytest.fixture
def site(lab: Lab) -> Iterator[Site]:
    """The machines of the shape, nothing on them."""
    roles = WHOLE if os.environ.get("SITEWRIGHT_PRODUCTION_SHAPE") == "whole" else SMALL
    machines, file = bring_up(lab, roles, "production")
    of = {
        role: [machine for machine in machines if roles[machine.name] == role]
        for role in dict.fromkeys(roles.values())
    }
    shape = Shape(of["master"], of["worker"], of["load-balancer"], of["storage"])
    yield Site({machine.name: machine for machine in machines}, shape, file)
    for machine in machines:
        lab.discard(machine)


def test_it_is_killed_resumed_reached_by_whom_it_concerns_and_taken_back(site: Site) -> None:
    """One run, killed while the nodes join; the ways into it; a restart; and nothing is left."""
    shape = site.shape
    master, worker, balancer = shape.masters[0], shape.workers[0], shape.balancers[0]
    words: list[str | Path] = ["--site", site.file, "--yes", "--by", "A. Tester"]
    skip = ["--skip", "prepare/host-preparation=the clocks of a lab stand still"]
    killed_in_the_middle("install", *words, *skip, at='"What the node says of itself"')
    resumed = sitewright("resume", *words, *skip)
    assert resumed.returncode == 0, resumed.stdout[-4000:] + resumed.stderr
    for node in (*shape.masters[1:], *shape.workers):
        joins = [call for call in calls(node) if call.startswith("microk8s join")]
        assert len(joins) == 1, (node.name, joins)

    begin_gateways(shape, DOMAIN)
    those_reach_it_whom_it_concerns(shape, DOMAIN)
    nobody_else_reaches_it(shape)
    # The rules and the cluster's own find together again when a worker starts.
    worker.restart()
    wait_until(lambda: dial(balancer, (worker, 32080)) == ["open"], "its NodePort", seconds=300)
    wait_until(lambda: shows_the_portal(balancer, DOMAIN), "the portal", seconds=300)
    assert dial(shape.storage[0], (worker, 32080), (worker, 10250)) == ["filtered"] * 2

    verified = sitewright("verify", *words)
    assert verified.returncode == 0, verified.stdout[-4000:] + verified.stderr
    kubectl(master, "delete", "namespace", istio_pods.NAMESPACE)
    for stage in TAKEN_BACK:
        undone = sitewright("undo", stage, *words, "--reason", "tried")
        assert undone.returncode == 0, stage + undone.stdout[-4000:] + undone.stderr
    for machine in site.machines.values():
        assert machine.exec(["sh", "-c", LEFT]).stdout == "", machine.name

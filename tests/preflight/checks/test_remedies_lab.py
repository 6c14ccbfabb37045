"""Remedies of preflight that must outlive the next start, tried on a machine that starts anew.

Docker is a stand-in: a service of its name that sets the forwarding policy to DROP when it starts,
as Docker does. Modules cannot be shown here, which are those of the machine that the lab runs on,
nor the host name and /etc/hosts, which podman lays over.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import pytest

from preflight.checks.case import Case
from preflight.checks.check import Check
from preflight.checks.clock import synchronized
from preflight.checks.firewall import forward
from preflight.checks.kernel import sysctls
from preflight.findings import Finding
from preflight.needs import SysctlNeed
from tests.lab.lending import MachineFactory
from tests.lab.machine import Machine
from tests.preflight.facts_factory import case, changed, needs, platform, role, worker_facts

pytestmark = pytest.mark.lab

SPOILED = r"""
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends iptables >/dev/null
echo 'net.ipv4.ip_forward = 0' >>/etc/sysctl.conf
[ -e /etc/sysctl.d/99-sysctl.conf ] || ln -s ../sysctl.conf /etc/sysctl.d/99-sysctl.conf
printf '[Service]\nType=oneshot\nExecStart=/usr/sbin/iptables -P FORWARD DROP\n%s\n%s\n' \
    '[Install]' 'WantedBy=multi-user.target' >/etc/systemd/system/docker.service
# systemd's own program, for the one setting that a machine of the lab has for itself.
printf '[Service]\nType=oneshot\nExecStart=/lib/systemd/systemd-sysctl %s\n%s\n%s\n' \
    '--prefix=/net/ipv4/ip_forward' '[Install]' 'WantedBy=multi-user.target' \
    >/etc/systemd/system/sysctl-of-lab.service
systemctl daemon-reload
systemctl enable -q sysctl-of-lab.service
systemctl enable -q --now docker.service
systemctl disable -q --now chrony
"""


def found(check: Check[Case], one: Case) -> Finding:
    """The finding of a check that has a remedy."""
    return next(finding for finding in check.run(one) if finding.remedy)


def commands(remedy: str) -> Iterable[str]:
    """The commands of a remedy, those of cloud-init left out: no lab machine has it."""
    return [one for one in re.findall(r"`([^`]+)`", remedy) if "sudo" in one and "cloud" not in one]


def state(machine: Machine) -> dict[str, str]:
    """What the remedies are about, as the machine has it now."""

    def said(*argv: str) -> str:
        return machine.exec(list(argv), check=False).stdout.strip()

    return {
        "forwarding": said("cat", "/proc/sys/net/ipv4/ip_forward"),
        "policy": said("iptables", "-S", "FORWARD").splitlines()[0],
        "chrony": said("systemctl", "is-active", "chrony"),
    }


def test_the_printed_remedies_outlive_the_next_start(machine_factory: MachineFactory) -> None:
    machine = machine_factory("w1")
    machine.script(SPOILED, timeout=600)
    machine.restart()
    machine.wait_for_boot()
    spoiled = {
        "forwarding": "0",
        "policy": "-P FORWARD DROP",
        "chrony": "inactive",
    }
    assert state(machine) == spoiled

    facts = changed(
        worker_facts(),
        kernel={"sysctls": {"net.ipv4.ip_forward": "0"}},
        firewall={"policies": {"FORWARD": "DROP"}},
        time={"synchronized": False},
    )
    wanted = SysctlNeed(name="net.ipv4.ip_forward", equals=("1",), source="here")
    one = case(facts, wanted=needs(role("worker"), platform=platform(sysctls=(wanted,))))
    findings = [found(check, one) for check in (sysctls, forward, synchronized)]
    for finding in findings:
        for command in commands(finding.remedy):
            if "apt-get" not in command and "tracking" not in command:
                machine.script(command)
    healed = {
        "forwarding": "1",
        "policy": "-P FORWARD ACCEPT",
        "chrony": "active",
    }
    assert state(machine) == healed
    machine.restart()
    machine.wait_for_boot()
    assert state(machine) == healed

"""The probe over SSH on lab machines, its facts held against what the machine itself says."""

from __future__ import annotations

import pytest

from foundation.hosts.connection import Become, Credentials
from foundation.hosts.model import Host, Inventory
from foundation.hosts.pool import Pool
from foundation.secrets import Secret
from preflight.facts import Facts, Unknown, known
from preflight.probe import run_probe
from tests.lab.host import PATIENCE, wait_until
from tests.lab.lab import Lab
from tests.lab.lending import LabMachines
from tests.lab.machine import Machine
from tests.lab.recipe import MINIMAL, UBUNTU_24_04

pytestmark = pytest.mark.lab

NOBODY = Credentials()


async def probed(lab: Lab, machine: Machine, user: str, credentials: Credentials = NOBODY) -> Facts:
    """The facts of a lab machine as a user of it is told them."""
    host = Host(name=machine.name, address=machine.address, user=user, identity_files=(lab.key,))
    inventory = Inventory(hosts=(host,), known_hosts=(lab.known_hosts,), use_ssh_config=False)
    async with Pool(inventory, credentials) as pool:
        return await run_probe(await pool.connect(host), become=Become.IF_ALLOWED)


def said(machine: Machine, *command: str) -> str:
    """What a command says inside a machine."""
    return machine.exec(list(command)).stdout.strip()


async def test_a_user_with_sudo_gets_roots_facts(lab: Lab, lab_machines: LabMachines) -> None:
    (machine,) = lab_machines(1, stand_in=UBUNTU_24_04)
    machine.wait_for_boot()
    facts = await probed(lab, machine, "ubuntu")
    identity = facts.identity
    assert (identity.user, identity.root, identity.sudo) == ("ubuntu", True, "passwordless")
    assert identity.home == "/home/ubuntu"
    assert identity.hostname == said(machine, "hostname")
    assert identity.machine_id == said(machine, "cat", "/etc/machine-id")
    assert (facts.os.id, facts.os.version) == ("ubuntu", "24.04")
    assert facts.os.init == "systemd"
    assert facts.cpu.logical == int(said(machine, "nproc"))
    assert facts.cpu.virtualization == said(machine, "systemd-detect-virt")
    assert facts.cpu.is_container is True
    (eth0,) = (nic for nic in known(facts.network.nics) or () if nic.name == "eth0")
    assert machine.address in {one.address for one in eth0.addresses}
    assert eth0.mac == said(machine, "cat", "/sys/class/net/eth0/address")
    ssh = [one for one in known(facts.network.sockets) or () if one.port == 22]
    assert {one.process for one in ssh} == {"sshd"}
    assert isinstance(facts.firewall.nftables, int)
    assert facts.time.daemon == "chrony"
    software = {one.name: one for one in known(facts.software) or ()}
    assert software["openssh-server"].active is True
    assert software["chrony"].version == said(
        machine, "dpkg-query", "-W", "-f", "${Version}", "chrony"
    )
    (root,) = (one for one in known(facts.filesystems) or () if one.mount == "/")
    size = said(machine, "df", "-B1", "--output=size", "/").split()[-1]
    assert root.size_bytes == int(size)


async def test_the_clock_of_a_lab_machine_is_ours(lab: Lab, lab_machines: LabMachines) -> None:
    (machine,) = lab_machines(1)
    facts = await probed(lab, machine, "ubuntu")
    offset, uncertainty = known(facts.time.offset_seconds), known(facts.time.uncertainty_seconds)
    assert offset is not None
    assert uncertainty is not None
    assert abs(offset) <= uncertainty < PATIENCE  # how long an answer takes says how busy it is


async def test_a_password_for_sudo_is_told_apart(lab: Lab, lab_machines: LabMachines) -> None:
    (machine,) = lab_machines(1)
    without = await probed(lab, machine, "engineer")
    assert (without.identity.root, without.identity.sudo) == (False, "asks")
    credentials = Credentials(sudo_password=Secret(lab.password))
    given = await probed(lab, machine, "engineer", credentials)
    assert (given.identity.root, given.identity.sudo) == (True, "password")
    assert given.identity.user == "engineer"


async def test_a_user_without_sudo_is_told_what_needs_root(
    lab: Lab, lab_machines: LabMachines
) -> None:
    (machine,) = lab_machines(1)
    facts = await probed(lab, machine, "plain")
    assert (facts.identity.user, facts.identity.root) == ("plain", False)
    assert facts.firewall.nftables == Unknown("needs root")
    assert any("without root" in note for note in facts.notes)
    ssh = [one for one in known(facts.network.sockets) or () if one.port == 22]
    assert {one.process for one in ssh} == {Unknown("needs root")}


async def test_a_minimal_machine_still_tells_what_it_can(
    lab: Lab, lab_machines: LabMachines
) -> None:
    (machine,) = lab_machines(1, recipe=MINIMAL)
    facts = await probed(lab, machine, "root")
    assert facts.identity.hostname == said(machine, "hostname")
    (eth0,) = (nic for nic in known(facts.network.nics) or () if nic.name == "eth0")
    assert [one.address for one in eth0.addresses if ":" not in one.address] == [machine.address]
    assert {one.process for one in known(facts.network.sockets) or () if one.port == 22} == {"sshd"}
    assert known(facts.filesystems)
    assert not {"ip", "ss", "python3"} & (known(facts.commands) or frozenset())


FIRST_BOOT = """\
for name in cloud-final apt-daily-upgrade; do
    printf '[Service]\\nType=oneshot\\nRemainAfterExit=yes\\nExecStart=/bin/sh -c %s\\n' \
        '"while test ! -e /run/done; do sleep 0.1; done"' >/run/systemd/system/$name.service
    systemctl start --no-block $name
done
"""
"""Services of the names that a machine has at its first boot; what they do is made up."""


async def test_a_machine_that_sets_itself_up_is_seen_until_it_has_ended(
    lab: Lab, lab_machines: LabMachines
) -> None:
    """systemd keeps the folder of a service that ran to its end: that is no longer at work."""
    (machine,) = lab_machines(1)
    machine.script(FIRST_BOOT)
    at_work = ["systemctl", "is-active", "cloud-final", "apt-daily-upgrade"]
    wait_until(
        lambda: machine.exec(at_work, check=False).stdout.split() == ["activating"] * 2, "services"
    )
    names = {one.name for one in known((await probed(lab, machine, "plain")).software) or ()}
    assert {"cloud-init", "apt-daily"} <= names
    machine.exec(["touch", "/run/done"])
    wait_until(
        lambda: machine.exec(at_work, check=False).stdout.split() == ["active"] * 2, "their end"
    )
    names = {one.name for one in known((await probed(lab, machine, "plain")).software) or ()}
    assert not {"cloud-init", "apt-daily"} & names

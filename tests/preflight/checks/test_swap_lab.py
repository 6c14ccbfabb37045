"""Remedies of swap on machines that start anew: what comes back without them, and not with them.

A container is given no swap of its own: systemd starts no .swap unit there, and the kernel's swap
is that of the machine that the lab runs on. So beside each .swap unit stands a service that
swap.target wants in the same way, and stand-ins for swapon and swapoff note that they were called.
What this does not show: the devices of zram and of a GPT partition, and fstab's own units, which
systemd's generator leaves out in a container.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from foundation.hosts.connection import Become
from foundation.hosts.model import Host, Inventory
from foundation.hosts.pool import Pool
from installer.catalogue.hardening import load_hardening
from installer.catalogue.solution import load_solution
from preflight.checks.swap import swap
from preflight.facts import Facts, SwapSource, known
from preflight.findings import Finding, Severity
from preflight.hardening import Asked, hardening_script, judge_hardening
from preflight.probe import run_probe
from tests.installer.pm4ml_site import LabSite
from tests.lab.lab import Lab
from tests.lab.lending import MachineFactory
from tests.lab.machine import Machine
from tests.preflight.facts_factory import case, changed, needs, role

pytestmark = pytest.mark.lab

ORIGINS = r"""
for name in swapon swapoff; do
    rm -f /usr/sbin/$name
    printf '#!/bin/sh\n# STAND-IN\necho "%s $*" >>/var/log/stand-in-swap\n' $name >/usr/sbin/$name
    chmod 755 /usr/sbin/$name
done
# STAND-IN for zram-generator, which makes no unit in a container: a generator that makes one.
mkdir -p /etc/systemd/system-generators
cat >/etc/systemd/system-generators/stand-in-zram-generator <<'END'
#!/bin/sh
mkdir -p "$1/swap.target.wants"
printf '[Unit]\nDocumentation=man:zram-generator(8)\n[Swap]\nWhat=/by-generator\n' \
    >"$1/by\x2dgenerator.swap"
printf '[Unit]\nDefaultDependencies=no\n[Service]\nType=oneshot\n%s\n' \
    'ExecStart=/usr/sbin/swapon /by-generator' >"$1/by-generator.service"
ln -s '../by\x2dgenerator.swap' ../by-generator.service "$1/swap.target.wants/"
END
chmod 755 /etc/systemd/system-generators/stand-in-zram-generator
printf '[Swap]\nWhat=/by-unit\n[Install]\nWantedBy=swap.target\n' \
    >'/etc/systemd/system/by\x2dunit.swap'
printf '[Unit]\nDefaultDependencies=no\n[Service]\nType=oneshot\n%s\n%s\n' \
    'ExecStart=/usr/sbin/swapon /by-unit' '[Install]
WantedBy=swap.target' >/etc/systemd/system/by-unit.service
# The units of Debian's zram-tools and dphys-swapfile, with the one thing that they do at last.
for name in zramswap dphys-swapfile; do
    printf '[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/usr/sbin/swapon /by-%s\n%s\n' \
        $name '[Install]
WantedBy=multi-user.target' >/etc/systemd/system/$name.service
done
mv /etc/systemd/system/zramswap.service /lib/systemd/system/
mv /etc/systemd/system/dphys-swapfile.service /lib/systemd/system/
systemctl daemon-reload
systemctl enable -q zramswap dphys-swapfile by-unit 'by\x2dunit.swap'
echo '/by-fstab none swap sw 0 0' >>/etc/fstab
"""

BROUGHT = {"/by-zramswap", "/by-dphys-swapfile", "/by-generator", "/by-unit"}

SOURCES = {
    "/by-generator": SwapSource.ZRAM_GENERATOR,
    "/by-unit": SwapSource.UNIT,
    "/by-fstab": SwapSource.FSTAB,
    "/var/swap": SwapSource.SERVICE,
    "": SwapSource.SERVICE,
}


def started_anew(machine: Machine) -> set[str]:
    """Restart a machine; what its start switched on."""
    machine.script("rm -f /var/log/stand-in-swap")
    machine.restart()
    machine.wait_for_boot()
    called = machine.exec(["cat", "/var/log/stand-in-swap"], check=False).stdout
    return set(re.findall(r"swapon (\S+)", called))


async def facts_of(lab: Lab, machine: Machine) -> Facts:
    """What the probe tells of a machine, as root."""
    host = Host(
        name=machine.name, address=machine.address, user="ubuntu", identity_files=(lab.key,)
    )
    inventory = Inventory(hosts=(host,), known_hosts=(lab.known_hosts,), use_ssh_config=False)
    async with Pool(inventory) as pool:
        return await run_probe(await pool.connect(host), become=Become.IF_ALLOWED)


async def test_the_printed_remedy_outlives_the_next_start(
    lab: Lab, machine_factory: MachineFactory
) -> None:
    machine = machine_factory("w1")
    machine.script(ORIGINS)
    assert started_anew(machine) == BROUGHT

    facts = await facts_of(lab, machine)
    areas = known(facts.memory.swap_areas) or ()
    assert {one.name: one.source for one in areas if not one.active} == SOURCES
    # The container's own marks are taken off: the check excuses containers from a start.
    facts = changed(facts, cpu={"is_container": False}, memory={"swap_bytes": 0})
    facts = changed(facts, memory={"swap_areas": tuple(a for a in areas if not a.active)})
    (found,) = swap.run(case(facts, wanted=needs(role("worker"))))
    assert found.severity is Severity.WARN
    commands = re.findall(r"`(sudo [^`]+)`", found.remedy)
    for command in commands:
        machine.script(command)
    assert started_anew(machine) == set()

    after = await facts_of(lab, machine)
    assert [one for one in known(after.memory.swap_areas) or () if not one.active] == []
    machine.script(found.undo.partition(";")[0])
    assert started_anew(machine) == BROUGHT


def test_mosips_list_sees_what_brings_swap_and_its_remedy_ends_it(
    machine_factory: MachineFactory,
) -> None:
    """Nothing is on now, and four things bring it at a start: only the line of fstab was seen."""
    machine = machine_factory("n1")
    machine.script(ORIGINS)
    assert started_anew(machine) == BROUGHT
    listed = load_hardening(load_solution("mosip"))
    swapped = next(one for one in listed.checks if one.id == "swap")

    def verdict() -> Finding:
        asked = Asked(
            name="swap", title=swapped.title, otherwise=swapped.otherwise,
            script=swapped.script, expected=swapped.expected, see=swapped.see,
            remedy=swapped.remedy, source=swapped.source, severity=Severity.FAIL,
        )  # fmt: skip
        said = machine.exec(["sh", "-s", "n"], stdin=hardening_script([asked]).decode()).stdout
        (found,) = judge_hardening(said.encode(), "n", [asked], host="n1")
        return found

    found = verdict()
    assert found.severity is Severity.FAIL
    for name in ("/by-fstab", r"by\x2dgenerator.swap", r"by\x2dunit.swap", "zramswap", "dphys"):
        assert name in found.actual
    for command in re.findall(r"`(sudo [^`]+)`", found.remedy):
        for name in ("zramswap", "dphys-swapfile") if "NAME" in command else ("",):
            machine.script(command.replace("NAME", name))
    assert verdict().actual == "none now, and nothing that brings it"
    assert started_anew(machine) == set()
    assert verdict().severity is Severity.PASS


def test_pm4ml_takes_swap_away_for_good_and_gives_it_back(
    lab: Lab, machine_factory: MachineFactory, tmp_path: Path
) -> None:
    machine = machine_factory("m1")
    machine.script(ORIGINS)
    assert started_anew(machine) == BROUGHT
    playbook = tmp_path / "swap.yml"
    tasks = Path(__file__).parents[3] / "installer/solutions/pm4ml/playbooks/tasks"
    site = LabSite(lab, tmp_path, {machine: ("master",)})

    def play(name: str) -> dict[str, int]:
        playbook.write_text(
            "- hosts: all\n  become: true\n  gather_facts: false\n  tasks:\n"
            f"    - ansible.builtin.include_tasks: {tasks / name}\n"
        )
        played = site.play(str(playbook))
        assert played.status == 0, played.output
        return played.changed

    assert play("swap_off.yml")["m1"] > 0
    assert play("swap_off.yml") == {"m1": 0}
    assert started_anew(machine) == set()
    assert play("swap_on.yml")["m1"] > 0
    assert play("swap_on.yml") == {"m1": 0}
    assert started_anew(machine) == BROUGHT

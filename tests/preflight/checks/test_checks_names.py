"""What the checks make of what a machine calls things: ids, container interfaces, hostile names."""

from __future__ import annotations

import shlex

from preflight.checks.case import SiteCase
from preflight.checks.registry import CHECKS, SITE_CHECKS, find_check
from preflight.facts import (
    Address,
    Array,
    Filesystem,
    Nic,
    NicKind,
    Unknown,
)
from preflight.findings import Severity
from preflight.needs import (
    DiskNeed,
    NicNeed,
    Shape,
)
from tests.preflight.facts_factory import (
    SSD,
    WORKER_SHAPE,
    case,
    changed,
    disk,
    needs,
    nic,
    role,
    worker_facts,
)

PASS, FAIL, UNKNOWN = Severity.PASS, Severity.FAIL, Severity.UNKNOWN
WHY = Unknown("needs root")
CEPH = {"disks": (DiskNeed(count=1, size_gb=500, purpose="ceph data"),)}
RAID = {"disks": (DiskNeed(count=2, size_gb=500, kinds=(SSD,), purpose="operating system",
                           raid1=True),)}  # fmt: skip


def test_ids_are_unique_and_lead_back_to_their_check() -> None:
    """No two checks share an id, and an id finds its check."""
    every = [one for ids in (c.ids for c in CHECKS) for one in ids]
    every += [one for ids in (c.ids for c in SITE_CHECKS) for one in ids]
    assert len(set(every)) == len(every)
    for one in every:
        found = find_check(one.replace("*", "x"))
        assert found is not None
        assert one in found.ids


def test_a_hardware_raid_volume_stands_for_its_pair_as_unknown() -> None:
    """A controller shows one disk for two: that is neither a pass nor a failure."""
    wanted = needs(role("worker", WORKER_SHAPE.model_copy(update=RAID)))
    facts = changed(worker_facts(), disks=(disk("sda", kind=SSD, model="PERC H730P"),))
    found = find_check("disk.ssd")
    assert found is not None
    findings = [
        f for check in CHECKS if check is found for f in check.run(case(facts, wanted=wanted))
    ]
    assert [f.severity for f in findings] == [UNKNOWN]


def test_the_interfaces_of_container_software_do_not_count() -> None:
    """docker0 and cali interfaces are neither NICs nor addresses of the machine."""
    docker = Nic("docker0", NicKind.BRIDGE, mtu=1500, state="up",
                 addresses=(Address("172.17.0.1", 16),))  # fmt: skip
    facts = changed(worker_facts(), network={"nics": (nic(), docker)})
    shape = Shape(nics=(NicNeed(count=2),))
    found = find_check("nic.count")
    assert found is not None
    one = case(facts, wanted=needs(role("worker", shape)))
    assert [f.severity for c in CHECKS if c is found for f in c.run(one)] == [FAIL]


def test_a_bond_serves_a_single_fast_link_by_the_sum_of_its_members() -> None:
    """Two 10 Gbit/s members make a bond of 20 where the bond itself does not tell."""
    members = (nic("eth0", addresses=()), nic("eth1", addresses=()))
    bond = nic("bond0", kind=NicKind.BOND, speed_mbps=WHY, members=("eth0", "eth1"))
    facts = changed(worker_facts(), network={"nics": (*members, bond)})
    one = case(facts, wanted=needs(role("worker", Shape(nics=(NicNeed(speed_mbps=20_000),)))))
    found = find_check("nic.speed")
    assert [f.severity for c in CHECKS if c is found for f in c.run(one)] == [PASS]


def test_an_empty_site_case_gives_no_finding_between_machines() -> None:
    """The checks between machines say nothing of machines that are not there."""
    site = SiteCase((), (), {}, needs(role("worker", count=0)))
    findings = [f for check in SITE_CHECKS for f in check.run(site)]
    assert {f.severity for f in findings} <= {PASS}


def test_no_name_that_a_machine_tells_escapes_from_a_command_to_copy() -> None:
    """A person copies evidence and remedies: names of disks, mounts and users stay one word."""
    evil = "x$(touch /tmp/owned);`id`'\"|&"
    facts = changed(
        worker_facts(),
        identity={"hostname": evil, "user": evil, "sudo": "none"},
        disks=(disk(evil, 500, mounts=("/data",), in_use_by=(evil,), wear_percent=99),),
        arrays=(Array(evil, "raid1", (evil,), degraded=True),),
        filesystems=(Filesystem("/", evil, "xfs", 10, 1, read_only=True, options=("ftype=0",)),),
        network={"nics": (nic(evil, 10, duplex="half", mtu=1000),), "own_address": "127.0.1.1"},
        kernel={"sysctls": {"net.ipv4.ip_forward": evil}},
    )
    wanted = needs(role("worker", WORKER_SHAPE.model_copy(update=CEPH)))
    one = case(facts, wanted=wanted)
    commands = [
        command
        for check in CHECKS
        for f in check.run(one)
        for command in (f.evidence, f.remedy, f.undo)
        if "$(touch" in command
    ]
    assert commands, "some commands name the disk"
    for command in commands:
        unquoted = command.replace(shlex.quote(evil), "").replace(shlex.quote(f"/dev/{evil}"), "")
        unquoted = unquoted.replace(shlex.quote(f"net.ipv4.ip_forward={evil}"), "")
        unquoted = unquoted.replace(shlex.quote(f"/sys/class/net/{evil}/mtu"), "")
        assert "$(touch" not in unquoted, command

"""Disks that a site names by serial: each there, empty and one alone, before anything starts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from installer.catalogue.solution import load_solution
from installer.planning.named_disks import named_disks, of_settings, read_named
from installer.sites.site import Site, load_site_text
from preflight.assessment import Seen
from preflight.facts import Disk
from preflight.findings import Finding, Severity
from tests.preflight.facts_factory import disk, seen, worker_facts

PM4ML = load_solution("pm4ml")
FAIL, PASS, WARN, UNKNOWN = Severity.FAIL, Severity.PASS, Severity.WARN, Severity.UNKNOWN


def site(disks: str, wipe: str = "") -> Site:
    hosts = "hosts:\n" + "".join(
        f"  - {{name: {name}, address: 10.0.0.{number}, roles: [{role}]}}\n"
        for number, (name, role) in enumerate(
            (("w1", "worker"), ("w2", "worker"), ("lb1", "load-balancer")), 1
        )
    )
    settings = f"settings: {{local_disks: '{disks}', local_disks_wipe: '{wipe}'}}\n"
    return load_site_text(f"solution: pm4ml\n{hosts}{settings}", "site.yaml")


def machine(name: str, *disks: Disk) -> Seen:
    return seen(name, replace(worker_facts(), disks=(disk("nvme0n1"), *disks)))


def judged(asked: Site, *machines: Seen) -> list[Finding]:
    return [one for one in named_disks(PM4ML, asked, machines) if one.severity is not PASS]


W2 = machine("w2", disk("nvme1n1", serial="B"))


def test_disks_that_are_there_and_empty_pass_by_serial_whatever_their_names() -> None:
    one = machine("w1", disk("nvme7n1", serial="A"))
    found = named_disks(PM4ML, site("w1=A, w2=B"), (one, W2))
    assert [each.severity for each in found] == [PASS, PASS]
    assert found[0].title == "nvme7n1 on w1 (A) is there and empty."
    assert named_disks(PM4ML, site(""), (one, W2)) == ()
    assert all(map(of_settings, found))


@pytest.mark.parametrize(
    ("own", "wipe", "severity", "words"),
    [
        ((), "", FAIL, "no disk with the serial A"),
        ((disk("sdb", serial="A"), disk("sdc", serial="A")), "", FAIL, "names none of them: sdb"),
        ((disk("sdb", serial="A", in_use_by=("ext4, not mounted",)),), "", FAIL, "is not empty"),
        ((disk("sdb", serial="A", in_use_by=("ext4, not mounted",)),), "w1=A", WARN, "is wiped"),
        ((disk("sdb", serial="A", in_use_by=("partition table",)),), "w1=A", WARN, "is wiped"),
        ((disk("sdb", serial="A", in_use_by=("ext4 /data",), mounts=("/data",)),), "w1=A", FAIL,
         "is in use: ext4 /data and mounted at /data"),
        ((disk("sdb", serial="A", in_use_by=("raid md0",)),), "w1=A", FAIL, "is in use"),
        ((disk("sdb", serial="A", in_use_by=("lvm other",)),), "", FAIL, "is in use: lvm other"),
        ((disk("sdb", serial="A", in_use_by=("lvm",)),), "", WARN, "belongs to LVM already"),
        ((disk("sdb", serial="A", read_only=True),), "", FAIL, "cannot be written to"),
    ],
)  # fmt: skip
def test_a_disk_that_may_not_be_taken_is_told_before_anything_starts(
    own: tuple[Disk, ...], wipe: str, severity: Severity, words: str
) -> None:
    (told,) = judged(site("w1=A, w2=B", wipe), machine("w1", *own), W2)
    assert told.severity is severity
    assert words in told.title
    assert (told.host, told.blocks) == ("w1", severity is FAIL)


@pytest.mark.parametrize(
    ("disks", "wipe", "words"),
    [
        ("w1=A, w2=A", "", "names the serial A more than once"),
        ("w1=A, w1=A, w2=B", "", "names the serial A more than once"),
        ("w1=A, w2=B, w9=C", "", "w9, which is no machine of this site"),
        ("w1=A, w2=B, lb1=C", "", "lb1, which is load-balancer"),
        ("w1=A, w2=B", "w1=Z", "that local_disks does not name"),
        ("w1=A", "", "names no disk of w2"),
        ("w1=B, w2=A", "", "w1 has no disk with the serial B. It is in w2."),
    ],
)  # fmt: skip
def test_what_is_named_wrongly_is_told(disks: str, wipe: str, words: str) -> None:
    told = judged(site(disks, wipe), machine("w1", disk("sdb", serial="A")), W2)
    assert any(words in one.title for one in told), told


def test_a_group_of_an_earlier_run_passes_and_a_machine_that_was_not_seen_is_unknown() -> None:
    ours = machine("w1", disk("sdb", serial="A", in_use_by=("lvm nvme",)))
    assert judged(site("w1=A, w2=B"), ours, W2) == []
    (told,) = judged(site("w1=A, w2=B"), Seen(ours.host), W2)
    assert told.severity is UNKNOWN


def test_pairs_are_read_with_their_doubles() -> None:
    assert [(one.machine, one.serial) for one in read_named(" a=1,b=x=2 , a=1,")] == [
        ("a", "1"), ("b", "x=2"), ("a", "1"),
    ]  # fmt: skip

"""The machines of a site as a bundle is asked about them."""

from __future__ import annotations

from foundation.hosts.model import Host
from installer.catalogue.solution import load_solution
from installer.supply.bundle_targets import targets_asked_for, targets_seen
from preflight.assessment import Seen
from preflight.facts import Facts, Filesystem, OsFacts


def seen(name: str, facts: Facts | None) -> Seen:
    return Seen(Host(name=name, address="192.0.2.1"), facts)


def test_a_machine_is_known_by_release_architecture_and_room() -> None:
    filesystems = (
        Filesystem("/", "sda1", "ext4", 100, 40),
        Filesystem("/var/lib", "sdb1", "ext4", 100, 70),
        Filesystem("/var/lib/other", "sdc1", "ext4", 100, 90),
    )
    facts = Facts(
        os=OsFacts(id="ubuntu", version="24.04", architecture="x86_64"), filesystems=filesystems
    )
    (target,) = targets_seen([seen("w1", facts), seen("silent", None)])
    assert (target.name, target.release, target.architecture) == ("w1", "noble", "amd64")
    assert target.free_bytes == 70


def test_what_was_not_told_is_not_guessed() -> None:
    (target,) = targets_seen([seen("w1", Facts())])
    assert (target.release, target.architecture, target.free_bytes) == (None, None, None)


def test_before_anybody_looked_the_solution_says_what_the_machines_are() -> None:
    (target,) = targets_asked_for(load_solution("pm4ml").needs("production"))
    assert (target.name, target.release, target.architecture) == ("Ubuntu 24.04", "noble", "amd64")


def test_a_solution_that_runs_on_anything_names_no_release() -> None:
    (target,) = targets_asked_for(load_solution("core-test-harness").needs())
    assert (target.release, target.architecture) == (None, "amd64")

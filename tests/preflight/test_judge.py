"""Judging: alternatives of a role, unreachable machines, what one machine can carry."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from installer.catalogue.solution import load_solution
from preflight.assessment import Seen
from preflight.checks.registry import CHECKS
from preflight.facts import ABSENT, Facts, known
from preflight.findings import Severity, Verdict
from preflight.judge import assess, assess_alone, case_of, judge_host
from preflight.needs import DiskNeed, MachineKind, Shape, SolutionNeeds
from preflight.recorded import load_facts
from tests.preflight.facts_factory import (
    GIB,
    HDD,
    SSD,
    TODAY,
    changed,
    disk,
    needs,
    platform,
    role,
    seen,
    unseen,
    worker_facts,
)

FAIL, PASS, UNKNOWN = Severity.FAIL, Severity.PASS, Severity.UNKNOWN
RECORDED = Path(__file__).parent.parent / "recorded"
STORAGE = needs(
    role(
        "storage",
        Shape(
            id="physical",
            cpu=16,
            disks=(
                DiskNeed(count=2, size_gb=500, kinds=(SSD,), purpose="operating system"),
                DiskNeed(count=6, size_gb=8000, kinds=(HDD,), purpose="data"),
            ),
            machine=MachineKind.PHYSICAL,
        ),
        Shape(
            id="vm",
            cpu=16,
            disks=(
                DiskNeed(count=1, size_gb=200, kinds=(SSD,), purpose="operating system"),
                DiskNeed(count=1, size_gb=20_000, purpose="data", total=True),
            ),
            machine=MachineKind.VM,
            conditions=("Storage is not oversubscribed.",),
        ),
    )
)


def storage(virtual: bool, hdds: int) -> Facts:
    """A storage server with so many 8 TB hard disks."""
    disks = (
        disk("sda", kind=SSD, mounts=("/",)),
        disk("sdb", kind=SSD),
        *(disk(f"sd{chr(99 + at)}", 8000, HDD) for at in range(hdds)),
    )
    return changed(
        worker_facts(), disks=disks, cpu={"virtualization": "kvm" if virtual else ABSENT}
    )


@pytest.mark.parametrize(
    ("virtual", "hdds", "shape", "fails"),
    [
        (False, 6, "physical", False),
        (False, 5, "physical", True),
        (True, 3, "vm", False),
        (True, 2, "vm", True),
    ],
)
def test_a_machine_is_judged_by_the_alternative_of_its_own_kind(
    virtual: bool, hdds: int, shape: str, fails: bool
) -> None:
    """A physical server does not pass by the looser terms of the virtual alternative."""
    one = seen(facts=storage(virtual, hdds), roles=("storage",))
    case = case_of(one, ("storage",), STORAGE)
    assert case is not None
    assert case.demand.shape_title == shape
    result = judge_host(one, (), STORAGE, today=TODAY)
    failed = [f.id for f in result.findings if f.severity is FAIL]
    expected = "disk.hdd" if shape == "physical" else "disk.any"
    assert failed == ([expected] if fails else [])


def test_a_machine_of_hidden_kind_is_judged_by_what_it_fits_best() -> None:
    """In a container neither alternative is excluded."""
    facts = changed(storage(True, 6), cpu={"is_container": True})
    case = case_of(seen(facts=facts), ("storage",), STORAGE)
    assert case is not None
    assert case.demand.shape_title in ("physical", "vm")


def test_an_unreachable_machine_is_one_finding_with_its_cause_and_remedy() -> None:
    """It is unknown, not failed, and makes the site incomplete."""
    result = judge_host(unseen(), ("worker",), needs(), today=TODAY)
    (one,) = result.findings
    assert one.id == "host.reachable"
    assert one.severity is UNKNOWN
    assert one.title == "w9 could not be looked at: 10.10.0.99 port 22 does not answer."
    assert one.remedy == "Check the firewall."
    assert result.verdict is Verdict.INCOMPLETE


def test_a_failure_elsewhere_decides_over_an_unreachable_machine() -> None:
    """What failed is known, whatever else is not."""
    bad = seen(facts=changed(worker_facts(), cpu={"logical": 2}))
    made = assess([bad, unseen()], needs(), today=TODAY)
    assert made.verdict is Verdict.NOT_READY


def test_roles_given_for_the_run_count_before_those_of_the_machine() -> None:
    """The wizard may try another assignment than the site file's."""
    made = assess([seen(roles=("worker",))], needs(), roles={"w1": ("boss",)}, today=TODAY)
    assert made.hosts[0].roles == ("boss",)


def boxed(title: str, memory: float, cpu: int = 2) -> SolutionNeeds:
    """A solution for one machine."""
    return needs(role("box", Shape(memory_gb=memory, cpu=cpu))).model_copy(
        update={
            "solution": title.lower(),
            "title": title,
            "single_machine": True,
            "platform": platform(kubernetes_roles=()),
        }
    )


LADDER = (boxed("Small", 4), boxed("Middle", 16), boxed("Large", 128))


def alone(memory_gib: int) -> Seen:
    """This machine with so much memory."""
    size = {"installed_bytes": memory_gib * GIB, "total_bytes": int(memory_gib * GIB * 0.98)}
    return seen(facts=changed(worker_facts(), memory=size), roles=())


@pytest.mark.parametrize(
    ("memory", "judged_by", "verdicts"),
    [
        (256, "large", ["ready", "ready", "ready"]),
        (64, "middle", ["ready", "ready", "not-ready"]),
        (4, "small", ["ready", "not-ready", "not-ready"]),
        (2, "small", ["not-ready", "not-ready", "not-ready"]),
    ],
)
def test_one_machine_is_judged_by_the_most_demanding_that_it_carries(
    memory: int, judged_by: str, verdicts: list[str]
) -> None:
    """Or by the least demanding, where it carries none."""
    made = assess_alone(alone(memory), LADDER, today=TODAY)
    assert made.needs.solution == judged_by
    assert [c.verdict.value for c in made.carries] == verdicts


def test_why_a_machine_cannot_carry_something_is_one_sentence() -> None:
    """With the figures, and a hint that there is more."""
    made = assess_alone(alone(2), LADDER, today=TODAY)
    assert made.carries[0].sentence == "Not enough memory: 2 GB, 4 GB needed."
    poor = replace(alone(2), facts=changed(worker_facts(), cpu={"logical": 1}))
    made = assess_alone(poor, (boxed("Large", 128),), today=TODAY)
    assert made.carries[0].sentence.startswith("Not enough CPUs: 1, 2 needed. And 1 more problem.")
    made = assess_alone(alone(256), LADDER, today=TODAY)
    assert made.carries[2].sentence == "Nothing stands against it."


def test_a_machine_that_was_not_seen_carries_nothing_for_certain() -> None:
    """Every solution is incomplete, with the reason."""
    made = assess_alone(unseen(), LADDER, today=TODAY)
    assert {c.verdict for c in made.carries} == {Verdict.INCOMPLETE}
    assert made.verdict is Verdict.INCOMPLETE


def test_judging_twice_gives_the_same_findings() -> None:
    """Checks are pure: nothing is kept from one run to the next."""
    first = judge_host(seen(), ("worker",), needs(), today=TODAY)
    assert first == judge_host(seen(), ("worker",), needs(), today=TODAY)


def test_the_recorded_production_worker_passes_the_real_table() -> None:
    """The documented worker, as a real machine told it, is ready for PM4ML production."""
    (worker,) = load_facts(RECORDED / "pm4ml-worker.json")
    result = judge_host(worker, ("worker",), load_solution("pm4ml").needs(), today=TODAY)
    assert [f.title for f in result.findings if f.severity in (FAIL, UNKNOWN)] == []
    assert result.verdict in (Verdict.READY, Verdict.READY_WITH_WARNINGS)


def test_the_recorded_worker_with_one_nvme_less_fails_in_one_good_sentence() -> None:
    """One thing is missing, one finding says it, with what to do."""
    (worker,) = load_facts(RECORDED / "pm4ml-worker.json")
    assert worker.facts is not None
    disks = known(worker.facts.disks)
    assert disks is not None
    one_less = tuple(d for d in disks if d.mounts or d.kind.value != "nvme")
    worker = replace(worker, facts=replace(worker.facts, disks=one_less))
    result = judge_host(worker, ("worker",), load_solution("pm4ml").needs(), today=TODAY)
    (failed,) = [f for f in result.findings if f.severity is FAIL]
    name = worker.host.name
    assert failed.title == f"{name} has 1 NVMe disk of at least 500 GB; a worker needs 2."
    assert failed.id == "disk.nvme"
    assert "Add 1 NVMe disk of 500 GB or more" in failed.remedy
    assert result.verdict is Verdict.NOT_READY


@pytest.mark.parametrize("path", sorted(RECORDED.glob("*.json")), ids=lambda p: p.stem)
def test_every_recorded_machine_can_be_judged_for_every_role(path: Path) -> None:
    """Whatever shape of machine comes, every check answers in whole findings."""
    from tests.preflight.whole_finding import whole

    wanted = load_solution("pm4ml").needs()
    for one in load_facts(path):
        for row in wanted.sizing.roles:
            result = judge_host(one, (row.role,), wanted, today=TODAY)
            assert len(result.findings) > len(CHECKS) / 4
            for finding in result.findings:
                whole(finding)

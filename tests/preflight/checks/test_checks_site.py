"""Checks between machines: what must differ, what should be alike, roles and clocks."""

from __future__ import annotations

from typing import Any

import pytest

from installer.catalogue.solution import load_solution
from preflight.assessment import Seen
from preflight.checks.case import SiteCase
from preflight.checks.roles import counts
from preflight.facts import ABSENT, Facts
from preflight.findings import Finding, Severity
from preflight.judge import assess, judge_host
from preflight.needs import Count, MachineKind, RoleNeed, Shape, SolutionNeeds
from tests.preflight.facts_factory import (
    TODAY,
    WORKER_SHAPE,
    changed,
    needs,
    nic,
    platform,
    role,
    seen,
    severities,
    unseen,
    worker_facts,
)
from tests.preflight.whole_finding import whole

PASS, WARN, FAIL, UNKNOWN = Severity.PASS, Severity.WARN, Severity.FAIL, Severity.UNKNOWN
SMALL = Shape(cpu=4, memory_gb=16)


def machine(at: int, roles: tuple[str, ...] = ("worker",), **parts: Any) -> Seen:
    """The documented worker with names, ids and addresses of its own."""
    address = f"10.10.0.{at}"
    facts = changed(
        worker_facts(),
        identity={
            "hostname": f"w{at}",
            "machine_id": f"{at:032x}",
            "product_uuid": f"aaaaaaaa-0000-0000-0000-{at:012x}",
        },
        network={
            "nics": (nic(address=address, mac=f"52:54:00:00:00:{at:02x}"),),
            "own_address": address,
        },
    )
    return seen(f"w{at}", changed(facts, **parts), address=address, roles=roles)


def between(*machines: Seen, wanted: SolutionNeeds | None = None) -> dict[str, list[Finding]]:
    """The findings between machines by their id."""
    made = assess(machines, wanted or needs(role("worker")), today=TODAY)
    found: dict[str, list[Finding]] = {}
    for one in made.findings:
        whole(one)
        assert one.host is None
        found.setdefault(one.id, []).append(one)
    return found


def test_three_like_machines_pass_everything_between_them() -> None:
    """Nothing is said against machines that differ where they must and are alike elsewhere."""
    found = between(machine(1), machine(2), machine(3))
    assert {f.severity for group in found.values() for f in group} == {PASS}
    assert set(found) >= {
        "unique.hostname", "unique.machine-id", "unique.mac", "unique.product-uuid",
        "unique.address", "consistency.os", "consistency.kernel", "consistency.mtu",
        "consistency.speed", "consistency.architecture", "consistency.lsm",
        "consistency.timezone", "consistency.subnet", "role.count", "time.skew",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("check", "parts"),
    [
        ("unique.hostname", {"identity": {"hostname": "W1"}}),
        ("unique.machine-id", {"identity": {"machine_id": f"{1:032x}"}}),
        ("unique.product-uuid",
         {"identity": {"product_uuid": "AAAAAAAA-0000-0000-0000-000000000001"}}),
        ("unique.mac", {"network": {"nics": (nic(address="10.10.0.2", mac="52:54:00:00:00:01"),)}}),
        ("unique.address",
         {"network": {"nics": (nic(address="10.10.0.1", mac="52:54:00:00:00:09"),)}}),
    ],
)  # fmt: skip
def test_a_copied_machine_is_found_by_each_of_its_marks(check: str, parts: dict[str, Any]) -> None:
    """Two machines that share one mark fail that check and no other of its kind."""
    found = between(machine(1), machine(2, **parts), machine(3))
    failed = [f for group in found.values() for f in group if f.severity is FAIL]
    assert [f.id for f in failed] == [check]
    assert failed[0].title.startswith("w1 and w2 share ")


@pytest.mark.parametrize(
    ("check", "parts", "says"),
    [
        ("consistency.kernel", {"os": {"kernel": "6.11.0-9-generic"}}, "w3 (6.11) differs"),
        ("consistency.os", {"os": {"version": "22.04"}}, "w3 (ubuntu 22.04) differs"),
        ("consistency.architecture", {"os": {"architecture": "aarch64"}}, "w3 (aarch64)"),
        ("consistency.lsm", {"kernel": {"lsm": ("selinux",)}}, "w3 (selinux)"),
        ("consistency.timezone", {"os": {"timezone": "Asia/Yangon"}}, "w3 (Asia/Yangon)"),
        ("consistency.mtu",
         {"network": {"nics": (nic(address="10.10.0.3", mac="52:54:00:00:00:03", mtu=9000),)}},
         "w3 (9000)"),
        ("consistency.speed",
         {"network": {"nics": (nic(address="10.10.0.3", mac="52:54:00:00:00:03", speed=1000),)}},
         "w3 (1 Gbit/s)"),
    ],
)  # fmt: skip
def test_the_odd_machine_of_a_role_is_named(check: str, parts: dict[str, Any], says: str) -> None:
    """A machine that differs from the majority of its role warns by its name."""
    found = between(machine(1), machine(2), machine(3, **parts))
    (one,) = found[check]
    assert one.severity is WARN
    assert says in one.title
    others = [f for group in found.values() for f in group if f.id != check]
    assert {f.severity for f in others} == {PASS}


def test_patch_releases_of_a_kernel_are_the_same_kernel() -> None:
    """Only the first two numbers count."""
    found = between(machine(1), machine(2, os={"kernel": "6.8.0-99-generic"}))
    assert found["consistency.kernel"][0].severity is PASS


def test_two_machines_that_differ_have_no_majority() -> None:
    """Neither is called the odd one."""
    found = between(machine(1), machine(2, os={"version": "22.04"}))
    assert found["consistency.os"][0].title.startswith("The worker machines differ in operating")


def test_machines_of_different_roles_are_not_compared() -> None:
    """A storage server may have another kernel than a worker."""
    wanted = needs(role("worker"), role("storage", SMALL))
    found = between(machine(1), machine(2, ("storage",), os={"kernel": "6.1.0"}), wanted=wanted)
    assert "consistency.kernel" not in found


def test_nodes_in_different_subnets_are_warned_of() -> None:
    """A router stands between them."""
    far = nic(address="10.20.0.2", mac="52:54:00:00:00:02")
    found = between(machine(1), machine(2, network={"nics": (far,)}))
    assert found["consistency.subnet"][0].severity is WARN


@pytest.mark.parametrize(
    ("offset", "doubt", "severity"),
    [(0.4, 0.01, PASS), (3.0, 0.01, FAIL), (3.0, 2.5, UNKNOWN), (0.1, 1.5, UNKNOWN)],
)
def test_the_skew_between_two_machines(offset: float, doubt: float, severity: Severity) -> None:
    """Against one second: certain, within, or too vague to say."""
    time = {"offset_seconds": offset, "uncertainty_seconds": doubt}
    found = between(machine(1), machine(2, time=time))
    assert found["time.skew"][0].severity is severity


@pytest.mark.parametrize(
    ("offsets", "said"),
    [
        ((-86400.0, -86400.4, -86399.8), "86400 s ahead of 3 of 3"),
        ((-86400.0, -86400.4, 0.1), "ahead of 2 of 3"),
        ((3600.0, 3600.0), "3600 s behind 2 of 2"),
        ((-86400.0, 0.1, 0.0), ""),
        ((-86400.0, 86400.0, 0.0), ""),
        ((-86400.0,), ""),
        ((0.2, 0.1), ""),
    ],
)
def test_our_own_clock_is_named_where_most_machines_agree_that_it_is_wrong(
    offsets: tuple[float, ...], said: str
) -> None:
    """Put forward, waivers end early and bundles count as old; nothing else notices it."""
    found = between(*(
        machine(at, time={"offset_seconds": one, "uncertainty_seconds": 0.02})
        for at, one in enumerate(offsets, 1)
    )).get("time.here", [])  # fmt: skip
    assert [one.severity for one in found] == ([WARN] if said else [])
    assert all(said in one.title and "waivers" in one.source for one in found)


def test_a_stricter_skew_that_only_warns_leaves_no_site_undecided() -> None:
    """Ceph's 50 ms cannot be seen through 12 ms of doubt on each side when they add to more."""
    wanted = needs(role("storage", SMALL))
    vague = {"offset_seconds": 0.02, "uncertainty_seconds": 0.04}
    found = between(machine(1, ("storage",)), machine(2, ("storage",), time=vague), wanted=wanted)
    assert [f.severity for f in found["time.skew"]] == [PASS, PASS]
    lost = {**vague, "synchronized": False}
    found = between(machine(1, ("storage",)), machine(2, ("storage",), time=lost), wanted=wanted)
    assert [f.severity for f in found["time.skew"]] == [PASS, WARN]
    late = {"offset_seconds": 0.5, "uncertainty_seconds": 0.01}
    found = between(machine(1, ("storage",)), machine(2, ("storage",), time=late), wanted=wanted)
    assert [f.severity for f in found["time.skew"]] == [PASS, WARN]


def counted(number: int, row: RoleNeed) -> Finding:
    """The finding on the count of one role."""
    found = between(*(machine(at + 1) for at in range(number)), wanted=needs(row))
    (one,) = found["role.count"]
    return one


@pytest.mark.parametrize(
    ("number", "count", "severity", "says"),
    [
        (3, Count(min=3), PASS, "The site has 3 worker machines; 3 or more are needed."),
        (2, Count(min=3), FAIL, "The site has 2 worker machines; 3 or more are needed."),
        (1, Count(min=1, max=1), PASS, "The site has 1 worker machine; 1 is needed."),
        (4, Count(min=3, odd=True), WARN, "an even number withstands no more failures"),
        (3, Count(min=1, max=2), WARN, "The site has 3 worker machines; 1 to 2 are needed."),
    ],
)
def test_machines_of_a_role_are_counted(
    number: int, count: Count, severity: Severity, says: str
) -> None:
    """Too few fail; an even number of voters and too many warn."""
    one = counted(number, RoleNeed(role="worker", count=count, shapes=(WORKER_SHAPE,)))
    assert one.severity is severity
    assert says in one.title


def test_a_missing_role_fails_an_optional_one_does_not_and_an_external_one_is_asked_for() -> None:
    """Storage is missing, the bastion may be, the backup is outside and must be confirmed."""
    outside = Shape(title="USB", machine=MachineKind.EXTERNAL)
    wanted = needs(
        role("worker"),
        role("storage", SMALL),
        role("bastion", SMALL, optional=True),
        role("backup", outside, title="External USB backup system"),
    )
    found = between(machine(1), wanted=wanted)
    failed = [f for f in found["role.count"] if f.severity is FAIL]
    assert [f.title for f in failed] == ["The site has no storage; 1 or more are needed."]
    assert [f.subject for f in found["role.count"]] == ["worker", "storage"]
    assert [f.severity for f in found["role.external"]] == [WARN]


def test_a_machine_that_was_not_seen_still_counts_for_its_role() -> None:
    """It is missing from the facts, not from the site."""
    gone = Seen(host=seen("w9", roles=("worker",)).host, problem=unseen().problem)
    found = between(machine(1), gone, wanted=needs(role("worker", count=2)))
    assert found["role.count"][0].severity is PASS


@pytest.mark.parametrize("answer", ["no", False])
def test_a_row_that_a_setting_answers_no_to_is_not_asked_for(answer: object) -> None:
    """Storage without Ceph needs no waiver, and that is said; yes asks again."""
    needs = load_solution("pm4ml").needs("production")
    storage = [
        next(one for one in judge_count(asked) if one.subject == "storage")
        for asked in (
            needs.with_settings({"ceph": answer}),
            needs.with_settings({"ceph": answer}).with_settings({"ceph": "yes"}),
            needs.with_settings({}),
        )
    ]
    assert [one.severity for one in storage] == [PASS, FAIL, FAIL]
    assert storage[0].title == "The site needs no storage, since ceph is no."
    assert (
        needs.with_settings({"ceph": answer}).sizing.fewest_machines
        == needs.sizing.fewest_machines - 3
    )


def judge_count(needs: SolutionNeeds) -> list[Finding]:
    """What is said of the machines of each role, where there are none."""
    site = SiteCase(cases=(), unseen=(), roles={}, needs=needs)
    return list(counts.run(site))


MASTER = Shape(cpu=8, memory_gb=32)
TOGETHER = frozenset({"master", "worker"})


def combined(wanted: SolutionNeeds, facts: Facts | None = None) -> dict[str, Severity]:
    """The worst severities of a machine that is master and worker."""
    result = judge_host(seen(facts=facts), ("master", "worker"), wanted, today=TODAY)
    for one in result.findings:
        whole(one)
    return severities(result.findings)


def test_combined_roles_add_up_and_need_a_formal_risk_acceptance() -> None:
    """A worker's machine is too small for both, and the combination itself fails."""
    wanted = needs(role("master", MASTER), role("worker"), risk_acceptance=(TOGETHER,))
    found = combined(wanted)
    assert found["role.combined"] is FAIL
    assert found["cpu.count"] is FAIL
    assert found["memory.size"] is FAIL
    large = changed(
        worker_facts(), cpu={"logical": 24}, memory={"installed_bytes": 96 * 2**30,
                                                     "total_bytes": 94 * 2**30}
    )  # fmt: skip
    found = combined(wanted, large)
    assert found["role.combined"] is FAIL
    assert found["cpu.count"] is PASS
    assert found["memory.size"] is PASS


def test_the_risk_that_must_be_accepted_is_spelt_out() -> None:
    """The remedy says what the acceptance must state, and by whom it is demanded."""
    wanted = needs(role("master", MASTER), role("worker"), risk_acceptance=(TOGETHER,))
    result = judge_host(seen(), ("master", "worker"), wanted, today=TODAY)
    (one,) = [f for f in result.findings if f.id == "role.combined"]
    assert one.title == "w1 is master and worker at once, which needs a formal risk acceptance."
    assert "who accepts, until when" in one.remedy
    assert "blast radius" in one.remedy
    assert "4.4" in one.source


def test_roles_that_a_table_expects_together_are_sized_once() -> None:
    """Rows with the same shapes are the same machine, not two on top of each other."""
    wanted = needs(role("master", WORKER_SHAPE), role("worker"), combined=(TOGETHER,))
    found = combined(wanted)
    assert found["role.combined"] is PASS
    assert found["cpu.count"] is PASS


def test_roles_together_that_no_table_mentions_only_warn() -> None:
    """Nobody forbids it; the needs are added up."""
    assert combined(needs(role("master", MASTER), role("worker")))["role.combined"] is WARN


def test_a_row_for_the_combination_stands_for_all_of_it() -> None:
    """`master+worker` is a row of its own."""
    found = combined(needs(role("master+worker", WORKER_SHAPE)))
    assert found["role.combined"] is PASS
    assert found["cpu.count"] is PASS
    assert found["role.known"] is PASS


def test_a_solution_for_one_machine_judges_nothing_between_machines() -> None:
    """Roles and counts mean nothing there."""
    wanted = needs(role("box")).model_copy(
        update={"single_machine": True, "platform": platform(kubernetes_roles=())}
    )
    made = assess([seen(roles=())], wanted, today=TODAY)
    assert made.findings == ()
    assert made.hosts[0].roles == ("box",)


def test_machines_without_marks_are_not_called_different() -> None:
    """A mark that nobody told gives no pass."""
    bare = {"product_uuid": ABSENT}
    found = between(machine(1, identity=bare), machine(2))
    assert "unique.product-uuid" not in found
    found = between(machine(1, identity=bare), machine(2), machine(3))
    (one,) = found["unique.product-uuid"]
    assert one.title == "No two of the 2 machines that told the product UUID share it."

"""The tables that are shipped: whole, sourced, consistent, and true to the documents."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from installer.catalogue.solution import ORDER, OUTSIDE, Solution, load_solution, solution_ids
from preflight.needs import PlatformNeeds, PortNeed, SizingTable

SOLUTIONS = [load_solution(name) for name in solution_ids()]
PM4ML = load_solution("pm4ml")

by_solution = pytest.mark.parametrize("loaded", SOLUTIONS, ids=lambda s: s.id)


def _ports(loaded: Solution) -> Iterator[PortNeed]:
    return (line for port_set in loaded.port_tables for line in port_set.ports)


@by_solution
def test_each_environment_has_exactly_one_default_table(loaded: Solution) -> None:
    """And every table belongs to an environment that there is."""
    defaults = Counter(table.environment for table in loaded.sizings if table.default)
    assert defaults == {environment.id: 1 for environment in loaded.environments}
    assert {table.environment for table in loaded.sizings} == set(defaults)


@by_solution
def test_every_table_and_line_has_a_source(loaded: Solution) -> None:
    """Nothing is demanded of a machine by nobody."""
    for table in loaded.sizings:
        assert table.source
        assert table.version
        assert all(space.source for row in table.roles for space in row.space)
    for line in _ports(loaded):
        assert line.source
        assert line.correction is None or (line.correction.source and line.correction.reason)
    for platform in loaded.file.platforms:
        _assert_sourced(platform.needs, ours=loaded.id in ORDER)


_ASKED = {"os", "systemd", "swap", "max_skew_seconds", "root"}
"""What is asked of each machine whether the solution says so or not."""


def _assert_sourced(needs: PlatformNeeds, *, ours: bool) -> None:
    items = (*needs.modules, *needs.sysctls, *needs.conflicts, *needs.skews)
    assert all(getattr(item, "source", "") for item in items)
    assert all(getattr(item, "reason", "") for item in items)
    # What is not said is asked for by Sitewright, as the check then tells; of ours, all is said.
    said = needs.model_fields_set | (_ASKED if ours else set())
    for wanted, source in (
        ("os" in said and (ours or needs.os), needs.os_source),
        (needs.architectures, needs.architecture_source),
        (needs.cpu_level, needs.cpu_level_source),
        (needs.cpu_flags, needs.cpu_flags_source),
        (needs.kernel_min, needs.kernel_source),
        ("systemd" in said, needs.systemd_source),
        ("swap" in said, needs.swap_source),
        (needs.cgroup_controllers, needs.cgroup_source),
        (needs.commands, needs.commands_source),
        (needs.cluster_networks, needs.cluster_networks_source),
        ("max_skew_seconds" in said, needs.skew_source),
        ("root" in said, needs.root_source),
    ):
        assert not wanted or source


@by_solution
def test_every_role_that_is_named_stands_in_a_table(loaded: Solution) -> None:
    """A port or a module for a role that no machine can have would silently never be checked."""
    in_tables = {row.role for table in loaded.sizings for row in table.roles}
    assert in_tables == {role.id for role in loaded.roles}
    for line in _ports(loaded):
        assert line.on
        assert set(line.on) <= in_tables
        assert set(line.reached_from) | set(line.closed_to) <= in_tables | OUTSIDE
        assert not set(line.reached_from) & set(line.closed_to)
    for platform in loaded.file.platforms:
        needs = platform.needs
        named = set(needs.kubernetes_roles).union(
            *(item.roles for item in needs.modules),
            *(item.roles for item in needs.sysctls),
            *(item.roles for item in needs.conflicts),
            *(item.roles for item in needs.skews),
        )
        assert named <= in_tables


@by_solution
def test_ids_are_unique_and_no_line_stands_twice(loaded: Solution) -> None:
    """One port is listed once for a role in an environment and a setting."""
    assert max(Counter(table.id for table in loaded.sizings).values()) == 1
    for environment in loaded.environments:
        lines = loaded.needs(environment.id).ports.ports
        seen = Counter(
            (line.port, line.protocol, role, line.when) for line in lines for role in line.on
        )
        assert [key for key, count in seen.items() if count > 1] == []


@by_solution
def test_every_correction_and_what_it_corrects_are_lines(loaded: Solution) -> None:
    """The wrong line and the right one both stand in the table, and point at one another."""
    for port_set in loaded.port_tables:
        lines = {line.port: line for line in port_set.ports}
        for line in port_set.ports:
            if line.correction:
                assert all(lines[port] for port in line.correction.ports)
                assert {x.port for x in port_set.ports if x.corrects == line.port} == set(
                    line.correction.ports
                )
            if line.corrects:
                assert lines[line.corrects].correction is not None


@by_solution
def test_descriptions_are_sentences_for_people(loaded: Solution) -> None:
    """What a person reads in the wizard ends as a sentence does; a purpose says what for."""
    texts = [loaded.summary, *(role.description for role in loaded.roles)]
    texts += [environment.description for environment in loaded.environments]
    assert all(text.endswith(".") for text in texts)
    assert all(len(line.purpose) > 3 for line in _ports(loaded))


def _shape(table: SizingTable, role: str, shape: int = 0) -> tuple[object, ...]:
    row = table.role(role)
    assert row is not None
    chosen = row.shapes[shape]
    disks = tuple((d.count, d.size_gb, d.kinds[0] if d.kinds else "any") for d in chosen.disks)
    return (row.count.min, chosen.cpu, chosen.memory_gb, *disks)


def test_pm4ml_production_is_section_4_1() -> None:
    """Count, CPU cores, GB of memory, and disks (count, GB, kind) as the guide prints them."""
    table = PM4ML.needs("production").sizing
    assert [row.role for row in table.roles] == [
        "master",
        "worker",
        "load-balancer",
        "storage",
        "bastion",
        "backup",
    ]
    assert _shape(table, "master") == (3, 8, 32, (2, 300, "nvme"))
    assert _shape(table, "worker") == (3, 16, 64, (2, 500, "nvme"))
    assert _shape(table, "load-balancer") == (2, 4, 16, (1, 100, "ssd"))
    assert _shape(table, "storage") == (3, 16, 64, (2, 500, "ssd"), (6, 8000, "hdd"))
    assert _shape(table, "storage", 1) == (3, 16, 64, (1, 200, "ssd"), (1, 20000, "any"))
    assert _shape(table, "bastion") == (1, 2, 8, (1, 50, "ssd"))


def test_pm4ml_storage_is_physical_or_a_vm_on_conditions() -> None:
    """RAID1 and two 10 Gbps links for servers; block storage in total, on conditions, for VMs."""
    row = PM4ML.needs("production").sizing.role("storage")
    assert row is not None
    physical, vm = row.shapes
    assert (physical.id, physical.machine) == ("physical", "physical")
    assert [disk.raid1 for disk in physical.disks] == [True, False]
    assert [(nic.count, nic.speed_mbps) for nic in physical.nics] == [(2, 10_000)]
    assert (vm.id, vm.machine) == ("vm", "vm")
    assert [disk.total for disk in vm.disks] == [False, True]
    assert len(vm.conditions) == 8  # the note of the table, and the seven below it


def test_pm4ml_combined_nodes_in_production_need_a_risk_acceptance() -> None:
    """Section 4.4, and not in staging, where section 4.2 combines them itself."""
    production = PM4ML.needs("production").sizing
    staging = PM4ML.needs("staging").sizing
    together = frozenset({"master", "worker"})
    assert (production.risk_acceptance, production.combined) == ((together,), ())
    assert (staging.risk_acceptance, staging.combined) == ((), (together,))


def test_pm4ml_bastion_is_optional_and_backup_is_no_computer() -> None:
    """The rest must be there."""
    table = PM4ML.needs("production").sizing
    assert [row.role for row in table.roles if row.optional] == ["bastion"]
    external = [row.role for row in table.roles if row.shapes[0].machine == "external"]
    assert external == ["backup"]


def test_pm4ml_staging_is_section_4_2() -> None:
    """Two combined nodes with 16 to 32 GB, one load balancer, one storage server."""
    table = PM4ML.needs("staging").sizing
    for role in ("master", "worker"):
        assert _shape(table, role) == (2, 8, 16, (1, 500, "ssd"))
        row = table.role(role)
        assert row is not None
        assert row.shapes[0].memory_recommended_gb == 32
    assert _shape(table, "load-balancer") == (1, 2, 4, (1, 100, "ssd"))
    assert _shape(table, "storage") == (1, 8, 32, (1, 200, "ssd"), (2, 2000, "hdd"))
    assert any("no high availability" in note for note in table.notes)


GUIDE = {
    ("22", "tcp", "load-balancer"),
    ("80", "tcp", "load-balancer"),
    ("443", "tcp", "load-balancer"),
    ("51820", "udp", "bastion"),
    ("6443", "tcp", "master"),
    ("10250", "tcp", "master"),
    ("10250", "tcp", "worker"),
    ("25000", "tcp", "master"),
    ("25000", "tcp", "worker"),
    ("12379-12380", "tcp", "master"),
    ("32080", "tcp", "worker"),
    ("32443", "tcp", "worker"),
    ("32081", "tcp", "worker"),
    ("31080", "tcp", "worker"),
    ("31443", "tcp", "worker"),
    ("31081", "tcp", "worker"),
    ("6789", "tcp", "storage"),
    ("3300", "tcp", "storage"),
    ("6800-7300", "tcp", "storage"),
    ("8404", "tcp", "load-balancer"),
}
"""Section 1.3 of the guide, with the role that each line is about."""

REALITY = {
    ("16443", "tcp", "master"),
    ("16443", "tcp", "worker"),
    ("19001", "tcp", "master"),
    ("4789", "udp", "master"),
    ("4789", "udp", "worker"),
    ("10257", "tcp", "master"),
    ("10259", "tcp", "master"),
    ("7443", "tcp", "storage"),
}
"""What MicroK8s 1.31 and MicroCeph use beside it."""


def test_pm4ml_ports_are_section_1_3_and_what_is_really_used() -> None:
    """Every line of the guide is there from the guide, every other one from elsewhere."""
    lines = PM4ML.needs().ports.ports
    from_guide = {
        (line.port, line.protocol, role)
        for line in lines
        for role in line.on
        if line.source.startswith("PM4ML on-premise guide, §1.3")
    }
    every = {(line.port, line.protocol, role) for line in lines for role in line.on}
    assert from_guide == GUIDE | {("22", "tcp", "bastion")}
    assert every >= GUIDE | REALITY
    assert not from_guide & REALITY


def test_pm4ml_wrong_lines_carry_their_correction() -> None:
    """6443 is 16443, and etcd on 12379-12380 is dqlite on 19001; nothing else is corrected."""
    lines = PM4ML.needs().ports.ports
    corrected = {line.port: line.correction.ports for line in lines if line.correction}
    assert corrected == {"6443": ("16443",), "12379-12380": ("19001",)}
    assert {line.port: line.corrects for line in lines if line.corrects} == {
        "16443": "6443",
        "19001": "12379-12380",
    }


def test_pm4ml_nodeports_are_for_the_load_balancer_alone() -> None:
    """Section 1.3.2: only from HAProxy's addresses, and never from public networks."""
    nodeports = {"32080", "32443", "32081", "31080", "31443", "31081"}
    lines = [line for line in PM4ML.needs().ports.ports if line.port in nodeports]
    assert len(lines) == 6
    for line in lines:
        assert line.reached_from == ("load-balancer",)
        assert {"internet", "storage", "bastion"} <= set(line.closed_to)


def test_pm4ml_lines_that_depend_on_a_setting_say_so() -> None:
    """WireGuard and the statistics page are checked only where they are wanted."""
    conditional = {line.port: line.when for line in PM4ML.needs().ports.ports if line.when}
    assert conditional == {
        "51820": "wireguard",
        "8404": "haproxy-statistics",
        "9283": "ceph-dashboard",
        "5000": "site-registry",
    }


def test_core_test_harness_needs_eleven_ports_free() -> None:
    """Those of the default profiles; the others hang on a profile or a further file."""
    lines = load_solution("core-test-harness").needs().ports.ports
    always = {int(line.port) for line in lines if not line.when}
    assert always == {27017, 6379, 6381, 6383, 6385, 6387, 6389, 6391, 9440, 9550, 9660}
    assert all(line.must_be_free for line in lines)
    assert {line.when for line in lines if line.when} == {
        "debug",
        "finance-portal",
        "load",
        "monitoring",
    }


def test_core_test_harness_says_that_its_numbers_are_ours() -> None:
    """No document gives one, and nobody should believe otherwise."""
    table = load_solution("core-test-harness").needs().sizing
    assert "Sitewright" in table.source
    assert table.roles[0].shapes[0].memory_gb == 8
    assert table.roles[0].shapes[0].memory_recommended_gb == 16


def test_miniloop_is_what_the_charts_of_today_ask_and_not_its_scripts() -> None:
    """Its scripts end on Ubuntu 24.04; what is installed instead is said where it is chosen."""
    loaded = load_solution("miniloop")
    systems = loaded.needs().platform.os
    assert [(system.id, system.versions) for system in systems] == [("ubuntu", ("22.04", "24.04"))]
    assert loaded.installable
    assert "stood still since 2023" in loaded.summary
    assert [table.id for table in loaded.sizings] == ["charts", "small"]
    assert loaded.playbooks.parent.name == "pm4ml"


def test_mosip_tables_stay_apart_by_source() -> None:
    """Nodes of the four sandbox sources, of production and of the observation cluster."""
    loaded = load_solution("mosip")
    of_nodes = [table for table in loaded.sizings if table.role("cluster-node")]
    nodes = {table.id: _shape(table, "cluster-node")[:3] for table in of_nodes}
    assert nodes == {
        "k8s-infra-1.2.1.2": (6, 12, 32),
        "docs-1.2.0": (6, 12, 32),
        "tag-v1.2.0": (5, 8, 32),
        "commit-5fbd942": (5, 8, 32),
        "registrations-216k": (21, 12, 64),
        "registrations-216k-older": (21, 8, 64),
        "observation-k8s-infra-1.2.1.2": (2, 4, 16),
        "observation-docs-1.2.0": (2, 2, 8),
        "observation-tag-v1.2.0": (2, 2, 8),
    }


def test_hub_tables_differ_by_ten_times_and_both_stand() -> None:
    """The deployment guide and the production assessment, each an environment of its own."""
    loaded = load_solution("helm-deploy")
    assert _shape(loaded.needs("existing-cluster").sizing, "worker") == (3, 4, 16, (1, 40, "any"))
    assessed = loaded.needs("production-readiness").sizing
    assert _shape(assessed, "master") == (3, 128, 1024, (4, 500, "nvme"))
    assert _shape(assessed, "worker") == (5, 64, 512, (4, 500, "nvme"))


def test_iac_has_the_guidelines_and_the_templates_of_iac_lite() -> None:
    """MicroK8s nodes of the guidelines, and the machines of one transfer a second."""
    loaded = load_solution("iac")
    node = (3, 16, 64, (1, 100, "any"), (1, 500, "any"))
    assert _shape(loaded.needs("control-centre").sizing, "microk8s") == node
    assert _shape(loaded.needs("hub").sizing, "microk8s") == node
    assert _shape(loaded.needs("pm4ml").sizing, "microk8s")[:3] == (3, 16, 32)
    small = loaded.needs("iac-lite-tps-1").sizing
    assert _shape(small, "control-plane") == (1, 6, 5, (1, 32, "any"))
    assert _shape(small, "worker") == (3, 6, 11, (2, 64, "any"))

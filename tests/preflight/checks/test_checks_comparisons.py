"""Properties of every comparison: memory, disks, ports, versions, clocks, names."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preflight.checks.clock import Clock, largest_skew
from preflight.checks.disk_matching import Fit, fits, match_disks
from preflight.checks.filesystem import holding
from preflight.checks.firewall import is_let_in, ports_let_in
from preflight.checks.hostname import name_fault
from preflight.checks.kernel import sysctl_fits
from preflight.checks.memory import enough_memory
from preflight.checks.port import holders, ports_of
from preflight.checks.system import version_key
from preflight.facts import Disk, DiskKind, Filesystem, Socket, Unknown
from preflight.findings import Severity
from preflight.needs import DiskNeed, PortNeed, SysctlNeed
from tests.preflight.facts_factory import GB, GIB, HDD, NVME, SSD, disk

SIZES = st.integers(0, 4096 * GIB)
MAYBE = st.none() | SIZES


@pytest.mark.parametrize(
    ("need", "installed_gib", "total_gib", "enough"),
    [
        (64, None, 62.8, True),
        (64, 64, 62.8, True),
        (64, 64, None, True),
        (64, None, 47.0, False),
        (64, 48, 47.0, False),
        (64, 60, 58.8, False),
        (32, None, 31.1, True),
        (32, None, 30.2, True),
        (32, None, 28.0, False),
        (16, None, 15.6, True),
        (16, None, 11.7, False),
        (8, None, 7.7, True),
        (8, None, 7.4, False),
        (8, None, 5.8, False),
        (4, None, 3.8, True),
        (4, None, 2.9, False),
        (2, None, 1.9, True),
        (2, None, 0.96, False),
        (64, 64, 30.0, False),
        (1, None, 0.46, False),
        (64, None, None, None),
    ],
)
def test_memory_is_judged_as_it_is_sold(
    need: float, installed_gib: float | None, total_gib: float | None, enough: bool | None
) -> None:
    """Real figures of machines: what the kernel keeps is allowed for, the next size down is not."""
    installed = None if installed_gib is None else int(installed_gib * GIB)
    total = None if total_gib is None else int(total_gib * GIB)
    assert enough_memory(need, installed, total) is enough


@given(st.floats(0.5, 1024), MAYBE, MAYBE, SIZES, SIZES)
def test_more_memory_never_makes_it_too_little(
    need: float, installed: int | None, total: int | None, plugged: int, freed: int
) -> None:
    """Adding memory, installed or usable, never turns enough into too little."""
    if enough_memory(need, installed, total) is not True:
        return
    more = None if installed is None else installed + plugged
    usable = None if total is None else total + freed
    assert enough_memory(need, more, usable) is True


@given(st.floats(1, 1024), MAYBE, MAYBE, st.floats(0, 1))
def test_a_smaller_need_is_met_by_what_meets_a_larger_one(
    need: float, installed: int | None, total: int | None, part: float
) -> None:
    """What is enough for a need is enough for a part of it."""
    if enough_memory(need, installed, total):
        assert enough_memory(max(0.1, need * part), installed, total)


@given(st.integers(4, 1024))
def test_three_quarters_of_the_memory_never_pass(need: int) -> None:
    """The next size in the shops below the one needed fails, however it is reported."""
    have = int(need * 0.75 * GIB)
    assert enough_memory(need, have, None) is False
    assert enough_memory(need, None, have) is False


KINDS = st.sampled_from(list(DiskKind))
GIVEN_DISKS = st.lists(
    st.builds(
        lambda kind, size, uses, mounts, removable: (kind, size, uses, mounts, removable),
        KINDS,
        st.sampled_from([None, 240, 480, 500, 960, 2000, 8000]),
        st.sampled_from([(), ("lvm vg0",)]),
        st.sampled_from([(), ("/",), ("/data",)]),
        st.booleans(),
    ),
    max_size=6,
)
GIVEN_NEEDS = st.lists(
    st.builds(
        DiskNeed,
        count=st.integers(1, 2),
        size_gb=st.sampled_from([200, 500, 2000]),
        kinds=st.sampled_from([(), (NVME,), (SSD, NVME), (HDD, SSD, NVME)]),
        purpose=st.sampled_from(["", "operating system", "data"]),
    ),
    max_size=3,
).map(tuple)


def built(rows: list[Any]) -> tuple[Disk, ...]:
    """Disks of the drawn rows, each a device of its own."""
    return tuple(
        Disk(
            name=f"d{at}",
            size_bytes=Unknown("no") if size is None else size * GB,
            kind=kind,
            in_use_by=uses,
            mounts=mounts,
            removable=removable,
        )
        for at, (kind, size, uses, mounts, removable) in enumerate(rows)
    )


def judged(disks: tuple[Disk, ...], needs: tuple[DiskNeed, ...]) -> Fit:
    """The worst fit over all needs."""
    return min((share.fit for share in match_disks(disks, needs)), default=Fit.CERTAIN)


@given(GIVEN_DISKS, GIVEN_NEEDS, st.sampled_from([None, 5000]))
def test_a_further_disk_never_makes_it_worse(
    rows: list[Any], needs: tuple[DiskNeed, ...], total: int | None
) -> None:
    """Whatever disk is added, the needs are met at least as well as before."""
    if total is not None:
        needs = (*needs, DiskNeed(count=1, size_gb=total, purpose="data", total=True))
    disks = built(rows)
    fits_before = [judged(disks[:at], needs) for at in range(len(disks) + 1)]
    assert fits_before == sorted(fits_before)


@given(GIVEN_DISKS, GIVEN_NEEDS)
def test_no_disk_serves_two_needs_and_each_fits(
    rows: list[Any], needs: tuple[DiskNeed, ...]
) -> None:
    """One device, one need; and what is called certain fits with certainty."""
    shares = match_disks(built(rows), needs)
    given_out = [d.name for share in shares for d in (*share.certain, *share.possible)]
    assert len(given_out) == len(set(given_out))
    for share in shares:
        assert all(fits(d, share.need) is Fit.CERTAIN for d in share.certain)
        assert all(fits(d, share.need) is Fit.POSSIBLE for d in share.possible)
        assert len(share.certain) + len(share.possible) <= share.need.count


@given(GIVEN_DISKS.filter(lambda rows: len(rows) <= 5), GIVEN_NEEDS)
def test_the_matching_finds_a_way_whenever_there_is_one(
    rows: list[Any], needs: tuple[DiskNeed, ...]
) -> None:
    """Compared with trying every order by brute force, for certain and for possible fits."""
    disks = built(rows)
    slots = [need for need in needs for _ in range(need.count)]

    def possible(least: Fit) -> bool:
        return len(slots) <= len(disks) and any(
            all(fits(d, need) >= least for d, need in zip(order, slots, strict=True))
            for order in permutations(disks, len(slots))
        )

    expected = Fit.CERTAIN if possible(Fit.CERTAIN) else Fit.NO
    if expected is Fit.NO and possible(Fit.POSSIBLE):
        expected = Fit.POSSIBLE
    assert judged(disks, needs) is expected


@pytest.mark.parametrize(
    ("size", "need", "fit"),
    [
        (500_107_862_016, 500, Fit.CERTAIN),
        (int(465 * GIB), 500, Fit.CERTAIN),
        (480_103_981_056, 500, Fit.NO),
        (7_999_999_999_999, 8000, Fit.CERTAIN),
        (300_000_000_000, 300, Fit.CERTAIN),
        (256_060_514_304, 300, Fit.NO),
    ],
)
def test_disks_are_measured_as_they_are_sold(size: int, need: int, fit: Fit) -> None:
    """A 500 GB disk is 465 GiB and passes; 480 GB is another size and does not."""
    one = Disk("nvme0n1", size_bytes=size, kind=NVME)
    assert fits(one, DiskNeed(count=1, size_gb=need, kinds=(NVME,))) is fit


@pytest.mark.parametrize(
    "one",
    [
        disk("sdb", removable=True),
        disk("mmcblk0"),
        disk("sdb", read_only=True),
        disk("sda", mounts=("/",)),
    ],
)
def test_what_cannot_hold_data_does_not_count_for_it(one: Disk) -> None:
    """Removable and read-only disks, memory cards and the system's own disk hold no data."""
    assert fits(one, DiskNeed(count=1, size_gb=100, purpose="data")) is Fit.NO


def test_two_paths_to_one_disk_are_one_disk() -> None:
    """The same world-wide identifier twice is one device."""
    paths = (disk("sda", wwid="naa.5000"), disk("sdb", wwid="naa.5000"))
    assert judged(paths, (DiskNeed(count=2, size_gb=500),)) is Fit.NO


def test_the_systems_own_disk_serves_the_system_and_leaves_the_free_one_for_data() -> None:
    """Of two like disks the one in use goes to the system, though the other would fit it too."""
    disks = (disk("sdb", 960, SSD), disk("sda", 960, SSD, mounts=("/",)))
    needs = (
        DiskNeed(count=1, size_gb=200, kinds=(SSD,), purpose="operating system"),
        DiskNeed(count=1, size_gb=900, purpose="data", total=True),
    )
    shares = match_disks(disks, needs)
    assert [[d.name for d in share.certain] for share in shares] == [["sda"], ["sdb"]]


PORTS = st.integers(1, 65535)


@given(PORTS, PORTS, PORTS)
def test_a_port_is_held_exactly_when_it_lies_in_the_range(a: int, b: int, held: int) -> None:
    """Both ends of a range belong to it, and nothing beside it does."""
    low, high = min(a, b), max(a, b)
    need = PortNeed(port=f"{low}-{high}", purpose="x", on=("w",), source="s")
    found = holders((Socket("tcp", "0.0.0.0", held),), "tcp", ports_of(need))
    assert bool(found) is (low <= held <= high)
    assert not holders((Socket("udp", "0.0.0.0", held),), "tcp", ports_of(need))


@given(PORTS, PORTS, PORTS, PORTS)
def test_a_rule_lets_a_range_in_only_whole(a: int, b: int, c: int, d: int) -> None:
    """A rule for a part of a range does not let the range in."""
    rule_low, rule_high, low, high = min(a, b), max(a, b), min(c, d), max(c, d)
    allowed = ports_let_in((f"allow tcp {rule_low}:{rule_high} 0.0.0.0/0 any 10.0.0.0/8 in",))
    need = PortNeed(port=f"{low}-{high}", purpose="x", on=("w",), source="s")
    assert is_let_in(need, allowed) is (rule_low <= low and high <= rule_high)


def test_rules_that_deny_or_hold_for_one_interface_let_nothing_in() -> None:
    """Only rules that allow in general count."""
    need = PortNeed(port="80", purpose="x", on=("w",), source="s")
    for rule in (
        "deny tcp 80 0.0.0.0/0 any 0.0.0.0/0 in",
        "allow any any 0.0.0.0/0 any 0.0.0.0/0 in_cali+",
        "allow udp 80 0.0.0.0/0 any 0.0.0.0/0 in",
        "nonsense",
        "",
    ):
        assert not is_let_in(need, ports_let_in((rule,)))
    assert is_let_in(need, ports_let_in(("limit any 22,80 0.0.0.0/0 any 0.0.0.0/0 in",)))


@given(st.lists(st.integers(0, 300), min_size=1, max_size=4))
def test_versions_are_compared_as_numbers(numbers: list[int]) -> None:
    """Text order (5.9 above 5.15) plays no part, nor do suffixes and trailing zeros."""
    text = ".".join(map(str, numbers))
    assert version_key(text + "-generic") == version_key(text) == version_key(text + ".0")
    assert version_key(text) < version_key(".".join(map(str, [*numbers, 1])))


def test_kernel_releases_of_real_systems_are_ordered() -> None:
    """The releases of Ubuntu and Debian sort as their age."""
    releases = [
        "4.9.0-19-amd64",
        "5.4.0-200-generic",
        "5.15.0-100-generic",
        "6.1.0-26-amd64",
        "6.8",
    ]
    assert sorted(releases, key=version_key) == releases


CLOCKS = st.lists(st.tuples(st.floats(-100, 100), st.floats(0, 10)), min_size=2, max_size=6).map(
    lambda rows: [Clock(f"h{at}", *row) for at, row in enumerate(rows)]
)


@given(CLOCKS, st.floats(0.01, 50))
def test_a_skew_is_called_too_large_only_when_it_is_certain(
    clocks: list[Clock], limit: float
) -> None:
    """Compared with every pair: certain, possible, or within the limit."""
    found = largest_skew(clocks, limit)
    assert found is not None
    pairs = [(a, b) for a in clocks for b in clocks if a is not b]
    certain = any(a.offset - b.offset - (a.doubt + b.doubt) > limit for a, b in pairs)
    assert (found.severity is Severity.FAIL) is certain
    if found.severity is Severity.PASS:
        assert all(abs(a.offset - b.offset) <= limit for a, b in pairs)
        assert all(a.doubt + b.doubt <= limit for a, b in pairs)


@given(CLOCKS, st.floats(-50, 50), st.floats(0.01, 50))
def test_our_own_clock_plays_no_part_in_a_skew(
    clocks: list[Clock], shift: float, limit: float
) -> None:
    """Exactly representable shifts of our clock move every offset alike and change no verdict."""
    whole = [Clock(c.name, float(round(c.offset)), float(round(c.doubt))) for c in clocks]
    moved = [Clock(c.name, c.offset + round(shift), c.doubt) for c in whole]
    first, second = largest_skew(whole, round(limit) + 0.5), largest_skew(moved, round(limit) + 0.5)
    assert first is not None
    assert second is not None
    assert first.severity is second.severity


@given(st.integers(0, 10**9), st.integers(0, 10**9))
def test_a_setting_of_at_least_so_much(value: int, least: int) -> None:
    """A number is compared as a number, whatever white space the kernel puts round it."""
    need = SysctlNeed(name="x", at_least=least, source="s")
    assert sysctl_fits(f" {value}\t", need) is (value >= least)


@given(st.text(max_size=20))
def test_a_strange_setting_is_never_enough(value: str) -> None:
    """Text that is no number does not pass for one and raises nothing."""
    if not value.strip().isdecimal():
        assert not sysctl_fits(value, SysctlNeed(name="x", at_least=1, source="s"))


@given(st.from_regex(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", fullmatch=True))
def test_every_label_of_rfc_1123_in_lower_case_is_a_host_name(name: str) -> None:
    """Except the one that every machine has for itself."""
    assert bool(name_fault(name)) is (name == "localhost")


@given(st.text(max_size=80))
def test_a_name_without_fault_has_nothing_strange_in_it(name: str) -> None:
    """Whatever text comes, a name that is accepted consists of allowed characters only."""
    if not name_fault(name):
        assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-.")
        assert 0 < len(name) <= 253


@pytest.mark.parametrize(
    "name", ["", "Node1", "node_1", "-node", "node-", "a" * 64, "a..b", "x" * 63 + "." + "y" * 200]
)
def test_names_with_a_fault(name: str) -> None:
    """Each rule has a name that breaks it."""
    assert name_fault(name)


def test_the_deepest_mount_holds_a_folder() -> None:
    """/var/lib on /var, /variety on /, and a later mount over an earlier one."""
    root = Filesystem("/", "a", "ext4", 1, 1)
    var = Filesystem("/var", "b", "ext4", 1, 1)
    over = Filesystem("/var", "c", "ext4", 1, 1)
    assert holding("/var/lib/docker", (root, var)) == var
    assert holding("/variety", (root, var)) == root
    assert holding("/var", (root, var, over)) == over
    assert holding("/var", ()) is None

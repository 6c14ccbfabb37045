"""Grouping: what is one thing to mend and what is two, and what became of the waivers."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings

from preflight.assessment import Assessment, HostResult
from preflight.findings import Severity
from preflight.report.areas import Mark, grid
from preflight.report.grouping import (
    entries,
    failures,
    given_waivers,
    names,
    of_severity,
    risk_acceptances,
    sentence,
)
from preflight.report.words import is_waived
from tests.preflight import assessment_factory as factory
from tests.preflight.report.test_report_text import assessments


def test_one_thing_on_machines_is_one_entry() -> None:
    """The name of the machine in the sentence does not make it another thing."""
    (entry,) = entries([factory.cpu_fails("w1", 8), factory.cpu_fails("w2", 8)])
    assert entry.hosts == ("w1", "w2")
    assert entry.titles() == [(("w1", "w2"), "w1 has 8 CPUs; a worker needs 16.")]


def test_different_findings_of_one_demand_are_told_apart() -> None:
    """Eight and twelve CPUs are mended alike, and each machine is named with what it has."""
    (entry,) = entries([factory.cpu_fails("w1", 8), factory.cpu_fails("w3", 12)])
    assert entry.told_apart(lambda f: f.actual) == [(("w1",), "8"), (("w3",), "12")]
    assert entry.told_apart(lambda f: f.expected) == [((), "16")]


@pytest.mark.parametrize("change", ["subject", "expected", "source", "id"])
def test_another_demand_is_another_entry(change: str) -> None:
    """Another port, another size, another document."""
    one = factory.cpu_fails("w1", 8)
    changed = {change: "x.y"}
    other = replace(one, host="w2", **changed)  # type: ignore[arg-type]  # all are texts
    assert len(entries([one, other])) == 2


def test_entries_come_in_the_order_of_the_areas() -> None:
    """Processors before disks before ports, whichever machine came first."""
    found = [factory.port_fails("a"), factory.nvme_fails("b"), factory.cpu_fails("c", 1)]
    assert [e.finding.id for e in entries(found)] == ["cpu.count", "disk.nvme", "port.free"]


@settings(max_examples=50)
@given(assessments())
def test_no_failure_is_lost(site: Assessment) -> None:
    """Every failure that nobody waived is in an entry with its machine."""
    listed = {
        (variant.finding.id, host)
        for entry in failures(site)
        for variant in entry.variants
        for host in (variant.hosts or (None,))
    }
    assert listed == {(f.id, f.host) for f in site.all_findings if f.blocks}


@pytest.mark.parametrize(
    ("machines", "short", "between", "where"),
    [
        (("m1",), True, False, "1 thing must be mended on m1."),
        (("m1",), False, True, "1 thing must be mended in the site as a whole."),
        (("m1",), True, True, "2 things must be mended on m1 and in the site as a whole."),
        (("m1", "m2"), True, False, "1 thing must be mended on 1 of 2 machines."),
        (("m1", "m2"), False, True, "1 thing must be mended between the machines."),
        (("m1", "m2"), True, True, "2 things must be mended on 1 of 2 machines and between them."),
    ],
)
def test_what_lies_between_machines_is_counted_on_none_of_them(
    machines: tuple[str, ...], short: bool, between: bool, where: str
) -> None:
    """A single machine has its name: "this machine" is the one under the reader's hands."""
    found = (factory.cpu_fails("m1", 2),) if short else ()
    hosts = tuple(
        HostResult(factory.seen(factory.host(name, n, "worker")), ("worker",), found[: 1 - n])
        for n, name in enumerate(machines)
    )
    too_few = replace(factory.cpu_fails("m1", 2), id="roles.count", host=None)
    site = Assessment(factory.NEEDS, hosts, findings=(too_few,) if between else ())
    assert sentence(site) == where


def test_a_single_machine_that_is_ready_is_named() -> None:
    """By whatever name it has in the site."""
    hosts = (HostResult(factory.seen(factory.host("m1", 1, "worker")), ("worker",)),)
    assert sentence(Assessment(factory.NEEDS, hosts)) == "m1 has what is asked of it."


@settings(max_examples=50)
@given(assessments())
def test_the_grid_tells_the_worst(site: Assessment) -> None:
    """A machine with a failure has FAIL in its row, one without has none."""
    for row in grid(site).rows:
        live = {f.severity for f in row.target.findings if not is_waived(f)}
        assert (Mark.FAIL in row.marks) is (Severity.FAIL in live)


@pytest.mark.parametrize(
    ("text", "host", "named"),
    [
        ("w1 has 8", "w1", True),
        ("w10 has 8", "w1", False),
        ("web-w1 is", "w1", False),
        ("on w1.", "w1", True),
        ("on w1.example.org", "w1", False),
        ("a.b (c)", "a.b", True),
    ],
)
def test_a_name_is_a_word_of_its_own(text: str, host: str, named: bool) -> None:
    """w1 is not w10."""
    assert names(text, host) is named


def test_a_machine_that_was_not_seen_is_not_also_an_unknown() -> None:
    """It has a section of its own."""
    listed = of_severity(factory.site(), Severity.UNKNOWN)
    assert [entry.finding.id for entry in listed] == ["nic.speed"]


def test_what_became_of_the_waivers() -> None:
    """As the judge says it."""
    phrases = [given.phrase for given in given_waivers(factory.site())]
    assert phrases == [
        "in force, covers 1 finding",
        "in force, covers 1 finding",
        "expired: it does not count",
        "nothing to waive: what it names is in order, or is not looked at",
    ]


def test_combined_roles_ask_for_an_acceptance() -> None:
    """Whether or not somebody signed; machines with one of the roles ask for none."""
    site = factory.site()
    assert [(r.host, len(r.accepted_by)) for r in risk_acceptances(site)] == [("w3", 1)]
    unsigned = replace(site.hosts[4], findings=())
    asked = risk_acceptances(replace(site, hosts=(unsigned,)))
    assert [(r.host, r.accepted_by, r.source) for r in asked] == [
        ("w3", (), factory.NEEDS.sizing.source)
    ]

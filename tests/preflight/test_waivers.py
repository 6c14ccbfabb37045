"""Waivers: what they cover, until when, and what is said of those that cover nothing."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preflight.findings import Finding, Severity, Verdict, Waiver
from preflight.judge import assess
from preflight.waivers import apply_waivers, judge_waivers, matches
from tests.preflight.facts_factory import (
    TODAY,
    changed,
    needs,
    seen,
    severities,
    unseen,
    worker_facts,
)


def waiver(check: str, host: str | None = None, until: date = TODAY) -> Waiver:
    return Waiver(check=check, host=host, by="A. Name", reason="accepted", until=until)


def finding(
    check: str = "disk.nvme", host: str | None = "w1", severity: Severity = Severity.FAIL
) -> Finding:
    return Finding(check, severity, "It is short.", "2", "1", "the guide", host=host)


@pytest.mark.parametrize(
    ("check", "host", "covers"),
    [
        ("disk.nvme", None, True),
        ("disk.nvme", "w1", True),
        ("disk.nvme", "w2", False),
        ("disk.*", "w1", True),
        ("disk.*", None, True),
        ("dis.*", None, False),
        ("disk", None, False),
        ("disk.nvm", None, False),
        ("*", None, False),
        ("cpu.*", None, False),
    ],
)
def test_a_waiver_covers_by_id_or_area_and_by_machine(
    check: str, host: str | None, covers: bool
) -> None:
    """An id is matched whole, an area up to its dot, and a machine by its name."""
    assert matches(waiver(check, host), finding()) is covers


@given(st.integers(-400, 400))
def test_the_last_day_counts_and_the_next_does_not(days: int) -> None:
    """A waiver is in force up to and including its last day."""
    (found,) = apply_waivers(
        [finding()], [waiver("disk.nvme", until=TODAY + timedelta(days=days))], TODAY
    )
    assert (found.waiver is not None) is (days >= 0)
    assert found.blocks is (days < 0)


def test_a_pass_needs_no_waiver_and_carries_none() -> None:
    """A waiver marks only what it makes good."""
    (found,) = apply_waivers([finding(severity=Severity.PASS)], [waiver("disk.*")], TODAY)
    assert found.waiver is None


def test_a_waiver_for_one_machine_leaves_findings_between_machines_alone() -> None:
    """Only a waiver without a machine covers what has none."""
    between = finding("unique.mac", host=None)
    assert not matches(waiver("unique.mac", "w1"), between)
    assert matches(waiver("unique.mac"), between)


@pytest.mark.parametrize("check", ["os.architecture", "os.*", "host.reachable", "host.*"])
def test_architecture_and_reachability_cannot_be_waived(check: str) -> None:
    """Neither by their id nor by their area."""
    findings = [finding("os.architecture"), finding("host.reachable", severity=Severity.UNKNOWN)]
    assert all(f.waiver is None for f in apply_waivers(findings, [waiver(check)], TODAY))
    said = judge_waivers(findings, [waiver(check)], TODAY)
    assert [f.id for f in said] == ["waiver.not-allowed"]


def test_each_waiver_that_does_nothing_is_named() -> None:
    """Expired, misspelt, for another machine, or for what has passed."""
    findings = [finding(), finding("cpu.count", severity=Severity.PASS)]
    said = judge_waivers(
        findings,
        [
            waiver("disk.nvme", until=TODAY - timedelta(days=1)),
            waiver("disk.nvm"),
            waiver("disk.nvme", "w2"),
            waiver("cpu.count"),
            waiver("disk.nvme"),
        ],
        TODAY,
    )
    ids = [f.id for f in said]
    assert ids == ["waiver.expired", "waiver.unused", "waiver.unused", "waiver.unused"]
    assert all(f.severity is Severity.WARN and f.remedy and f.evidence for f in said)
    assert "disk.nvme on w2" in said[2].title


def test_a_site_with_its_failure_waived_is_ready_and_the_report_carries_the_waiver() -> None:
    """A verdict counts only what nobody waived."""
    facts = changed(worker_facts(), cpu={"logical": 8})
    word = waiver("cpu.count", "w1")
    bare = assess([seen(facts=facts)], needs(), today=TODAY)
    assert bare.verdict is Verdict.NOT_READY
    covered = assess([seen(facts=facts)], needs(), waivers=[word], today=TODAY)
    assert covered.verdict is Verdict.READY
    assert [f.waiver for f in covered.all_findings if f.id == "cpu.count"] == [word]
    assert covered.waivers == (word,)


def test_an_unreachable_machine_leaves_a_site_incomplete_whatever_is_waived() -> None:
    """What was not seen is not called ready on anybody's word."""
    made = assess([seen(), unseen()], needs(), waivers=[waiver("host.*")], today=TODAY)
    assert made.verdict is Verdict.INCOMPLETE
    assert severities(made.findings)["waiver.not-allowed"] is Severity.WARN

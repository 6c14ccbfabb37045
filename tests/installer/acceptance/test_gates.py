"""The gates by values: each criterion held, and each missed by as little as can be."""

from __future__ import annotations

import pytest

from installer.acceptance import gates
from installer.acceptance.driver.clock import Offset
from installer.acceptance.driver.measured import Measured
from installer.acceptance.ledger.reconcile import Reconciled
from installer.acceptance.result import Criterion, Outcome, Verdict
from tests.installer.acceptance.made import (
    BOUNDS,
    PROFILE,
    judged,
    measured,
    reconciled,
)


def outcomes(criteria: list[Criterion]) -> dict[str, Outcome]:
    return {one.id: one.outcome for one in criteria}


def test_where_all_went_well_only_recovery_is_not_measured() -> None:
    found = outcomes(judged())
    assert found.pop("recovery") is Outcome.UNKNOWN
    assert set(found.values()) == {Outcome.HELD}


@pytest.mark.parametrize(
    ("it", "done", "off", "missed"),
    [
        (measured(committed=998), None, 0, {"rate", "availability"}),
        (measured(committed=999), None, 0, {"availability"}),
        (measured(within=990), None, 0, set()),
        (measured(within=989), None, 0, {"lookup", "terms", "clearing"}),
        (None, reconciled(lost=1), 0, {"losses"}),
        (None, reconciled(at_risk=1), 0, {"losses"}),
        (None, reconciled(stuck=1), 0, {"losses"}),
        (None, reconciled(mistold=1), 0, {"losses"}),
        (None, reconciled(expired=1, aborted=1, late=1), 0, set()),
        (None, None, 1, {"positions"}),
    ],
)
def test_each_criterion_is_missed_by_one(
    it: Measured | None, done: Reconciled | None, off: int, missed: set[str]
) -> None:
    found = outcomes(judged(it, done, off=off))
    assert {name for name, outcome in found.items() if outcome is Outcome.MISSED} == missed


@pytest.mark.parametrize(
    ("probe", "outcome"),
    [
        (gates.Probe(10, 20, 11, 0), Outcome.MISSED),
        (gates.Probe(10, 20, 11, 3), Outcome.MISSED),
        (gates.Probe(10, 20, 8, 3), Outcome.UNKNOWN),
        (gates.Probe(10, 20, 10, 0), Outcome.HELD),
        (gates.Probe(10, 20, 0, 0), Outcome.UNKNOWN),
        (gates.Probe(10, 20, 9, 0, other=1), Outcome.HELD),
        (gates.Probe(10, 20, 9, 0, other=11), Outcome.UNKNOWN),
        (gates.Probe(10, 20, 11, 0, other=9), Outcome.MISSED),
        (None, Outcome.UNKNOWN),
    ],
)
def test_a_limit(probe: gates.Probe | None, outcome: Outcome) -> None:
    assert outcomes(judged(probe=probe))["limit"] is outcome


def test_unknown_is_no_yes() -> None:
    found = outcomes(judged(done=reconciled(unknown=1)))
    assert found["losses"] is Outcome.UNKNOWN
    nothing = outcomes(judged(measured(slots=0), reconciled(clean=0, unsent=6000)))
    assert {nothing[name] for name in ("lookup", "rate", "availability", "losses")} == {
        Outcome.UNKNOWN
    }


def test_a_position_that_an_unknown_transfer_may_explain_is_not_known() -> None:
    done = reconciled(unknown=1)
    done.undecided = 1
    assert outcomes(judged(done=done, off=1, doubt=1))["positions"] is Outcome.UNKNOWN
    assert outcomes(judged(done=done, off=-2, doubt=1))["positions"] is Outcome.MISSED


def test_a_repeated_notification_is_noted_and_no_loss() -> None:
    found = outcomes(judged(done=reconciled(doubled=2)))
    assert (found["once"], found["losses"]) == (Outcome.NOTED, Outcome.HELD)


def test_a_payee_that_was_not_told_counts_against_availability() -> None:
    done = reconciled(untold=1)
    done.payee_untold = 1
    assert outcomes(judged(done=done))["availability"] is Outcome.MISSED


@pytest.mark.parametrize(
    ("it", "clock", "word"),
    [
        (measured(late=0.051), None, "started late"),
        (measured(dropped=1), None, "fell away"),
        (measured(full=1), None, "every connection"),
        (measured(slots=5), None, "5000 of 6000"),
        (measured(), Offset(0.4, 1.2), "ahead by at least 0.4 s"),
    ],
)
def test_a_driver_that_limits_gives_no_verdict(
    it: Measured, clock: Offset | None, word: str
) -> None:
    limited = gates.limits_of(PROFILE, it, BOUNDS, clock)
    assert word in " ".join(limited)
    assert gates.verdict_of(judged(), limited, stopped=False) is Verdict.LIMITED
    slow = judged(measured(within=900))
    assert gates.verdict_of(slow, limited, stopped=False) is Verdict.LIMITED


def test_a_driver_that_does_not_limit_says_nothing() -> None:
    assert gates.limits_of(PROFILE, measured(late=0.049), BOUNDS, Offset(-0.1, 0.1)) == []


def test_what_is_lost_is_missed_whatever_the_driver_did() -> None:
    lost = judged(done=reconciled(lost=1))
    assert gates.verdict_of(lost, ["late"], stopped=True) is Verdict.MISSED
    assert gates.verdict_of(judged(), [], stopped=True) is Verdict.STOPPED
    assert gates.verdict_of(judged(), [], stopped=False) is Verdict.HELD


def test_nothing_is_held_where_something_that_is_asked_was_not_measured() -> None:
    for it in (judged(done=reconciled(unknown=5000)), judged(probe=None)):
        assert gates.verdict_of(it, [], stopped=False) is Verdict.OPEN
        assert gates.verdict_of(it, ["late"], stopped=False) is Verdict.LIMITED
        assert gates.verdict_of(it, [], stopped=True) is Verdict.STOPPED
    missed = judged(measured(within=900), reconciled(unknown=1))
    assert gates.verdict_of(missed, [], stopped=False) is Verdict.MISSED


def test_a_hub_that_died_has_the_time_since_in_its_longest_gap() -> None:
    it = measured()
    assert it.longest_gap(PROFILE) == 0
    # The steady part begins at 1002 and lasts a minute; commits come from 1010 to 1020.
    it.commits = set(range(10_100, 10_200))
    assert it.longest_gap(PROFILE) == pytest.approx(42.0)
    it.commits = set()
    assert it.longest_gap(PROFILE) == pytest.approx(60.0)


def test_what_is_not_whole_is_never_rounded_up_to_it() -> None:
    seen = next(one.seen for one in judged(measured(committed=999)) if one.id == "availability")
    assert seen.startswith("99.9 %")
    assert "6 of 6,000" in seen

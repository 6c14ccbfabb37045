"""Bounds of a share against the binomial distribution itself, summed in whole numbers."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from installer.acceptance.bounds import share, trials_to_show


def at_least(good: int, total: int, p: float) -> float:
    """The chance of so many successes or more, exactly."""
    exact = Fraction(p)
    return float(
        sum(math.comb(total, k) * exact**k * (1 - exact) ** (total - k)
            for k in range(good, total + 1))
    )  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 60), st.data())
def test_the_bounds_are_those_of_the_distribution(total: int, data: st.DataObject) -> None:
    good = data.draw(st.integers(0, total))
    seen = share(good, total)
    if good:
        assert at_least(good, total, seen.low) == pytest.approx(0.025, rel=1e-6)
    else:
        assert seen.low == 0
    if good < total:
        assert 1 - at_least(good + 1, total, seen.high) == pytest.approx(0.025, rel=1e-6)
    else:
        assert seen.high == 1


def test_an_hour_without_a_failure_shows_more_than_is_asked() -> None:
    assert share(3_600_000, 3_600_000).low > 0.999998
    assert share(3_600_000 - 360, 3_600_000).observed == pytest.approx(0.9999)
    assert share(3_600_000 - 360, 3_600_000).low < 0.9999


def test_so_many_trials_show_a_share() -> None:
    count = trials_to_show(0.9999)
    assert share(count, count).low >= 0.9999
    assert share(count - 1, count - 1).low < 0.9999


def test_no_share_is_refused() -> None:
    with pytest.raises(ValueError, match="3 of 2"):
        share(3, 2)

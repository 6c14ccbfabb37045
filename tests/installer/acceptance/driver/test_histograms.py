"""Histograms against an oracle: every duration kept and sorted."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from installer.acceptance.driver.histograms import LARGEST, Histogram, bucket_of, largest_in


@given(st.integers(0, LARGEST))
def test_a_duration_is_known_to_a_thousandth(microseconds: int) -> None:
    largest = largest_in(bucket_of(microseconds))
    assert microseconds <= largest <= microseconds * 1.001
    assert bucket_of(largest) == bucket_of(microseconds)
    assert bucket_of(largest + 1) == bucket_of(microseconds) + 1 or largest >= LARGEST


@pytest.mark.parametrize(
    "draw",
    [
        lambda r: r.lognormvariate(-3, 1),
        lambda r: r.uniform(0.0001, 5),
        lambda r: 0.02 if r.random() < 0.98 else r.uniform(0.9, 1.1),
        lambda r: r.paretovariate(1.2) / 1000,
    ],
)
def test_percentiles_are_the_oracles(draw: object) -> None:
    assert callable(draw)
    chance = random.Random(7)  # noqa: S311 - the same values each time
    values = [min(draw(chance), 3600.0) for _ in range(20_000)]
    parts = [Histogram() for _ in range(4)]
    for n, value in enumerate(values):
        parts[n % 4].record(value)
    whole = Histogram()
    for part in parts:
        whole.add(part.taken())
    values.sort()
    percents = (1, 50, 90, 99, 99.9, 99.99, 100)
    for percent, found in zip(percents, whole.percentiles(percents), strict=True):
        oracle = values[math.ceil(len(values) * percent / 100 - 1e-9) - 1]
        assert found == pytest.approx(oracle, rel=0.0011, abs=2e-6)
    assert whole.total == len(values)


def test_what_was_taken_is_counted_once() -> None:
    histogram = Histogram()
    histogram.record(0.5)
    assert histogram.taken() == [(bucket_of(500_000), 1)]
    assert (histogram.taken(), histogram.percentile(99), histogram.longest) == ([], None, None)

"""The hub's clock from Dates of whole seconds: many of them narrow it to a part of one."""

from __future__ import annotations

import math

from installer.acceptance.driver.clock import offset


def answers(ahead: float) -> list[tuple[float, float, float]]:
    """Questions a twelfth of a second apart, each answered after 4 ms."""
    asked = [1000 + n * 0.083 for n in range(25)]
    return [(at, at + 0.004, float(math.floor(at + 0.002 + ahead))) for at in asked]


def test_a_clock_that_agrees_is_not_off() -> None:
    found = offset(answers(0))
    assert found is not None
    assert not found.is_off
    assert found.high - found.low < 0.2


def test_a_clock_that_is_ahead_or_behind_is_told() -> None:
    ahead, behind = offset(answers(0.7)), offset(answers(-3))
    assert ahead is not None
    assert behind is not None
    assert ahead.is_off
    assert "ahead by at least 0." in ahead.words
    assert behind.is_off
    assert "behind" in behind.words


def test_what_contradicts_itself_says_nothing() -> None:
    assert offset([*answers(0), *answers(5)]) is None
    assert offset([]) is None

"""Exact bounds of a share (Clopper and Pearson 1934): what so many trials can show at all."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

CONFIDENCE: Final = 0.95
_STEPS: Final = 200
"""Halvings of the interval; a float has none left after about sixty."""
_TINY: Final = 1e-300
_TERMS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Share:
    """So many of so many trials, with the two-sided exact bounds of the share behind them."""

    good: int
    total: int
    low: float
    high: float

    @property
    def observed(self) -> float:
        """The share as it was seen, 0 to 1; 0 where nothing was tried."""
        return self.good / self.total if self.total else 0.0


def share(good: int, total: int, confidence: float = CONFIDENCE) -> Share:
    """The share of successes with its exact two-sided bounds; raises ValueError for no share."""
    if not 0 <= good <= total:
        raise ValueError(f"{good} of {total} is no share")
    half = (1 - confidence) / 2
    low = 0.0 if good == 0 else _quantile(half, good, total - good + 1)
    high = 1.0 if good == total else _quantile(1 - half, good + 1, total - good)
    return Share(good, total, low, high)


def trials_to_show(asked: float, confidence: float = CONFIDENCE) -> int:
    """Trials without one failure after which the lower bound reaches the share that is asked."""
    return math.ceil(math.log((1 - confidence) / 2) / math.log(asked))


def _quantile(probability: float, a: float, b: float) -> float:
    """Where the distribution of beta (a, b) reaches a probability, by halving."""
    low, high = 0.0, 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        if _beta(a, b, middle) < probability:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _beta(a: float, b: float, x: float) -> float:
    """The regularized incomplete beta function, by Lentz's continued fraction (DLMF 8.17.22)."""
    if x <= 0 or x >= 1:
        return 0.0 if x <= 0 else 1.0
    log_front = (
        math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
        + a * math.log(x) + b * math.log1p(-x)
    )  # fmt: skip
    if x < (a + 1) / (a + b + 2):
        return math.exp(log_front) * _fraction(a, b, x) / a
    return 1 - math.exp(log_front) * _fraction(b, a, 1 - x) / b


def _fraction(a: float, b: float, x: float) -> float:
    c, d = 1.0, 1 - (a + b) * x / (a + 1)
    d = 1 / (d if abs(d) > _TINY else _TINY)
    value = d
    for m in range(1, _TERMS):
        for term in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1 + term * d
            d = 1 / (d if abs(d) > _TINY else _TINY)
            c = 1 + term / c
            c = c if abs(c) > _TINY else _TINY
            value *= c * d
        if abs(c * d - 1) < 1e-14:
            break
    return value

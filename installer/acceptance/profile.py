"""A profile: how many journeys start when, from the warm-up to the end of the steady part."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

TIERS: Final = (1, 10, 50, 500, 1000)
"""Journeys a second that are tried; the gates are the same for all."""
DOCUMENT_RATE: Final = 1000
DOCUMENT_SECONDS: Final = 3600
"""Document 001: "1000+ TPS sustained for one hour"; no other profile is called by its name."""
SLOT: Final = 10.0
"""Seconds of a slot, in which the rate is held against what was scheduled."""


class Phase(StrEnum):
    """A part of an acceptance, in their order."""

    CEILING = "ceiling"
    PROVISION = "provision"
    SMOKE = "smoke"
    WARM_UP = "warm-up"
    RAMP = "ramp"
    STEADY = "steady"
    DRAIN = "drain"
    RECONCILE = "reconcile"


@dataclass(frozen=True, slots=True)
class Profile:
    """The rate of the steady part in journeys a second, and the seconds of each part."""

    rate: float
    steady: float = DOCUMENT_SECONDS
    warm_up: float = 60.0
    ramp: float = 60.0

    @property
    def is_document(self) -> bool:
        """Whether this is what document 001 asks: its rate for its hour."""
        return self.rate >= DOCUMENT_RATE and self.steady >= DOCUMENT_SECONDS

    @property
    def low_rate(self) -> float:
        """Journeys a second of the warm-up: a tenth of the steady rate."""
        return self.rate / 10

    @property
    def steady_from(self) -> float:
        """Seconds from the first start until the steady part."""
        return self.warm_up + self.ramp

    @property
    def length(self) -> float:
        """Seconds in which journeys start."""
        return self.steady_from + self.steady

    @property
    def journeys(self) -> int:
        """How many journeys start in all."""
        before = math.ceil(self.started_before(self.steady_from))
        return before + math.ceil(self.rate * self.steady)

    def phase_at(self, seconds: float) -> Phase:
        """The part that a moment belongs to, in seconds from the first start."""
        if seconds < self.warm_up:
            return Phase.WARM_UP
        if seconds < self.steady_from:
            return Phase.RAMP
        return Phase.STEADY if seconds < self.length else Phase.DRAIN

    def started_before(self, seconds: float) -> float:
        """How many journeys are scheduled before a moment: the integral of the rate."""
        warm = min(seconds, self.warm_up)
        done = self.low_rate * warm
        if seconds > self.warm_up and self.ramp:
            into = min(seconds - self.warm_up, self.ramp)
            slope = (self.rate - self.low_rate) / self.ramp
            done += self.low_rate * into + slope * into * into / 2
        if seconds > self.steady_from:
            done += self.rate * (min(seconds, self.length) - self.steady_from)
        return done


def starts(profile: Profile, of: int = 1, number: int = 0) -> Iterator[float]:
    """When the journeys of one process of several are due, in seconds from the first start.

    All processes together start them evenly: each takes every `of`-th from its own `number` on.
    """
    before = profile.started_before(profile.steady_from)
    k = number
    while k < before:
        yield _moment_of(profile, k)
        k += of
    # The steady part begins on its own grid, whatever the fraction that the ramp left.
    first = math.ceil(before)
    for n in range(k - first, math.ceil(profile.rate * profile.steady), of):
        yield profile.steady_from + n / profile.rate


def _moment_of(profile: Profile, k: float) -> float:
    """When so many journeys have started, in the warm-up or the ramp: the integral turned round."""
    warm = profile.low_rate * profile.warm_up
    if k < warm or not profile.ramp:
        return k / profile.low_rate
    slope = (profile.rate - profile.low_rate) / profile.ramp
    low = profile.low_rate
    into = (math.sqrt(low * low + 2 * slope * (k - warm)) - low) / slope
    return profile.warm_up + into

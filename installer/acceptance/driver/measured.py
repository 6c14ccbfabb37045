"""What all processes counted, put together while it comes in."""

from __future__ import annotations

import itertools
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any, Final

from installer.acceptance.driver.histograms import Histogram
from installer.acceptance.driver.tally import BIN, COLUMNS, Column
from installer.acceptance.profile import SLOT, Profile

_RATE_OVER: Final = 10
"""Seconds over which the present rate is told."""
_POINT: Final = 10.0
"""Seconds of a point of the charts."""
SHOWN: Final = ("lookup.hub", "terms.hub", "clearing.hub")


@dataclass(frozen=True, slots=True)
class Point:
    """A point of the charts: the p99 of each operation (hub) over ten seconds, by when it came."""

    seconds: float
    """Since the first start."""
    p99: tuple[float | None, ...]
    lag: float | None


@dataclass
class Measured:
    """The sums over all processes; `workers` holds each one's counts since its beginning."""

    histograms: dict[str, Histogram] = field(default_factory=dict)
    slots: dict[int, list[int]] = field(default_factory=dict)
    failures: Counter[str] = field(default_factory=Counter)
    commits: set[int] = field(default_factory=set)
    workers: dict[int, dict[str, float]] = field(default_factory=dict)
    points: list[Point] = field(default_factory=list)
    began: float = 0.0
    """When the first journey was due, by the clock of the wall."""
    _recent: dict[str, Histogram] = field(default_factory=dict)
    _point_at: float = 0.0
    _committed: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=64))

    def add(self, worker: int, said: dict[str, Any]) -> None:
        """Add one process's counts of the last second."""
        now = time.time()
        for name, pairs in said["histograms"].items():
            self.histograms.setdefault(name, Histogram()).add(pairs)
            self._recent.setdefault(name.lstrip("~"), Histogram()).add(pairs)
        for slot, counts in said["slots"].items():
            sums = self.slots.setdefault(int(slot), [0] * COLUMNS)
            for place, count in enumerate(counts):
                sums[place] += count
        self.failures.update(said["failures"])
        self.commits.update(said["commits"])
        self.workers[worker] = {
            name: value for name, value in said.items() if isinstance(value, int | float)
        }
        if not self._committed or now - self._committed[-1][0] >= 0.5:
            self._committed.append((now, self.sum("committed")))
        if self.began and now - self._point_at >= _POINT:
            self._point(now)

    def _point(self, now: float) -> None:
        if self._point_at:
            p99 = tuple(self._recent.get(name, Histogram()).percentile(99) for name in SHOWN)
            lag = self._recent.get("lag", Histogram()).percentile(99.9)
            self.points.append(Point(now - self.began, p99, lag))
        self._recent.clear()
        self._point_at = now

    def sum(self, name: str) -> float:
        """A count of all processes together, since their beginning."""
        return sum(counts.get(name, 0) for counts in self.workers.values())

    def total(self, column: int) -> int:
        """A column of the slots, over the steady part."""
        return sum(counts[column] for counts in self.slots.values())

    @property
    def rate(self) -> float:
        """Journeys that were committed a second, over the last ten."""
        if len(self._committed) < 2:
            return 0.0
        last, count = self._committed[-1]
        for at, before in self._committed:
            if last - at <= _RATE_OVER:
                return (count - before) / (last - at) if last > at else 0.0
        return 0.0

    def longest_gap(self, profile: Profile) -> float | None:
        """Seconds of the steady part without one commit at the longest, to 0.1 s.

        It counts from its first start to its last, so that a hub that died has the time since.
        """
        if not self.began or not self.slots:
            return None
        last = max(self.slots)
        # Of the last slot so much as journeys were started in: it may have been stopped there.
        ended = last * SLOT + min(SLOT, self.slots[last][Column.STARTED] / profile.rate)
        start = self.began + profile.steady_from
        bins = sorted({*self.commits, int(start / BIN) - 1})
        if (end := int((start + ended) / BIN)) > bins[-1]:
            bins.append(end)
        gaps = (later - one - 1 for one, later in itertools.pairwise(bins))
        return max(gaps, default=0) * BIN

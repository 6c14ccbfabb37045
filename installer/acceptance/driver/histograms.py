"""Histograms of durations: a thousandth exact over nine decades, merged by adding.

The buckets are those of HdrHistogram with three digits (a power of two in 1,024 equal parts), so
that a value is known to less than 0.1 %. The package of that name has no wheel for Linux on ARM
and brings setuptools with it, and Sitewright installs from wheels alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

_PARTS: Final = 1024
_BITS: Final = 11
"""Values below 2 ** _BITS microseconds are exact; each power of two above has _PARTS parts."""
LARGEST: Final = 3_600_000_000
"""Microseconds, an hour; what is longer counts as that."""


def bucket_of(microseconds: int) -> int:
    """The bucket of a duration; what is below none is 0, what is above an hour an hour."""
    value = min(max(microseconds, 0), LARGEST)
    shift = value.bit_length() - _BITS
    return value if shift <= 0 else shift * _PARTS + (value >> shift)


def largest_in(bucket: int) -> int:
    """The longest duration of a bucket in microseconds, so that no percentile is told too low."""
    if bucket < 2 * _PARTS:
        return bucket
    shift = bucket // _PARTS - 1
    part = bucket - shift * _PARTS
    return ((part + 1) << shift) - 1


class Histogram:
    """Counts by bucket; only buckets that were hit are kept."""

    __slots__ = ("counts", "total")

    def __init__(self, counts: Mapping[int, int] | None = None) -> None:
        self.counts: dict[int, int] = dict(counts or {})
        self.total = sum(self.counts.values())

    def record(self, seconds: float) -> None:
        """Count one duration."""
        bucket = bucket_of(int(seconds * 1_000_000))
        self.counts[bucket] = self.counts.get(bucket, 0) + 1
        self.total += 1

    def add(self, pairs: Iterable[tuple[int, int]]) -> None:
        """Add counts of another histogram, as `taken` gives them."""
        for bucket, count in pairs:
            self.counts[bucket] = self.counts.get(bucket, 0) + count
            self.total += count

    def taken(self) -> list[tuple[int, int]]:
        """The counts so far, which are none after that."""
        pairs = list(self.counts.items())
        self.counts.clear()
        self.total = 0
        return pairs

    def percentile(self, percent: float) -> float | None:
        """Seconds within which so many of a hundred lie; None where nothing was counted."""
        return self.percentiles((percent,))[0]

    def percentiles(self, percents: Iterable[float]) -> list[float | None]:
        """The same for several percents, which rise."""
        if not self.total:
            return [None for _ in percents]
        found: list[float | None] = []
        buckets = iter(sorted(self.counts.items()))
        bucket, seen = 0, 0
        for percent in percents:
            # The rank is a whole number, and 99.9 % of 1,000 is 999, not a little above it.
            rank = max(1, -int(-round(self.total * percent / 100, 6) // 1))
            while seen < rank:
                bucket, count = next(buckets)
                seen += count
            found.append(largest_in(bucket) / 1_000_000)
        return found

    @property
    def longest(self) -> float | None:
        """The longest duration counted, in seconds."""
        return largest_in(max(self.counts)) / 1_000_000 if self.counts else None

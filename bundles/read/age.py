"""The order of bundles: which of two is the older one, by what each signed index states.

A signature says who made a bundle and never when it may be used. So a machine and a site remember
the bundle that they were given last, and an older one is taken only by a person's word (a waiver
of `bundle.older` in the site file, or `--allow-older NAME`). The counter of their maker decides;
where one of the two has none, the moment at which each was made.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from typing import Any, Final

from bundles.format.layout import BundleIndex
from foundation.wording import counted


@dataclass(frozen=True, slots=True)
class Stamp:
    """What tells a bundle from the others of its solution."""

    solution: str
    environment: str
    version: str
    created: str
    """ISO 8601, as the index states it."""
    index: str
    """The digest of the index."""
    counter: int | None = None
    """Which of its maker's bundles it is; None where its maker does not count."""

    @property
    def moment(self) -> float | None:
        """Seconds since 1970; None where the index states no moment that can be read."""
        try:
            moment = datetime.fromisoformat(self.created)
        except ValueError:
            return None
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()

    def as_dict(self) -> dict[str, Any]:
        """The stamp as plain values."""
        return asdict(self)

    def __str__(self) -> str:
        number = f", number {self.counter}" if self.counter is not None else ""
        return f"{self.solution} {self.version} of {self.created}{number} ({self.index[7:19]})"


def stamp_of(index: BundleIndex, digest: str) -> Stamp:
    """The stamp of a bundle by its index and that index's digest."""
    return Stamp(
        index.solution, index.environment, index.version, index.created, digest, index.counter
    )


SOON_DAYS: Final = 30
"""Within so many days an end is told as near: a newer bundle is made, carried and tried first."""


def days_left(until: str, today: date) -> int:
    """The days that are left of the time in which its maker looks after a bundle; below 0: over."""
    return (date.fromisoformat(until) - today).days


def looked_after(until: str, today: date | None = None) -> str:
    """Until when a bundle's maker looks after it, a sentence; "" where no day was named."""
    if not until:
        return ""
    day = date.fromisoformat(until)
    left = days_left(until, today or datetime.now(UTC).date())
    if left >= 0:
        near = f", {counted(left, 'day')} from now" if left < SOON_DAYS else ""
        return f"Its maker looks after it until {day:%d %B %Y}{near}."
    return (
        f"Its maker looked after it until {day:%d %B %Y}: what was mended since is not in it. Ask "
        "for a newer one."
    )


def stamp_from(value: Any) -> Stamp | None:
    """A stamp from plain values; None where they are none."""
    names = ("solution", "environment", "version", "created", "index")
    if not isinstance(value, dict) or not all(isinstance(value.get(name), str) for name in names):
        return None
    counter = value.get("counter")
    if counter is not None and (isinstance(counter, bool) or not isinstance(counter, int)):
        return None
    solution, environment, version, created, index = (value[name] for name in names)
    return Stamp(solution, environment, version, created, index, counter)


def is_older(one: Stamp, than: Stamp | None) -> bool:
    """Whether a bundle is older than the one before it, by its maker's counter, else by its moment.

    One without a counter is older than any that has one; of two with the same the moment decides,
    and one that states no moment is older than any that does.
    """
    if than is None or one.index == than.index:
        return False
    if than.counter is not None and one.counter != than.counter:
        return one.counter is None or one.counter < than.counter
    if than.moment is None:
        return False
    return one.moment is None or one.moment < than.moment


def can_be_compared(before: Stamp, with_: Stamp) -> bool:
    """Whether what was noted of a bundle says enough to tell another one's age by it."""
    return before.moment is not None or (before.counter is not None and with_.counter is not None)

"""The order of bundles: which of two is the older one, by the moment that each signed index states.

A signature says who made a bundle and never when it may be used. So a machine and a site remember
the bundle that they were given last, and an older one, or one of another moment than its index
states, is taken only by a person's word (`--allow-older`).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from typing import Any

from bundles.format.layout import BundleIndex


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
        return f"{self.solution} {self.version} of {self.created} ({self.index[7:19]})"


def stamp_of(index: BundleIndex, digest: str) -> Stamp:
    """The stamp of a bundle by its index and that index's digest."""
    return Stamp(index.solution, index.environment, index.version, index.created, digest)


def looked_after(until: str, today: date | None = None) -> str:
    """Until when a bundle's maker looks after it, a sentence; "" where no day was named."""
    if not until:
        return ""
    day = date.fromisoformat(until)
    if day >= (today or datetime.now(UTC).date()):
        return f"Its maker looks after it until {day:%d %B %Y}."
    return (
        f"Its maker looked after it until {day:%d %B %Y}: what was mended since is not in it. Ask "
        "for a newer one."
    )


def stamp_from(value: Any) -> Stamp | None:
    """A stamp from plain values; None where they are none."""
    names = ("solution", "environment", "version", "created", "index")
    if not isinstance(value, dict) or not all(isinstance(value.get(name), str) for name in names):
        return None
    return Stamp(*(value[name] for name in names))


def is_older(one: Stamp, than: Stamp | None) -> bool:
    """Whether a bundle is older than the one before it, as far as both say when they were made.

    One that states no moment is older than any that does.
    """
    if than is None or one.index == than.index or than.moment is None:
        return False
    return one.moment is None or one.moment < than.moment

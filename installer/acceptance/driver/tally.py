"""What a process counts, second by second; whoever asks takes it, and counting begins anew."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Final

from installer.acceptance.driver.histograms import Histogram
from installer.acceptance.driver.messages import Operation
from installer.acceptance.profile import SLOT

LATE: Final = "late"
"""How late a journey's first message left, against its intended start."""
LAG: Final = "lag"
"""How late the event loop came round, asked fifty times a second."""
JOURNEY: Final = "journey"
UNMEASURED: Final = "~"
"""Before the name of a histogram of what is not the steady part's."""
BIN: Final = 0.1
"""Seconds of a bin in which a commit was seen or not, for the longest gap."""


class Column(IntEnum):
    """The counts of one slot; three more for each operation come after them."""

    STARTED = 0
    COMMITTED = 1
    DROPPED = 2


ASKED, WITHIN, WITHIN_CLIENT = range(3)
COLUMNS: Final = len(Column) + 3 * len(Operation)


def column(operation: Operation, which: int) -> int:
    """The place of an operation's count in a slot's: asked, in time (hub), in time (client)."""
    return len(Column) + 3 * operation + which


@dataclass
class Tally:
    """Counts since they were taken last, and since the beginning."""

    within: float
    slots: dict[int, list[int]] = field(default_factory=dict)
    histograms: dict[str, Histogram] = field(default_factory=dict)
    failures: Counter[str] = field(default_factory=Counter)
    commits: set[int] = field(default_factory=set)
    started: int = 0
    committed: int = 0
    dropped: int = 0
    full: int = 0
    """Messages that found every connection to the hub in use."""
    resent: int = 0
    strays: int = 0
    """Callbacks that are about nothing of ours."""

    def slot(self, due: float) -> list[int]:
        """The counts of the slot in which a journey was due."""
        return self.slots.setdefault(int(due // SLOT), [0] * COLUMNS)

    def record(self, name: str, seconds: float, *, steady: bool) -> None:
        """Count a duration."""
        name = name if steady else UNMEASURED + name
        histogram = self.histograms.get(name)
        if histogram is None:
            histogram = self.histograms[name] = Histogram()
        histogram.record(seconds)

    def leg(
        self, operation: Operation, due: float, hub: float, client: float, *, ok: bool, steady: bool
    ) -> None:
        """Count a leg that ended, or was given up: then with the time that was waited."""
        name = operation.name.lower()
        self.record(f"{name}.hub", hub, steady=steady)
        self.record(f"{name}.client", client, steady=steady)
        if not steady:
            return
        counts = self.slot(due)
        counts[column(operation, ASKED)] += 1
        if ok and hub <= self.within:
            counts[column(operation, WITHIN)] += 1
        if ok and client <= self.within:
            counts[column(operation, WITHIN_CLIENT)] += 1

    def taken(self) -> dict[str, Any]:
        """What was counted since this was asked last, for a line of JSON."""
        said: dict[str, Any] = {
            "slots": {str(slot): counts for slot, counts in self.slots.items()},
            "histograms": {name: one.taken() for name, one in self.histograms.items() if one.total},
            "failures": dict(self.failures),
            "commits": sorted(self.commits),
            **{
                name: getattr(self, name)
                for name in ("started", "committed", "dropped", "full", "resent", "strays")
            },
        }
        self.slots.clear()
        self.failures.clear()
        self.commits.clear()
        return said

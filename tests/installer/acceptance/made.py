"""Measurements and results made by hand, as a run would leave them."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import cache

from installer.acceptance import gates
from installer.acceptance.cast import Bounds
from installer.acceptance.driver.histograms import Histogram
from installer.acceptance.driver.measured import Measured, Point
from installer.acceptance.driver.messages import Operation
from installer.acceptance.driver.tally import (
    ASKED,
    COLUMNS,
    LAG,
    LATE,
    WITHIN,
    WITHIN_CLIENT,
    Column,
    column,
)
from installer.acceptance.ledger.positions import Position
from installer.acceptance.ledger.reconcile import Fate, Reconciled
from installer.acceptance.profile import Profile
from installer.acceptance.result import Ceiling, Criterion, Result

PROFILE = Profile(100, steady=60, warm_up=1, ramp=1)
BOUNDS = Bounds()


@cache
def _usual() -> Mapping[int, int]:
    """A thousand durations, from a tenth of a second to six."""
    histogram = Histogram()
    for n in range(1000):
        histogram.record(0.1 + n / 2000)
    return histogram.counts


def measured(
    *, committed: int = 1000, within: int = 1000, dropped: int = 0, late: float = 0.001,
    full: int = 0, slots: int = 6,
) -> Measured:  # fmt: skip
    """Six slots of a hundred a second; what is given is so in each of them."""
    made = Measured(began=1000.0)
    for slot in range(slots):
        counts = [0] * COLUMNS
        counts[Column.STARTED], counts[Column.COMMITTED] = 1000, committed
        counts[Column.DROPPED] = dropped
        for operation in Operation:
            counts[column(operation, ASKED)] = 1000
            counts[column(operation, WITHIN)] = within
            counts[column(operation, WITHIN_CLIENT)] = within - 1
        made.slots[slot] = counts
        made.points.append(Point(2 + slot * 10.0, (0.02, 0.2, 0.7 + slot / 20), 0.004))
    for operation in Operation:
        for side in ("hub", "client"):
            made.histograms[f"{operation.name.lower()}.{side}"] = Histogram(_usual())
    for name in (LATE, LAG):
        made.histograms[name] = Histogram()
        made.histograms[name].record(late)
    made.commits = set(range(10_020, 10_020 + 100 * slots))
    made.workers = {0: {"full": full, "committed": committed * 6.0, "open": 12}}
    return made


def reconciled(**counts: int) -> Reconciled:
    """All 6,000 clean, but for so many of the classes named."""
    done = Reconciled(view="a test's ledger")
    for name, count in counts.items():
        done.counts[Fate[name.upper()]] = count
    done.counts[Fate.CLEAN] = 6000 - sum(counts.values())
    return done


def position(off: int = 0, doubt: int = 0) -> Position:
    """A position that is too high by so much, of which so much may be explained."""
    return Position("swaccept00a", Decimal(0), Decimal(off), Decimal(0), Decimal(doubt))


def judged(
    it: Measured | None = None, done: Reconciled | None = None, *, off: int = 0, doubt: int = 0,
    probe: gates.Probe | None = gates.Probe(10, 20, 10, 0),  # noqa: B008 - a frozen value
) -> list[Criterion]:  # fmt: skip
    """The criteria of a run in which all went well but for what is given."""
    return gates.judge(
        PROFILE, it or measured(), done or reconciled(), [position(off, doubt)], probe, BOUNDS
    )


def result(criteria: list[Criterion] | None = None, limited: list[str] | None = None) -> Result:
    """A whole result, with words in it that want to be more than words."""
    it, done = measured(), reconciled(stuck=2)
    criteria = criteria or judged(it, done)
    limited = limited or []
    return Result(
        verdict=gates.verdict_of(criteria, limited, stopped=False),
        profile=PROFILE,
        criteria=criteria,
        limited=limited,
        about={"Lookup": "http://hub.example/<script>alert(1)</script>"},
        notes=["A note with \x1b[31mcolour and <b>markup</b>."],
        reconciled=done,
        positions=[position()],
        points=it.points,
        slots=it.slots,
        failures={"clearing: error 2001 <img src=x>\x1b]0;title\x07": 3},
        percentiles={
            name: [0.1, 0.2, 0.3, 0.4, 0.5]
            for name in ("lookup.hub", "lookup.client", "terms.hub", "clearing.hub", "journey")
        },
        ceiling=Ceiling(1200.0, 0.002, held=True),
        processes=2,
        began=1_795_000_000.0,
        ended=1_795_000_100.0,
        unclean={"stuck": ["id-1", "id-2"]},
    )

"""The live picture as values: each figure beside what it is held against, for any face."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from installer.acceptance.cast import Bounds
from installer.acceptance.driver.measured import SHOWN, Measured
from installer.acceptance.driver.messages import Operation
from installer.acceptance.driver.tally import ASKED, LATE, UNMEASURED, WITHIN, Column, column
from installer.acceptance.gates import AVAILABILITY, OF_THE_RATE, SHARE_IN_TIME
from installer.acceptance.profile import Phase, Profile
from installer.acceptance.report.words import LEGS, milliseconds

_SAID: Final = 200
_SHORT: Final = {
    Operation.LOOKUP: "Lookup",
    Operation.TERMS: "Terms",
    Operation.CLEARING: "Clearing",
}


class Stands(StrEnum):
    """How a figure stands against its limit while it is measured; the verdict comes at the end."""

    HOLDS = "holds"
    MISSES = "misses"
    NOT_YET = "-"


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the picture."""

    id: str
    title: str
    now: str
    limit: str
    more: str = ""
    stands: Stands = Stands.NOT_YET


@dataclass(frozen=True, slots=True)
class Picture:
    """An acceptance at one moment of its load."""

    phase: Phase
    left: float
    """Seconds of the part."""
    to_end: float
    """Seconds until the last journey starts."""
    figures: tuple[Figure, ...]


def picture(
    phase: Phase, left: float, measured: Measured, profile: Profile, bounds: Bounds
) -> Picture:
    """Draw it: before the steady part nothing is held against a limit."""
    after = {
        Phase.WARM_UP: profile.ramp + profile.steady,
        Phase.RAMP: profile.steady,
    }
    return Picture(
        phase,
        left,
        left + after.get(phase, 0.0),
        (
            _rate(measured, profile),
            *(_leg(measured, operation, bounds) for operation in Operation),
            _failed(measured, profile),
            _open(measured),
            _lag(measured, bounds),
        ),
    )


def _rate(measured: Measured, profile: Profile) -> Figure:
    started, committed = measured.total(Column.STARTED), measured.total(Column.COMMITTED)
    # What is still open may yet be committed: only what has failed counts against it here.
    may_be = committed + measured.sum("open")
    held = may_be >= OF_THE_RATE * started and not measured.total(Column.DROPPED)
    return Figure(
        "rate", "Rate", f"{measured.rate:.1f} /s", f"{profile.rate:g} /s",
        f"{committed:,} of {started:,} committed" if started else "",
        _stands(held=held, known=bool(started)),
    )  # fmt: skip


def _leg(measured: Measured, operation: Operation, bounds: Bounds) -> Figure:
    name, _ = LEGS[operation]
    asked = measured.total(column(operation, ASKED))
    within = measured.total(column(operation, WITHIN))
    histogram = measured.histograms.get(SHOWN[operation]) or measured.histograms.get(
        UNMEASURED + SHOWN[operation]
    )
    more, limit = "", f"{SHARE_IN_TIME * 100:g} % in {bounds.within:g} s"
    if histogram is not None:
        p50, p99, p999 = (milliseconds(one) for one in histogram.percentiles((50, 99, 99.9)))
        more = f"p99 {p99} ms; p50 {p50}, p99.9 {p999}"
    return Figure(
        name, _SHORT[operation], share_words(within, asked), limit,
        more, _stands(held=within >= SHARE_IN_TIME * asked, known=bool(asked)),
    )  # fmt: skip


def _failed(measured: Measured, profile: Profile) -> Figure:
    failed = sum(measured.failures.values())
    most = int(profile.rate * profile.steady * (1 - AVAILABILITY) + 1e-6)
    reason = measured.failures.most_common(1)
    started = measured.total(Column.STARTED)
    return Figure(
        "failed", "Failed", f"{failed:,}", f"{most:,}",
        reason[0][0] if reason else "", _stands(held=failed <= most, known=bool(started)),
    )  # fmt: skip


def _open(measured: Measured) -> Figure:
    return Figure("open", "Open", f"{measured.sum('open'):,.0f}", "", "journeys under way")


def _lag(measured: Measured, bounds: Bounds) -> Figure:
    steady = measured.histograms.get(LATE)
    histogram = steady or measured.histograms.get(UNMEASURED + LATE)
    late = histogram.percentile(99.9) if histogram is not None else None
    now = f"{milliseconds(late)} ms" if late is not None else "-"
    return Figure(
        "lag", "Our lag", now, f"{milliseconds(bounds.late)} ms",
        "of this machine at 99.9 %; beyond its limit there is no verdict",
        _stands(held=late is not None and late <= bounds.late, known=steady is not None),
    )  # fmt: skip


def _stands(*, held: bool, known: bool) -> Stands:
    if not known:
        return Stands.NOT_YET
    return Stands.HOLDS if held else Stands.MISSES


def share_words(within: int, asked: int) -> str:
    """A share, cut off and not rounded, so that what is not whole is never shown as whole."""
    if not asked:
        return "-"
    return f"{int(within / asked * 100_000) / 1000:.3f}"[:6] + " %"


@dataclass
class Watch:
    """What an acceptance told so far, for a face that looks when it likes.

    It is told in the acceptance's thread, and read in another: each value is put there whole.
    """

    profile: Profile
    bounds: Bounds
    said: deque[str] = field(default_factory=lambda: deque(maxlen=_SAID))
    """The last sentences."""
    sentences: int = 0
    """How many there were in all."""
    picture: Picture | None = None

    def say(self, text: str) -> None:
        """A sentence of its progress."""
        if text.strip():
            self.said.append(text.strip())
            self.sentences += 1

    def tick(self, phase: Phase, left: float, measured: Measured) -> None:
        """A second has passed."""
        self.picture = picture(phase, left, measured, self.profile, self.bounds)

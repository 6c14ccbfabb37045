"""The live picture: one plain line each so often, under a head that says what each number is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from installer.acceptance.cast import Bounds
from installer.acceptance.driver.measured import SHOWN, Measured
from installer.acceptance.driver.messages import Operation
from installer.acceptance.driver.tally import ASKED, LATE, UNMEASURED, WITHIN, column
from installer.acceptance.profile import Phase, Profile
from installer.acceptance.report.picture import share_words

_COLUMNS: Final = {
    "left": 7, "rate/s": 8, "in time": 9, "lookup": 8, "terms": 8, "clearing": 9, "failed": 8,
    "open": 7, "late": 8,
}  # fmt: skip
"""Each number and its cells; with the part before them they are 79."""
_HEAD_EACH: Final = 20
"""Lines after which the head is said again, so that it stands on a screen of 24."""


@dataclass
class Live:
    """Prints a line each so many seconds (5 for a person, fewer for a file that is kept)."""

    profile: Profile
    bounds: Bounds
    write: Callable[[str], None]
    every: int = 5
    _ticks: int = 0
    _lines: int = field(default=0)

    def tick(self, phase: Phase, left: float, measured: Measured) -> None:
        """A second has passed."""
        if phase is Phase.DRAIN and not measured.sum("open"):
            return  # what is waited for then is told apart
        self._ticks += 1
        if (self._ticks - 1) % self.every:
            return
        if self._lines % _HEAD_EACH == 0:
            self.write(_row("part", *_COLUMNS))
            self.write(limits_line(self.profile, self.bounds))
        self._lines += 1
        self.write(line(phase, left, measured))


def line(phase: Phase, left: float, measured: Measured) -> str:
    """One line of 80 columns: what is counted of the steady part, and of what came before it."""
    steady = any(name in measured.histograms for name in SHOWN)
    p99 = []
    for name in SHOWN:
        histogram = measured.histograms.get(name if steady else UNMEASURED + name)
        p99.append(_ms(histogram.percentile(99) if histogram else None))
    late = measured.histograms.get(LATE if steady else UNMEASURED + LATE)
    asked = sum(measured.total(column(one, ASKED)) for one in Operation)
    within = sum(measured.total(column(one, WITHIN)) for one in Operation)
    share = share_words(within, asked)
    failed = sum(measured.failures.values())
    return _row(
        phase, _clock(left), f"{measured.rate:.1f}", share, *p99, str(failed),
        f"{measured.sum('open'):.0f}", _ms(late.percentile(99.9) if late else None),
    )  # fmt: skip


def limits_line(profile: Profile, bounds: Bounds) -> str:
    """What each number is held against, in the same columns."""
    most = _ms(bounds.within)
    allowed = f"{profile.rate * profile.steady / 10_000:.0f}"
    return _row(
        "limit", "", f"{profile.rate:.1f}", "99.0 %", most, most, most, allowed, "",
        _ms(bounds.late),
    )  # fmt: skip


def _row(part: str, *cells: str) -> str:
    widths = zip(cells, _COLUMNS.values(), strict=True)
    return f"{part[:7]:<7}" + "".join(f"{cell:>{width}}" for cell, width in widths)


def _ms(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    return f"{seconds * 1000:.0f} ms" if seconds < 9.9995 else f"{seconds:.1f} s"


def _clock(seconds: float) -> str:
    whole = int(seconds)
    if whole >= 3600:
        return f"{whole // 3600}h{whole % 3600 // 60:02d}"
    return f"{whole // 60}:{whole % 60:02d}"

"""RunClock: how long a run took, whatever became of the laptop's clock meanwhile.

Events carry the time of day, which a person or a server may set. A session that came to its end
says how long it was by a clock that nobody sets, and that counts; of one that was cut off, or is
under way, the time of day is all there is, and where it was put back the sum is a least.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from installer.events import Event, Kind

_JITTER: Final = 1.0
"""Seconds by which events of one moment may stand in another order."""


@dataclass(slots=True)
class RunClock:
    """Adds up a run's events, in their order."""

    before: float = 0.0
    """Seconds of the sessions that are over, with the pauses between them."""
    session: float = 0.0
    """Seconds of the last session by the time of day, or since its end."""
    least: bool = False
    """Whether a part was lost, because the clock was put back where nothing else tells it."""
    _doubt: bool = False
    _last: float | None = None

    def tick(self, event: Event) -> None:
        """Take an event that is no line of output, whose time is another machine's."""
        since = 0.0 if self._last is None else event.time - self._last
        if self._last is not None or event.kind is Kind.RUN_STARTED:
            self._last = event.time
        self._doubt = self._doubt or since < -_JITTER
        self.session += max(0.0, since)
        if event.kind in (Kind.RUN_STARTED, Kind.RUN_RESUMED):
            self._close(self.session)
        elif event.kind is Kind.RUN_FINISHED:
            told = event.data.get("seconds")
            if isinstance(told, (int, float)) and told > 0:
                self._doubt, self.session = False, float(told)
            self._close(self.session)

    def _close(self, seconds: float) -> None:
        self.before += seconds
        self.session = 0.0
        self.least = self.least or self._doubt
        self._doubt = False

    def elapsed(self, now: float | None = None) -> float:
        """Seconds from the start to the last event, or to now while it runs.

        `now` may lie before the last event: since when a person is waited for.
        """
        since = 0.0 if now is None or self._last is None else now - self._last
        return self.before + max(0.0, self.session + (max(0.0, since) if self._doubt else since))

    @property
    def at_least(self) -> bool:
        """Whether it was longer than `elapsed` says by a time that is not known."""
        return self.least or self._doubt

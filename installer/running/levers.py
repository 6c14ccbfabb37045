"""Control: what a person tells a run that is under way."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import Literal

from foundation.problems import InputProblem

Action = Literal[
    "pause", "continue", "finish", "stop", "end-jobs", "end-theirs", "retry", "skip", "undo"
]


@dataclass(frozen=True, slots=True)
class Told:
    """One thing that a person told the run."""

    action: Action
    by: str
    reason: str = ""
    stage: str = ""
    step: str = ""
    host: str = ""
    """The machine; empty means all on which the step failed."""


class Control:
    """The levers of one run, for one event loop; each is journalled with the person's name.

    `pause` lets what runs end and begins nothing more; `go_on` ends a pause. `finish` lets what
    runs end, and ends the run then. `stop` ends the run at once:
    commands that run on machines go on there and are re-attached to by the next resume; with
    `end_jobs` they are ended too. `retry`, `skip` and `undo_stage` answer a failure that waits for
    a person; a skip may also be told before its step begins.
    """

    def __init__(self) -> None:
        self.paused = False
        self.finishing = False
        self.stopped = False
        self.lost = False
        """Whether another laptop took the site over: what runs here for its machines is ended."""
        self.end_jobs = False
        self.ending_theirs = False
        """Whether what others began on the machines is to be ended, in place of waited for."""
        self._told: deque[Told] = deque()
        self._news = asyncio.Event()
        self._stop = asyncio.Event()

    def pause(self, *, by: str) -> None:
        """Begin no further step."""
        self.paused = True
        self._tell(Told("pause", by))

    def go_on(self, *, by: str) -> None:
        """End a pause."""
        self.paused = False
        self._tell(Told("continue", by))

    def finish(self, *, by: str) -> None:
        """End the run when what runs has ended; it can be resumed."""
        self.finishing = True
        self._tell(Told("finish", by))

    def stop(self, *, by: str, end_jobs: bool = False) -> None:
        """End the run; it can be resumed."""
        self.stopped = True
        self.end_jobs = self.end_jobs or end_jobs
        self._stop.set()
        self._tell(Told("end-jobs" if end_jobs else "stop", by))

    def end_theirs(self, *, by: str) -> None:
        """End what others began on the machines; else it is waited for."""
        self.ending_theirs = True
        self._tell(Told("end-theirs", by))

    def retry(self, *, by: str, stage: str, step: str, host: str = "") -> None:
        """Try a failed step again, on one machine or on all where it failed."""
        self._tell(Told("retry", by, stage=stage, step=step, host=host))

    def skip(self, *, by: str, reason: str, stage: str, step: str, host: str = "") -> None:
        """Leave a step out, on one machine or all; raises InputProblem without name or reason."""
        if not by.strip() or not reason.strip():
            raise InputProblem(
                "a step is skipped only by name and with a reason",
                where=f"{stage}/{step}",
                remedy="Say who decides this, and why the installation is right without it.",
            )
        self._tell(Told("skip", by, reason, stage, step, host))

    def undo_stage(self, *, by: str, stage: str) -> None:
        """Take back what a stage did, then end the run; only while a failure waits."""
        self._tell(Told("undo", by, stage=stage))

    # -- for the engine -----------------------------------------------------------------------

    def _tell(self, told: Told) -> None:
        self._told.append(told)
        self._news.set()

    def take(self) -> list[Told]:
        """What was told since the last call."""
        told = list(self._told)
        self._told.clear()
        self._news.clear()
        return told

    async def news(self) -> None:
        """Wait until something is told."""
        await self._news.wait()

    async def stopping(self) -> None:
        """Wait until the run is told to stop."""
        await self._stop.wait()

"""Run lines: the events of a run as lines of a log, each with its time, nothing said twice.

A stage says its number, how much of the whole is done and how long the rest may take, and so does
a minute that passed in it. Tasks that were skipped are counted, and not told one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from foundation.wording import duration
from installer.events import Event, Kind
from screens.run.run_clock import at
from screens.run.run_log import Said
from screens.run.run_words import said

if TYPE_CHECKING:
    from installer.plans.plan import Plan
    from installer.record.progress import Progress

EVERY_SECONDS: Final = 60.0
"""How often a stage that takes long says how far it is."""


class RunLines:
    """Turns events into lines; `progress` tells how far the run is at a moment, or None."""

    def __init__(
        self, plan: Plan, width: int, progress: Callable[[float], Progress | None]
    ) -> None:
        self._stages = {stage.id: n for n, stage in enumerate(plan.stages, 1)}
        self._width = width
        self._control = plan.control
        self._progress = progress
        self._skipped = 0
        """Tasks that were skipped since the last line."""
        self._told = 0.0
        """When it was last said how far it is."""

    def of(self, event: Event) -> Sequence[Said]:
        """The lines of an event; none where it is not worth one."""
        if event.kind is Kind.TASK and event.data.get("status") == "skipped":
            self._skipped += 1
            return ()
        line = said(event, self._width, self._control)
        if line is None:
            return ()
        clock = at(event.time)
        lines = []
        if self._skipped:
            lines.append(Said("", f"{clock}   {self._skipped} skipped", "muted"))
            self._skipped = 0
        if event.kind is Kind.STAGE_STARTED:
            title = " ".join(str(event.data.get("title") or event.stage).split())
            lines.append(
                Said("", f"{clock} == {self._place(event)}{title}{self._far(event)}", "accent")
            )
            self._told = event.time
            return lines
        if event.stage in self._stages and event.time - self._told >= EVERY_SECONDS:
            # Where nobody knows how far it was then, there is nothing to say.
            if self._told and (far := self._far(event)):
                place = self._place(event).rstrip()
                lines.append(Said("", f"{clock} == {place}{far}", "accent"))
            self._told = event.time
        lines.append(line._replace(text=f"{clock} {line.text}"))
        return lines

    def _place(self, event: Event) -> str:
        number = self._stages.get(event.stage)
        return f"[{number}/{len(self._stages)}] " if number else ""

    def _far(self, event: Event) -> str:
        progress = self._progress(event.time)
        if progress is None:
            return ""
        share = f"{progress.fraction:.0%}".replace("%", " %")
        return f": {share} done, about {duration(progress.left)} left"

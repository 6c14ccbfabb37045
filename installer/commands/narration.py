"""How a run looks on a terminal without the wizard: events as lines, text or JSON."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from foundation.moments import clock
from foundation.wording import duration
from installer.ansible.told import is_echo
from installer.commands.ending import AGAIN
from installer.events import Event, Kind
from installer.plans.plan import CONTROL_HOST, Plan, told_host
from installer.record.progress import progress_of
from installer.record.state import RunState

_RESUME: Final = re.compile(r"\bsitewright resume\b")
_OPERATION: Final = re.compile(
    r"\bsitewright (?:install|start|stop|services|remove|verify)\b(?! --)"
)
EVERY_SECONDS: Final = 60.0
"""How often a stage that takes long says how far it is."""


class Narration:
    """Prints events as they come; a subscriber of the engine."""

    def __init__(
        self,
        plan: Plan,
        *,
        json_lines: bool,
        quiet: bool = False,
        state: Callable[[], RunState] | None = None,
        again: str = AGAIN,
        named: str = "",
    ) -> None:
        """`state` gives where the run stands; without it that is told from the events alone.

        `again` is the command that goes on with what is shown, `named` the words of a command that
        name its site.
        """
        self._again, self._named = again, named
        self._json_lines = json_lines
        self._quiet = quiet
        self._plan = plan
        self._own = RunState()
        self._state = state or (lambda: self._own)
        self._stages = {stage.id: (n, stage) for n, stage in enumerate(plan.stages, 1)}
        self._width = max((len(name) for name, _ in plan.hosts), default=7)
        self._width = max(self._width, len(told_host(CONTROL_HOST, plan.control)))
        self._skipped = 0
        """Tasks that were skipped since the last line."""
        self._told = 0.0
        """When it was last said how far it is."""

    def __call__(self, events: Sequence[Event]) -> None:
        """Print a batch of events."""
        for event in events:
            if self._json_lines:
                print(json.dumps(_as_dict(event), ensure_ascii=True))
                continue
            for line in self.lines(event):
                print(line)
        sys.stdout.flush()

    def lines(self, event: Event) -> Iterator[str]:
        """An event as lines with their time, and how far it is where that was not said lately."""
        self._own.apply(event)
        if event.kind is Kind.LINE and (self._quiet or is_echo(str(event.data.get("text")))):
            return
        if event.kind is Kind.TASK and event.data.get("status") == "skipped":
            self._skipped += 1
            return
        text = self.sentence(event)
        if text is None:
            return
        at = clock(event.time)
        if self._skipped:
            yield f"{at}   {self._skipped} skipped"
            self._skipped = 0
        if event.stage in self._stages and event.time - self._told >= EVERY_SECONDS:
            if event.kind is not Kind.STAGE_STARTED:
                number, _ = self._stages[event.stage]
                yield f"{at} [{number}/{len(self._stages)}] {self._far(event)}"
            self._told = event.time
        begin = "\n" if text.startswith("\n") else ""
        yield f"{begin}{at} {text.lstrip(chr(10))}"

    def _far(self, event: Event) -> str:
        """How much of the whole is done, and how long it may still take."""
        progress = progress_of(self._plan, self._state(), {}, now=event.time)
        share = f"{progress.fraction:.0%}".replace("%", " %")
        return f"{share}, about {duration(progress.left)} left"

    def sentence(self, event: Event) -> str | None:
        """An event as a line, or None where it is not worth one."""
        data = event.data
        name = told_host(event.host, self._plan.control)
        host = f"  {name:<{self._width}} "
        match event.kind:
            case Kind.STAGE_STARTED:
                number, stage = self._stages.get(event.stage, (0, None))
                place = f"[{number or '?'}/{len(self._stages)}]"
                what = f"{stage.title}: {stage.why}" if stage is not None else event.stage
                return f"\n{place} {what} ({self._far(event)})"
            case Kind.STAGE_FINISHED:
                seconds = data.get("seconds")
                took = duration(seconds) if isinstance(seconds, (int, float)) else ""
                number, _ = self._stages.get(event.stage, (0, None))
                return f"[{number or '?'}/{len(self._stages)}] {data.get('outcome')}, {took}"
            case Kind.STEP_STARTED:
                again = data.get("attempt")
                more = f" (attempt {again})" if isinstance(again, int) and again > 1 else ""
                return f"{host}{data.get('title')}{more} …"
            case Kind.STEP_FINISHED:
                if data.get("outcome") == "failed":
                    return f"{host}failed"  # what and why was said by the problem
                sentence = data.get("sentence") or ""
                return f"{host}{data.get('outcome')}: {sentence}".rstrip(": ")
            case Kind.LINE:
                unit = f"{data.get('unit')}: " if data.get("unit") else ""
                return f"{host}| {unit}{data.get('text')}"
            case Kind.TASK:
                words = f"{host}. {data.get('status')!s:<7} {data.get('task')}"
                return f"{words}: {data.get('sentence')}" if data.get("sentence") else words
            case Kind.NOTE:
                # A note may be the difference of a file, of many lines.
                lines = str(data.get("text")).splitlines()
                return "\n".join(f"{host}  {line}" for line in lines)
            case Kind.PROBLEM:
                where = told_host(str(data.get("where")), self._plan.control)
                return (
                    f"{host}FAILED: {data.get('title')} ({where}): {data.get('cause')}"
                    f"\n{host}Do: {self._with_site(str(data.get('remedy')))}"
                )
            case _:
                return None

    def _with_site(self, remedy: str) -> str:
        """A remedy whose commands are about this site, and go on with what this command began."""
        remedy = _RESUME.sub(lambda _: self._again, remedy)
        return _OPERATION.sub(lambda found: f"{found[0]}{self._named}", remedy)


def _as_dict(event: Event) -> dict[str, object]:
    return {
        "kind": event.kind.value,
        "time": event.time,
        "stage": event.stage,
        "step": event.step,
        "host": event.host,
        "data": event.data,
    }

"""How a run looks on a terminal without the wizard: events as lines, text or JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

from foundation.durations import duration
from installer.events import Event, Kind
from installer.plan import Plan


class Narration:
    """Prints events as they come; a subscriber of the engine."""

    def __init__(self, plan: Plan, *, json_lines: bool, quiet: bool = False) -> None:
        self._json_lines = json_lines
        self._quiet = quiet
        self._stages = {stage.id: (n, stage) for n, stage in enumerate(plan.stages, 1)}
        self._width = max((len(name) for name, _ in plan.hosts), default=7)
        self._width = max(self._width, len("control"))

    def __call__(self, events: Sequence[Event]) -> None:
        """Print a batch of events."""
        for event in events:
            if self._json_lines:
                print(json.dumps(_as_dict(event), ensure_ascii=True))
            else:
                text = self.sentence(event)
                if text is not None and not (self._quiet and event.kind is Kind.LINE):
                    print(text)
        sys.stdout.flush()

    def sentence(self, event: Event) -> str | None:
        """An event as a line, or None where it is not worth one."""
        data = event.data
        host = f"  {event.host:<{self._width}} "
        match event.kind:
            case Kind.STAGE_STARTED:
                number, stage = self._stages[event.stage]
                return f"\n[{number}/{len(self._stages)}] {stage.title}: {stage.why}"
            case Kind.STAGE_FINISHED:
                seconds = data.get("seconds")
                took = duration(seconds) if isinstance(seconds, (int, float)) else ""
                number, _ = self._stages[event.stage]
                return f"[{number}/{len(self._stages)}] {data.get('outcome')}, {took}"
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
                words = f"{host}. {data.get('task')}: {data.get('status')}"
                return f"{words} {data.get('sentence')}" if data.get("sentence") else words
            case Kind.NOTE:
                # A note may be the difference of a file, of many lines.
                lines = str(data.get("text")).splitlines()
                return "\n".join(f"{host}  {line}" for line in lines)
            case Kind.PROBLEM:
                return (
                    f"{host}FAILED: {data.get('title')} ({data.get('where')}): {data.get('cause')}"
                    f"\n{host}Do: {data.get('remedy')}"
                )
            case _:
                return None


def _as_dict(event: Event) -> dict[str, object]:
    return {
        "kind": event.kind.value,
        "time": event.time,
        "stage": event.stage,
        "step": event.step,
        "host": event.host,
        "data": event.data,
    }

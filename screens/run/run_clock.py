"""Run clock: whether a run is at work or waits for a person, and since when."""

from __future__ import annotations

from typing import TYPE_CHECKING

from foundation.moments import moment
from installer.events import Outcome

if TYPE_CHECKING:
    from datetime import tzinfo

    from installer.record.state import RunState


def waits_since(state: RunState) -> float | None:
    """The moment from which nothing runs and a person is waited for, Unix seconds.

    None while anything is at work, and where nothing waits: a step that failed or asks, beside
    another that runs, holds nobody up yet.
    """
    asked = {key: event.time for key, event in state.questions.items()}
    if any(step.running and key not in asked for key, step in state.steps.items()):
        return None
    since = [
        step.started + step.seconds
        for step in state.steps.values()
        if step.outcome is Outcome.FAILED and not step.running
    ]
    return max([*since, *asked.values()], default=None)


def at(seconds: float, zone: tzinfo | None = None) -> str:
    """A moment as the clock on the wall has it: 14:57."""
    found = moment(seconds)
    return f"{found.astimezone(zone):%H:%M}" if found is not None else "??:??"

"""Progress: how far a run is, by stage, step and machine, and how long it may still take."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from installer.plans.plan import Plan, PlannedStage, PlannedStep
from installer.record.state import RunState, StepState
from installer.steps.kind import done_on

Stand = Literal["waiting", "running", "done", "already", "failed", "skipped", "stopped", "undone"]

_LEFT_OVER: Final = 0.1
"""What is taken to be left of a step that takes longer than expected, as a part of that."""


@dataclass(frozen=True, slots=True)
class StepProgress:
    """A step, over its machines."""

    id: str
    title: str
    stand: Stand
    hosts: tuple[tuple[str, Stand], ...]
    done: int
    total: int
    expected: float
    """Seconds that it takes as a rule, on all its machines."""
    left: float
    """Seconds that it may still take."""
    group: str = ""
    """With which of the steps beside it it belongs together."""
    elapsed: float = 0.0
    """Seconds that it has taken on the machine where it took longest."""


@dataclass(frozen=True, slots=True)
class StageProgress:
    """A stage, over its steps."""

    id: str
    title: str
    stand: Stand
    steps: tuple[StepProgress, ...]
    done: int
    """Steps on machines that are finished."""
    total: int
    elapsed: float
    expected: float
    left: float

    @property
    def skipped(self) -> int:
        """Steps on machines that were left out, by name and with a reason."""
        return sum(stand == "skipped" for step in self.steps for _, stand in step.hosts)


@dataclass(frozen=True, slots=True)
class Progress:
    """A run, over its stages."""

    stages: tuple[StageProgress, ...]
    done: int
    total: int
    elapsed: float
    """Seconds from the first start to the last event or now; with the pauses between resumes."""
    at_least: bool
    """Whether a part of that is not known, because the laptop's clock was put back."""
    expected: float
    left: float

    @property
    def fraction(self) -> float:
        """0 to 1, by expected time."""
        return 1.0 if not self.expected else max(0.0, min(1.0, 1 - self.left / self.expected))


def progress_of(
    plan: Plan, state: RunState, expected: Mapping[tuple[str, str], float], *, now: float
) -> Progress:
    """How far the run of a plan is; `expected` has seconds by (stage, step) where known better."""
    stages = tuple(_stage(stage, state, expected, now) for stage in plan.stages)
    return Progress(
        stages=stages,
        done=sum(stage.done for stage in stages),
        total=sum(stage.total for stage in stages),
        elapsed=state.clock.elapsed(now if state.outcome is None else None),
        at_least=state.clock.at_least,
        expected=sum(stage.expected for stage in stages),
        left=sum(stage.left for stage in stages),
    )


def _stage(
    stage: PlannedStage, state: RunState, expected: Mapping[tuple[str, str], float], now: float
) -> StageProgress:
    steps = tuple(_step(step, state, expected, now) for step in stage.steps)
    standing = state.stages.get(stage.id)
    elapsed = 0.0
    if standing is not None:
        elapsed = now - standing.started if standing.running else standing.seconds
    stands = [step.stand for step in steps]
    return StageProgress(
        id=stage.id,
        title=stage.title,
        stand=together(stands, over=state.outcome is not None),
        steps=steps,
        done=sum(step.done for step in steps),
        total=sum(step.total for step in steps),
        elapsed=max(0.0, elapsed),
        expected=sum(step.expected for step in steps),
        left=sum(step.left for step in steps),
    )


def _step(
    step: PlannedStep, state: RunState, expected: Mapping[tuple[str, str], float], now: float
) -> StepProgress:
    known = [host for (stage, name, host) in state.steps if (stage, name) == (step.stage, step.id)]
    hosts = done_on(step)
    standings = {host: state.steps.get((step.stage, step.id, host)) for host in hosts}
    for host in hosts:
        # What no longer holds waits, as if it had never been done.
        if not state.holds((step.stage, step.id, host)) and not _runs(standings[host]):
            standings[host] = None
    stands = tuple((host, _stand(standing)) for host, standing in standings.items())
    each = expected.get((step.stage, step.id), step.expected_seconds)
    rounds = math.ceil(len(hosts) / step.rolling) if step.rolling else 1
    lefts = [_left(standing, each, now) for standing in standings.values()]
    left = sum(lefts) / max(1, len(hosts) // rounds) if rounds > 1 else max(lefts, default=0.0)
    return StepProgress(
        id=step.id,
        title=step.title,
        stand=(
            together([stand for _, stand in stands], over=state.outcome is not None)
            if known
            else "waiting"
        ),
        hosts=stands,
        done=sum(1 for host in hosts if state.finished((step.stage, step.id, host))),
        total=len(hosts),
        expected=each * rounds,
        left=left,
        group=step.group,
        elapsed=max((_elapsed(one, now) for one in standings.values()), default=0.0),
    )


def _elapsed(standing: StepState | None, now: float) -> float:
    if standing is None:
        return 0.0
    return max(now - standing.started, 0.0) if standing.running else standing.seconds


def _runs(standing: StepState | None) -> bool:
    return standing is not None and standing.running


def _stand(standing: StepState | None) -> Stand:
    if standing is None or (standing.attempt == 0 and standing.outcome is None):
        return "waiting"
    if standing.running:
        return "running"
    return standing.outcome.value if standing.outcome is not None else "waiting"


def together(stands: list[Stand], *, over: bool = False) -> Stand:
    """One word for several: what needs a person first, then what moves.

    Where some are done and others wait, it goes on, unless the run is `over`: then it was stopped.
    """
    for word in ("failed", "running", "stopped", "undone"):
        if word in stands:
            return word
    done = [stand for stand in stands if stand in ("done", "already", "skipped")]
    if not done:
        return "waiting"
    if len(done) < len(stands):
        return "stopped" if over else "running"
    if set(done) == {"already"}:
        return "already"
    return "skipped" if set(done) == {"skipped"} else "done"


def _left(standing: StepState | None, each: float, now: float) -> float:
    if standing is None:
        return each
    if standing.finished:
        return 0.0
    if standing.running:
        return max(each - (now - standing.started), each * _LEFT_OVER)
    return each

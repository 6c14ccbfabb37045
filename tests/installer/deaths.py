"""One run that is killed by SIGKILL once at every kind of boundary, each time in another step."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

from installer.events import Kind
from installer.plans.plan import Plan
from installer.record.journal import read, verify
from installer.record.runs import Run
from tests.installer.engine_site import once, plan, step
from tests.installer.run_engine import run_engine

LINES = 10
BODY = f"for i in $(seq 1 {LINES}); do echo line $i; sleep 0.01; done"

DEATHS: tuple[dict[str, Any], ...] = (
    {"kind": "run.started"},
    {"kind": "stage.started", "stage": "one"},
    {"kind": "step.started"},
    {"call": "start"},
    {"kind": "job.started"},
    {"call": "after-start"},
    {"kind": "line", "count": 1},
    {"kind": "line", "count": 5},
    {"kind": "line", "count": LINES},
    {"call": "status"},
    {"call": "forget"},
    {"kind": "step.finished"},
    {"kind": "stage.finished", "stage": "one"},
    {"kind": "stage.started", "stage": "two"},
)
"""Where the process dies: at an event that is on the disk, or at a call to the machine; each
within the step of its number, but for those that name a stage or none."""


def doomed(host: str, log: Path | str) -> Plan:
    """A plan with a step for each death, and one after them in a stage of its own."""
    steps = [
        step(f"s{n}", host, **once(log, f"s{n}", body=BODY))
        for n, death in enumerate(DEATHS)
        if _in_step(death)
    ]
    return plan(*steps, step("last", host, stage="two", **once(log, "last", body=BODY)))


def _in_step(death: dict[str, Any]) -> bool:
    return "stage" not in death and death.get("kind") != "run.started"


def die_everywhere(run: Run, told: dict[str, Any]) -> None:
    """Kill the engine at each of the places and go on after it, to the end."""
    for n, death in enumerate(DEATHS):
        place = {**death, "step": f"s{n}"} if _in_step(death) else death
        code, output = run_engine(run.folder, {**told, "die": place})
        assert code == -signal.SIGKILL, (place, output)
    code, output = run_engine(run.folder, told)
    assert code == 0, output


def undisturbed(run: Run, effects: list[str]) -> None:
    """The same result as a run that nothing happened to: no effect twice, no line lost."""
    verify(run.journal)
    names = [one.id for stage in run.plan().stages for one in stage.steps]
    assert effects == names
    seen = list(read(run.journal))
    for name in names:
        lines = [str(e.data["text"]) for e in seen if e.kind is Kind.LINE and e.step == name]
        assert lines == [f"line {n}" for n in range(1, LINES + 1)], name
        ended = [e for e in seen if e.kind is Kind.STEP_FINISHED and e.step == name]
        assert [e.data["outcome"] for e in ended] == ["done"]
    assert run.complete
    assert not any(stage.running for stage in run.state().stages.values())

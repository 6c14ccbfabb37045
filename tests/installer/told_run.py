"""A run as it lies on the disk, told by hand: done on two machines, one step left out, verified."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from installer.events import Event, Json, Kind
from installer.plans.plan import Plan, PlannedStage, PlannedStep
from installer.record.journal import Journal
from installer.record.runs import Run

BEGAN = 1_764_000_000.0
ID = "20251124-160000-ab12"


def _step(stage: str, name: str, title: str, kind: str, *hosts: str) -> PlannedStep:
    return PlannedStep(stage, name, kind, title, hosts)


PLAN = Plan(
    solution="pm4ml",
    environment="production",
    stages=(
        PlannedStage(
            "prepare", "Prepare the machines", "why", "guide, §1.2", (), (),
            (
                _step("prepare", "names", "Set the names", "script", "m1", "w1"),
                _step("prepare", "agree", "Agree to it", "checklist", "m1"),
            ),
        ),
        PlannedStage(
            "verify", "Verify the installation", "why", "guide, §6.6", ("prepare",), (),
            (_step("verify", "nodes", "All nodes are Ready", "wait", "m1"),),
        ),
    ),
    hosts=(("m1", ("master",)), ("w1", ("worker",))),
    settings=(
        ("domain", "pm4ml.example.org"), ("pm4ml_id", "bank-one"), ("ceph", "no"),
        ("microceph_channel", "squid/stable"), ("microk8s_channel", "1.31/stable"),
    ),
    secrets=("vault_token",),
)  # fmt: skip

SITE = """\
solution: pm4ml
environment: production
hosts:
  - {name: m1, address: 10.10.0.11, roles: [master]}
  - {name: w1, address: 10.10.0.14, roles: [worker]}
settings: {domain: pm4ml.example.org}
waivers:
  - {check: disk.nvme, host: w1, by: A. Name, reason: on order, until: 2099-01-31}
"""


class Teller:
    """Writes events ten seconds apart."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def say(
        self, kind: Kind, stage: str = "", step: str = "", host: str = "", **data: Json
    ) -> None:
        time = BEGAN + 10 * len(self.events)
        self.events.append(Event(kind, time, stage, step, host, data))

    def line(self, stage: str, step: str, host: str, text: str) -> None:
        self.say(Kind.LINE, stage, step, host, text=text, stream="stdout", cursor="c", unit="")

    def did(self, stage: str, step: str, host: str, outcome: str, sentence: str) -> None:
        self.say(Kind.STEP_STARTED, stage, step, host, title=step, attempt=1)
        self.line(stage, step, host, f"a line of {step}")
        if outcome == "failed":
            self.say(
                Kind.PROBLEM, stage, step, host, code="step-failed", title="A step failed",
                where=host, cause=sentence, remedy="Mend it.",
            )  # fmt: skip
        self.say(
            Kind.STEP_FINISHED, stage, step, host, outcome=outcome, seconds=10.0, sentence=sentence
        )


def told(*, failed: bool = False) -> list[Event]:
    """Everything that happened; or only up to a failure on w1."""
    teller = Teller()
    teller.say(
        Kind.RUN_STARTED, run=ID, solution="pm4ml", environment="production",
        plan_sha256=PLAN.sha256, by="Thiri Aung",
    )  # fmt: skip
    teller.say(Kind.STAGE_STARTED, "prepare", title="Prepare the machines")
    teller.did("prepare", "names", "m1", "done", "The script ended well.")
    teller.did("prepare", "names", "w1", "failed", "exit status 9 <b>")
    if failed:
        return teller.events
    teller.say(
        Kind.CONTROL, "prepare", "names", "w1", action="skip", by="A. Name", reason="has a name"
    )
    teller.say(
        Kind.STEP_FINISHED, "prepare", "names", "w1", outcome="skipped", seconds=0.0,
        sentence="Skipped by A. Name: has a name",
    )  # fmt: skip
    teller.say(Kind.STEP_STARTED, "prepare", "agree", "m1", title="Agree", attempt=1)
    answer: dict[str, Json] = {
        "text": "Agree to it", "items": ["The names resolve", "The clocks are right"],
        "yes": True, "confirmed": [True, True], "note": "",
    }  # fmt: skip
    teller.say(Kind.ANSWER, "prepare", "agree", "m1", by="B. Name", answer=answer)
    teller.say(
        Kind.STEP_FINISHED, "prepare", "agree", "m1", outcome="done", seconds=5.0, sentence="Yes."
    )
    teller.say(Kind.STAGE_FINISHED, "prepare", outcome="done", seconds=60.0)
    teller.say(Kind.STAGE_STARTED, "verify", title="Verify the installation")
    teller.did("verify", "nodes", "m1", "done", "It holds.")
    teller.say(Kind.STAGE_FINISHED, "verify", outcome="done", seconds=20.0)
    teller.say(Kind.RUN_FINISHED, outcome="done", seconds=80.0)
    return teller.events


def write_run(folder: Path, events: Sequence[Event] | None = None, plan: Plan = PLAN) -> Run:
    """A run in a new folder below this one."""
    run = Run(folder / ID)
    (run.folder / "logs").mkdir(parents=True)
    run.plan_file.write_text(json.dumps(plan.as_json()))
    run.site_file.write_text(SITE)
    run.log("m1").write_text("2025-11-24 16:00:00Z a line of names\n")
    with Journal(run.journal) as journal:
        for event in told() if events is None else events:
            journal.append(event)
    return run

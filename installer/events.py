"""Events: what happens in a run, one value each; everything shown or reported is made of them.

An event goes to the journal before anybody sees it. Each kind has a fixed set of fields in `data`
(see `KINDS`), plain JSON values, redacted before they are written.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from typing_extensions import TypeAliasType

Json = TypeAliasType("Json", "bool | int | float | str | list[Json] | dict[str, Json] | None")


class Kind(StrEnum):
    """What an event says."""

    RUN_STARTED = "run.started"
    RUN_RESUMED = "run.resumed"
    RUN_FINISHED = "run.finished"
    STAGE_STARTED = "stage.started"
    STAGE_FINISHED = "stage.finished"
    STEP_STARTED = "step.started"
    """Written and fsynced before anything is done for the step on that machine."""
    STEP_PROGRESS = "step.progress"
    STEP_FINISHED = "step.finished"
    """Written and fsynced after the result is known."""
    JOB_STARTED = "job.started"
    """A durable job was handed to a machine: enough to attach to it again."""
    LINE = "line"
    """A line of output, with its cursor."""
    TASK = "task"
    """An Ansible task on a machine: ok, changed, failed, skipped, unreachable."""
    QUESTION = "question"
    """A confirmation or a checklist waits for a person."""
    ANSWER = "answer"
    NOTE = "note"
    PROBLEM = "problem"
    CONTROL = "control"
    """A person paused, went on, retried, skipped or undid something."""


KINDS: Final[dict[Kind, frozenset[str]]] = {
    Kind.RUN_STARTED: frozenset(
        {"run", "solution", "environment", "plan_sha256", "by", "until", "only"}
    ),
    Kind.RUN_RESUMED: frozenset({"by", "until", "only"}),
    Kind.RUN_FINISHED: frozenset({"outcome", "seconds"}),
    Kind.STAGE_STARTED: frozenset({"title"}),
    Kind.STAGE_FINISHED: frozenset({"outcome", "seconds"}),
    Kind.STEP_STARTED: frozenset({"title", "attempt"}),
    Kind.STEP_PROGRESS: frozenset({"done", "total", "text"}),
    Kind.STEP_FINISHED: frozenset({"outcome", "seconds", "sentence"}),
    Kind.JOB_STARTED: frozenset({"job", "boot_id", "durable"}),
    Kind.LINE: frozenset({"text", "stream", "cursor", "unit"}),
    Kind.TASK: frozenset({"play", "task", "status", "sentence"}),
    Kind.QUESTION: frozenset({"text", "items"}),
    Kind.ANSWER: frozenset({"by", "answer"}),
    Kind.NOTE: frozenset({"text"}),
    Kind.PROBLEM: frozenset({"code", "title", "where", "cause", "remedy"}),
    Kind.CONTROL: frozenset({"action", "by", "reason"}),
}


class Outcome(StrEnum):
    """How a step, a stage or a run ended."""

    DONE = "done"
    """It was done and verified."""
    ALREADY = "already"
    """It was found done; nothing was changed."""
    FAILED = "failed"
    SKIPPED = "skipped"
    """A person skipped it and said why."""
    STOPPED = "stopped"
    """A person stopped it, or a stage before it failed."""
    UNDONE = "undone"


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened, at a moment, to a run, a stage, a step, a machine."""

    kind: Kind
    time: float
    """Unix time on this machine, seconds."""
    stage: str = ""
    step: str = ""
    host: str = ""
    data: dict[str, Json] = field(default_factory=dict)

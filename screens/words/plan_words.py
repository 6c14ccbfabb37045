"""A plan in words: what is done where, for how long, and what cannot be taken back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from foundation.problems import ConnectionProblem, Problem
from foundation.wording import counted, duration
from installer.plans.plan import CONTROL_HOST, told_host
from installer.record.state import keys_of
from installer.running.gate import NotReady

if TYPE_CHECKING:
    from installer.plans.plan import Plan, PlannedStage, PlannedStep


def touched(plan: Plan) -> tuple[str, ...]:
    """The machines that a plan does something on, in the order of the site."""
    named = {host for stage in plan.stages for step in stage.steps for host in step.hosts}
    return tuple(name for name, _ in plan.hosts if name in named)


def final_steps(plan: Plan) -> tuple[PlannedStep, ...]:
    """The steps that cannot be taken back."""
    return tuple(step for stage in plan.stages for step in stage.steps if step.irreversible)


def size_sentence(plan: Plan) -> str:
    """How much it is, in one sentence."""
    steps = sum(len(stage.steps) for stage in plan.stages)
    each = sum(1 for _ in keys_of(plan))
    seconds = sum(stage.expected_seconds for stage in plan.stages)
    # A run counts each step on each of its machines; where that is another number, it is said here.
    on = f", {each} on their machines," if each != steps else ""
    text = (
        f"{counted(steps, 'step')}{on} in {counted(len(plan.stages), 'stage')} on "
        f"{counted(len(touched(plan)), 'machine')}, usually {duration(seconds)}."
    )
    final = len(final_steps(plan))
    if final:
        text += f" {counted(final, 'step')} cannot be taken back."
    return text


def where(step: PlannedStep, control: str = "") -> str:
    """The machines of a step, as many as a column can hold; `control` is the plan's."""
    names = [told_host(name, control) for name in step.hosts or (CONTROL_HOST,)]
    return ", ".join(names) if len(names) < 3 else f"{len(names)} machines"


def undo_word(step: PlannedStep) -> str:
    """Whether a step can be taken back, in a word for a column."""
    from installer.steps.kind import taken_back

    word = taken_back(step)
    return "NEVER" if word == "never" else word


def about_step(stage: PlannedStage, step: PlannedStep, control: str = "") -> list[tuple[str, str]]:
    """A step in a few lines: (label, text); `control` is the plan's."""
    hosts = ", ".join(told_host(name, control) for name in step.hosts or (CONTROL_HOST,))
    title = f"{step.title} ({step.group})" if step.group else step.title
    lines = [("", title), ("on", hosts)]
    from installer.steps.kind import brings

    if what := brings(step):
        lines.append(("brings", what))
    if step.irreversible:
        lines.append(("cannot be taken back", step.irreversible))
    if loses := step.undo_loses:
        lines.append(("to take it back loses", loses))
    lines.append(("why", f"{stage.why} ({stage.source})"))
    return lines


_SHOWN: Final = ("command", "script", "playbook", "tags", "variables", "chart", "version",
                 "release", "namespace", "manifest", "project", "directory", "path", "mode",
                 "owner", "text", "items", "to", "until", "done", "verify", "undo", "secrets",
                 "rolling", "timeout_minutes")  # fmt: skip


def step_lines(stage: PlannedStage, step: PlannedStep, plan: Plan | None = None) -> list[str]:
    """A step in full: what it runs, and the files that it brings; a playbook with its variables."""
    control = "" if plan is None else plan.control
    lines = [
        f"{label}: {text}" if label else text for label, text in about_step(stage, step, control)
    ]
    lines += [f"kind: {step.kind}", f"usually: {duration(step.expected_seconds)}"]
    for name in _SHOWN:
        value = step.spec.get(name)
        if value not in (None, "", [], {}, 0):
            lines += _spec_lines(name, value)
    if plan is not None and step.plays:
        from installer.supply.review import beside_the_steps

        lines += ["", *beside_the_steps(plan, full=True)]
    for name, text in step.files:
        lines += ["", f"--- file {name}", *text.splitlines(), "---"]
    return lines


def _spec_lines(name: str, value: object) -> list[str]:
    if isinstance(value, str) and "\n" not in value:
        return [f"{name}: {value}"]
    if isinstance(value, str):
        return ["", f"{name}:", *(f"    {line}" for line in value.splitlines())]
    if isinstance(value, dict):
        lines = [f"{name}:"]
        for key, part in value.items():
            if part not in (None, "", [], {}):
                lines += [f"    {line}" for line in _spec_lines(str(key), part)]
        return lines
    if isinstance(value, list):
        lines = [f"{name}:"]
        for part in value:
            inner = _spec_lines("item", part) if isinstance(part, dict) else [f"- {part}"]
            lines += [f"    {line}" for line in inner]
        return lines
    return [f"{name}: {value}"]


def not_ready(against: Sequence[Problem]) -> NotReady:
    """Everything that stands against beginning, as one problem.

    What preflight found is listed in its own step; what it does not know is all said here.
    """
    if not all(isinstance(problem, NotReady | ConnectionProblem) for problem in against):
        from installer.running.begin import NotBegun

        return NotBegun(against)
    shown = [f"{problem.where}: {problem.cause.rstrip('.')}" for problem in against[:3]]
    rest = len(against) - len(shown)
    if rest:
        shown.append(f"and {rest} more")
    return NotReady(
        "; ".join(shown),
        where=counted(len(against), "objection"),
        remedy="Go back to Preflight: each is explained there, and can be mended or waived.",
    )

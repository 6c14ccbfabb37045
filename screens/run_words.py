"""A run in words: the rail of its stages, its machines, a failure, how it ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from textual.content import Content

from installer.events import Event, Kind, Outcome
from screens.plan_words import HERE, duration
from screens.widgets.board import Cell, Column, Row

if TYPE_CHECKING:
    from installer.plan import Plan
    from installer.running.progress import Progress, StageProgress
    from installer.running.state import RunState
    from installer.running.work import Failure

STAGE_COLUMNS: Final = (Column("state", 8), Column("stage"), Column("steps", 7), Column("time", 15))

_TONES: Final = {
    "waiting": "muted", "running": "accent", "done": "pass", "already": "pass", "failed": "fail",
    "skipped": "warn", "stopped": "warn", "undone": "warn",
}  # fmt: skip
_WORDS: Final = {"failed": "FAILED"}
_SIGNS: Final = {
    "waiting": "·", "running": "▸", "done": "✓", "failed": "!", "skipped": "-", "stopped": "-",
}  # fmt: skip
_LAST_LINES: Final = 6


def stage_row(stage: StageProgress) -> Row:
    """A stage on the rail: its state, how much of it, how long it has taken and usually takes."""
    tone = _TONES[stage.stand]
    taken = duration(stage.elapsed) if stage.elapsed else ""
    usual = duration(stage.expected)
    return Row(
        stage.id,
        (
            Cell(_WORDS.get(stage.stand, stage.stand), tone),
            Cell(stage.title, "strong" if stage.stand == "running" else "plain"),
            Cell(f"{stage.done}/{stage.total}", "muted"),
            Cell(f"{taken} of {usual}" if taken else usual, "muted"),
        ),
    )


def progress_sentence(progress: Progress, outcome: Outcome | None, *, paused: bool) -> str:
    """How far the whole run is, in one line."""
    done = f"{progress.done} of {progress.total} steps on machines"
    taken = duration(progress.elapsed)
    if outcome is not None:
        return f"{ENDED[outcome]} {done}, {taken}."
    if paused:
        return f"Paused: what runs comes to its end, and nothing more begins. {done}."
    return f"{done}, {taken} so far, about {duration(progress.left)} left."


ENDED: Final = {
    Outcome.DONE: "Done: every step was done and verified.",
    Outcome.ALREADY: "Everything was done already.",
    Outcome.UNDONE: "It was taken back.",
    Outcome.STOPPED: "Stopped; what runs on machines goes on there. g goes on.",
    Outcome.FAILED: "A step failed. g goes on with it.",
    Outcome.SKIPPED: "Skipped.",
}


def machine_states(plan: Plan, state: RunState) -> dict[str, str]:
    """The state of each machine: what needs a person first, then what moves, then what is done."""
    stands: dict[str, set[str]] = {name: set() for name, _ in plan.hosts}
    stands.setdefault(HERE, set())
    for stage in plan.stages:
        for step in stage.steps:
            once = step.kind in ("playbook", "confirm")
            for name in {*step.hosts, HERE} if once or not step.hosts else step.hosts:
                standing = state.steps.get((step.stage, step.id, HERE if once else name))
                stand = "waiting"
                if standing is not None and standing.running:
                    stand = "running"
                elif standing is not None and standing.outcome is not None:
                    stand = "done" if standing.finished else standing.outcome.value
                # That a play failed is the word of the machine it ran on.
                if stand == "failed" and once and name != HERE:
                    stand = "waiting"
                stands.setdefault(name, set()).add(stand)
    return {name: _foremost(found) for name, found in stands.items() if found}


def _foremost(found: set[str]) -> str:
    for word in ("failed", "running", "stopped", "undone", "waiting"):
        if word in found:
            return word
    return "done"


def grid(states: Mapping[str, str], width: int) -> Content:
    """One cell a machine: a sign and its name, and where it failed the word too."""
    cells = []
    for name, stand in states.items():
        sign = _SIGNS.get(stand, "-")
        shown = "here" if name == HERE else name
        cells.append((f"{sign} {shown}{' FAILED' if stand == 'failed' else ''}", stand))
    size = min(max((len(text) for text, _ in cells), default=1) + 2, max(width, 1))
    columns = max(width // size, 1)
    styles = {"failed": "bold $error", "running": "$primary", "done": "$success"}
    parts: list[str | tuple[str, str]] = []
    for place, (text, stand) in enumerate(cells):
        if place and place % columns == 0:
            parts.append("\n")
        parts.append((f"{text:<{size}}", styles.get(stand, "")))
    return Content.assemble(*parts)


def failure_text(failures: Sequence[Failure], place: int, titles: Mapping[str, str]) -> Content:
    """What, where, why, the last lines, what to do, and the keys."""
    failure = failures[place]
    problem = failure.problem
    what = titles.get(f"{failure.stage}/{failure.step}", failure.step) or "The stage was not begun"
    number = f" ({place + 1} of {len(failures)}, x: next)" if len(failures) > 1 else ""
    cause = problem.cause.strip().splitlines()
    parts: list[str | tuple[str, str]] = [
        (f"FAILED{number}: {what}", "bold $error"),
        f"  on {failure.host or problem.where or 'the site'}\n",
        ("Why: ", "bold"),
        cause[0] if cause else problem.title,
    ]
    if problem.remedy:
        # The command's word has no place where a key does the same.
        remedy = problem.remedy.replace(": sitewright resume", "")
        parts += ["\n", ("Do: ", "bold"), remedy]
    for line in failure.lines[-_LAST_LINES:]:
        parts += ["\n", (f"  | {line}", "$text-muted")]
    return Content.assemble(*parts)


def titles_of(plan: Plan) -> dict[str, str]:
    """The title of each step by its key."""
    return {step.key: step.title for stage in plan.stages for step in stage.steps}


def said(event: Event, width: int) -> tuple[str, str] | None:
    """An event as a machine's line of the live log, or None where it is not worth one."""
    data = event.data
    host = f"{'here' if event.host == HERE else event.host:<{width}} "
    match event.kind:
        case Kind.LINE:
            unit = f"{data.get('unit')}: " if data.get("unit") else ""
            return event.host, f"{host}| {unit}{data.get('text')}"
        case Kind.TASK:
            sentence = f" {data.get('sentence')}" if data.get("sentence") else ""
            return event.host, f"{host}. {data.get('task')}: {data.get('status')}{sentence}"
        case Kind.STAGE_STARTED:
            return "", f"== {data.get('title')}"
        case Kind.STEP_STARTED:
            attempt = data.get("attempt")
            again = f", attempt {attempt}" if isinstance(attempt, int) and attempt > 1 else ""
            return event.host, f"{host}> {data.get('title')}{again}"
        case Kind.STEP_FINISHED:
            return event.host, f"{host}= {data.get('outcome')}: {data.get('sentence') or ''}"
        case Kind.NOTE:
            return event.host, f"{host}- {data.get('text')}"
        case Kind.CONTROL:
            return "", f"-- {data.get('action')} by {data.get('by')} {data.get('reason') or ''}"
        case Kind.PROBLEM:
            return event.host, f"{host}! {data.get('title')}: {data.get('remedy')}"
        case _:
            return None

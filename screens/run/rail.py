"""The rail of a run: its stages, and beneath the one at work its steps."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Final

from rich.cells import cell_len

from foundation.wording import counted, duration, of_usual
from installer.record.progress import together
from screens.widgets.board import Cell, Column, Row
from screens.widgets.fitting import naturals

if TYPE_CHECKING:
    from installer.plans.plan import Plan
    from installer.record.progress import Progress, StageProgress, StepProgress
    from installer.record.state import RunState

    _Part = tuple[str, tuple[StepProgress, ...]]
    """A row beneath a stage: what it is called where it is several steps, and its steps."""

STAGE_COLUMNS: Final = (Column("state", 7), Column("stage"), Column("steps", 3), Column("time", 15))


_TONES: Final = {
    "waiting": "muted", "running": "accent", "done": "pass", "already": "pass", "failed": "fail",
    "skipped": "warn", "stopped": "warn", "undone": "warn",
}  # fmt: skip
_WORDS: Final = {"failed": "FAILED"}
_PASSED: Final = ("done", "already", "skipped")
_CALM: Final = ("waiting", *_PASSED)


def stage_width(plan: Plan) -> int:
    """How wide a list is that tells every stage and step whole."""
    stages = [stage.title for stage in plan.stages]
    steps = [f"  {step.title}" for stage in plan.stages for step in stage.steps]
    fixed = sum(column.width + 1 for column in STAGE_COLUMNS)
    return fixed + 2 + max((cell_len(title) for title in (*stages, *steps)), default=0)


def rows_width(rows: Sequence[Row]) -> int:
    """How wide the list is that shows these rows whole."""
    told = [[cell.text for cell in row.cells] for row in rows]
    wide = naturals([column.title for column in STAGE_COLUMNS], told)
    return sum(max(w, c.width) + 1 for w, c in zip(wide, STAGE_COLUMNS, strict=True)) + 2


def rail_rows(progress: Progress, state: RunState, now: float, room: int = 0) -> list[Row]:
    """The stages, and beneath the one at work its steps; each with its time.

    In a list of so many rows (`room`, 0 for any number) that stage fits with its own line: what was
    done before the step at work is one row, and what comes after it.
    """
    rows = []
    for stage in progress.stages:
        rows.append(_stage_row(stage))
        if _open(stage):
            parts = _fitted(_parts(stage.steps), room - 1)
            rows += [_part_row(stage.id, words, steps, state, now) for words, steps in parts]
    return rows


def _open(stage: StageProgress) -> bool:
    """Whether a stage shows its steps."""
    return stage.stand in ("running", "failed") and len(stage.steps) > 1


def _parts(steps: Sequence[StepProgress]) -> list[_Part]:
    """The steps; those that belong together in one, unless one of them moves or needs a person."""
    found: list[_Part] = []
    for name, some in groupby(steps, key=lambda step: step.group or step.id):
        several = tuple(some)
        calm = together([step.stand for step in several]) in _CALM
        if calm and len(several) > 1:
            found.append((f"{name}, {counted(len(several), 'step')}", several))
        else:
            found += [("", (step,)) for step in several]
    return found


def _fitted(parts: list[_Part], room: int) -> list[_Part]:
    """As many as there is room for, the one at work among them; the rest in one at each end."""
    if not 3 <= room < len(parts):
        return parts
    stands = [together([step.stand for step in steps]) for _, steps in parts]
    moving = next((n for n, (_, steps) in enumerate(parts) if any(map(_moves, steps))), None)
    open_ = (n for n, stand in enumerate(stands) if stand not in _PASSED)
    place = next(open_, len(parts) - 1) if moving is None else moving
    first = min(max(place - (room - 1) // 2, 0), len(parts) - room)
    last = first + room - 1
    before, after = parts[: first + 1], parts[last:]
    kept = parts[first + 1 : last]
    return [*_folded(before, "before"), *kept, *_folded(after, "after")]


def _folded(parts: list[_Part], word: str) -> list[_Part]:
    steps = tuple(step for _, each in parts for step in each)
    return parts if len(parts) == 1 else [(f"{counted(len(steps), 'step')} {word}", steps)]


def _part_row(
    stage: str, words: str, steps: Sequence[StepProgress], state: RunState, now: float
) -> Row:
    if not words:
        return _step_row(stage, steps[0], state, now)
    stand = together([step.stand for step in steps], over=state.outcome is not None)
    elapsed = sum(step.elapsed for step in steps if step.stand != "waiting")
    usual = sum(step.expected for step in steps)
    done, total = sum(step.done for step in steps), sum(step.total for step in steps)
    return Row(
        f"{stage}/ {words}",
        (
            Cell(_WORDS.get(stand, stand), _TONES[stand]),
            Cell(f"  {words}"),
            Cell(f"{done}/{total}", "muted"),
            Cell(_time(elapsed, usual), "muted"),
        ),
    )


def _time(elapsed: float, usual: float) -> str:
    return of_usual(elapsed, usual) if elapsed > 0 else duration(usual)


def _stage_row(stage: StageProgress) -> Row:
    """A stage: its state, how much of it, how long it has taken and usually takes."""
    word = _WORDS.get(stage.stand, stage.stand)
    if stage.id == "verify" and stage.stand in ("done", "already"):
        word = "holds"  # one word for a check, here and on the step that asks them
    return Row(
        stage.id,
        (
            Cell(word, _TONES[stage.stand]),
            Cell(stage.title, "strong" if stage.stand in ("running", "failed") else "plain"),
            Cell(f"{stage.done}/{stage.total}", "muted"),
            Cell(_time(stage.elapsed, stage.expected), "muted"),
        ),
    )


def _step_row(stage: str, step: StepProgress, state: RunState, now: float) -> Row:
    standings = [state.steps.get((stage, step.id, host)) for host, _ in step.hosts]
    found = [standing for standing in standings if standing is not None]
    running = [now - standing.started for standing in found if standing.running]
    elapsed = max([*running, *(standing.seconds for standing in found)], default=0.0)
    return Row(
        f"{stage}/{step.id}",
        (
            Cell(_WORDS.get(step.stand, step.stand), _TONES[step.stand]),
            Cell(f"  {step.title}"),
            Cell(f"{step.done}/{step.total}", "muted"),
            Cell(_time(elapsed, step.expected), "muted"),
        ),
    )


def _moves(step: StepProgress) -> bool:
    """Whether a step runs or failed on a machine just now, not only counts as begun."""
    return any(stand in ("failed", "running") for _, stand in step.hosts)


def step_at_work(progress: Progress) -> tuple[StageProgress, StepProgress] | None:
    """The step that runs or failed on a machine just now, with its stage."""
    return next(
        ((stage, step) for stage in progress.stages for step in stage.steps if _moves(step)), None
    )


def now_words(progress: Progress) -> str:
    """The title of the step at work, whole: beside the log the list may have to cut it off."""
    found = step_at_work(progress)
    if found is None or found[1].stand == "failed":
        return ""  # what failed has a panel of its own
    title = found[1].title
    return f"Now: {title}" if title.endswith((".", "?", "!")) else f"Now: {title}."


def at_work(progress: Progress) -> str | None:
    """The key of the row that is at work: a step's where its stage shows its steps.

    A stage of which a step was left for later counts as running, and nothing of it moves: it is
    meant only where nothing else does.
    """
    found = step_at_work(progress)
    if found is not None:
        stage, step = found
        return f"{stage.id}/{step.id}" if _open(stage) else stage.id
    return next(
        (stage.id for stage in progress.stages if stage.stand in ("running", "failed")), None
    )

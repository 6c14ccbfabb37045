"""A run in words: its machines, a failure, how it ended."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rich.cells import cell_len, set_cell_size
from textual.content import Content

from foundation.wording import duration, of_usual, took
from installer.ansible.told import is_echo
from installer.events import Event, Kind, Outcome
from installer.plans.plan import CONTROL_HOST, told_host
from installer.steps.kind import counts_bytes, runs_once
from screens.run.run_clock import at
from screens.run.run_log import Said
from screens.widgets.board import cut_end, cut_middle

if TYPE_CHECKING:
    from pathlib import Path

    from foundation.problems import Problem
    from installer.plans.plan import Plan, PlannedStep
    from installer.record.progress import Progress
    from installer.record.runs import Run
    from installer.record.state import Key, RunState, StepState
    from installer.running.work import Failure
    from screens.run.machine_tasks import MachineTasks

_SIGNS: Final = {
    "waiting": "·", "running": "▸", "done": "✓", "failed": "!", "skipped": "-", "stopped": "-",
}  # fmt: skip
_LAST_LINES: Final = 6
_BAR: Final = 10
"""Characters of a bar; plain ones, so that it is the same in every look."""


def done_of(progress: Progress) -> str:
    """How many steps on machines are done of how many."""
    return f"{progress.done} of {progress.total} steps on machines"


def progress_sentence(
    progress: Progress,
    state: RunState,
    outcome: Outcome | None,
    *,
    paused: bool,
    waits: float | None = None,
    again: str = "",
) -> str:
    """How far the whole run is, in one line; `again` is what goes on with it, if anything does."""
    done = done_of(progress)
    taken = took(progress.elapsed, at_least=progress.at_least)
    if outcome is not None:
        text = ENDED[outcome]
        if outcome in _FINISHED and progress.done < progress.total:
            text = "What was asked for is done; the rest waits."
        elif again and outcome in _GO_ON:
            text += f" {again} {_GO_ON[outcome]}"
        skipped = sum(stand.outcome is Outcome.SKIPPED for stand in state.steps.values())
        if skipped and outcome is Outcome.DONE and progress.done == progress.total:
            text = f"Done and verified, but for {skipped} skipped by name."
        return f"{text} {done}, {taken}."
    if paused:
        return f"Paused: what runs comes to its end, and nothing more begins. {done}."
    left = f"about {duration(progress.left)} left"
    if waits is not None:
        return f"It waits for you since {at(waits)}. {done}, {taken} so far, then {left}."
    return f"{done}, {taken} so far, {left}."


ENDED: Final = {
    Outcome.DONE: "Done: every step was done and verified.",
    Outcome.ALREADY: "Everything was done already.",
    Outcome.UNDONE: "Undone: the stage was taken back.",
    Outcome.STOPPED: "Stopped; what runs on machines goes on there.",
    Outcome.FAILED: "A step failed.",
    Outcome.SKIPPED: "Skipped.",
}
_GO_ON: Final = {
    Outcome.UNDONE: "goes on with it.",
    Outcome.STOPPED: "goes on.",
    Outcome.FAILED: "goes on with it.",
}
_FINISHED: Final = (Outcome.DONE, Outcome.ALREADY)


@dataclass(frozen=True, slots=True)
class MachineRow:
    """A machine of the run: how it stands, what it is doing, for how long."""

    name: str
    stand: str
    doing: str = ""
    time: str = ""
    taken: str = ""
    """The time without the usual one, which stands with the step too: for where room is short."""


def machine_rows(
    plan: Plan,
    state: RunState,
    tasks: MachineTasks,
    progress: Progress,
    now: float,
) -> tuple[MachineRow, ...]:
    """Each machine: what needs a person first, then what moves, then what is done."""
    usual = {
        (stage.id, step.id): step.expected for stage in progress.stages for step in stage.steps
    }
    failed = {told_host(name, plan.control) for name in tasks.failed_machines}
    tasks_of = {told_host(name, plan.control): task for name, task in tasks.doing.items()}
    rows = []
    for name, found in _stands(plan, state).items():
        stand = "failed" if name in failed else _foremost({each for each, *_ in found})
        doing, time, taken = "", "", ""
        for each, step, key in found:
            if each == stand and each in ("running", "failed"):
                standing = state.steps[key]
                doing = tasks_of.get(name, "") if each == "failed" else ""
                doing = doing or task_of(step, standing) or copying(step, standing) or step.title
                if each == "running":
                    elapsed = max(now - standing.started, 0)
                    time = of_usual(elapsed, usual[step.stage, step.id])
                    taken = duration(elapsed)
                break
        if stand == "failed" and not doing:
            doing = tasks_of.get(name, "")
        skipped = sum(
            key in state.steps and state.steps[key].outcome is Outcome.SKIPPED
            for _, _, key in found
        )
        if stand == "done" and skipped:
            doing = f"done, {skipped} skipped"
        rows.append(MachineRow(name, stand, doing, time, taken))
    return tuple(rows)


def task_of(step: PlannedStep, standing: StepState) -> str:
    """The task of a playbook that is under way, as it was begun; empty where none was yet."""
    if not step.plays or standing.progress is None:
        return ""
    return standing.progress[2]


def copying(step: PlannedStep, standing: StepState) -> str:
    """How far a delivery to a machine is: a bar, and its words; empty where none is under way."""
    if not counts_bytes(step) or standing.progress is None or not standing.progress[1]:
        return ""
    done, total, text = standing.progress
    filled = min(_BAR, int(_BAR * done / total))
    return f"[{'#' * filled}{'-' * (_BAR - filled)}] {text}"


def machine_states(plan: Plan, state: RunState) -> dict[str, str]:
    """The state of each machine in a word."""
    return {
        name: _foremost({stand for stand, *_ in found})
        for name, found in _stands(plan, state).items()
    }


def log_of(run: Run, plan: Plan, machine: str) -> Path | None:
    """The file with the lines of a machine; None where they lie in several of the folder.

    What is run from the control host has a file of its own, whatever that machine is called.
    """
    if machine != told_host(CONTROL_HOST, plan.control):
        return run.log(machine)
    return None if machine in dict(plan.hosts) else run.log(CONTROL_HOST)


def _stands(plan: Plan, state: RunState) -> dict[str, list[tuple[str, PlannedStep, Key]]]:
    """How each machine stands in each step that concerns it, and under which key it is told.

    What is run from the control host is told of "control", whatever that machine is called.
    """
    stands: dict[str, list[tuple[str, PlannedStep, Key]]] = {name: [] for name, _ in plan.hosts}
    here = told_host(CONTROL_HOST, plan.control)
    stands.setdefault(here, [])
    for stage in plan.stages:
        for step in stage.steps:
            once = runs_once(step)
            for host in dict.fromkeys((*step.hosts, CONTROL_HOST) if once else step.hosts):
                name = here if host == CONTROL_HOST else host
                key = (step.stage, step.id, CONTROL_HOST if once else host)
                standing = state.steps.get(key) if state.holds(key) else None
                stand = "waiting"
                if standing is not None and standing.running:
                    stand = "running"
                elif standing is not None and standing.outcome is not None:
                    stand = "done" if standing.finished else standing.outcome.value
                # That a play failed is the word of the machine it ran on.
                if stand == "failed" and once and name != here:
                    stand = "waiting"
                stands.setdefault(name, []).append((stand, step, key))
    return {name: found for name, found in stands.items() if found}


def _foremost(found: set[str]) -> str:
    for word in ("failed", "running", "stopped", "undone", "waiting"):
        if word in found:
            return word
    return "done"


_STYLES: Final = {"failed": "bold $error", "running": "$primary", "done": "$success"}


def grid(rows: Sequence[MachineRow], width: int) -> Content:
    """One cell a machine: a sign and its name, and where it failed the word too."""
    cells = []
    for row in rows:
        sign = _SIGNS.get(row.stand, "-")
        word = " FAILED" if row.stand == "failed" else ""
        cells.append((f"{sign} {row.name}{word}", row.stand))
    size = min(max((len(text) for text, _ in cells), default=1) + 2, max(width, 1))
    columns = max(width // size, 1)
    parts: list[str | tuple[str, str]] = []
    for place, (text, stand) in enumerate(cells):
        if place and place % columns == 0:
            parts.append("\n")
        parts.append((f"{text:<{size}}", _STYLES.get(stand, "")))
    return Content.assemble(*parts)


def lines_width(rows: Sequence[MachineRow]) -> int:
    """How wide the lines of the machines are where none of them is cut."""
    names = max((cell_len(row.name) for row in rows), default=1)
    words = max((cell_len(row.doing or row.stand) for row in rows), default=1)
    return names + words + 8


def machine_lines(rows: Sequence[MachineRow], width: int) -> Content:
    """One line a machine: a sign, its name, what it is doing, for how long of how long."""
    names = max((cell_len(row.name) for row in rows), default=1)
    names = min(names, max(width // 3, 8))
    parts: list[str | tuple[str, str]] = []
    for place, row in enumerate(rows):
        name = set_cell_size(cut_middle(row.name, names), names)
        words = row.doing or row.stand
        if row.stand == "failed":
            words = f"FAILED  {row.doing.removeprefix('failed: ')}"
        time, whole = row.time, width - names - 4
        if time and cell_len(words) + 1 + len(time) > whole:
            time = row.taken
        room = max(whole - (len(time) + 1 if time else 0), 8)
        words = set_cell_size(cut_end(words, room), room)
        sign = _SIGNS.get(row.stand, "-")
        if place:
            parts.append("\n")
        parts.append((f"{sign} {name}  ", _STYLES.get(row.stand, "")))
        parts.append((words, "" if row.doing else "$text-muted"))
        if time:
            parts.append((f" {time}", "$text-muted"))
    return Content.assemble(*parts)


def places(failure: Failure, tasks: MachineTasks, control: str = "") -> str:
    """Where something failed: the machines whose tasks failed, else the failure's own."""
    found = tasks.machines_of(failure.stage, failure.step)
    found = tuple(told_host(name, control) for name in found)
    if found and failure.host == CONTROL_HOST:
        return (
            ", ".join(found)
            if len(found) < 7
            else f"{', '.join(found[:5])} and {len(found) - 5} more"
        )
    if failure.host == CONTROL_HOST:
        runs = "everything is run" if control else "Sitewright runs"
        return f"{told_host(failure.host, control)}, where {runs}"
    return failure.host or failure.problem.where or "the site"


_SENTENCE: Final = re.compile(r"(?<=[.!?]) +(?=[A-Z])")


MEND_KEY: Final = "F3"
"""Leads from a failure to the setting that it names."""
RETRY_KEY: Final = "r"
"""Tries a step that failed again."""


_RESUME: Final = re.compile(r"sitewright resume(?=[.,;)]|$)")
"""The command alone; with words or options behind it, it says more than a key."""


def _settings_in(text: str, settings: Iterable[str]) -> list[str]:
    """The settings that a text names, in its order.

    A name of one word is often a word of the language, such as folder, source or release: it is a
    setting only where the text says so.
    """
    found: dict[str, int] = {}
    for name in settings:
        word = re.escape(name)
        marked = rf"`{word}`|\bsettings?[ .]`?{word}\b|--set {word}="
        match = re.search(rf"\b{word}\b" if "_" in name else marked, text)
        if match is not None:
            found[name] = match.start()
    return sorted(found, key=found.__getitem__)


def _why_and_told(problem: Problem, settings: Iterable[str]) -> tuple[list[str], list[str]]:
    """The sentences of the cause: why, and from the first on that names a setting what to do."""
    known = list(settings)
    text = " ".join((problem.cause.strip().splitlines() or [""])[0].split())
    sentences = _SENTENCE.split(text)
    first = next(
        (n for n, one in enumerate(sentences) if n and _settings_in(one, known)), len(sentences)
    )
    return sentences[:first], sentences[first:]


def named_settings(problem: Problem, settings: Iterable[str]) -> list[str]:
    """The settings that a failure names: in what to do, else in why; the first is led to."""
    known = list(settings)
    why, told = _why_and_told(problem, known)
    return (
        _settings_in(" ".join(told), known)
        or _settings_in(problem.remedy, known)
        or _settings_in(" ".join(why), known)
    )


def why_and_do(
    problem: Problem, settings: Mapping[str, str], *, levers: bool = True, again: str = ""
) -> tuple[str, str]:
    """Why it failed, and what to do: a sentence that names a setting is a thing to do.

    The author of a step writes both into one text; under Why a remedy is overlooked. Keys are
    named only where a person holds the levers of the run: a replay has none. `again` is the key
    that goes on with a run that has ended here.
    """
    why, told = _why_and_told(problem, settings)
    parts, remedy = list(told), problem.remedy.strip()
    key = RETRY_KEY if levers else again
    if key:
        # It does what the command's word would do in another terminal.
        remedy = _RESUME.sub(key, remedy)
    if levers:
        names = named_settings(problem, settings)
        if names:
            now = ", ".join(f"{name} (now: {settings[name] or 'empty'})" for name in names)
            parts.append(f"{MEND_KEY} leads to {now}: the run stops, and nothing is done twice.")
    found = [part for part in (*parts, remedy) if part]
    return " ".join(why), " ".join([*map(_ended, found[:-1]), *found[-1:]])


def _ended(text: str) -> str:
    """A text that another follows: it ends as a sentence does."""
    return text if text[-1] in ".!?:" else f"{text}."


def failure_text(
    failures: Sequence[Failure],
    place: int,
    titles: Mapping[str, str],
    tasks: MachineTasks,
    settings: Mapping[str, str] | None = None,
    *,
    levers: bool,
    again: str = "",
    control: str = "",
) -> Content:
    """What, where, why, what to do, and the last lines; `settings` and `control` are the plan's.

    With `levers` it names the keys of a run that is under way; `again` goes on with one that ended.
    """
    failure = failures[place]
    problem = failure.problem
    what = titles.get(f"{failure.stage}/{failure.step}", failure.step) or "The stage was not begun"
    number = f" {place + 1} of {len(failures)}" if len(failures) > 1 else ""
    cause, remedy = why_and_do(problem, settings or {}, levers=levers, again=again)
    parts: list[str | tuple[str, str]] = [
        (f"FAILED{number}: {what}", "bold $error"),
        "\n", ("Where: ", "bold"), places(failure, tasks, control),
        "\n", ("Why: ", "bold"), cause or problem.title,
    ]  # fmt: skip
    if remedy:
        parts += ["\n", ("Do: ", "bold"), remedy]
    # The label stands before the first of them: alone it may be all that a low window shows.
    for nth, line in enumerate(failure.lines[-_LAST_LINES:]):
        before = "  " if nth else ("Its last lines: ", "bold")
        parts += ["\n", before, (line, "$text-muted")]
    return Content.assemble(*parts)


def titles_of(plan: Plan) -> dict[str, str]:
    """The title of each step by its key."""
    return {step.key: step.title for stage in plan.stages for step in stage.steps}


def said(event: Event, width: int, control: str = "") -> Said | None:
    """An event as a machine's line of the live log, or None where it is not worth one.

    What is run from a machine that the site names is a line of that machine.
    """
    data = event.data
    here = event.host == CONTROL_HOST
    name = told_host(event.host, control)
    host = f"{name:<{width}} "

    def told(key: str) -> str:
        return " ".join(str(data.get(key) or "").split())

    match event.kind:
        case Kind.LINE:
            text = str(data.get("text"))
            if here and is_echo(text):
                return None  # the same comes as a task of the machine itself
            unit = f"{data.get('unit')}: " if data.get("unit") else ""
            return Said(name, f"{host}| {unit}{text}")
        case Kind.TASK:
            status, sentence = told("status"), told("sentence")
            tone = "fail" if status in ("failed", "unreachable") else ""
            tone = "muted" if status in ("ok", "skipped") else tone
            # How it ended comes first: a narrow log cuts the end off.
            words = f"{host}. {status:<7} {told('task')}"
            return Said(name, f"{words}: {sentence}" if sentence else words, tone)
        case Kind.STAGE_STARTED:
            return Said("", f"== {told('title')}", "accent")
        case Kind.STEP_STARTED:
            attempt = data.get("attempt")
            again = f", attempt {attempt}" if isinstance(attempt, int) and attempt > 1 else ""
            return Said(name, f"{host}> {told('title')}{again}", "strong")
        case Kind.STEP_FINISHED:
            failed = data.get("outcome") == "failed"
            word = "FAILED" if failed else told("outcome")
            return Said(name, f"{host}= {word}: {told('sentence')}", "fail" if failed else "")
        case Kind.NOTE:
            return Said(name, f"{host}- {told('text')}", "muted")
        case Kind.CONTROL:
            reason = f": {told('reason')}" if data.get("reason") else ""
            return Said("", f"-- {told('action')}, {told('by')}{reason}", "strong")
        case Kind.ANSWER:
            return Said("", f"-- answered by {told('by')}", "strong")
        case Kind.PROBLEM:
            return Said(name, f"{host}! {told('title')}: {told('remedy')}", "fail")
        case _:
            return None

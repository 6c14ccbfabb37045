"""RunState: where a run stands, folded from its events; the same for engine, screen and report.

What it claims is derived from what holds now: an answer that is older than a change below it (an
undo, a stage done anew) is no answer any more, and its step waits to be asked again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from installer.events import Event, Json, Kind, Outcome
from installer.plans.plan import Plan
from installer.record.journal_lines import (
    FIRST,
    Record,
    blocks,
    broken,
    digest,
    output_of,
)
from installer.record.run_clock import RunClock
from installer.record.standing_on import Changes
from installer.steps.kind import done_on

Key = tuple[str, str, str]
"""Stage, step, machine."""

FINISHED: Final = frozenset({Outcome.DONE, Outcome.ALREADY, Outcome.SKIPPED})
"""Outcomes after which a step is not done again in the same run."""
TAIL_LINES: Final = 200
TAKE_BACK: Final = "Take back: "
"""How the title of a step begins that is being taken back."""


@dataclass(frozen=True, slots=True)
class BegunJob:
    """A durable job that was handed to a machine, as the journal has it."""

    job: str
    boot_id: str
    durable: str


@dataclass(slots=True)
class StepState:
    """Where one step stands on one machine."""

    attempt: int = 0
    """The number of the last try; 0 before the first."""
    tries: int = 0
    """How many tries there were since it last finished: what automatic retries are counted by."""
    running: bool = False
    outcome: Outcome | None = None
    """How it last ended; None while it runs for the first time."""
    sentence: str = ""
    started: float = 0.0
    seconds: float = 0.0
    jobs: list[BegunJob] = field(default_factory=list)
    """Jobs of the last try."""
    cursors: dict[str, str] = field(default_factory=dict)
    """The cursor of the last line since the last job began, by machine."""
    tail: deque[str] = field(default_factory=lambda: deque(maxlen=TAIL_LINES))
    """The last lines of the last try."""
    problem: dict[str, Json] | None = None
    answers: dict[str, Json] = field(default_factory=dict)
    """What a person answered, and `by`; empty where nobody was asked."""
    progress: tuple[float, float, str] | None = None
    """Done, total, text."""
    settled: int = 0
    """The number of the event at which it last ended; 0 before."""
    ended: float = 0.0
    """When that was."""
    answered: int = 0
    """The number of the event at which a person last answered it; 0 before."""
    before_undo: tuple[Outcome | None, int] | None = None
    """How it stood when it began to be taken back, and since when; None where it does not."""

    @property
    def finished(self) -> bool:
        """Whether nothing is left to do for it in this run."""
        return not self.running and self.outcome in FINISHED


_WORK: Final = frozenset({
    Kind.STAGE_STARTED, Kind.STEP_STARTED, Kind.JOB_STARTED, Kind.STEP_FINISHED,
    Kind.STAGE_FINISHED, Kind.RUN_FINISHED,
})  # fmt: skip
DECIDED: Final = (Outcome.DONE, Outcome.FAILED, Outcome.STOPPED, Outcome.UNDONE)
"""Outcomes that tell whether a step's effect may be there by our own doing."""


@dataclass(slots=True)
class StageState:
    """Where a stage stands."""

    started: float = 0.0
    running: bool = False
    outcome: Outcome | None = None
    seconds: float = 0.0


class RunState:
    """Where a run stands; `apply` each event in order, or `replay` a journal."""

    def __init__(self, plan: Plan | None = None) -> None:
        self.changes = Changes.of(plan)
        """What rests on what, and when it last changed; see `holds`."""
        self.steps: dict[Key, StepState] = {}
        self.stages: dict[str, StageState] = {}
        self.started: Event | None = None
        self.until = ""
        """The last stage that was asked for; "" for the whole plan."""
        self.only = ""
        """The one stage that was asked for; "" where it was no single one."""
        self.outcome: Outcome | None = None
        """How the run ended last; None while it runs, or where it was cut off."""
        self.questions: dict[Key, Event] = {}
        """Questions that nobody has answered yet."""
        self.events = 0
        self.worked = 0
        """The number of the last event that tells of work, or of the run's end."""
        self.last_time = 0.0
        self.clock = RunClock()
        """How long it took."""
        self.last = FIRST
        """The hash of the last line of a journal that was replayed, which stands for them all."""
        self.hashes: dict[int, str] = {}
        """The hashes of the lines that were asked for when it was replayed, by their numbers."""
        self.changed: set[str] = set()
        """Machines on which something was begun that may have changed them."""

    def of(self, key: Key) -> StepState:
        """The standing of a step on a machine, made where there was none."""
        return self.steps.setdefault(key, StepState())

    def finished(self, key: Key) -> bool:
        """Whether nothing is left to do for a step on a machine."""
        standing = self.steps.get(key)
        return standing is not None and standing.finished and self.holds(key)

    def holds(self, key: Key) -> bool:
        """Whether how a step ended says something of now: nothing below it changed since.

        What a person left out stays left out.
        """
        standing = self.steps.get(key)
        if standing is None or standing.outcome is Outcome.SKIPPED:
            return True
        return not self.changes.since(key[0], key[1], standing.settled)

    def outcome_of(self, key: Key) -> Outcome | None:
        """How a step ended, where that still holds; None where it waits, or runs."""
        standing = self.steps.get(key)
        if standing is None or standing.running:
            return None
        return standing.outcome if self.holds(key) else None

    def answers_of(self, key: Key) -> dict[str, Json]:
        """What a person answered, where nothing below it changed since; else nothing."""
        standing = self.of(key)
        stale = self.changes.since(key[0], key[1], standing.answered)
        return {} if stale else standing.answers

    def apply(self, event: Event) -> None:
        """Take one event."""
        self.events += 1
        self.last_time = event.time
        if event.kind is Kind.LINE:
            self._line(event)
            return
        self.clock.tick(event)
        if event.kind in _WORK:
            self.worked = self.events
        match event.kind:
            case Kind.RUN_STARTED:
                self.started = event
                self._asked_for(event)
            case Kind.RUN_RESUMED:
                self.outcome = None
                self._asked_for(event)
            case Kind.RUN_FINISHED:
                self.outcome = _outcome(event)
            case Kind.STAGE_STARTED:
                stage = self.stages.setdefault(event.stage, StageState())
                stage.started, stage.running, stage.outcome = event.time, True, None
            case Kind.STAGE_FINISHED:
                stage = self.stages.setdefault(event.stage, StageState())
                stage.running, stage.outcome = False, _outcome(event)
                stage.seconds = _number(event.data.get("seconds"))
            case _ if event.step:
                self._step(event)
            case _:
                pass

    def take(self, record: Record) -> Event:
        """Take the event of a line of a journal; raises BrokenJournal."""
        event = record.event()
        self.accept(event, record.path, record.number)
        return event

    def accept(self, event: Event, path: Path, number: int) -> None:
        """Take an event that somebody's journal tells; raises BrokenJournal."""
        try:
            self.apply(event)
        except (ValueError, KeyError, TypeError, OverflowError, AttributeError) as error:
            # Its form is that of an event, and what it says is nothing that we write.
            what = f"a {event.kind.value} does not say that ({type(error).__name__}: {error})"
            raise broken(path, number, what) from error

    def _asked_for(self, event: Event) -> None:
        # The journal of an earlier version does not tell it.
        self.until = str(event.data.get("until", ""))
        self.only = str(event.data.get("only", ""))

    def _step(self, event: Event) -> None:
        key = (event.stage, event.step, event.host)
        standing = self.of(key)
        match event.kind:
            case Kind.STEP_STARTED:
                standing.attempt = int(_number(event.data.get("attempt")))
                standing.tries += 1
                standing.running, standing.started = True, event.time
                standing.jobs, standing.cursors, standing.problem = [], {}, None
                standing.tail.clear()
                standing.progress = None
                taking_back = str(event.data.get("title", "")).startswith(TAKE_BACK)
                standing.before_undo = (standing.outcome, standing.settled) if taking_back else None
            case Kind.JOB_STARTED:
                data = event.data
                standing.jobs.append(
                    BegunJob(str(data["job"]), str(data["boot_id"]), str(data["durable"]))
                )
                standing.cursors = {}
                self.changed.add(event.host)
                self.changes.seen(event.stage, event.step, self.events)
            case Kind.STEP_FINISHED:
                standing.running, standing.outcome = False, _outcome(event)
                standing.settled, standing.ended = self.events, event.time
                if standing.outcome is Outcome.UNDONE:
                    self.changes.seen(event.stage, event.step, self.events)
                elif standing.before_undo is not None and standing.outcome is Outcome.DONE:
                    # It does not say how it is taken back, so it stands as it stood.
                    standing.outcome, standing.settled = standing.before_undo
                standing.before_undo = None
                standing.sentence = str(event.data.get("sentence", ""))
                standing.seconds = _number(event.data.get("seconds"))
                standing.tries = 0
                self.questions.pop(key, None)
                if standing.outcome is Outcome.UNDONE:
                    standing.answers = {}
            case Kind.STEP_PROGRESS:
                data = event.data
                standing.progress = (
                    _number(data.get("done")), _number(data.get("total")), str(data.get("text", ""))
                )  # fmt: skip
            case Kind.PROBLEM:
                standing.problem = event.data
            case Kind.QUESTION:
                self.questions[key] = event
            case Kind.ANSWER:
                self.questions.pop(key, None)
                answer = event.data.get("answer")
                standing.answers = {"by": event.data.get("by"), "answer": answer}
                standing.answered = self.events
            case _:
                pass

    def _line(self, event: Event) -> None:
        # Lines of another machine that a step follows belong to the step that is under way.
        standing = self.steps.get((event.stage, event.step, event.host))
        if standing is None:
            standing = self.of((event.stage, event.step, event.host))
        standing.cursors[event.host] = str(event.data.get("cursor", ""))
        standing.tail.append(str(event.data.get("text", "")))

    def complete(self, plan: Plan) -> bool:
        """Whether every step of a plan is finished on every one of its machines."""
        return all(self.finished(key) for key in keys_of(plan))


def keys_of(plan: Plan) -> Iterator[Key]:
    """Every step of a plan on every machine, in order; steps that run once are on "control"."""
    for stage in plan.stages:
        for step in stage.steps:
            for host in done_on(step):
                yield stage.id, step.id, host


def replay(
    path: Path, plan: Plan | None = None, hashes_of: Collection[int] = (), *, keep: bool = False
) -> RunState:
    """The state of the run that a journal tells of; raises BrokenJournal.

    With its plan it is known which steps rest on which. `hashes_of` are the numbers of lines whose
    hashes are wanted besides. With `keep` a long journal is not read again by whoever asks next,
    as long as nobody wrote to it; who asks without it has the state for himself, to go on with.
    """
    stamp = _stamp(path)
    known = _kept.pop(path, None)
    if known is None or known[:2] != (stamp, plan) or not _has(known[2], hashes_of):
        state = RunState(plan)
        for _ in decisive(state, path, hashes_of):
            pass
    else:
        state = known[2]
    _kept.clear()
    if keep and stamp is not None and stamp.size >= _LONG and stamp == _stamp(path):
        _kept[path] = (stamp, plan, state)
    return state


class _Stamp(NamedTuple):
    """What tells a file from every other, and from itself before somebody wrote to it."""

    device: int
    number: int
    size: int
    written: int
    changed: int
    """The last change that the system saw, which nobody sets; nanoseconds, as the one before."""


_LONG: Final = 4 * 1024 * 1024
"""Bytes from which a journal takes longer to read than the clock takes to tell two writes apart."""
_kept: Final[dict[Path, tuple[_Stamp, Plan | None, RunState]]] = {}
"""The last long journal that was read, and what it told."""


def _stamp(path: Path) -> _Stamp | None:
    try:
        now = path.lstat()
    except OSError:
        return None  # whoever reads it says why
    return _Stamp(now.st_dev, now.st_ino, now.st_size, now.st_mtime_ns, now.st_ctime_ns)


def _has(state: RunState, hashes_of: Collection[int]) -> bool:
    """Whether the hashes of all those lines are known, as far as there are such lines."""
    return all(n in state.hashes or not 0 < n <= state.events for n in hashes_of)


def decisive(state: RunState, path: Path, hashes_of: Collection[int] = ()) -> Iterator[Event]:
    """Have a new state take a journal; each event that is no line of output, once it is taken.

    Lines of output are checked and passed over, except the last ones of each step and machine,
    so that a million of them take seconds and little memory. Raises BrokenJournal, and then the
    state is that of the line before.
    """
    tails: dict[bytes, deque[tuple[int, bytes]]] = {}
    raw: bytes | None = None
    number = 0
    try:
        for first, lines in blocks(path):
            for wanted in hashes_of:
                if first <= wanted < first + len(lines):
                    state.hashes[wanted] = digest(lines[wanted - first])
            for number, raw in enumerate(lines, first):
                subject = output_of(raw)
                if subject is not None:
                    tail = tails.get(subject)
                    if tail is None:
                        tail = tails[subject] = deque(maxlen=TAIL_LINES)
                    tail.append((number, raw))
                    continue
                # What an event means may depend on the lines before it, so these come first.
                if tails:
                    _apply_tails(state, tails, path)
                state.events = number - 1
                yield state.take(Record(number, raw, path))
    finally:
        _apply_tails(state, tails, path)
        state.events = number
        state.last = FIRST if raw is None else digest(raw)


def _apply_tails(state: RunState, tails: dict[bytes, deque[tuple[int, bytes]]], path: Path) -> None:
    kept = list(tails.values())
    tails.clear()
    for tail in kept:
        for number, raw in tail:
            state.take(Record(number, raw, path))


def _outcome(event: Event) -> Outcome:
    return Outcome(str(event.data["outcome"]))


def _number(value: Json) -> float:
    return float(value) if isinstance(value, (int, float)) else 0.0

"""Run view: stages, machines, a failure and the live log of a run, under way or replayed."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from textual import events
from textual.app import ComposeResult
from textual.containers import Container, Vertical, VerticalScroll
from textual.widgets import Static

from screens.run.log_panel import LogPanel
from screens.run.machine_tasks import MachineTasks
from screens.run.run_log import AT_A_TIME, MOST_LINES, Said
from screens.widgets.board import Board
from screens.widgets.quiet import put

if TYPE_CHECKING:
    from installer.events import Event, Outcome
    from installer.plans.plan import Plan
    from installer.record.progress import Progress
    from installer.record.state import RunState
    from installer.running.work import Failure
    from screens.run.run_lines import RunLines


LAG_SECONDS: Final = 2.0
"""So far the state of a run may be ahead of the line that is shown, and still be told beside it."""


@dataclass(frozen=True, slots=True)
class RunPicture:
    """How a run stands at a moment, as the view is drawn from it."""

    plan: Plan
    state: RunState
    now: float
    """Unix time: of the clock, or of what is replayed."""
    expected: Mapping[tuple[str, str], float] = field(default_factory=dict)
    failures: Sequence[Failure] = ()
    ended: Outcome | None = None
    running: bool = True
    paused: bool = False
    levers: bool = False
    """Whether a person holds the levers of it here, so that their keys mean something."""
    again: str = ""
    """The key that goes on with it once it ended; "" where none does."""
    waits: float | None = None
    """Since when nothing runs and a person is waited for, Unix seconds."""


class RunView(Container):
    """Draws a run; events wait in it until `flush`."""

    def __init__(self, *, id: str) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self.arrived: deque[Event] = deque(maxlen=MOST_LINES * 4)
        """Events that the screen has not shown yet; the disk has all of them."""
        self.passed = 0
        """Events that were pushed out before they could be shown."""
        self.tasks = MachineTasks()
        self.place = 0
        """Which of the failures is shown."""
        self.name_width = 4
        self.lines: RunLines | None = None
        """Events as lines; None before the plan is known."""
        self.titles: dict[str, str] = {}
        self.stage_width = 0
        """In how many cells all stages and steps are told whole."""
        self.standing: RunPicture | None = None
        """What was drawn last."""
        self.own_word = ""
        """What the step says itself of how far it is; "" where the run does."""
        self.done_words = ""
        """How many steps are done of how many, as last drawn."""

    @property
    def log_panel(self) -> LogPanel:
        """The live log with its search and its place on the disk."""
        return self.query_one(LogPanel)

    def compose(self) -> ComposeResult:
        """How far, stages and machines, the failure, the log."""
        from screens.run.rail import STAGE_COLUMNS

        yield Static("", id="far", markup=False)
        yield Static("", id="now", markup=False)
        with Container(id="run"):
            with Vertical(id="left"):
                yield Board(STAGE_COLUMNS, header=False, id="stages")
                with VerticalScroll(id="machines", can_focus=False):
                    yield Static("", id="grid", markup=False)
            with Vertical(id="right"):
                with VerticalScroll(id="failure"):
                    yield Static("", id="failure-text", markup=False)
                yield LogPanel(id="log-panel")

    def begin(self, plan: Plan) -> None:
        """The plan whose run is shown."""
        from installer.plans.plan import CONTROL_HOST, told_host
        from screens.run.rail import stage_width
        from screens.run.run_lines import RunLines
        from screens.run.run_words import titles_of

        self.titles = titles_of(plan)
        self.stage_width = stage_width(plan)
        names = (*dict(plan.hosts), told_host(CONTROL_HOST, plan.control))
        self.name_width = max(map(len, names))
        self.lines = RunLines(plan, self.name_width, self._progress)

    def _progress(self, now: float) -> Progress | None:
        """How far the run is that was drawn last; nothing before."""
        from installer.record.progress import progress_of

        standing = self.standing
        # Lines that come late belong to a moment that the state has left behind.
        if standing is None or standing.state.last_time - now > LAG_SECONDS:
            return None
        return progress_of(standing.plan, standing.state, standing.expected, now=now)

    def start_anew(self) -> None:
        """Forget everything that was shown."""
        self.arrived.clear()
        self.tasks = MachineTasks()
        self.place = self.passed = 0
        if self.standing is not None:
            self.begin(self.standing.plan)
        self.log_panel.log_view.empty()

    def say_far(self, text: str) -> None:
        """The step's own sentence in the place of how far it is, until the run is drawn again."""
        self.own_word = text
        self._put_far(text)

    def _put_far(self, text: str) -> None:
        put(text, self.query_one("#far", Static))

    # ---- events

    def arrive(self, events: Sequence[Event]) -> None:
        """Take a batch of events; nothing is drawn before the next flush."""
        from installer.events import Kind

        for event in events:
            # What decides must not be pushed out by lines of output.
            if event.kind is not Kind.LINE:
                self.tasks.take(event)
        self.passed += max(len(self.arrived) + len(events) - MOST_LINES * 4, 0)
        self.arrived.extend(events)

    def flush(self) -> bool:
        """Put what arrived into the log; whether anything but lines of output was among it."""
        from installer.events import Kind

        lines: list[Said] = []
        more = False
        for _ in range(min(len(self.arrived), AT_A_TIME)):
            event = self.arrived.popleft()
            more = more or event.kind is not Kind.LINE
            if self.lines is not None:
                lines += self.lines.of(event)
        panel = self.log_panel
        panel.log_view.missed += self.passed
        self.passed = 0
        panel.take(lines)
        panel.flush()
        return more

    # ---- drawing

    def draw(self, standing: RunPicture) -> None:
        """Stages, machines, failures as they stand."""
        from installer.record.progress import progress_of
        from screens.run.rail import at_work, now_words, rail_rows, rows_width
        from screens.run.run_words import (
            done_of,
            grid,
            lines_width,
            machine_lines,
            machine_rows,
            progress_sentence,
        )

        self.standing = standing
        self.own_word = ""
        plan, state, now = standing.plan, standing.state, standing.now
        progress = progress_of(plan, state, standing.expected, now=now)
        self.done_words = done_of(progress)
        if standing.running or standing.ended is not None:
            ended = None if standing.running else standing.ended
            self._put_far(
                progress_sentence(
                    progress,
                    state,
                    ended,
                    paused=standing.paused,
                    waits=standing.waits,
                    again=standing.again,
                )
            )
        elif state.started is not None:
            self._put_far(f"Not under way here. {self.done_words}.")
        board = self.query_one("#stages", Board)
        wide = self.screen.has_class("-wide")
        room = self.query_one("#run").size
        half = room.height // 2
        # Who walks through the list sees all of it.
        fits = 0 if board.has_focus else half if wide else board.size.height
        rows = rail_rows(progress, state, now, fits)
        if [row.key for row in rows] != [row.key for row in board.rows]:
            board.set_rows(rows)
        else:
            board.update_rows(rows)
        # The stages take the room that they need, as long as the log keeps three sevenths.
        machines = machine_rows(plan, state, self.tasks, progress, now)
        # What is over its usual time says more; the list grows for it once, and does not flicker.
        self.stage_width = max(self.stage_width, rows_width(rows))
        needed = max(self.stage_width, 50)
        if not standing.running and not board.has_focus:
            # Nothing unfolds any more: the log, which has more to say, gets what stays empty.
            needed = max(rows_width(rows), lines_width(machines), 36)
        most = min(needed, max(room.width * 4 // 7, 50))
        self.query_one("#left").styles.width = most if wide and room.width else None
        # Beside the log the stages take the room they need, and the machines follow at once.
        board.styles.height = min(len(rows), half) if wide and half else None
        put(now_words(progress) if standing.running else "", self.query_one("#now", Static))
        moving = at_work(progress)
        if moving is not None and not board.has_focus:
            board.move_to(moving)
            board.show_whole(moving.partition("/")[0])
        # Beside the log they will have the width that was just given to them: asked of the screen
        # it is that of the drawing before, and longer lines would wrap until the next one.
        beside = most - 2 if wide and room.width else self.query_one("#machines").size.width
        width = beside - 3
        words = machine_lines if wide else grid
        put(words(machines, width), self.query_one("#grid", Static))
        self._draw_failure(standing)

    def on_resize(self, _event: events.Resize) -> None:
        """What was drawn before the room was known is drawn again."""
        if self.standing is not None:
            self.call_after_refresh(self._draw_again)

    def on_descendant_focus(self, _event: events.DescendantFocus) -> None:
        """Who walks through the stages of a run that has ended sees all of them."""
        if self.standing is not None and not self.standing.running:
            self.call_after_refresh(self._draw_again)

    def _draw_again(self) -> None:
        if self.standing is not None:
            word, words = self.own_word, self.done_words
            self.draw(self.standing)
            if word:
                self.say_far(word)
                self.done_words = words

    def _draw_failure(self, standing: RunPicture) -> None:
        from screens.run.run_words import failure_text

        failures, settings = standing.failures, dict(standing.plan.settings)
        self.screen.set_class(bool(failures), "-failing")
        if failures:
            self.place = min(self.place, len(failures) - 1)
            text = failure_text(
                failures, self.place, self.titles, self.tasks, settings,
                levers=standing.levers, again=standing.again, control=standing.plan.control,
            )  # fmt: skip
            put(text, self.query_one("#failure-text", Static))

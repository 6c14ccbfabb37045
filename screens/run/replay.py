"""Replay: a run shown again as it happened, from its record alone; nothing runs."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.dom import DOMNode
from textual.widgets import Static

from foundation.moments import moment
from foundation.problems import ExitCode, Problem
from installer.events import Event, Kind
from installer.record.journal_lines import read
from installer.record.runs import Run
from installer.record.state import RunState
from installer.running.settled_memory import settle_memory
from installer.running.work import Failure
from installer.steps.kind import StepFailed
from screens.run.levers import FOUND, LOG_KEYS
from screens.run.log_actions import LOG_BINDINGS, LogActions
from screens.run.log_panel import LogPanel
from screens.run.run_screen import FLUSH_SECONDS
from screens.run.run_view import RunPicture, RunView
from screens.shell.crash import own_error
from screens.shell.face import FaceApp, run_face
from screens.shell.hints import hints
from screens.shell.late import LastingScreen, drop, is_gone
from screens.widgets.headline import Headline
from screens.widgets.keys import Key, KeyLine
from screens.widgets.problem import ProblemPanel

if TYPE_CHECKING:
    from installer.plans.plan import Plan

SPEEDS: Final = (1.0, 2.0, 5.0, 10.0, 30.0, 100.0, 1000.0)
FIRST_SPEED: Final = 10.0
AT_ONCE: Final = 2_000
"""Events that one turn takes from the record, so that the screen answers in between."""


class Playback:
    """The events of a record, each when it is due."""

    def __init__(self, journal: Iterator[Event], speed: float, longest_wait: float) -> None:
        self.journal = journal
        self.speed = speed
        self.longest_wait = longest_wait
        self.paused = False
        self.to_end = False
        self.until = 0.0
        """The moment of the record up to which everything comes at once."""
        self.ended = False
        self.time = 0.0
        """The moment of the record that is shown, Unix seconds."""
        self._next: Event | None = None
        self._due = 0.0
        self._broken: Problem | None = None
        """What ends the record, told once all before it is shown."""

    def due(self, now: float) -> list[Event]:
        """The events whose time has come; `now` is a clock that only goes forward.

        Raises BrokenJournal after the last event that can be believed.
        """
        found: list[Event] = []
        if self._broken is not None and not self.ended:
            raise self._broken
        hurries = self.to_end or self.time < self.until
        if self.ended or (self.paused and not hurries):
            return found
        while len(found) < AT_ONCE:
            if self._next is None:
                try:
                    self._next = next(self.journal, None)
                except Problem as problem:
                    self._broken = problem
                    if found:
                        return found
                    raise
                if self._next is None:
                    self.ended = True
                    return found
                if not self.time:
                    self._due = now
                else:
                    # A screen that was held up does not hurry for more than a second.
                    gap = max(self._next.time - self.time, 0.0) / self.speed
                    self._due = max(self._due, now - 1.0) + min(gap, self.longest_wait)
            hurries = self.to_end or self._next.time <= self.until
            if not hurries and (self._due > now or self.paused):
                return found
            found.append(self._next)
            self.time = self._next.time
            self._next = None
        return found


class ReplayScreen(LogActions, LastingScreen[None]):
    """The install screen, fed from a record."""

    CSS_PATH = "install.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        *LOG_BINDINGS,
        Binding("space", "pause", "Pause", show=False),
        Binding("plus,equals_sign", "faster(1)", "Faster", show=False),
        Binding("minus", "faster(-1)", "Slower", show=False),
        Binding("greater_than_sign", "to_end", "To the end", show=False),
        Binding("less_than_sign", "from_beginning", "From the beginning", show=False),
        Binding("comma", "jump(-60)", "A minute back", show=False),
        Binding("full_stop", "jump(60)", "A minute on", show=False),
        Binding("x", "next_failure", "Next failure", show=False),
        Binding("escape,ctrl+p", "close_find", "Close the search, or leave", show=False),
        Binding("q,ctrl+q,ctrl+c", "leave", "Leave", show=False, priority=False),
    ]
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (76, "-usual"), (110, "-wide")]  # noqa: RUF012 - Textual's own type
    VERTICAL_BREAKPOINTS = [(0, "-short"), (24, "-usual-height"), (34, "-high")]  # noqa: RUF012 - Textual's own type
    KEYS: ClassVar[tuple[Key, ...]] = (
        Key("Space", "Pause", "screen.pause"),
        Key("+ -", "Speed", "screen.faster(1)"),
        Key("<", "Begin", "screen.from_beginning"),
        Key(">", "End", "screen.to_end"),
        Key("q", "Quit", "screen.leave"),
        Key(", .", "A minute", "screen.jump(-60)"),
        Key("x", "Failure", "screen.next_failure"),
        *LOG_KEYS,
    )

    HELP: ClassVar[str] = "replay"
    """The topic that F1 explains."""

    def __init__(self, run: Run, plan: Plan, name: str, speed: float, longest_wait: float) -> None:
        super().__init__()
        self.back = False
        """Whether there is a screen to go back to."""
        self.longest_wait = longest_wait
        self.recorded = run
        self.plan = plan
        self.place_name = name
        self.state = RunState(plan)
        self.failures: list[Failure] = []
        self.playback = Playback(read(run.journal), speed, longest_wait)

    @property
    def view(self) -> RunView:
        """The run as it is drawn."""
        return self.query_one(RunView)

    @property
    def log_panel(self) -> LogPanel:
        """The log."""
        return self.view.log_panel

    def compose(self) -> ComposeResult:
        """The frame of a step, without the rail."""
        yield Headline(f"{self.plan.solution} {self.plan.environment}", "A recording; nothing runs")
        with Horizontal(id="frame"), Vertical(id="main"):
            yield Static("", id="title", markup=False)
            yield RunView(id="view")
            yield ProblemPanel()
        yield KeyLine(self.KEYS, id="keys")

    def on_mount(self) -> None:
        """Begin to play."""
        self.view.begin(self.plan)
        self.log_panel.log_view.focus()
        self.log_panel.folder = self.recorded.folder
        settle_memory()
        self.set_interval(FLUSH_SECONDS, self._turn)
        self.set_interval(1.0, self._draw)
        self._draw()

    def on_descendant_focus(self) -> None:
        """The keys are those that work where the cursor is."""
        self.refresh_keys()

    def refresh_keys(self) -> None:
        """Say anew which keys mean something."""
        found = (FOUND,) if self.log_panel.words else ()
        self.query_one("#keys", KeyLine).show(hints(self, (*self.KEYS, *found)))

    def _turn(self) -> None:
        try:
            found = self.playback.due(time.monotonic())
        except Problem as problem:
            self.playback.ended = True
            self.query_one(ProblemPanel).show(problem)
            found = []
        for at, event in enumerate(found):
            try:
                self.state.accept(event, self.recorded.journal, self.state.events + 1)
                self._follow_failures(event)
            except Problem as problem:
                # It can be shown up to here; the screen stays, for what it shows already.
                self.playback.ended = True
                self.query_one(ProblemPanel).show(problem)
                found = found[:at]
                break
        self.view.arrive(found)
        if self.view.flush() or (found and self.playback.ended):
            self._draw()

    def _follow_failures(self, event: Event) -> None:
        """What failed and was not begun again since."""
        key = (event.stage, event.step, event.host)
        if event.kind is Kind.STEP_FINISHED and event.data.get("outcome") == "failed":
            standing = self.state.of(key)
            told = standing.problem or {}
            problem = StepFailed(
                str(told.get("cause") or standing.sentence),
                where=str(told.get("where") or event.host),
                remedy=str(told.get("remedy") or ""),
            )
            self.failures.append(Failure(*key, problem, tuple(standing.tail)[-8:]))
        elif event.kind in (Kind.STEP_STARTED, Kind.STEP_FINISHED):
            self.failures = [f for f in self.failures if (f.stage, f.step, f.host) != key]

    def _draw(self) -> None:
        playback = self.playback
        self.view.draw(
            RunPicture(
                plan=self.plan,
                state=self.state,
                now=playback.time,
                failures=self.failures,
                ended=self.state.outcome,
                running=self.state.outcome is None,
            )
        )
        if not playback.time:
            when = "at its beginning"
        else:
            at = moment(playback.time)
            when = f"{at:%Y-%m-%d %H:%M:%S} UTC" if at else "at a time that no calendar has"
        stand = "ended" if playback.ended else f"{playback.speed:g} times as fast"
        if playback.paused and not playback.ended:
            stand = "paused"
        title = f"Run {self.recorded.id}, {when}, {stand}"
        self.query_one("#title", Static).update(title)
        self.log_panel.show_place()

    def on_resize(self, _event: events.Resize) -> None:
        """Other columns for another width."""
        self.call_after_refresh(self._draw)

    # ---- what the log asks

    def machine_states(self) -> Mapping[str, str]:
        """Every machine of the plan with its state at this moment."""
        from screens.run.run_words import machine_states

        return machine_states(self.plan, self.state)

    def log_file(self, machine: str) -> Path | None:
        """The log of one machine."""
        from screens.run.run_words import log_of

        return log_of(self.recorded, self.plan, machine)

    async def write_text(self, path: Path, text: str) -> None:
        """Write a file; raises Problem."""
        from screens.services.live_install import written

        def write() -> None:
            from foundation.paths import write_whole

            write_whole(path, text, mode=0o600)

        await written(write, path)

    def say(self, text: str, *, bad: bool = False) -> None:
        """A sentence in the panel."""
        self.query_one(ProblemPanel).note(text, bad=bad)

    def on_log_panel_told(self, event: LogPanel.Told) -> None:
        """What the log has to say; a search gives its keys a meaning."""
        self.say(event.text)
        self.refresh_keys()

    # ---- levers of the playback

    def action_pause(self) -> None:
        """Stand still, or go on."""
        self.playback.paused = not self.playback.paused
        self._draw()

    def action_faster(self, by: int) -> None:
        """The next speed up or down."""
        here = self.playback.speed
        others = [s for s in SPEEDS if (s > here if by > 0 else s < here)]
        if others:
            self.playback.speed = min(others) if by > 0 else max(others)
        self._draw()

    def action_to_end(self) -> None:
        """Everything that is left, at once."""
        self.playback.to_end = True

    def action_from_beginning(self) -> None:
        """Play it again from its beginning."""
        self._play_to(0.0)

    def action_jump(self, seconds: float) -> None:
        """So many seconds of the record on, or back; it stands still there."""
        if self.playback.time:
            self._play_to(self.playback.time + seconds)
            self.playback.paused = True
            self._draw()

    def _play_to(self, moment: float) -> None:
        """Begin anew, and take everything up to a moment at once."""
        speed = self.playback.speed
        self.playback = Playback(read(self.recorded.journal), speed, self.longest_wait)
        self.state, self.failures = RunState(), []
        self.view.start_anew()
        self.playback.until = moment
        self._draw()

    def action_next_failure(self) -> None:
        """The failure of the next machine."""
        if not self.failures:
            self.say("No step stands failed at this moment of the record.")
        else:
            self.view.place = (self.view.place + 1) % len(self.failures)
            self._draw()

    def action_close_find(self) -> None:
        """Close the line of the search."""
        if self.log_panel.finding:
            self.log_panel.close_find()
        elif self.back:
            self.action_leave()

    def action_leave(self) -> None:
        """Leave, or go back; nothing needs to be kept."""
        if self.back:
            self.dismiss(None)
        else:
            self.app.exit(int(ExitCode.DONE))


class ReplayApp(FaceApp):
    """One screen."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f1", "help", "Help", show=False, priority=True),
        Binding("question_mark", "help", "Help", show=False),
    ]

    def __init__(self, screen: ReplayScreen) -> None:
        super().__init__()
        self.replay = screen

    def on_mount(self) -> None:
        """Show it."""
        self.push_screen(self.replay)

    def work_failed(self, error: BaseException, *, of: DOMNode | None = None) -> None:
        """Say it under the record; the record goes on."""
        if of is not None and is_gone(of):
            drop(error)
        elif isinstance(error, Problem):
            self.replay.query_one(ProblemPanel).show(error)
        else:
            self.replay.say(own_error(error), bad=True)

    def action_help(self) -> None:
        """F1: what is on the screen; again, or Esc, to close."""
        from screens.shell.help import HelpScreen

        if isinstance(self.screen, HelpScreen):
            self.pop_screen()
        else:
            self.push_screen(HelpScreen("replay", self.screen))


def run_replay(
    run: Run, name: str, *, speed: float | None = None, longest_wait: float = 2.0
) -> int:
    """Show a run on this terminal until the person leaves; returns the exit code.

    Raises InputProblem where its plan cannot be read.
    """
    screen = ReplayScreen(run, run.plan(), name, speed or FIRST_SPEED, longest_wait)
    return run_face(ReplayApp(screen))

"""Install: the run as it goes, its log, its questions, and every lever that a person has."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Final

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Vertical, VerticalScroll
from textual.timer import Timer
from textual.widgets import Static

from foundation.problems import InputProblem
from screens.ask_person import OnlyScreen, QuestionScreen, Skip, SkipScreen, SureScreen
from screens.file_words import shown_path
from screens.memory import Changed
from screens.step import StepScreen
from screens.widgets.board import Board
from screens.widgets.keys import Key
from screens.widgets.log_panel import LogPanel
from screens.widgets.run_log import MOST_LINES
from screens.wizard import StepId

if TYPE_CHECKING:
    from installer.events import Event, Outcome
    from installer.running.work import Failure
    from installer.steps.kind import Answer, Question
    from screens.answers import Answers
    from screens.login import LoginAnswer
    from screens.services import Installing, Order

FLUSH_SECONDS: Final = 1 / 20
"""How often lines may reach the screen."""
UNDER_WAY: Final = "The installation is under way; s stops it, and what is done stays done."
FAILURE_KEYS: Final = "r retry  R retry all  k skip  u undo stage  x next"


class InstallScreen(StepScreen):
    """Stages, machines, the live log; failures and questions where they come."""

    STEP = StepId.INSTALL
    CSS_PATH = "install.tcss"
    KEYS: ClassVar[tuple[Key, ...]] = (
        Key("p", "Pause", "screen.pause"),
        Key("s", "Stop", "screen.stop"),
        Key("f", "Only", "screen.only"),
        Key("/", "Find", "screen.find"),
        Key("y", "Path", "screen.copy_path"),
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("p", "pause", "Pause", show=False),
        Binding("s", "stop", "Stop", show=False),
        Binding("g", "go_on", "Go on", show=False),
        Binding("f2", "login", "Login", show=False),
        Binding("f", "only", "Only one machine", show=False),
        Binding("slash", "find", "Find", show=False),
        Binding("n", "find_next", "Find the next", show=False),
        Binding("y", "copy_path", "Copy the path", show=False),
        Binding("e", "follow", "To the end", show=False),
        Binding("a", "answer", "Answer", show=False),
        Binding("r", "retry(False)", "Retry", show=False),
        Binding("R", "retry(True)", "Retry all", show=False),
        Binding("k", "skip", "Skip", show=False),
        Binding("u", "undo", "Undo the stage", show=False),
        Binding("x", "next_failure", "Next failure", show=False),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.running = False
        self.outcome: Outcome | None = None
        self.arrived: deque[Event] = deque(maxlen=MOST_LINES)
        """Events that the screen has not shown yet; the disk has all of them."""
        self.news = False
        self.place = 0
        """Which of the failures is shown."""
        self.questions: list[tuple[Question, asyncio.Future[Answer]]] = []
        self.name_width = 4
        self.titles: dict[str, str] = {}
        self.flusher: Timer | None = None
        self.clock: Timer | None = None

    @property
    def work(self) -> Installing | None:
        """The installation of this session."""
        return self.memory.installed

    @property
    def log_panel(self) -> LogPanel:
        """The live log with its search and its place on the disk."""
        return self.query_one(LogPanel)

    def compose_body(self) -> ComposeResult:
        """How far, stages and machines, the failure, the log, the path."""
        from screens.run_words import STAGE_COLUMNS

        yield Static("", id="far", markup=False)
        with Container(id="run"):
            with Vertical(id="left"):
                yield Board(STAGE_COLUMNS, header=False, id="stages")
                with VerticalScroll(id="machines", can_focus=False):
                    yield Static("", id="grid", markup=False)
            with Vertical(id="right"):
                with VerticalScroll(id="failure", can_focus=False):
                    yield Static("", id="failure-text", markup=False)
                    yield Static(FAILURE_KEYS, id="failure-keys", markup=False)
                yield LogPanel(id="log-panel")

    def on_mount(self) -> None:
        """Begin what was confirmed, or show what has run."""
        self.log_panel.log_view.focus()
        self.flusher = self.set_interval(FLUSH_SECONDS, self._flush)
        self.clock = self.set_interval(1.0, self._show)
        order = self.memory.order
        if order is None:
            self.call_after_refresh(self.wizard.go, StepId.PLAN, self.answers)
            return
        self.titles = _titles(order)
        self.name_width = max([len(name) for name, _ in order.plan.hosts] + [4])
        if self.work is not None:
            self.outcome = self.work.engine.state.outcome
            self._show()
        elif order.run is not None:
            self.say("g goes on with this installation where it stands; F2 takes passwords.")
            self._show_far("Not begun again yet: g goes on.")
        else:
            self._start(order)

    # ---- running

    def _start(self, order: Order) -> None:
        self.running = True
        self.outcome = None
        self.say("")
        self._show_far("Looking at the machines once more before anything is begun.")
        self.run_quietly(self._carry(order), group="engine")

    async def _carry(self, order: Order) -> None:
        try:
            async with self.services.installing(order, self._ask) as work:
                self.memory.installed = work
                # Whatever comes, the next start goes on with this run.
                self.memory.order = replace(order, run=work.run.folder)
                self._show_place()
                work.engine.subscribe(self._arrive)
                self.tell_changed(Changed.NOW)
                self.outcome = await work.engine.run()
        finally:
            self.running = False
            self._ended()

    def _ended(self) -> None:
        """Say how it ended, in the headline too."""
        work = self.work
        if not self.is_mounted:
            return
        order = self.memory.order
        if work is not None:
            changed = bool(work.engine.state.changed)
        else:
            changed = order is not None and order.run is not None
        self.tell_changed(Changed.DONE if changed else Changed.NOTHING)
        self._flush()
        if work is None:
            self._show_far("It was not begun this time; the reason stands below.")
        else:
            folder = shown_path(work.run.folder)
            words = f"The record of the installation: {folder}"
            if words not in self.memory.last_words:
                self.memory.last_words.append(words)
        self._show()

    def _arrive(self, events: Sequence[Event]) -> None:
        """Take a batch of events; nothing is drawn before the next flush."""
        self.arrived.extend(events)
        self.news = True

    def _flush(self) -> None:
        """Twenty times a second: lines to the log, and the rest where something happened."""
        from installer.events import Kind
        from screens.run_words import said

        lines = []
        seen_more = False
        while self.arrived:
            event = self.arrived.popleft()
            seen_more = seen_more or event.kind is not Kind.LINE
            line = said(event, self.name_width)
            if line is not None:
                lines.append(line)
        self.log_panel.take(lines)
        self.log_panel.flush()
        if seen_more:
            self._show()

    # ---- showing

    def _show_far(self, text: str) -> None:
        self.query_one("#far", Static).update(text)

    def _show(self) -> None:
        """Stages, machines, failures as they stand now."""
        from installer.running.progress import progress_of
        from screens.run_words import grid, machine_states, progress_sentence, stage_row

        work = self.work
        if work is None:
            return
        engine = work.engine
        now = self.services.now().timestamp()
        progress = progress_of(engine.plan, engine.state, work.expected, now=now)
        ended = None if self.running else self.outcome
        if self.running or ended is not None:
            self._show_far(progress_sentence(progress, ended, paused=engine.control.paused))
        board = self.query_one("#stages", Board)
        rows = [stage_row(stage) for stage in progress.stages]
        if [row.key for row in rows] != [row.key for row in board.rows]:
            board.set_rows(rows)
        else:
            board.update_rows(rows)
        running = next((s.id for s in progress.stages if s.stand in ("running", "failed")), None)
        if running is not None and not board.has_focus:
            board.move_to(running)
        states = machine_states(engine.plan, engine.state)
        width = self.query_one("#machines").size.width - 3
        self.query_one("#grid", Static).update(grid(states, width))
        self._show_failure(engine.failures)
        self._show_place()

    def _show_failure(self, failures: Sequence[Failure]) -> None:
        from screens.run_words import failure_text

        self.set_class(bool(failures), "-failing")
        if failures:
            self.place = min(self.place, len(failures) - 1)
            text = failure_text(failures, self.place, self.titles)
            self.query_one("#failure-text", Static).update(text)
            keys = FAILURE_KEYS if self.running else "g go on from here"
            self.query_one("#failure-keys", Static).update(keys)

    def _show_place(self) -> None:
        """Where the log lies on the disk, and whether somebody is asked something."""
        panel = self.log_panel
        panel.folder = self.work.run.folder if self.work is not None else None
        panel.waits = "A QUESTION WAITS: a answers it" if self.questions else ""
        panel.show_place()

    def on_resize(self, _event: events.Resize) -> None:
        """Other columns for another width."""
        self.call_after_refresh(self._show)

    # ---- the log

    def action_only(self) -> None:
        """The lines of one machine, or of all."""
        from screens.run_words import machine_states

        work = self.work
        if work is None:
            self.say("There are no lines yet.")
            return

        def take(name: str | None) -> None:
            if name is not None:
                self.log_panel.show_only(name, work.run.log(name) if name else None)

        states = machine_states(work.engine.plan, work.engine.state)
        self.app.push_screen(OnlyScreen(states), take)

    def action_find(self) -> None:
        """Open the line in which to type what to look for."""
        self.log_panel.open_find()

    def action_find_next(self) -> None:
        """The next line above that holds the words."""
        self.log_panel.find_next()

    def action_follow(self) -> None:
        """To the end, where new lines appear."""
        self.log_panel.follow()

    def action_copy_path(self) -> None:
        """The path of the log, into the clipboard of the terminal."""
        self.log_panel.copy_path()

    def on_log_panel_told(self, event: LogPanel.Told) -> None:
        """What the log has to say."""
        self.say(event.text)

    # ---- levers

    def action_pause(self) -> None:
        """Begin no further step, or go on."""
        work = self.work
        if work is None or not self.running:
            self.say("Nothing is under way; g goes on.")
        elif work.engine.control.paused:
            work.engine.control.go_on(by=work.order.by)
            self.say("It goes on.")
        else:
            work.engine.control.pause(by=work.order.by)
            self.say("What runs comes to its end; then it waits. p goes on.")
        self._show()

    def action_stop(self) -> None:
        """Stop, after a question."""
        if self.work is None or not self.running:
            self.say("Nothing is under way.")
            return
        about = (
            "What runs on machines goes on there and is found again by the next start. Nothing "
            "more is begun; what is done stays done."
        )
        self.app.push_screen(SureScreen("Stop the installation?", about, "Stop"), self._stop)

    def _stop(self, sure: bool | None) -> None:
        if sure:
            self.stop_engine()

    def stop_engine(self) -> None:
        """Tell the engine to stop; it ends within a moment."""
        if self.work is not None and self.running:
            self.work.engine.control.stop(by=self.work.order.by)

    def action_go_on(self) -> None:
        """Go on with a run that has stopped, failed, or was left unfinished."""
        order = self.memory.order
        if order is None or self.running:
            self.say("It is under way; p pauses and goes on." if self.running else "")
            return
        absent = [name for name in order.plan.secrets if name not in self.memory.secrets]
        if absent:
            from screens.ask_secrets import SecretsScreen

            self.app.push_screen(SecretsScreen(absent), lambda sure: self._go_on(order, sure))
        else:
            self._go_on(order, True)

    def _go_on(self, order: Order, sure: bool | None) -> None:
        if sure:
            secrets = {name: self.memory.secrets[name] for name in order.plan.secrets}
            self.memory.installed = None
            self._start(replace(order, secrets=secrets, access=self.access))

    def action_login(self) -> None:
        """Passwords for the machines, which no file keeps; they hold from the next start on."""
        from screens.login import LoginScreen

        self.app.push_screen(
            LoginScreen(self.answers.login, self.memory.credentials), self._take_login
        )

    def _take_login(self, answer: LoginAnswer | None) -> None:
        if answer is not None:
            self.memory.credentials = answer.credentials
            self.wizard.answers = replace(self.answers, login=answer.login)

    # ---- failures

    def _failure(self) -> Failure | None:
        failures = self.work.engine.failures if self.work is not None and self.running else []
        return failures[min(self.place, len(failures) - 1)] if failures else None

    def action_next_failure(self) -> None:
        """The failure of the next machine."""
        if self.work is not None and self.work.engine.failures:
            self.place = (self.place + 1) % len(self.work.engine.failures)
            self._show()

    def action_retry(self, everywhere: bool) -> None:
        """Try the failed step again, on this machine or on all where it failed."""
        failure = self._failure()
        if failure is None or self.work is None:
            self.say("Nothing waits to be tried again." if self.running else "g goes on.")
            return
        self.work.engine.control.retry(
            by=self.work.order.by,
            stage=failure.stage,
            step=failure.step,
            host="" if everywhere else failure.host,
        )
        self.say("Trying again." if everywhere else f"Trying again on {failure.host}.")

    def action_skip(self) -> None:
        """Leave the failed step out on this machine, by name and with a reason."""
        failure = self._failure()
        if failure is None:
            self.say("Nothing waits to be skipped.")
            return
        title = self.titles.get(f"{failure.stage}/{failure.step}", failure.step)
        self.app.push_screen(
            SkipScreen(title, failure.host, self.memory.person),
            lambda skip: self._skip(failure, skip),
        )

    def _skip(self, failure: Failure, skip: Skip | None) -> None:
        if skip is None or self.work is None or not self.running:
            return
        self.memory.person = skip.by
        try:
            self.work.engine.control.skip(
                by=skip.by,
                reason=skip.reason,
                stage=failure.stage,
                step=failure.step,
                host=failure.host,
            )
        except InputProblem as problem:
            self.show_problem(problem)

    def action_undo(self) -> None:
        """Take the stage back, after a question; the run ends then."""
        failure = self._failure()
        if failure is None or self.work is None:
            self.say("A stage can be taken back while a failure waits.")
            return
        stage = failure.stage
        control, by = self.work.engine.control, self.work.order.by

        def take(sure: bool | None) -> None:
            if sure and self.running:
                control.undo_stage(by=by, stage=stage)

        about = (
            f'What the stage "{stage}" did is taken back, its last step first, where a step says '
            "how. The run ends then, and can be gone on with."
        )
        self.app.push_screen(SureScreen(f"Undo {stage}?", about, "Undo"), take)

    # ---- questions

    async def _ask(self, question: Question) -> Answer:
        """Put a question of the engine to the person; it waits until somebody answers."""
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self.questions.append((question, future))
        if not isinstance(self.app.screen, QuestionScreen):
            self.action_answer()
        try:
            return await future
        finally:
            self.questions = [pair for pair in self.questions if pair[1] is not future]
            if isinstance(self.app.screen, QuestionScreen) and not self.questions:
                self.app.screen.dismiss(None)
            self._show_place()

    def action_answer(self) -> None:
        """Open the question that has waited longest."""
        if not self.questions:
            self.say("Nothing is asked.")
            return
        question, future = self.questions[0]

        def take(answer: Answer | None) -> None:
            if answer is not None and not future.done():
                self.memory.person = answer.by
                future.set_result(answer)
                self.questions = [pair for pair in self.questions if pair[1] is not future]
                if self.questions:
                    self.call_after_refresh(self.action_answer)
            self._show_place()

        self.app.push_screen(QuestionScreen(question, self.memory.person), take)

    # ---- leaving the step

    def collect(self) -> Answers:
        """Nothing to add; raises InputProblem while it is under way."""
        if self.running:
            raise InputProblem(UNDER_WAY.rstrip("."), where="Install", remedy="s stops it.")
        return self.answers

    def action_next(self) -> None:
        """To the hand-over, once it has ended."""
        if self.running:
            self.say(UNDER_WAY)
        elif self.work is None:
            self.say("Nothing has run yet; g begins.")
        else:
            super().action_next()

    def action_back(self) -> None:
        """Close the line of the search, or go back once it has ended."""
        if self.log_panel.finding:
            self.log_panel.close_find()
        elif self.running:
            self.say(UNDER_WAY)
        else:
            super().action_back()


def _titles(order: Order) -> dict[str, str]:
    from screens.run_words import titles_of

    return titles_of(order.plan)

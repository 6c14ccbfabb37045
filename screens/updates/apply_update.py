"""An update as it is carried through: watched with live lines until it stands or was taken back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Final, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Static
from textual.worker import Worker, WorkerState

from foundation.problems import InputProblem, Problem
from preflight.report.words import clean
from screens.run.ask_person import SureScreen
from screens.run.levers import FOUND, LOG_KEYS
from screens.run.log_actions import LOG_BINDINGS
from screens.run.log_panel import LogPanel
from screens.run.run_screen import WatchingScreen
from screens.services.memory import Changed, Touched
from screens.shell.crash import own_error
from screens.shell.hints import hints
from screens.shell.late import drop, is_gone
from screens.widgets.headline import Headline
from screens.widgets.keys import Key, KeyLine
from screens.widgets.problem import ProblemPanel
from screens.words.applied_words import (
    LEAVING,
    NOT_UPDATED,
    UNDER_WAY,
    ended_words,
    record_words,
)

if TYPE_CHECKING:
    from installer.record.site_lock import Locked
    from installer.steps.kind import Answer, Question
    from screens.services.services import Installing, Order, Services
    from screens.shell.app import SitewrightApp

_BEGINS: Final = "Taking the site, and looking whose it is."


class ApplyUpdateScreen(WatchingScreen):
    """The run of one update: it begins as the screen opens, and its end is told in a sentence."""

    HELP: ClassVar[str] = "updates-apply"
    CSS_PATH = "../run/install.tcss"
    LEVERS = False
    LEAVING = LEAVING
    """What is said where somebody leaves the wizard meanwhile."""
    BINDINGS: ClassVar[list[BindingType]] = [
        *LOG_BINDINGS,
        Binding("s", "stop", "Stop watching", show=False),
        Binding("g", "go_on", "Go on", show=False),
        Binding("t", "take_over", "Take over", show=False),
        Binding("escape,ctrl+b,ctrl+p", "close", "Close", show=False),
        Binding("f10,ctrl+n", "close", "Close", show=False, priority=True),
        Binding("q", "app.leave", "Quit", show=False),
    ]
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (76, "-usual"), (110, "-wide")]  # noqa: RUF012 - Textual's own type
    VERTICAL_BREAKPOINTS = [(0, "-short"), (24, "-usual-height"), (34, "-high")]  # noqa: RUF012 - Textual's own type

    def __init__(self, order: Order) -> None:
        super().__init__()
        self.order = order
        self.locked: Locked | None = None
        """Why it was not begun, where another holds the site."""
        self._work: Installing | None = None

    @property
    def wizard(self) -> SitewrightApp:
        """The app, with the type that it has here."""
        return cast("SitewrightApp", self.app)

    @property
    def work(self) -> Installing | None:
        """The update, once it was begun."""
        return self._work

    @property
    def services(self) -> Services:
        """The floors below."""
        return self.wizard.services

    def compose(self) -> ComposeResult:
        """The frame of a step, without the rail."""
        changed, answers = self.wizard.memory.changed, self.order.answers
        yield Headline(answers.name, changed.sentence, answers.short_name, changed.short)
        with Horizontal(id="frame"), Vertical(id="main"):
            titles = "; ".join(stage.title for stage in self.order.plan.stages)
            yield Static(clean(titles), id="title", markup=False)
            yield self.view
            yield ProblemPanel()
        yield KeyLine((), id="keys")

    def on_mount(self) -> None:
        """Begin it."""
        self.view.begin(self.order.plan)
        self.begin_to_draw()
        self._start(self.order)

    def on_descendant_focus(self) -> None:
        """The keys are those that work where the cursor is."""
        self.refresh_keys()

    def refresh_keys(self) -> None:
        """Say anew which keys mean something."""
        for line in self.query("#keys").results(KeyLine):
            line.show(hints(self, self.keys_now()))

    def keys_now(self) -> Sequence[Key]:
        """The keys that mean something as things stand."""
        # None is there before the first paint.
        found = (FOUND,) if any(panel.words for panel in self.query(LogPanel)) else ()
        if self.running:
            return (Key("s", "Stop", "screen.stop"), *LOG_KEYS, *found)
        keys: tuple[Key, ...] = ()
        if self.locked is not None:
            keys = (Key("t", "Take over", "screen.take_over"), Key("g", "Again", "screen.go_on"))
        elif not self.done:
            keys = (Key("g", "Go on", "screen.go_on"),)
        return (*keys, Key("Esc", "Close", "screen.close"), *LOG_KEYS, *found)

    @property
    def done(self) -> bool:
        """Whether nothing is left to go on with: it stands, or it failed and stays as it is."""
        from installer.events import Outcome

        return self.outcome not in (None, Outcome.STOPPED)

    def draw(self) -> None:
        """Everything but the lines, and the keys."""
        super().draw()
        if self.shown:
            self.refresh_keys()

    # ---- carrying it through

    def _start(self, order: Order) -> None:
        self.running, self.outcome, self.locked = True, None, None
        self.say("")
        self.view.say_far(_BEGINS)
        self.refresh_keys()
        self.run_worker(self._carry(order), group="engine", exclusive=True, exit_on_error=False)

    async def _carry(self, order: Order) -> None:
        from installer.record.site_lock import Locked

        memory, before = self.wizard.memory, self.wizard.memory.changed
        try:
            async with self.services.installing(order, _nobody_asked) as work:
                self._work = work
                # What was begun is gone on with, and nothing is taken over twice.
                self.order = replace(order, run=work.run.folder, take_over=False)
                memory.last_words.append(record_words(work.run.folder))
                work.engine.subscribe(self.view.arrive)
                self._tell_changed(Touched(Changed.NOW, order.by))
                self.draw()
                self.outcome = await work.engine.run()
        except Locked as problem:
            self.locked = problem
            raise
        finally:
            self.running = False
            if self._work is not None and not self._work.begun:
                self._work, self.order = None, replace(order, take_over=False)
            done = Touched(Changed.DONE, order.by, self.services.now())
            changed = self._work is not None and self._work.engine.state.changed
            self._tell_changed(done if changed else before)
            self._ended()

    def _ended(self) -> None:
        """Say how it ended, and where its record lies."""
        work = self._work
        state = None if work is None else work.engine.state
        words = ended_words(self.order.plan, state, self.outcome)
        if self.failures:
            words = NOT_UPDATED
        if work is not None:
            words = f"{words} {record_words(work.run.folder)}"
            if not self.done:
                self.wizard.memory.last_words.append(words)
        if not self.shown:
            return
        # The sentence names the place, which then need not stand there twice in a small window.
        self.set_class(work is not None, "-told")
        self.view.flush()
        self.draw()
        if work is None:
            self.view.say_far(words)
        else:
            self.say(clean(words), bad=not self._good)
        self.wizard.call_person(f"{self.order.answers.name}: {words}")
        self.refresh_keys()

    @property
    def _good(self) -> bool:
        from installer.events import Outcome

        return self.outcome in (Outcome.DONE, Outcome.ALREADY)

    def _tell_changed(self, changed: Touched) -> None:
        self.wizard.memory.changed = changed
        for line in self.query(Headline):
            line.show(changed=changed.sentence, shorter=changed.short)

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """What stood against beginning is told here, and not on the step beneath."""
        error = event.worker.error
        if event.state is WorkerState.ERROR and error is not None:
            if is_gone(self):
                drop(error)
            elif isinstance(error, Problem):
                self.query_one(ProblemPanel).show(error)
            else:
                self.say(own_error(error), bad=True)

    def say(self, text: str, *, bad: bool = False, passing: bool = False) -> None:
        """A sentence in the panel."""
        self.query_one(ProblemPanel).note(text, bad=bad, passing=passing)

    # ---- its keys

    def action_stop(self) -> None:
        """Watch it no longer, after a question."""
        if not self.running:
            self.say("Nothing is under way.")
            return
        self.app.push_screen(
            SureScreen("Stop watching the update?", LEAVING, "Stop"),
            lambda sure: self.stop_engine() if sure else None,
        )

    def stop_engine(self) -> None:
        """Tell the engine to stop; it ends within a moment."""
        if self._work is not None and self.running:
            self._work.engine.control.stop(by=self.order.by)

    def action_go_on(self) -> None:
        """Go on with one that is not watched, or that was not begun."""
        if not self.running and not self.done:
            self._start(self.order)

    def action_take_over(self) -> None:
        """Take the site from whoever holds it, knowingly."""
        if self.running or self.locked is None:
            self.say("Nobody else holds this site.")
            return
        about = (
            f"{self.locked.cause} Speak with them first if you can. Theirs stops before its next "
            "step; what runs goes on. It stands in the record that you took it over."
        )

        def take(sure: bool | None) -> None:
            if sure:
                self._start(replace(self.order, take_over=True))

        self.app.push_screen(SureScreen("Take this site over?", about, "Take over"), take)

    def action_close(self) -> None:
        """Close the line of the search, or go back to the list once it has ended."""
        if self.log_panel.finding:
            self.log_panel.close_find()
        elif self.running:
            self.say(UNDER_WAY, passing=True)
        else:
            self.dismiss(None)


async def _nobody_asked(question: Question) -> Answer:
    """An update asks no person in the middle."""
    raise InputProblem(f"{question.title}: an update asks nobody", where=question.step)

"""Install: the run as it goes, its log, its questions, and every lever that a person has."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final

from textual.binding import Binding, BindingType

from foundation.problems import InputProblem
from screens.answers.wizard import StepId
from screens.run.ask_share import PANELS, panel_for
from screens.run.levers import LEVER_BINDINGS, LeverScreen
from screens.run.log_actions import LOG_BINDINGS
from screens.run.run_view import RunPicture
from screens.services.file_words import shown_path
from screens.services.memory import Changed, Touched
from screens.widgets.keys import Key

if TYPE_CHECKING:
    from installer.events import Event
    from installer.running.levers import Control
    from installer.steps.kind import Answer, Question
    from screens.answers.answers import Answers
    from screens.services.services import Order

UNDER_WAY: Final = "The installation is under way; s stops it, and what is done stays done."


class InstallScreen(LeverScreen):
    """Stages, machines, the live log; failures and questions where they come."""

    STEP = StepId.INSTALL
    CSS_PATH = "install.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        *LEVER_BINDINGS,
        *LOG_BINDINGS,
        Binding("a", "answer", "Answer", show=False),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.questions: list[tuple[Question, asyncio.Future[Answer]]] = []
        self.called = ""
        """What the person was called for last."""
        self.before = Touched()
        """What the record said of the machines before this session began."""

    def step_keys(self) -> Sequence[Key]:
        """The keys that mean something now."""
        if self.questions:
            return (Key("a", "Answer", "screen.answer"), *self.keys_now()[:3])
        return self.keys_now()

    def on_mount(self) -> None:
        """Begin what was confirmed, or show what has run."""
        self.begin_to_draw()
        order = self.memory.order
        if order is None:
            self.call_after_refresh(self.wizard.go, StepId.PLAN, self.answers)
            return
        self.view.begin(order.plan)
        if self.work is not None:
            self.outcome = self.work.engine.state.outcome
            self.draw()
        elif order.run is not None:
            self.say("g goes on with this installation where it stands; F2 takes passwords.")
            self.view.say_far("Not begun again yet: g goes on.")
            self.log_panel.folder = order.run
            self.draw_place()
            self.run_quietly(self._recall(order, order.run), group="recall")
        else:
            self.start(order)

    async def _recall(self, order: Order, run: Path) -> None:
        """Show how a run stands that was left unfinished, and what it did last."""
        state, events = await self.services.recall(run)
        if self.work is None and self.shown:
            self.view.arrive(events)
            while self.view.arrived:
                self.view.flush()
            last = state.last_time
            self.view.draw(RunPicture(order.plan, state, last, running=False))
            self.view.say_far(f"Not begun again yet: g goes on. {self.view.done_words}.")

    # ---- running

    def start(self, order: Order) -> None:
        """Begin the run, or go on with it."""
        self.running = True
        self.outcome = None
        self.locked = None
        self.say("")
        self.view.say_far("Looking at the machines once more before anything is begun.")
        self.run_quietly(self._carry(order), group="engine")

    async def _carry(self, order: Order) -> None:
        from installer.record.site_lock import Locked

        try:
            async with self.services.installing(order, self._ask, self._others) as work:
                self.memory.installed = work
                # Whatever comes, the next start goes on with this run, and takes nothing over.
                self.memory.order = replace(order, run=work.run.folder, take_over=False)
                self.draw_place()
                work.engine.subscribe(self.arrive)
                self.before = self.memory.changed
                self.tell_changed(Touched(Changed.NOW, order.by))
                self.outcome = await work.engine.run()
        except Locked as problem:
            self.locked = problem
            raise
        finally:
            self.memory.forget_unbegun(order)
            self.running = False
            self._ended()

    def arrive(self, events: Sequence[Event]) -> None:
        """Take a batch of events."""
        self.view.arrive(events)

    def _ended(self) -> None:
        """Say how it ended, in the headline too."""
        work = self.work
        order = self.memory.order
        if not self.shown:
            return
        if work is not None and order is not None and work.engine.state.changed:
            self.tell_changed(Touched(Changed.DONE, order.by, self.services.now()))
        elif self.memory.changed.state is Changed.NOW:
            self.tell_changed(self.before)
        self.panel.pass_over()
        self.view.flush()
        if work is None:
            self.view.say_far("It was not begun this time; the reason stands below.")
            self.log_panel.folder = None if order is None else order.run
            self.draw_place()
        else:
            folder = shown_path(work.run.folder)
            words = f"The record of the installation: {folder}"
            if words not in self.memory.last_words:
                self.memory.last_words.append(words)
        self.draw()
        if self.mends:
            self.memory.setting, self.mends = self.mends, ""
            self.call_after_refresh(self.wizard.go, StepId.SETTINGS, self.answers)

    def draw(self) -> None:
        """Everything but the lines, and the keys that mean something now."""
        super().draw()
        self.refresh_keys()
        self._tell_outside()

    def _tell_outside(self) -> None:
        """Keep the window's title, and call a person where one is needed or all is over."""
        work, name = self.work, self.answers.name
        if work is None:
            return
        done = self.view.done_words
        if self.failures:
            what = f"failed: {self.failures[0].step or self.failures[0].stage}"
        elif self.questions:
            what = "a question waits"
        elif self.running:
            what = ""
        else:
            what = "ended" if self.outcome is None else self.outcome.value
        self.wizard.show_title(f"{name}: {what or done}")
        if what != self.called and what:
            self.wizard.call_person(f"{name}: {what}. {done}.")
        self.called = what

    def draw_place(self) -> None:
        """Where the log lies on the disk, and whether somebody is asked something."""
        self.log_panel.waits = "A QUESTION WAITS: a answers it" if self.questions else ""
        super().draw_place()

    # ---- questions

    async def _ask(self, question: Question) -> Answer:
        """Put a question of the engine to the person; it waits until somebody answers."""
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self.questions.append((question, future))
        if not isinstance(self.app.screen, PANELS):
            self.action_answer()
        self.draw()
        try:
            return await future
        finally:
            self.questions = [pair for pair in self.questions if pair[1] is not future]
            if isinstance(self.app.screen, PANELS) and not self.questions:
                self.app.screen.dismiss(None)
            if self.is_mounted:
                self.draw()

    async def _others(self, text: str, control: Control) -> None:
        """Ask what to do about work of others; the panel goes where that ended by itself."""
        from screens.run.ask_others import OthersScreen, Theirs

        future: asyncio.Future[Theirs | None] = asyncio.get_running_loop().create_future()

        def take(wanted: Theirs | None) -> None:
            if not future.done():
                future.set_result(wanted)

        screen = OthersScreen(text)
        self.app.push_screen(screen, take)
        by = self.memory.order.by if self.memory.order is not None else self.memory.person
        try:
            wanted = await future
        except asyncio.CancelledError:
            screen.dismiss(None)
            raise
        if wanted is Theirs.END:
            control.end_theirs(by=by)
        elif wanted is Theirs.LEAVE:
            control.stop(by=by)
        else:
            self.say("It is waited for. s stops; F1 says more.", passing=True)

    def action_answer(self) -> None:
        """Open the question that has waited longest."""
        if not self.questions:
            self.say("Nothing is asked.")
            return
        question, future = self.questions[0]

        def take(answer: Answer | None) -> None:
            if answer is not None and not future.done():
                if question.hands is None and not question.wants:
                    self.memory.person = answer.by  # who has a share is another person
                future.set_result(answer)
                self.questions = [pair for pair in self.questions if pair[1] is not future]
                if self.questions:
                    self.call_after_refresh(self.action_answer)
            self.draw()

        waiting = len(self.questions) - 1
        self.app.push_screen(panel_for(question, self.memory.person, waiting), take)

    # ---- leaving the step

    def collect(self) -> Answers:
        """Nothing to add; raises InputProblem while it is under way."""
        if self.running:
            raise InputProblem(UNDER_WAY.rstrip("."), where="Install", remedy="s stops it.")
        return self.answers

    def action_next(self) -> None:
        """To the verification, once it has ended."""
        if self.running:
            self.say(UNDER_WAY, passing=True)
        elif self.work is None:
            self.say("Nothing has run yet; g begins.")
        else:
            super().action_next()

    def action_back(self) -> None:
        """Close the line of the search, or go back once it has ended."""
        if self.log_panel.finding:
            self.log_panel.close_find()
        elif self.running:
            self.say(UNDER_WAY, passing=True)
        else:
            super().action_back()

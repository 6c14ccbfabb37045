"""The levers of an installation: pause, stop, go on, take over; retry, skip and undo a failure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from textual.binding import Binding, BindingType

from foundation.problems import InputProblem
from screens.run.ask_person import NameScreen, Skip, SkipScreen, SureScreen
from screens.run.log_panel import LogPanel
from screens.run.run_screen import RunStepScreen
from screens.run.run_words import MEND_KEY, RETRY_KEY
from screens.widgets.keys import Key

if TYPE_CHECKING:
    from installer.record.site_lock import Locked
    from installer.running.work import Failure
    from screens.machines.login import LoginAnswer
    from screens.services.services import Order

LEVER_BINDINGS: Final[list[BindingType]] = [
    Binding("p", "pause", "Pause", show=False),
    Binding("s", "stop", "Stop", show=False),
    Binding("g", "go_on", "Go on", show=False),
    Binding("t", "take_over", "Take over", show=False),
    Binding("f2", "login", "Login", show=False),
    Binding("f3", "mend", "Settings", show=False),
    Binding("r", "retry(False)", "Retry", show=False),
    Binding("R", "retry(True)", "Retry all", show=False),
    Binding("k", "skip", "Skip", show=False),
    Binding("u", "undo", "Undo the stage", show=False),
    Binding("x", "next_failure", "Next failure", show=False),
]
LOG_KEYS: Final = (
    Key("f", "Filter", "screen.only"),
    Key("/", "Find", "screen.find"),
    Key("w", "Fold", "screen.wrap"),
    Key("c", "Copy", "screen.copy_lines"),
    Key("v", "Save", "screen.save_lines"),
    Key("y", "Copy path", "screen.copy_path"),
    Key("e", "End", "screen.follow"),
)
FOUND: Final = Key("n N", "Next found", "screen.find_next(-1)")
"""Shown once something was searched for; before that n asks what to look for, as / does."""


class LeverScreen(RunStepScreen):
    """A run that a person holds the levers of."""

    AGAIN = "g"

    def __init__(self) -> None:
        super().__init__()
        self.locked: Locked | None = None
        """Why the last start was refused, where another holds the site."""
        self.mends = ""
        """The setting to which the person goes as soon as the run has stopped."""

    def start(self, order: Order) -> None:
        """Begin the run, or go on with it."""
        raise NotImplementedError

    def keys_now(self) -> tuple[Key, ...]:
        """The keys that mean something as things stand."""
        work = self.work
        if self.running:
            if self.failures:
                others = len(self.failures) > 1
                return (
                    *((Key(MEND_KEY, "Settings", "screen.mend"),) if self._named else ()),
                    Key(RETRY_KEY, "Retry", "screen.retry(False)"),
                    *((Key("R", "All", "screen.retry(True)"),) if others else ()),
                    Key("k", "Skip", "screen.skip"),
                    Key("u", "Undo", "screen.undo"),
                    *((Key("x", "Other", "screen.next_failure"),) if others else ()),
                    Key("s", "Stop", "screen.stop"),
                    *self.log_keys,
                )
            paused = work is not None and work.engine.control.paused
            return (
                Key("p", "Go on" if paused else "Pause", "screen.pause"),
                Key("s", "Stop", "screen.stop"),
                *self.log_keys,
            )
        if self.locked is not None:
            return (Key("t", "Take over", "screen.take_over"), Key("g", "Again", "screen.go_on"))
        if work is None or not self.done:
            return (
                Key("g", "Go on", "screen.go_on"),
                Key("F2", "Login", "screen.login"),
                *self.log_keys,
            )
        return self.log_keys

    @property
    def done(self) -> bool:
        """Whether nothing is left to do."""
        from installer.events import Outcome

        return self.outcome in (Outcome.DONE, Outcome.ALREADY)

    @property
    def log_keys(self) -> tuple[Key, ...]:
        """The keys of the log that mean something now."""
        searched = any(panel.words for panel in self.query(LogPanel))  # none before the first paint
        return (*LOG_KEYS, FOUND) if searched else LOG_KEYS

    # ---- the whole run

    def action_pause(self) -> None:
        """Begin no further step, or go on."""
        work = self.work
        if work is None or not self.running:
            self.say("Nothing is under way; g goes on.")
        elif work.engine.control.paused:
            work.engine.control.go_on(by=work.order.by)
            self.say("It goes on.", passing=True)
        else:
            work.engine.control.pause(by=work.order.by)
            self.say("What runs comes to its end; then it waits. p goes on.", passing=True)
        self.draw()

    def action_stop(self) -> None:
        """Stop, after a question."""
        if self.work is None or not self.running:
            self.say("Nothing is under way.")
            return
        about = (
            "What runs on machines goes on there and is found again by the next start. Nothing "
            "more is begun; what is done stays done."
        )
        self.app.push_screen(
            SureScreen("Stop the installation?", about, "Stop"),
            lambda sure: self.stop_engine() if sure else None,
        )

    def stop_engine(self) -> None:
        """Tell the engine to stop; it ends within a moment."""
        if self.work is not None and self.running:
            self.work.engine.control.stop(by=self.work.order.by)

    def action_go_on(self) -> None:
        """Go on with a run that has stopped, failed, or was left unfinished."""
        self._begin_again(take_over=False)

    def action_take_over(self) -> None:
        """Take the site from whoever holds it, knowingly."""
        if self.running or self.locked is None:
            self.say("Nobody else holds this site.")
            return
        about = (
            f"{self.locked.cause} Speak with them first if you can. Theirs stops before its next "
            "step; what runs on the machines goes on and is found again. It stands in the record "
            "that you took it over."
        )
        self.app.push_screen(
            SureScreen("Take this site over?", about, "Take over"),
            lambda sure: self._begin_again(take_over=True) if sure else None,
        )

    def _begin_again(self, *, take_over: bool) -> None:
        order = self.memory.order
        if order is None or self.running:
            self.say("It is under way; p pauses and goes on." if self.running else "", passing=True)
            return
        if not order.by:
            self._ask_name(order, take_over=take_over)
            return
        order = replace(order, take_over=take_over)
        absent = [name for name in order.plan.secrets if name not in self.memory.secrets]
        if absent:
            from screens.run.ask_secrets import SecretsScreen

            self.app.push_screen(SecretsScreen(absent), lambda sure: self._go_on(order, sure))
        else:
            self._go_on(order, True)

    def _ask_name(self, order: Order, *, take_over: bool) -> None:
        """A run that was begun in another session is gone on with by name too."""

        def take(name: str | None) -> None:
            if name is not None:
                self.memory.person = name
                self.memory.order = replace(order, by=name)
                self._begin_again(take_over=take_over)

        about = "What runs on the machines is found again, and nothing is done twice."
        self.app.push_screen(
            NameScreen("Go on with the installation?", about, self._person()), take
        )

    def _person(self) -> str:
        """Who sits here as far as it is known: said before, or in the record of the site."""
        return self.memory.person or self.memory.changed.by

    def _go_on(self, order: Order, sure: bool | None) -> None:
        if sure:
            secrets = {name: self.memory.secrets[name] for name in order.plan.secrets}
            self.memory.installed = None
            self.start(replace(order, secrets=secrets, access=self.access))

    def action_login(self) -> None:
        """Passwords for the machines, which no file keeps; they hold from the next start on."""
        from screens.machines.login import LoginScreen

        self.app.push_screen(
            LoginScreen(self.answers.login, self.memory.credentials), self._take_login
        )

    def _take_login(self, answer: LoginAnswer | None) -> None:
        if answer is not None:
            self.memory.credentials = answer.credentials
            self.wizard.answers = self.answers.with_login(answer.login)

    # ---- failures

    @property
    def _named(self) -> str:
        """The setting that the failure in front names; empty where it names none."""
        from screens.run.run_words import named_settings

        failure, work = self._failure(), self.work
        if failure is None or work is None:
            return ""
        names = named_settings(failure.problem, dict(work.engine.plan.settings))
        return names[0] if names else ""

    def action_mend(self) -> None:
        """Stop, and go to the setting that the failure names."""
        name = self._named
        if not name:
            self.say("No setting is named by a failure here.")
            return
        about = (
            "The run stops: nothing more is begun, and what is done stays done. Then the setting "
            f"{name} is open, and the plan is made anew with it; what holds is found and not "
            "done twice."
        )

        def take(sure: bool | None) -> None:
            if sure:
                self.mends = name
                self.stop_engine()

        self.app.push_screen(SureScreen("Stop, and change the setting?", about, "Stop"), take)

    def _failure(self) -> Failure | None:
        failures = self.failures if self.running else ()
        return failures[min(self.view.place, len(failures) - 1)] if failures else None

    def action_next_failure(self) -> None:
        """The failure of the next machine."""
        if self.failures:
            self.view.place = (self.view.place + 1) % len(self.failures)
            self.draw()

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
        place = self._where(failure)
        self.say("Trying again everywhere." if everywhere else f"Trying again on {place}.")

    def _where(self, failure: Failure) -> str:
        from screens.run.run_words import places

        control = "" if self.work is None else self.work.engine.plan.control
        return places(failure, self.view.tasks, control)

    def action_skip(self) -> None:
        """Leave the failed step out on this machine, by name and with a reason."""
        failure = self._failure()
        if failure is None:
            self.say("Nothing waits to be skipped.")
            return
        title = self.view.titles.get(f"{failure.stage}/{failure.step}", failure.step)
        self.app.push_screen(
            SkipScreen(title, self._where(failure), self.memory.person),
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
        title = next((s.title for s in self.work.engine.plan.stages if s.id == stage), stage)

        def take(sure: bool | None) -> None:
            if sure and self.running:
                control.undo_stage(by=by, stage=stage)

        about = (
            f'What the stage "{title}" did is taken back, its last step first, where a step says '
            "how. The run ends then, and can be gone on with."
        )
        self.app.push_screen(SureScreen("Undo this stage?", about, "Undo"), take)

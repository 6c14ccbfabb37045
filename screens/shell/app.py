"""The wizard on a terminal: the app that owns the answers and leads from step to step.

Only what the first paint needs is imported here; a step's own module is imported when its step is
reached, and asyncssh, pydantic and the data files after the first paint.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from dataclasses import replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

from textual import events
from textual.binding import Binding, BindingType
from textual.css.query import NoMatches
from textual.dom import DOMNode
from textual.geometry import Size
from textual.screen import Screen
from textual.worker import Worker, WorkerState

from foundation.problems import ExitCode, Problem
from screens.answers.answers import Answers, load_answers, save_answers
from screens.answers.wizard import (
    StepId,
    after,
    before,
    later_of,
    may_jump,
    missing,
    needless,
    step_of,
)
from screens.services.memory import Changed, Memory
from screens.services.services import Access, Services
from screens.services.under_way import leave_what_is_under_way
from screens.shell.crash import own_error
from screens.shell.dialog import Dialog
from screens.shell.face import FaceApp, run_face
from screens.shell.late import at_work, drop, is_gone
from screens.shell.theme import Look
from screens.widgets.headline import Headline

if TYPE_CHECKING:
    from screens.shell.step import StepScreen

log = logging.getLogger(__name__)

SMALLEST: Final = (60, 18)
"""Columns and lines below which the wizard only says so."""

STOP_SECONDS: Final = 20.0
"""How long leaving waits for an engine to stop."""

_SCREENS: Final = {
    StepId.WELCOME: ("screens.welcome.welcome", "WelcomeScreen"),
    StepId.GOAL: ("screens.goal.goal", "GoalScreen"),
    StepId.MACHINES: ("screens.machines.machines", "MachinesScreen"),
    StepId.TRUST: ("screens.trust.trust", "TrustScreen"),
    StepId.PREFLIGHT: ("screens.preflight.preflight", "PreflightScreen"),
    StepId.SUMMARY: ("screens.summary.summary", "SummaryScreen"),
    StepId.SETTINGS: ("screens.settings.settings", "SettingsScreen"),
    StepId.SUPPLIES: ("screens.supplies.supplies", "SuppliesScreen"),
    StepId.PLAN: ("screens.plan.plan", "PlanScreen"),
    StepId.INSTALL: ("screens.run.install", "InstallScreen"),
    StepId.VERIFY: ("screens.run.verify", "VerifyScreen"),
    StepId.HAND_OVER: ("screens.run.hand_over", "HandOverScreen"),
}


class SitewrightApp(FaceApp):
    """The wizard."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f1", "help", "Help", show=False, priority=True),
        Binding("question_mark", "help", "Help", show=False),
        Binding("ctrl+q", "leave", "Quit", show=False, priority=True),
        Binding("ctrl+c", "leave", "Quit", show=False, system=True),
    ]

    def __init__(
        self,
        services: Services,
        *,
        site_file: Path | None = None,
        state_file: Path | None = None,
        look: Look | None = None,
    ) -> None:
        super().__init__(look)
        self.services = services
        self.site_file = site_file
        self.state_file = state_file
        self.answers = Answers()
        self.memory = Memory()
        self._recorded: tuple[str, ...] | None = None
        """The machines whose record was read; empty for all of this computer's."""
        self.site_written = False
        """Whether this session wrote the site file, so that its command may be shown."""

    def on_mount(self) -> None:
        """Show the welcome step, and give the terminal back when the session is ended."""
        self.push_screen(self._screen_for(StepId.WELCOME))
        self.show_title("Sitewright")
        # What reads a record loads YAML, pydantic and the facts, while nothing is painted yet.
        self.call_after_refresh(self.read_record)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGHUP):
            try:
                loop.add_signal_handler(number, self._hang_up)
            except (NotImplementedError, RuntimeError, ValueError):
                continue

    def _hang_up(self) -> None:
        self.keep_place()
        self.forget_title()
        self.exit(int(ExitCode.INTERRUPTED))

    def on_resize(self, event: events.Resize) -> None:
        """Cover a window that is too small, uncover it when it is large enough again."""
        self._cover(event.size)

    def _cover(self, size: Size) -> None:
        from screens.shell.small import SmallScreen

        covered = isinstance(self.screen, SmallScreen)
        small = size.width < SMALLEST[0] or size.height < SMALLEST[1]
        if small and not covered:
            self.push_screen(SmallScreen(SMALLEST))
        elif covered and not small:
            self.pop_screen()

    # ---- going from step to step

    def _screen_for(self, step: StepId) -> StepScreen:
        module, name = _SCREENS[step]
        screen: StepScreen = getattr(import_module(module), name)()
        return screen

    @property
    def step(self) -> StepId:
        """Where the person is."""
        return StepId(self.answers.step)

    def access(self) -> Access:
        """The machines as answered so far, with this session's secrets."""
        answers = self.answers
        return Access(answers.inventory(), self.memory.credentials, answers.login.sudo)

    def go(self, step: StepId, answers: Answers) -> None:
        """Show a step, with these answers; the place is kept on disk.

        Work of a screen that the person has left leads nowhere any more.
        """
        if is_gone(at_work()):
            return
        self.answers = replace(
            answers,
            step=step.value,
            furthest=later_of(answers.furthest, step.value),
            installable=self._installable(answers),
        )
        self.keep_place()
        self.read_record()
        while self.screen is not self.step_screen:
            self.pop_screen()  # a panel that a person opened while work was ending
        self.switch_screen(self._screen_for(step))
        self.show_title(f"Sitewright: {self.answers.name}, {step_of(step).word.lower()}")
        self._cover(self.size)

    def read_record(self) -> None:
        """Read what was done to the site's machines, unless this session is at work on them."""
        addresses = tuple(host.address for host in self.answers.machines)
        if addresses == self._recorded or self.memory.changed.state is Changed.NOW:
            return
        self._recorded = addresses
        before = self.memory.changed

        async def read() -> None:
            touched = await self.services.touched(addresses)
            # What was told meanwhile, by a run that began or ended, is newer than what was read.
            if addresses == self._recorded and self.memory.changed is before:
                self.memory.changed = touched
                for screen in self.screen_stack:
                    for line in screen.query(Headline):
                        line.show(changed=touched.sentence, shorter=touched.short)

        _: Worker[None] = self.run_worker(read, group="record", exclusive=True, exit_on_error=False)

    def _installable(self, answers: Answers) -> bool:
        """As the solution's own folder says, once it was read."""
        known = {solution.id: solution for solution in self.memory.solutions}
        if known and answers.solution is not None:
            chosen = known.get(answers.solution)
            return chosen is not None and chosen.installs(answers.environment)
        return answers.installable and answers.solution is not None

    def go_next(self, answers: Answers) -> None:
        """On to the next step, unless something is missing."""
        if is_gone(at_work()):
            return
        here = self.step
        answers = replace(answers, installable=self._installable(answers))
        why_not = missing(here, answers)
        if why_not is not None:
            self.step_screen.say(why_not, bad=True)
            return
        following = after(here, answers)
        if following is None:
            self.answers = answers
            self.keep_place()
            self.farewell()
            self.exit(int(ExitCode.DONE))
        else:
            self.go(following, answers)

    def go_back(self, answers: Answers) -> None:
        """Back to the step before; from the first one, ask whether to leave."""
        earlier = before(self.step, answers)
        if earlier is None:
            self.action_leave()
        else:
            self.go(earlier, answers)

    def jump(self, step: StepId) -> None:
        """To a step on the rail, where it was reached already."""
        if getattr(self.step_screen, "running", False):
            self.step_screen.say("The installation is under way; s stops it.", passing=True)
            return
        if may_jump(step, self.step, self.answers) and not needless(step, self.answers):
            self.go(step, self.answers)

    @property
    def step_screen(self) -> StepScreen:
        """The screen of the step, under whatever stands before it."""
        from screens.shell.step import StepScreen

        for screen in reversed(self.screen_stack):
            if isinstance(screen, StepScreen):
                return screen
        raise RuntimeError("no step is on the screen")

    @property
    def watching(self) -> Screen[Any] | None:
        """The screen whose run is under way; None where none is."""
        return next((s for s in reversed(self.screen_stack) if getattr(s, "running", False)), None)

    def keep_place(self) -> None:
        """Write the answers down; a disk that is full is told once and stops nothing."""
        if not self._answered:
            return  # nothing was answered yet, and an older place may still be wanted
        try:
            save_answers(replace(self.answers, saved_at=self.services.now()), self.state_file)
        except OSError as error:
            log.warning("the place could not be kept: %s", error)

    def saved_place(self) -> Any:
        """What an earlier session left; see screens.answers.answers.load_answers."""
        return load_answers(self.state_file)

    # ---- keys that work everywhere

    def action_help(self) -> None:
        """F1: explain what is on the screen; again, or Esc, to close."""
        from screens.shell.help import HelpScreen

        if isinstance(self.screen, HelpScreen):
            self.pop_screen()
        else:
            topic = getattr(self.screen, "HELP", None) or self.step.value
            self.push_screen(HelpScreen(topic, self.screen))

    def tell_quiet(self, state: str) -> None:
        """Say whether the bell is on."""
        self.step_screen.say(f"Bell and notification at an end or a failure are {state}.")

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """Work of the app itself that ended in an error says so."""
        if event.state is WorkerState.ERROR and event.worker.error is not None:
            self.work_failed(event.worker.error)

    def action_leave(self) -> None:
        """Ask whether to leave; the place is kept."""
        from screens.shell.leave import UNDER_WAY, LeaveScreen

        if isinstance(self.screen, LeaveScreen):
            self.pop_screen()
            return
        for screen in reversed(self.screen_stack):
            if isinstance(screen, Dialog) and screen.UNDER_WAY:
                screen.action_close()  # which asks whether to stop it
                return
        watching = self.watching
        words = "" if watching is None else getattr(watching, "LEAVING", UNDER_WAY)
        self.push_screen(LeaveScreen(self.memory.changed, words), self._leave)

    async def action_quit(self) -> None:
        """What Textual calls quitting asks here too."""
        self.action_leave()

    def _leave(self, sure: bool | None) -> None:
        if sure:
            self.keep_place()
            self.run_worker(self._stop_and_exit(), exit_on_error=False)

    async def _stop_and_exit(self) -> None:
        """Stop an engine that runs, so that its journal ends well; then leave."""
        code = ExitCode.DONE
        screen = self.watching
        if screen is not None:
            code = ExitCode.INTERRUPTED
            getattr(screen, "stop_engine", lambda: None)()
            engines = [worker for worker in self.workers if worker.group == "engine"]
            waiting = [asyncio.ensure_future(worker.wait()) for worker in engines]
            if waiting:
                await asyncio.wait(waiting, timeout=STOP_SECONDS)
                for wait in waiting:
                    wait.cancel()
                await asyncio.gather(*waiting, return_exceptions=True)
        self.farewell()
        self.exit(int(code))

    def farewell(self) -> None:
        """What to print after the screen is gone: what became of it, and how to go on."""
        self.memory.last_words = self.memory.farewell(kept=self._answered)

    @property
    def _answered(self) -> bool:
        answers = self.answers
        return answers.solution is not None or answers.carry or bool(answers.machines)

    # ---- errors

    @property
    def touched(self) -> str:
        """What is said of the machines after an error of ours."""
        changed = self.memory.changed
        if changed.state is Changed.NOW:
            return "what runs on machines goes on there"
        return changed.sentence[:1].lower() + changed.sentence[1:]

    def work_failed(self, error: BaseException, *, of: DOMNode | None = None) -> None:
        """The one place where the errors of work in the background arrive; the rest goes on."""
        if of is not None and is_gone(of):
            drop(error)
            return
        try:
            screen = self.step_screen
            if isinstance(error, Problem):
                screen.show_problem(error)
            else:
                screen.say(own_error(error), bad=True)
        except (NoMatches, RuntimeError):
            # The step in front is not drawn yet.
            self.set_timer(0.1, partial(self.work_failed, error))


def run_wizard(services: Services | None = None, *, site_file: Path | None = None) -> int:
    """Run the wizard on this terminal and return the exit code.

    Without a terminal that can be drawn on, the plain text face runs instead.
    """
    drawable = sys.stdin.isatty() and sys.stdout.isatty()
    if not drawable or os.environ.get("TERM", "dumb") in ("dumb", ""):
        from screens.plain.plain import run_plain

        return run_plain(services, site_file=site_file)
    if services is None:
        from screens.services.live import LiveServices

        services = LiveServices()
    app = SitewrightApp(services, site_file=site_file)
    app.ask_ground()
    try:
        code = run_face(app)
    finally:
        leave_what_is_under_way()
    if app.crash is None:
        for line in app.memory.last_words:
            print(line)
    return code

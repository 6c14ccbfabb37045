"""Run screen: a screen that watches a run, and the step of the wizard that does so with levers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final

from textual import events
from textual.app import ComposeResult
from textual.timer import Timer

from installer.running.settled_memory import settle_memory
from screens.run.log_actions import LogActions
from screens.run.log_panel import LogPanel
from screens.run.run_clock import waits_since
from screens.run.run_view import RunPicture, RunView
from screens.shell.late import LastingScreen
from screens.shell.step import StepScreen

if TYPE_CHECKING:
    from installer.events import Outcome
    from installer.running.work import Failure
    from screens.services.services import Installing, Services

FLUSH_SECONDS: Final = 1 / 20
"""How often lines may reach the screen."""


class WatchingScreen(LogActions, LastingScreen[None]):
    """Stages, machines and the live log of a run; whoever shows it says which run it is."""

    AGAIN: ClassVar[str] = ""
    """The key that goes on with a run that ended; "" where none does."""
    LEVERS: ClassVar[bool] = True
    """Whether a failure waits here for a person's word."""

    def __init__(self) -> None:
        super().__init__()
        self.running = False
        self.outcome: Outcome | None = None
        self.flusher: Timer | None = None
        self.clock: Timer | None = None
        self.view = RunView(id="view")
        """The run as it is drawn."""

    @property
    def work(self) -> Installing | None:
        """The run, once it was begun here."""
        raise NotImplementedError

    @property
    def services(self) -> Services:
        """The floors below."""
        raise NotImplementedError

    @property
    def log_panel(self) -> LogPanel:
        """The live log with its search and its place on the disk."""
        return self.view.log_panel

    def begin_to_draw(self) -> None:
        """Draw from now on: lines twenty times a second, times every second."""
        settle_memory()
        self.log_panel.log_view.focus()
        self.flusher = self.set_interval(FLUSH_SECONDS, self.flush)
        self.clock = self.set_interval(1.0, self.draw)

    @property
    def failures(self) -> tuple[Failure, ...]:
        """What failed and waits; not what is tried again or taken back just now."""
        from installer.events import Outcome

        if self.work is None:
            return ()
        engine = self.work.engine
        steps = engine.state.steps
        return tuple(
            failure
            for failure in engine.failures
            if (standing := steps.get((failure.stage, failure.step, failure.host))) is None
            or (not standing.running and standing.outcome is Outcome.FAILED)
        )

    @property
    def shown(self) -> bool:
        """Whether there is anything to draw on; a run goes on when its screen is gone."""
        return self.view.is_attached and self.view.is_mounted

    def flush(self) -> None:
        """Lines to the log, and the rest where something happened."""
        if self.view.flush():
            self.draw()

    def draw(self) -> None:
        """Everything but the lines, as it stands now."""
        work = self.work
        if work is None or not self.shown:
            return
        engine = work.engine
        if self.failures and not self.has_class("-failing"):
            self.say("")  # the room belongs to what failed now
        # What does not run takes no longer, and neither does what waits for a person.
        waits = waits_since(engine.state) if self.running else None
        now = self.services.now().timestamp() if self.running else engine.state.last_time
        if waits is not None:
            now = waits
        self.view.draw(
            RunPicture(
                plan=engine.plan,
                state=engine.state,
                now=now,
                expected=work.expected,
                failures=self.failures,
                ended=self.outcome,
                running=self.running,
                paused=engine.control.paused,
                levers=self.running and self.LEVERS,
                again=self.AGAIN,
                waits=waits,
            )
        )
        self.draw_place()

    def draw_place(self) -> None:
        """Where the log lies on the disk."""
        panel = self.log_panel
        if self.work is not None:
            panel.folder = self.work.run.folder
        panel.show_place()

    def on_resize(self, _event: events.Resize) -> None:
        """Other columns for another width."""
        self.call_after_refresh(self.draw)

    # ---- the log

    def machine_states(self) -> Mapping[str, str]:
        """Every machine of the plan with its state."""
        from screens.run.run_words import machine_states

        work = self.work
        return {} if work is None else machine_states(work.engine.plan, work.engine.state)

    def log_file(self, machine: str) -> Path | None:
        """The log of one machine on the disk."""
        from screens.run.run_words import log_of

        work = self.work
        return None if work is None else log_of(work.run, work.engine.plan, machine)

    async def write_text(self, path: Path, text: str) -> None:
        """Write a file; raises Problem."""
        await self.services.write_text(path, text)

    def on_log_panel_told(self, event: LogPanel.Told) -> None:
        """What the log has to say; a search gives its keys a meaning."""
        self.say(event.text)
        self.refresh_keys()

    def refresh_keys(self) -> None:
        """Say anew which keys mean something."""
        raise NotImplementedError


class RunStepScreen(StepScreen, WatchingScreen):
    """A step that shows the run of this session; what is styled as a step is its first base."""

    @property
    def work(self) -> Installing | None:
        """The installation of this session."""
        return self.memory.installed

    def compose_body(self) -> ComposeResult:
        """The run."""
        yield self.view

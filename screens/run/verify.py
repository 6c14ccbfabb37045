"""Verify: the checks at the end of an installation, with what they saw; they can be asked again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.timer import Timer
from textual.widgets import Static

from foundation.problems import InputProblem
from installer.record.errand import Errand
from screens.answers.wizard import StepId
from screens.shell.step import StepScreen
from screens.widgets.board import Board
from screens.widgets.keys import Key
from screens.widgets.quiet import put

if TYPE_CHECKING:
    from installer.plans.plan import Plan
    from installer.record.state import RunState
    from installer.steps.kind import Answer, Question
    from screens.answers.answers import Answers
    from screens.services.services import Order

UNDER_WAY = "The checks are being asked; s stops them."

NO_CHECKS = (
    "This solution has no checks to ask at the end; the report of the next step tells how each "
    "step ended."
)


class VerifyScreen(StepScreen):
    """Each check on each machine, and what it saw."""

    STEP = StepId.VERIFY
    CSS_PATH = "verify.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("r", "again", "Ask again", show=False),
        Binding("s", "stop", "Stop", show=False),
        Binding("p", "prove", "Prove its figures", show=False),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.running = False
        self.plan: Plan | None = None
        self.clock: Timer | None = None

    def compose_body(self) -> ComposeResult:
        """The verdict, the checks, the one under the cursor."""
        from screens.run.verify_words import COLUMNS

        yield Static("", id="verdict", markup=False)
        yield Board(COLUMNS, id="checks")
        with VerticalScroll(id="seen", can_focus=False):
            yield Static("", id="seen-text", markup=False)

    def step_keys(self) -> Sequence[Key]:
        """Ask again, or stop."""
        if self.running:
            return (Key("s", "Stop", "screen.stop"),)
        again = (Key("r", "Ask again", "screen.again"),) if self.plan is not None else ()
        prove = (Key("p", "Prove its figures", "screen.prove"),) if self.is_hub else ()
        return (*again, *prove)

    @property
    def is_hub(self) -> bool:
        """Whether what was installed is a hub, whose figures can be proven."""
        known = {one.id: one for one in self.memory.solutions}
        chosen = known.get(self.answers.solution or "")
        return chosen is not None and chosen.hub

    async def _know_solutions(self) -> None:
        self.memory.solutions = await self.services.solutions()
        self.refresh_keys()

    def action_prove(self) -> None:
        """An acceptance of the hub, on pages of its own."""
        from screens.acceptance.open_acceptance import ask_acceptance

        if self.running:
            self.say(UNDER_WAY, passing=True)
        elif self.is_hub:
            ask_acceptance(self)

    def on_mount(self) -> None:
        """Show what the installation itself found, or what was asked since."""
        from installer.plans.verification import verification

        self.query_one("#checks", Board).focus()
        if not self.memory.solutions:
            self.run_quietly(self._know_solutions(), group="solutions")
        work = self.memory.installed
        if work is None:
            self.call_after_refresh(self.wizard.go, StepId.PLAN, self.answers)
            return
        self.plan = verification(work.engine.plan)
        if self.plan is None:
            self.query_one("#verdict", Static).update(NO_CHECKS)
            self.query_one("#checks").display = self.query_one("#seen").display = False
            return
        self.clock = self.set_interval(0.5, self._draw)
        self._draw()

    @property
    def state(self) -> RunState | None:
        """Of the last verification, else of the installation itself."""
        work = self.memory.verified or self.memory.installed
        return None if work is None else work.engine.state

    def _draw(self) -> None:
        from screens.run.verify_words import check_rows, verdict

        plan, state = self.plan, self.state
        if plan is None or state is None:
            return
        put(verdict(plan, state, running=self.running), self.query_one("#verdict", Static))
        board = self.query_one("#checks", Board)
        rows = check_rows(plan, state)
        if [row.key for row in rows] != [row.key for row in board.rows]:
            board.set_rows(rows)
        else:
            board.update_rows(rows)
        self._explain(board.key)
        self.refresh_keys()

    def on_board_highlighted(self, event: Board.Highlighted) -> None:
        """Say what the check saw."""
        self._explain(event.key)

    def _explain(self, key: str | None) -> None:
        from screens.run.verify_words import about_check

        if key is not None and self.plan is not None and self.state is not None:
            put(about_check(self.plan, self.state, key), self.query_one("#seen-text", Static))

    # ---- asking again

    def action_again(self) -> None:
        """Ask every check again, as a run of its own that changes nothing."""
        order = self.memory.order
        if self.plan is None or order is None or self.running:
            return
        self.running = True
        self.say("")
        wanted = {name: self.memory.secrets[name] for name in self.plan.secrets}
        again = replace(
            order,
            plan=self.plan,
            access=self.access,
            secrets=wanted,
            run=None,
            errand=Errand.VERIFY,
        )
        self.run_quietly(self._ask(again), group="engine")

    async def _ask(self, order: Order) -> None:
        before = self.memory.verified
        try:
            async with self.services.installing(order, _nobody_asked) as work:
                self.memory.verified = work
                await work.engine.run()
        finally:
            if self.memory.verified is not None and not self.memory.verified.begun:
                self.memory.verified = before
            self.running = False
            if self.is_mounted:
                self._draw()

    def action_stop(self) -> None:
        """Ask no further."""
        self.stop_engine()

    def stop_engine(self) -> None:
        """Tell the engine to stop; it ends within a moment."""
        work = self.memory.verified
        if self.running and work is not None:
            work.engine.control.stop(by=work.order.by)

    # ---- leaving the step

    def collect(self) -> Answers:
        """Nothing to add; raises InputProblem while it is under way."""
        if self.running:
            raise InputProblem(UNDER_WAY.rstrip("."), where="Verify", remedy="s stops them.")
        return self.answers

    def action_back(self) -> None:
        """Back, once nothing is asked any more."""
        if self.running:
            self.say(UNDER_WAY, passing=True)
        else:
            super().action_back()


async def _nobody_asked(question: Question) -> Answer:
    """A verification asks no person."""
    raise InputProblem(f"{question.title}: a verification asks nobody", where=question.step)

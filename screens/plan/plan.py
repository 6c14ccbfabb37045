"""Plan: every stage and step before anything is done, and the one place where it is begun."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from foundation.wording import duration
from screens.answers.wizard import StepId
from screens.services.judging import stands_against, with_settled_roles
from screens.services.services import Order
from screens.shell.step import StepScreen
from screens.widgets.board import Board, Cell, Column, Row
from screens.widgets.keys import Key
from screens.words.plan_words import (
    about_step,
    not_ready,
    size_sentence,
    undo_word,
    where,
)

if TYPE_CHECKING:
    from installer.plans.plan import Plan, PlannedStage, PlannedStep
    from installer.supply.bundle_order import OlderBundle

COLUMNS = (Column("step"), Column("machines"), Column("usually"), Column("undo", 7))


class PlanScreen(StepScreen):
    """The plan, read before it is begun."""

    STEP = StepId.PLAN
    NEXT = "Begin"
    CSS_PATH = "plan.tcss"
    KEYS: ClassVar[tuple[Key, ...]] = (Key("Enter", "Open", "screen.open"),)
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "Open", show=False),
        Binding("o", "older", "Allow an older bundle", show=False),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.too_old: OlderBundle | None = None
        """Why there is no plan, where its bundle is older than the one that the site had."""

    def step_keys(self) -> Sequence[Key]:
        """The keys that mean something now."""
        return (
            (*self.KEYS, Key("o", "Older bundle", "screen.older")) if self._older() else self.KEYS
        )

    def _older(self) -> bool:
        """Whether an older bundle could be allowed: one waits for it, or the plan has a bundle."""
        supplies = dict(self.memory.plan.supplies) if self.memory.plan is not None else {}
        return self.too_old is not None or bool(supplies and not supplies.get("older"))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """An older bundle is allowed where there is one."""
        return self._older() if action == "older" else super().check_action(action, parameters)

    def compose_body(self) -> ComposeResult:
        """How much it is, the steps, the one under the cursor."""
        yield Static("", id="size", markup=False)
        yield Board(COLUMNS, id="steps")
        with VerticalScroll(id="glance", can_focus=False):
            yield Static("", id="glance-text", markup=False)

    def on_mount(self) -> None:
        """Make the plan; without a judgement, which a resume brings about, judge first."""
        self.query_one("#steps", Board).focus()
        if self.memory.assessment is None:
            self.call_after_refresh(self.wizard.go, StepId.PREFLIGHT, self.answers)
            return
        self.run_quietly(self._make(), group="plan")

    async def _make(self) -> None:
        self.memory.plan = None  # what was planned before other answers must not be begun
        answers = with_settled_roles(self.answers, self.memory)
        from installer.supply.bundle_order import OlderBundle

        try:
            plan = await self.services.plan(answers, self.memory.older)
        except OlderBundle as problem:
            self.too_old = problem
            self.call_after_refresh(self.action_older)
            raise
        self.too_old = None
        self.memory.first_time = await self.services.first_time(plan, answers)
        self.memory.plan = plan
        self.query_one("#size", Static).update(size_sentence(plan))
        self.query_one("#steps", Board).set_rows(_rows(plan))
        self.refresh_keys()
        if not self._tell_objections():
            self.say(" ".join(self.memory.first_time))

    def _tell_objections(self) -> bool:
        """Say what stands against beginning; False where nothing does."""
        against = stands_against(self.answers, self.memory)
        self.set_class(bool(against), "-refused")
        if against:
            self.show_problem(not_ready(against))
        return bool(against)

    # ---- an older bundle

    def _ask_older(self, this: str, before: str, index: str) -> None:
        from screens.plan.ask_older import OlderScreen

        def take(name: str | None) -> None:
            if name:
                self.memory.older[index] = name
                self.memory.person = name
                self.say("")
                self.run_quietly(self._make(), group="plan")

        person = self.memory.person or self.services.person()
        self.app.push_screen(OlderScreen(this, before, person), take)

    def action_older(self) -> None:
        """Take an older bundle than the site or its machines had, on a person's word."""
        if self.too_old is not None:
            old = self.too_old
            self._ask_older(str(old.this), str(old.before), old.this.index)
            return
        supplies = dict(self.memory.plan.supplies) if self.memory.plan is not None else {}
        index = supplies["index"]
        self._ask_older(f"{supplies['bundle']} ({index[7:19]})", "", index)

    # ---- reading it

    def _step(self, key: str | None) -> tuple[PlannedStage, PlannedStep] | None:
        plan = self.memory.plan
        for stage in plan.stages if plan else ():
            for step in stage.steps:
                if step.key == key:
                    return stage, step
        return None

    @property
    def _control(self) -> str:
        """The machine from which everything is run, where the site names one."""
        return "" if self.memory.plan is None else self.memory.plan.control

    def on_board_highlighted(self, event: Board.Highlighted) -> None:
        """Say where, why, and whether it can be taken back."""
        found = self._step(event.key)
        if found is None:
            return
        parts: list[str | tuple[str, str]] = []
        for label, text in about_step(*found, self._control):
            weight = "bold $warning" if label.startswith("cannot") else "bold"
            if parts:
                parts.append("\n")
            parts += [(f"{label}: ", weight), text] if label else [(text, "bold")]
        self.query_one("#glance-text", Static).update(Content.assemble(*parts))
        self.query_one("#glance", VerticalScroll).scroll_home(animate=False)

    def on_board_chosen(self, event: Board.Chosen) -> None:
        """Enter opens a step."""
        event.stop()
        self.action_open()

    def action_open(self) -> None:
        """The step under the cursor in full: commands and rendered files."""
        from screens.plan.step_panel import StepPanel

        found = self._step(self.query_one("#steps", Board).key)
        if found is not None:
            self.app.push_screen(StepPanel(*found, self.memory.plan))

    # ---- beginning it

    def action_next(self) -> None:
        """Begin, after a last question; refused where preflight says not ready."""
        plan = self.memory.plan
        if plan is None:
            self.say("There is no plan yet; what is missing stands above.", bad=True)
            return
        if self._tell_objections():
            return
        absent = [name for name in plan.secrets if name not in self.memory.secrets]
        if not absent:
            self._ask_begin(True)
            return
        from screens.run.ask_secrets import SecretsScreen

        self.app.push_screen(SecretsScreen(absent), self._ask_begin)

    def _ask_begin(self, sure: bool | None) -> None:
        from screens.plan.begin import BeginScreen

        if sure and self.memory.plan is not None:
            known = self.memory.person or self.services.person()
            person = known or self.memory.changed.by
            screen = BeginScreen(self.memory.plan, person, self.memory.first_time)
            self.app.push_screen(screen, self._begin)

    def _begin(self, by: str | None) -> None:
        plan = self.memory.plan
        if by is None or plan is None:
            return
        self.memory.person = by
        self.memory.installed = None
        self.memory.order = Order(
            answers=with_settled_roles(self.answers, self.memory),
            plan=plan,
            access=self.access,
            secrets={name: self.memory.secrets[name] for name in plan.secrets},
            by=by,
        )
        self.wizard.go_next(self.answers)


def _rows(plan: Plan) -> list[Row]:
    rows = []
    for number, stage in enumerate(plan.stages, 1):
        title = f"{number}. {stage.title}, {duration(stage.expected_seconds)}"
        rows.append(Row(f"stage {stage.id}", (Cell(title),), heading=True))
        rows += [
            Row(
                step.key,
                (
                    Cell(f"  {step.title}"),
                    Cell(where(step, plan.control)),
                    Cell(duration(step.expected_seconds), "muted"),
                    Cell(undo_word(step), "warn" if step.irreversible else "muted"),
                ),
            )
            for step in stage.steps
        ]
    return rows

"""The review of an update: what, why, at what risk, whose, and what must hold before it begins."""

from __future__ import annotations

from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, ClassVar

from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.widgets import Static

from foundation.problems import Problem
from preflight.report.words import clean, clean_lines
from screens.run.ask_person import NameScreen
from screens.services.cluster_way import order_of
from screens.services.services import Order, ToApply
from screens.shell.dialog import Buttons, Dialog, Foot, Form
from screens.widgets.field import Field, Line
from screens.widgets.keys import Key
from screens.words.applied_words import (
    TITLE,
    against,
    by_word,
    problem_words,
    review_entries,
)


@dataclass(frozen=True, slots=True)
class Begins:
    """Who begins an update, and why it may go without a verified backup, where it does."""

    by: str
    without: str = ""


class ReviewUpdateScreen(Dialog[Order]):
    """All of one update on the whole screen; returns what to carry through, once it was confirmed.

    Approvals are given here too: each by the person who sits here then.
    """

    HELP = "updates-review"
    KEYS: ClassVar[tuple[Key, ...]] = (Key("a", "Approve", "screen.approve"),)
    BINDINGS: ClassVar[list[BindingType]] = [Binding("a", "approve", "Approve", show=False)]

    def __init__(self, to_apply: ToApply) -> None:
        super().__init__()
        self.to_apply = to_apply

    @property
    def keys(self) -> tuple[Key, ...]:
        """Approving is one where the site asks for it."""
        return self.KEYS if self._asks else ()

    @property
    def _asks(self) -> bool:
        updates = self.to_apply.answers.site.updates
        return self.to_apply.run is None and updates is not None and bool(updates.approvals)

    def compose(self) -> ComposeResult:
        """The lines, what was said last, the buttons."""
        title = TITLE if self.to_apply.run is None else "See this update to its end?"
        with Vertical(classes="dialog -whole"):
            yield Static(title, classes="dialog-title", markup=False)
            with VerticalScroll(classes="dialog-scroll"):
                yield Static("", id="review", markup=False)
            yield Static("", classes="dialog-error", id="wrong", markup=False)
            yield Buttons("Begin" if self.to_apply.run is None else "Go on")

    def on_mount(self) -> None:
        """The arrows scroll it."""
        self._show()
        self.query_one(VerticalScroll).focus()

    def _show(self) -> None:
        self.query_one("#review", Static).update(self.lines())
        gate = against(self.to_apply.gates, word=by_word(self.to_apply.answers.site))
        self.wrong("" if gate is None else "It may not begin as things are; see above.")

    def lines(self) -> Table:
        """The review, what stands against beginning in the colour of that."""
        one = self.to_apply
        table = Table.grid(padding=(0, 1, 0, 0), expand=True)
        table.add_column(no_wrap=True, width=9)
        table.add_column(ratio=1)
        file = one.answers.site_file
        site = one.answers.name + ("" if file is None else f", {file}")
        for label, text, bad in review_entries(one.plan, one.prepared, one.gates, site):
            style = "bold" if label == "what" or bad else ""
            sign = "! " if bad else ""
            whole = Text("\n".join(clean_lines(f"{sign}{text}")), style, overflow="fold")
            table.add_row(Text(label, style), whole)
        return table

    def _work(self, work: Coroutine[Any, Any, None]) -> None:
        self.run_worker(work, group="review", exclusive=True, exit_on_error=False)

    # ---- approving

    def action_approve(self) -> None:
        """Take the word of the person who sits here."""
        if not self._asks:
            self.wrong("The site asks for no approval.")
            return
        about = (
            f"Of the plan {self.to_apply.plan.sha256[:12]} as it stands here, for 14 days; a "
            "workload that changes meanwhile makes another plan. Nothing is begun."
        )
        ask = NameScreen("Who approves it?", about, "", "Approve")
        self.app.push_screen(ask, lambda name: self._work(self._approve(name)) if name else None)

    async def _approve(self, name: str) -> None:
        try:
            self.to_apply = await self.wizard.services.approve_update(self.to_apply, name)
        except Problem as problem:
            self.wrong(clean(problem_words(problem)))
        else:
            self._show()

    # ---- beginning

    def action_take(self) -> None:
        """Ask who begins it, where nothing stands against it."""
        gate = against(self.to_apply.gates, word=by_word(self.to_apply.answers.site))
        if gate is not None and gate.shut is not None:
            self.wrong(clean(problem_words(gate.shut)))
            return
        shut = against(self.to_apply.gates) is not None
        wizard = self.wizard
        person = wizard.memory.person or wizard.services.person()
        ask = BeginUpdateScreen(self.to_apply, person, asks_why=shut)
        self.app.push_screen(ask, lambda said: self._work(self._begin(said)) if said else None)

    async def _begin(self, said: Begins) -> None:
        """The gates are asked once more: a window may have closed since."""
        one, wizard = self.to_apply, self.wizard
        wizard.memory.person = said.by
        plan = one.plan
        if one.run is None:
            try:
                plan = await wizard.services.through_gates(one, said.by, said.without)
            except Problem as problem:
                self.wrong(clean(problem_words(problem)))
                return
        self.dismiss(order_of(one, plan, said.by))


class BeginUpdateScreen(Form[Begins]):
    """The last question before a workload is changed: by whom, and why without a backup."""

    HELP = "updates-review"
    GRAVE = True

    def __init__(self, to_apply: ToApply, person: str, *, asks_why: bool) -> None:
        super().__init__()
        self.to_apply = to_apply
        self.person = person
        self.asks_why = asks_why

    def compose(self) -> ComposeResult:
        """What is begun, the name, the reason where one is asked for, the buttons."""
        going_on = self.to_apply.run is not None
        titles = clean("; ".join(stage.title for stage in self.to_apply.plan.stages))
        with Vertical(classes="dialog -wide"):
            ask = "Go on with it?" if going_on else "Begin the update?"
            yield Static(ask, classes="dialog-title", markup=False)
            yield Static(f"{titles}.", classes="paragraph", markup=False)
            with Foot():
                yield Field("Your name", id="by", value=self.person, example="for the record")
                if self.asks_why:
                    yield Field("Without a backup", id="why", example="the reason, for the record")
                yield Static("", classes="dialog-error", id="wrong", markup=False)
                yield Buttons("Go on" if going_on else "Begin")

    def on_mount(self) -> None:
        """Begin on the button that changes nothing, or where a word is missing."""
        self.query_one("#why" if self.asks_why else "#cancel" if self.person else "#by").focus()

    def action_take(self) -> None:
        """Yes, by name."""
        by = self.query_one("#by", Line).value.strip()
        why = self.query_one("#why", Line).value.strip() if self.asks_why else ""
        if not by:
            self.wrong("Say who begins it; it stands in the record.")
            self.query_one("#by", Line).focus()
        elif self.asks_why and not why:
            self.wrong("Its data change, and no backup was verified: say why it goes without one.")
            self.query_one("#why", Line).focus()
        else:
            self.dismiss(Begins(by, why))

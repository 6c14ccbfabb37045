"""Step panel: one planned step in full, with its commands and the files that it brings."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.widgets import Static

from preflight.report.words import clean_lines
from screens.shell.dialog import Dialog
from screens.widgets.keys import KeyLine
from screens.words.plan_words import step_lines

if TYPE_CHECKING:
    from installer.plans.plan import Plan, PlannedStage, PlannedStep


class StepPanel(Dialog[None]):
    """What a step runs, word for word."""

    HELP = "plan"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "close", "Close", show=False)]

    def __init__(self, stage: PlannedStage, step: PlannedStep, plan: Plan | None = None) -> None:
        super().__init__()
        self.plan = plan
        self.stage = stage
        self.step = step

    def compose(self) -> ComposeResult:
        """The title and everything else, to scroll through."""
        with Vertical(classes="dialog -whole"):
            yield Static(self.step.key, classes="dialog-title", markup=False)
            with VerticalScroll(classes="dialog-scroll", id="lines"):
                lines = clean_lines("\n".join(step_lines(self.stage, self.step, self.plan)))
                yield Static("\n".join(lines), markup=False)
            yield KeyLine(self.KEYS, id="dialog-keys")

    def on_mount(self) -> None:
        """The arrows scroll."""
        self.query_one("#lines").focus()

"""A waiver: who accepts a finding, why, and until when."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Input, Static

from foundation.problems import InputProblem
from preflight.findings import Finding, Waiver
from preflight.report.words import clean
from screens.dialog import Dialog
from screens.waiver_words import waiver_from
from screens.widgets.field import Field, Line
from screens.widgets.press import Press


class WaiveScreen(Dialog[Waiver]):
    """Three lines: name, reason, last day."""

    HELP = "waive"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f10,ctrl+n", "take", "Waive", show=False, priority=True),
        Binding("up", "app.focus_previous", show=False),
        Binding("down", "app.focus_next", show=False),
    ]

    def __init__(self, finding: Finding) -> None:
        super().__init__()
        self.finding = finding

    def compose(self) -> ComposeResult:
        """What is waived, the lines, the buttons."""
        finding = self.finding
        where = f" on {finding.host}" if finding.host else ""
        with Vertical(classes="dialog -wide"):
            yield Static(f"Waive {finding.id}{where}?", classes="dialog-title", markup=False)
            yield Static(
                f"{clean(finding.title)}\nIt will stand in every report with this name and reason.",
                classes="paragraph",
                markup=False,
            )
            yield Field("Who accepts it", id="by", example="first and last name")
            yield Field("Why", id="reason", example="what makes it acceptable")
            yield Field("Last day", id="until", example="YYYY-MM-DD")
            yield Static("", classes="dialog-error", id="wrong", markup=False)
            with Horizontal(classes="dialog-buttons"):
                yield Press("Cancel Esc", id="cancel", action="screen.close")
                yield Press("Waive F10", id="take", action="screen.take", primary=True)

    def on_mount(self) -> None:
        """Begin with the name."""
        self.query_one("#by", Line).focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter goes to the next line, and takes it on the last."""
        event.stop()
        if event.input.id == "until":
            self.action_take()
        else:
            self.focus_next()

    def action_take(self) -> None:
        """Close with the waiver, if it can stand."""
        try:
            waiver = waiver_from(
                self.finding,
                self.query_one("#by", Line).value,
                self.query_one("#reason", Line).value,
                self.query_one("#until", Line).value,
                self.wizard.services.now().date(),
            )
        except InputProblem as problem:
            self.query_one("#wrong", Static).update(f"{problem.cause}. {problem.remedy}")
            self.query_one(f"#{problem.where or 'by'}", Line).focus()
            return
        self.dismiss(waiver)

"""A waiver: who accepts a finding, why, and until when."""

from __future__ import annotations

from enum import Enum
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Static

from foundation.problems import InputProblem
from preflight.findings import Finding, Waiver
from preflight.report.words import clean
from screens.shell.dialog import Buttons, Form
from screens.widgets.field import Field, Line
from screens.widgets.press import Press
from screens.words.waiver_words import waiver_from


class TakenBack(Enum):
    """The answer that takes a waiver back."""

    YES = "taken back"


class WaiveScreen(Form[Waiver | TakenBack]):
    """Three lines: name, reason, last day; filled where the finding is waived already."""

    HELP = "waive"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f8", "take_back", "Take back", show=False, priority=True),
    ]

    def __init__(self, finding: Finding, person: str = "") -> None:
        super().__init__()
        self.finding = finding
        self.before = finding.waiver
        self.person = person

    def compose(self) -> ComposeResult:
        """What is waived, the lines, the buttons."""
        finding = self.finding
        where = f" on {finding.host}" if finding.host else ""
        with Vertical(classes="dialog -wide"):
            before = self.before
            title = f"Change the waiver of {finding.id}" if before else f"Waive {finding.id}"
            yield Static(f"{title}{where}?", classes="dialog-title", markup=False)
            yield Static(
                f"{clean(finding.title)}\nIt will stand in every report with this name and reason.",
                classes="paragraph",
                markup=False,
            )
            by = before.by if before else self.person
            until = before.until.isoformat() if before else ""
            reason = before.reason if before else ""
            yield Field("Who accepts it", id="by", value=by, example="first and last name")
            yield Field("Why", id="reason", value=reason, example="what makes it acceptable")
            yield Field("Last day", id="until", value=until, example="YYYY-MM-DD")
            yield Static("", classes="dialog-error", id="wrong", markup=False)
            back = Press("Take back F8", id="back", action="screen.take_back") if before else None
            yield Buttons("Waive", third=back)

    def on_mount(self) -> None:
        """Begin with the name, or with the reason where the name is known."""
        self.query_one("#reason" if self.person and not self.before else "#by", Line).focus()

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
            self.wrong(f"{problem.cause}. {problem.remedy}")
            self.query_one(f"#{problem.where or 'by'}", Line).focus()
            return
        self.dismiss(waiver)

    def action_take_back(self) -> None:
        """Waived no longer: the finding counts again."""
        if self.before is not None:
            self.dismiss(TakenBack.YES)

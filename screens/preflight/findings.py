"""Findings: one machine's findings, the one under the cursor in full."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.widgets import Static

from preflight.findings import Finding
from preflight.report.words import clean, clean_lines
from preflight.waivers import waivable
from screens.shell.dialog import Dialog
from screens.widgets.board import Board, Cell, Column, Row
from screens.widgets.keys import Key, KeyLine
from screens.words.waiver_words import NOT_WAIVABLE
from screens.words.words import by_weight, finding_tone, finding_word, host_sentence, to_mend

if TYPE_CHECKING:
    from preflight.findings import Waiver
    from screens.preflight.preflight import PreflightScreen
    from screens.preflight.waive import TakenBack


class FindingsScreen(Dialog[None]):
    """The findings of one machine, or with no name those between the machines."""

    HELP = "machine"
    KEYS = (
        Key("Enter", "Whole", "screen.whole"),
        Key("r", "Again", "screen.again"),
        Key("w", "Waive", "screen.waive"),
        Key("f", "To mend", "screen.filter"),
        Key("Esc", "Close", "screen.close"),
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("r", "again", "Look again", show=False),
        Binding("w", "waive", "Waive", show=False),
        Binding("f", "filter", "Filter", show=False),
        Binding("z,ctrl+z", "undo", "Take back", show=False),
    ]

    @property
    def keys(self) -> tuple[Key, ...]:
        """Those of the panel; a waiver that is there is opened, to be corrected or taken back."""
        finding = self._current() if self.query("#findings") else None
        if finding is None or finding.waiver is None:
            return self.KEYS
        waiver = Key("w", "Waiver", "screen.waive")
        return tuple(waiver if key.label == "w" else key for key in self.KEYS)

    def __init__(self, name: str | None) -> None:
        super().__init__()
        self.shown: list[Finding] = []
        self.host_name = name
        self.only_open = False
        self.before: dict[tuple[str, str], Finding] = {}
        """The findings before a second look, to say what has changed."""

    @property
    def step_screen(self) -> PreflightScreen:
        """The step beneath, which owns the results."""
        from screens.preflight.preflight import PreflightScreen

        screen = self.wizard.step_screen
        assert isinstance(screen, PreflightScreen)  # noqa: S101 - only that step opens this panel
        return screen

    def compose(self) -> ComposeResult:
        """Title, list, the finding in full, keys."""
        with Vertical(classes="dialog -whole"):
            yield Static(self._title(), classes="dialog-title", id="about", markup=False)
            yield Board(
                (Column("", 6), Column("check", name=True), Column("what")),
                id="findings",
                header=False,
            )
            with VerticalScroll(id="detail"):
                yield Static("", id="detail-text", markup=False)
            yield Static("", id="told", markup=False)
            yield KeyLine(self.KEYS, id="dialog-keys")

    def on_mount(self) -> None:
        """Begin with the worst finding."""
        self.show_findings()
        self.query_one("#findings", Board).focus()
        self.set_interval(0.2, self._follow)

    def _title(self) -> str:
        if self.host_name is None:
            many = len(self.wizard.memory.seen) > 1
            return "Between the machines" if many else "Around the machine"
        result = self.step_screen.results.get(self.host_name)
        if result is None:
            return self.host_name
        roles = f" as {', '.join(result.roles)}" if result.roles else ""
        return clean(f"{self.host_name}{roles}: {host_sentence(result)}")

    def _findings(self) -> list[Finding]:
        if self.host_name is None:
            found = list(self.step_screen.between or ())
        else:
            result = self.step_screen.results.get(self.host_name)
            found = list(result.findings) if result else []
        return by_weight(to_mend(found) if self.only_open else found)

    def show_findings(self) -> None:
        """Draw the list and the title anew."""
        self.shown = self._findings()
        self.query_one("#about", Static).update(self._title())
        board = self.query_one("#findings", Board)
        board.set_rows(
            Row(
                key_of(finding),
                (
                    Cell(finding_word(finding), finding_tone(finding)),
                    Cell(finding.id, "muted"),
                    Cell(clean(finding.title)),
                ),
            )
            for finding in self.shown
        )
        self._explain()

    def _follow(self) -> None:
        """Show new results of a second look when they are there; nothing is drawn without news."""
        if self._findings() != self.shown:
            self.show_findings()
            if self.before and self.host_name not in self.step_screen.looking:
                self._tell_changes()

    def _tell_changes(self) -> None:
        now = {(f.id, f.subject): f for f in self._findings()}
        changed = [
            f"{f.id}: was {finding_word(self.before[key])}, now {finding_word(f)}"
            for key, f in now.items()
            if key in self.before and finding_word(self.before[key]) != finding_word(f)
        ]
        self.before = {}
        self._say("; ".join(changed[:3]) if changed else "Looked again: nothing has changed.")

    def _say(self, text: str) -> None:
        self.query_one("#told", Static).update(text)

    def _current(self) -> Finding | None:
        key = self.query_one("#findings", Board).key
        return next((finding for finding in self.shown if key_of(finding) == key), None)

    def on_board_highlighted(self, _event: Board.Highlighted) -> None:
        """Show the finding under the cursor."""
        self._explain()

    def _explain(self) -> None:
        finding = self._current()
        text = "Nothing to mend here." if finding is None else detail(finding)
        self.query_one("#detail-text", Static).update(text)
        self.query_one("#detail", VerticalScroll).scroll_home(animate=False)
        self.refresh_keys()

    def on_board_chosen(self, event: Board.Chosen) -> None:
        """Enter shows the finding on the whole screen."""
        event.stop()
        self.action_whole()

    def action_whole(self) -> None:
        """The finding alone, with room for long remedies."""
        finding = self._current()
        if finding is not None:
            self.app.push_screen(WholeScreen(finding))

    def action_again(self) -> None:
        """Look at this machine again, and say what has changed."""
        names = (
            [self.host_name]
            if self.host_name is not None
            else [host.name for host in self.step_screen.hosts]
        )
        self.before = {(f.id, f.subject): f for f in self._findings()}
        if self.step_screen.again(names):
            self._say("Looking again.")
        else:
            self._say("These facts come from a file; there is no machine to look at again.")

    def action_filter(self) -> None:
        """All findings, or only those to mend."""
        self.only_open = not self.only_open
        self.show_findings()
        self._say("Only what is to mend." if self.only_open else "All findings.")

    def action_waive(self) -> None:
        """Ask for a waiver of the finding under the cursor."""
        from screens.preflight.waive import WaiveScreen

        finding = self._current()
        if finding is None:
            return
        if finding.waiver is None and finding not in to_mend([finding]):
            self._say("There is nothing to waive in this finding.")
        elif not waivable(finding):
            self._say(NOT_WAIVABLE)
        else:
            person = self.wizard.memory.person
            self.app.push_screen(
                WaiveScreen(finding, person), lambda answer: self._waived(finding, answer)
            )

    def _waived(self, finding: Finding, answer: Waiver | TakenBack | None) -> None:
        from screens.preflight.waive import TakenBack

        if answer is None:
            return
        if isinstance(answer, TakenBack):
            self.step_screen.waive(finding.id, finding.host, None)
            self._say("Taken back: the finding counts again. z puts the waiver back.")
            return
        self.wizard.memory.person = answer.by
        self.step_screen.waive(answer.check, answer.host, answer)
        until = answer.until.isoformat()
        self._say(f"Waived until {until}; it stands in every report. z takes it back.")

    def action_undo(self) -> None:
        """Take back what was done last on this step."""
        self._say(self.step_screen.take_back())


class WholeScreen(Dialog[None]):
    """One finding on the whole screen."""

    HELP = "machine"

    def __init__(self, finding: Finding) -> None:
        super().__init__()
        self.finding = finding

    def compose(self) -> ComposeResult:
        """The finding, scrolling."""
        with Vertical(classes="dialog -whole"):
            with VerticalScroll(classes="dialog-scroll"):
                yield Static(detail(self.finding), markup=False)
            yield KeyLine(self.KEYS, id="dialog-keys")


def key_of(finding: Finding) -> str:
    """What tells a finding from the others of its machine."""
    return f"{finding.id}\0{finding.subject}\0{finding.severity}"


def detail(finding: Finding) -> Table:
    """A finding in full: what was asked, what is, who asks, how to see it, mend it, undo that."""
    table = Table.grid(padding=(0, 1, 0, 0), expand=True)
    table.add_column(no_wrap=True, width=9)
    table.add_column(ratio=1)
    table.add_row(Text(finding_word(finding), "bold"), Text(clean(finding.title), "bold"))
    waiver = finding.waiver
    waived = f"by {waiver.by} until {waiver.until.isoformat()}: {waiver.reason}" if waiver else ""
    for label, text in (
        ("expected", finding.expected),
        ("found", finding.actual),
        ("source", finding.source),
        ("evidence", finding.evidence),
        ("remedy", finding.remedy),
        ("undo", finding.undo),
        ("waived", waived),
    ):
        lines = clean_lines(text)
        if lines:
            table.add_row(label, Text("\n".join(lines)))
    return table

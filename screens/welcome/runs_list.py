"""The runs that are kept on this computer, of every site: to watch, report, open or go on with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Static

from foundation.wording import how_many
from screens.services.file_words import home_path
from screens.shell.dialog import Dialog
from screens.welcome.welcome_words import said_when
from screens.widgets.board import Board, Cell, Column, Row
from screens.widgets.keys import Key, KeyLine

if TYPE_CHECKING:
    from installer.record.kept_runs import KeptRun, KeptRuns


class Wish(StrEnum):
    """What a person wants of a run."""

    WATCH = "watch"
    GO_ON = "go on"
    OPEN = "open"
    REPORT = "report"
    LATER = "later"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A run, and what a person wants of it."""

    wish: Wish
    run: KeptRun


_TONES: Final = {
    "done": "pass", "already": "pass", "failed": "fail", "under way": "accent",
    "its record is broken": "fail", "not begun": "muted",
}  # fmt: skip


class RunsScreen(Dialog[Wanted]):
    """A heading a site, a line a run."""

    HELP = "welcome"
    KEYS: ClassVar[tuple[Key, ...]] = (
        Key("Enter", "Watch", "screen.watch"),
        Key("g", "Go on", "screen.wish('go on')"),
        Key("o", "Open its site", "screen.wish('open')"),
        Key("r", "Report", "screen.wish('report')"),
        Key("l", "Later", "screen.wish('later')"),
        Key("Esc", "Close", "screen.close"),
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("g", "wish('go on')", "Go on", show=False),
        Binding("o", "wish('open')", "Open its site", show=False),
        Binding("r", "wish('report')", "Report", show=False),
        Binding("l", "wish('later')", "Later", show=False),
    ]

    def __init__(self, kept: KeptRuns, folder: Path, now: datetime) -> None:
        """`folder` is where all the runs lie, those too that are not in the list."""
        super().__init__()
        self.kept = kept
        self.folder = folder
        self.now = now
        self.by_key = {str(run.folder): run for run in kept.runs}

    def compose(self) -> ComposeResult:
        """The list, what can be done with the run under the cursor, the keys."""
        runs = self.kept.runs
        sites = len({run.site for run in runs})
        title = f"{how_many(len(runs), 'run')} of {how_many(sites, 'site')}"
        if self.kept.more:
            title += f"; {self.kept.more} older in {home_path(self.folder)}"
        columns = (Column("when"), Column("stands"), Column("steps"), Column("by"))
        with Vertical(classes="dialog -whole"):
            yield Static(title, classes="dialog-title", markup=False)
            yield Board(columns, run_rows(runs, self.now), id="runs")
            yield Static("", id="about", classes="dialog-note", markup=False)
            yield KeyLine(self.KEYS, id="dialog-keys")

    def on_mount(self) -> None:
        """Begin with the latest."""
        self.query_one("#runs", Board).focus()

    @property
    def run(self) -> KeptRun | None:
        """The run under the cursor."""
        return self.by_key.get(self.query_one("#runs", Board).key or "")

    def on_board_highlighted(self, event: Board.Highlighted) -> None:
        """Say where its record lies."""
        event.stop()
        run = self.by_key[event.key]
        more = "\ng goes on with it." if run.open else ""
        self.query_one("#about", Static).update(f"Its record: {run.folder}{more}")
        self.refresh_keys()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """One goes on only with a run in which something is left to do."""
        if action == "wish" and parameters == ("go on",) and self.is_mounted:
            return self.run is not None and self.run.open
        return super().check_action(action, parameters)

    def on_board_chosen(self, event: Board.Chosen) -> None:
        """Enter shows the run again, as it happened."""
        event.stop()
        self.action_watch()

    def action_watch(self) -> None:
        """Show the run under the cursor again."""
        self.action_wish(Wish.WATCH.value)

    def action_wish(self, wish: str) -> None:
        """Close with the run under the cursor, and what is wanted of it."""
        run = self.run
        if run is not None:
            self.dismiss(Wanted(Wish(wish), run))


def errand_words(run: KeptRun) -> str:
    """Whose run it is, and what for where that is no installation."""
    errand = "verification" if run.errand == "verify" else run.errand.replace("-", " ")
    return ", ".join(filter(None, (run.by or "not told", errand)))


def run_rows(runs: Sequence[KeptRun], now: datetime) -> list[Row]:
    """The runs beneath the names of their sites."""
    rows: list[Row] = []
    site = ""
    for run in runs:
        if run.site != site:
            site = run.site
            rows.append(Row(f"site {site}", (Cell(f"{run.name}   {site}"),), heading=True))
        rows.append(
            Row(
                str(run.folder),
                (
                    Cell(f" {said_when(run.when, now)}"),
                    Cell(run.stands, _TONES.get(run.stands, "warn")),
                    Cell(f"{run.done}/{run.total}", "muted"),
                    Cell(errand_words(run), "muted"),
                ),
            )
        )
    return rows

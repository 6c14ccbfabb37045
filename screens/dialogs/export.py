"""Export: the result in a file, with its path on the screen."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Static

from foundation.problems import InputProblem
from screens.services.file_words import ABOUT, against_export_name, shown_path, stem
from screens.services.services import Export
from screens.shell.dialog import Buttons, Writes
from screens.widgets.board import Board, Cell, Column, Row
from screens.widgets.field import Field, Line

if TYPE_CHECKING:
    from screens.shell.step import StepScreen


class ExportScreen(Writes[tuple[Export, Path]]):
    """The form and the name of the file."""

    HELP = "preflight"

    def __init__(
        self,
        stem: str,
        forms: Mapping[Export, tuple[str, str]] = ABOUT,
        title: str = "Write the result to a file",
    ) -> None:
        super().__init__()
        self.stem = stem
        self.forms = forms
        self.heading = title

    def compose(self) -> ComposeResult:
        """The forms, the name, the buttons."""
        with Vertical(classes="dialog -wide"):
            yield Static(self.heading, classes="dialog-title", markup=False)
            yield Board(
                (Column(""), Column("")),
                (Row(kind.value, (Cell(kind.value), Cell(about, "muted")))
                 for kind, (_, about) in self.forms.items()),
                header=False,
                id="kinds",
            )  # fmt: skip
            yield Field("File", id="name")
            yield Static("", classes="dialog-error", id="wrong", markup=False)
            yield Buttons("Write")

    def on_mount(self) -> None:
        """Begin with the form."""
        board = self.query_one("#kinds", Board)
        board.styles.height = len(self.forms)
        board.focus()

    def on_board_highlighted(self, event: Board.Highlighted) -> None:
        """Another form has another name."""
        self.query_one("#name", Line).value = f"{self.stem}-{self.forms[Export(event.key)][0]}"

    def on_board_chosen(self, _event: Board.Chosen) -> None:
        """Enter on a form goes to its name."""
        self.query_one("#name", Line).focus()

    def action_take(self) -> None:
        """Close with the answer."""
        key = self.query_one("#kinds", Board).key
        name = self.query_one("#name", Line).value.strip()
        if key and name and (path := self.path_to_write(name)) is not None:
            if wrong := against_export_name(Export(key), path):
                self.wrong(wrong)
            else:
                self.dismiss((Export(key), path))


def open_export(screen: StepScreen) -> None:
    """Ask for the form and the file, and write it."""
    if screen.memory.assessment is None:
        screen.say("There is nothing to write yet; some machines are still being looked at.")
        return

    def take(answer: tuple[Export, Path] | None) -> None:
        if answer is not None:
            screen.run_quietly(_write(screen, *answer), group="export")

    screen.app.push_screen(ExportScreen(stem(screen.answers)), take)


async def _write(screen: StepScreen, kind: Export, path: Path) -> None:
    assessment = screen.memory.assessment
    if assessment is None:
        raise InputProblem("the machines are being looked at again", remedy="Wait, then export.")
    seen = [host.seen for host in assessment.hosts]
    await screen.services.export(kind, path, assessment, seen)
    place = shown_path(path)
    screen.memory.last_words.append(f"{ABOUT[kind][1].capitalize()}: {place}")
    screen.say(f"Written: {place}")

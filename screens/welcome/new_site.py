"""A new site file: for which goal, under which name, and what was written; as `sitewright init`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.widgets import Static

from foundation.typed_paths import is_there
from installer.sites.site_paths import against_site_name
from screens.services.file_words import shown_path
from screens.shell.dialog import Buttons, Dialog, Form
from screens.widgets.board import Board, Cell, Column, Row
from screens.widgets.field import Field, Line
from screens.widgets.keys import Key, KeyLine

if TYPE_CHECKING:
    from installer.planning.new_site_file import NewSite
    from screens.services.services import SolutionChoice
    from screens.shell.step import StepScreen


@dataclass(frozen=True, slots=True)
class Asked:
    """What a site file is to be written for, and where."""

    solution: str
    environment: str
    path: Path


class NewSiteScreen(Form[Asked]):
    """The goals in a list, and the name of the file."""

    HELP = "new-site"

    def __init__(self, solutions: Sequence[SolutionChoice], goal: str) -> None:
        super().__init__()
        self.solutions = solutions
        self.goal = goal

    def compose(self) -> ComposeResult:
        """What it is, the goals, the name, the buttons."""
        rows: list[Row] = []
        for solution in self.solutions:
            rows.append(Row(solution.id, (Cell(solution.title),), heading=True))
            for one in solution.environments:
                cells = (Cell(f"  {one.title or one.id}"), Cell(one.id, "muted"))
                rows.append(Row(f"{solution.id}/{one.id}", cells))
        with Vertical(classes="dialog -large"):
            yield Static("Write a site file", classes="dialog-title", markup=False)
            yield Static(
                "Every setting and every machine of a goal, each explained: to fill in with an "
                "editor, and to open here or by the command. Nothing else is written or asked.",
                classes="paragraph",
                markup=False,
            )
            yield Board((Column(""), Column("")), rows, header=False, id="site-goals")
            yield Field("File", id="name", value="site.yaml")
            yield Static("", classes="dialog-error", id="wrong", markup=False)
            yield Buttons("Write")

    def on_mount(self) -> None:
        """On the goal that was under the cursor before."""
        board = self.query_one("#site-goals", Board)
        board.move_to(self.goal)
        board.focus()

    def on_board_chosen(self, event: Board.Chosen) -> None:
        """Enter on a goal goes to the name."""
        event.stop()
        self.query_one("#name", Line).focus()

    def action_take(self) -> None:
        """Close with the goal and the name."""
        key = self.query_one("#site-goals", Board).key
        name = self.query_one("#name", Line).value.strip()
        if not key:
            self.wrong("Choose for what it is to be written.")
        elif not name:
            self.wrong("Name the file; it must not be there yet.")
        elif (path := self.path_of(name)) is not None:
            if against := against_site_name(path):
                self.wrong(against)
                return
            if is_there(path):
                self.wrong("There is a file of this name already; it is left as it is.")
                return
            solution, _, environment = key.partition("/")
            self.dismiss(Asked(solution, environment, path))


class WrittenScreen(Dialog[bool]):
    """The file as it was written, and what is left to be filled in."""

    HELP = "new-site"
    KEYS: ClassVar[tuple[Key, ...]] = (
        Key("o", "Open it here", "screen.open"),
        Key("Up,Down", "Read", ""),
        Key("Esc", "Close", "screen.close"),
    )
    BINDINGS: ClassVar[list[BindingType]] = [Binding("o", "open", "Open it here", show=False)]

    def __init__(self, written: NewSite) -> None:
        super().__init__()
        self.written = written

    def compose(self) -> ComposeResult:
        """Where it is, what is left, the text."""
        left = self.written.left
        with Vertical(classes="dialog -whole"):
            words = f"Written: {shown_path(self.written.path)}"
            yield Static(words, classes="dialog-title", markup=False)
            if left:
                yield Static(
                    f"What only you can know is to be filled in: {', '.join(left)}.",
                    classes="paragraph",
                    id="left",
                    markup=False,
                )
            with VerticalScroll(classes="dialog-scroll", id="text"):
                yield Static(self.written.text, markup=False)
            yield KeyLine(self.KEYS, id="dialog-keys")

    def on_mount(self) -> None:
        """The arrows scroll."""
        self.query_one("#text").focus()

    def action_open(self) -> None:
        """Close, and open it in the wizard."""
        self.dismiss(True)


def ask_new_site(screen: StepScreen, goal: str = "") -> None:
    """Ask for the goal and the name, write the file, and show it."""

    async def ask() -> None:
        if not screen.memory.solutions:
            screen.memory.solutions = await screen.services.solutions()
        screen.app.push_screen(NewSiteScreen(screen.memory.solutions, goal), take)

    def take(asked: Asked | None) -> None:
        if asked is not None:
            screen.run_quietly(write(asked), group="new site")

    async def write(asked: Asked) -> None:
        hosts = screen.answers.machines
        path = asked.path.absolute()
        written = await screen.services.new_site(asked.solution, asked.environment, hosts, path)
        words = f"Site file: {shown_path(path)}"
        screen.memory.last_words.append(words)
        screen.say(f"Written: {shown_path(path)}")
        screen.app.push_screen(WrittenScreen(written), lambda sure: shown(path, sure))

    def shown(path: Path, sure: bool | None) -> None:
        if sure:
            screen.run_quietly(go(path), group="open")

    async def go(path: Path) -> None:
        from screens.services.opening import open_file

        step, answers = await open_file(path, screen.memory, screen.services)
        screen.wizard.go(step, answers)

    screen.run_quietly(ask(), group="new site")

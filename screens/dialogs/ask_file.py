"""A question for the name of a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Static

from screens.shell.dialog import Buttons, Form, Writes
from screens.widgets.field import Field, Line


class FileScreen(Form[Path]):
    """One line for one name."""

    DO: ClassVar[str] = "Take it"
    """What the button says."""
    LABEL: ClassVar[str] = "File"
    """What stands before the line."""

    def __init__(self, title: str, about: str, *, example: str = "", value: str = "") -> None:
        super().__init__()
        self.ask = title
        self.about = about
        self.example = example
        self.value = value

    def compose(self) -> ComposeResult:
        """The question, the line, the buttons."""
        with Vertical(classes="dialog -wide"):
            yield Static(self.ask, classes="dialog-title", markup=False)
            yield Static(self.about, classes="paragraph", markup=False)
            yield Field(self.LABEL, id="name", example=self.example, value=self.value)
            yield Static("", classes="dialog-error", id="wrong", markup=False)
            yield Buttons(self.DO)

    def on_mount(self) -> None:
        """Begin in the line."""
        self.query_one("#name", Line).focus()

    def action_take(self) -> None:
        """Close with the name, if there is one."""
        text = self.query_one("#name", Line).value.strip()
        if text and (path := self.path_of(text)) is not None:
            self.dismiss(path)


class FolderScreen(FileScreen):
    """One line for the name of a folder."""

    LABEL = "Folder"


class WriteFileScreen(Writes[Path], FileScreen):
    """One line for the name of a file that is then written."""

    DO = "Write"

    def __init__(
        self,
        title: str,
        about: str,
        *,
        value: str = "",
        against: Callable[[Path], str] = lambda _path: "",
    ) -> None:
        super().__init__(title, about, value=value)
        self.against = against
        """What stands against a name, as a sentence; empty where nothing does."""

    def action_take(self) -> None:
        """Close with the name, if a file may be written there."""
        text = self.query_one("#name", Line).value.strip()
        if not text or (path := self.path_of(text)) is None:
            return
        if against := self.against(path):
            self.wrong(against)
        elif (path := self.path_to_write(text)) is not None:
            self.dismiss(path)

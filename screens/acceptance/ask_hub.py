"""Which hub is to be accepted: its file, and the secrets that its administration asks for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Static

from foundation.problems import Problem, as_sentence
from preflight.report.words import clean
from screens.services.file_words import shown_path
from screens.shell.dialog import Buttons, Writes
from screens.widgets.field import Field, Line
from screens.widgets.press import Press
from screens.words.acceptance_words import ABOUT

if TYPE_CHECKING:
    from installer.acceptance.choice import Choice
    from installer.acceptance.hub_file import HubFile


class HubScreen(Writes[tuple["Choice", "HubFile"]]):
    """The hub file and what goes with it; read before the panel closes."""

    HELP = "acceptance"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f9", "example", "Write an example", show=False),
    ]

    def __init__(self, before: Choice) -> None:
        super().__init__()
        self.before = before

    def compose(self) -> ComposeResult:
        """What it is, the lines, the buttons."""
        one = self.before
        with Vertical(classes="dialog -wide"):
            yield Static("Which hub is to be accepted?", classes="dialog-title", markup=False)
            yield Static(ABOUT, classes="paragraph", markup=False)
            yield Field("Hub file", id="hub", value=_text(one.hub), example="hub.yaml")
            yield Field("Name of the hub", id="hub-name", value=one.hub_name, example="Hub")
            yield Field("Admin token file", id="token", value=_text(one.token_file), example="none")
            yield Field(
                "Database password", id="password", value=_text(one.password_file),
                example="none; else a file",
            )  # fmt: skip
            yield Static("", classes="dialog-error", id="wrong", markup=False)
            example = Press("Example F9", id="example", action="screen.example")
            yield Buttons("Read it", third=example)

    def on_mount(self) -> None:
        """Begin in the first line."""
        self.query_one("#hub", Line).focus()

    def _typed(self, name: str) -> str:
        return self.query_one(f"#{name}", Line).value.strip()

    def action_take(self) -> None:
        """Read the hub file, and close with it where nothing is wrong in it."""
        if not self._typed("hub"):
            self.wrong("Name the hub file; F9 writes one to fill in.")
            return
        paths = [None if not self._typed(one) else self.path_of(self._typed(one)) for one in _FILES]
        if any(
            self._typed(name) and path is None for name, path in zip(_FILES, paths, strict=True)
        ):
            return
        hub, token, password = paths
        if hub is None:
            return
        choice = replace(
            self.before, hub=hub, token_file=token, password_file=password,
            hub_name=self._typed("hub-name") or "Hub",
        )  # fmt: skip
        self.run_worker(self._read(choice), group="hub", exclusive=True, exit_on_error=False)

    async def _read(self, choice: Choice) -> None:
        try:
            hub = await self.wizard.services.read_hub(choice.hub)
        except Problem as problem:
            self.wrong(clean(problem_words(problem)))
            return
        self.dismiss((choice, hub))

    def action_example(self) -> None:
        """Write a hub file to begin with, at the name that was typed."""
        path = self.path_to_write(self._typed("hub") or "hub.yaml")
        if path is not None:
            self.run_worker(self._write(path), group="hub", exclusive=True, exit_on_error=False)

    async def _write(self, path: Path) -> None:
        from installer.acceptance.hub_file import EXAMPLE

        try:
            await self.wizard.services.write_text(path, EXAMPLE)
        except Problem as problem:
            self.wrong(clean(problem_words(problem)))
            return
        self.query_one("#hub", Line).value = str(path)
        self.wrong(f"Written: {shown_path(path)}. Fill it in with an editor, then F10.")


_FILES = ("hub", "token", "password")


def _text(path: Path | None) -> str:
    return "" if path is None or path == Path() else str(path)


def problem_words(problem: Problem) -> str:
    """A problem in a panel: where, why, and what to do."""
    where = f"{problem.where}: " if problem.where else ""
    return f"{where}{as_sentence(problem.cause).rstrip('.')}. {problem.remedy or ''}".strip()

"""What a person may do with a live log, the same where a run is driven and where it is replayed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType

from foundation.problems import Problem
from foundation.wording import counted
from screens.dialogs.ask_file import WriteFileScreen
from screens.run.ask_person import Only, OnlyScreen
from screens.services.file_words import shown_path

if TYPE_CHECKING:
    from typing import Any

    from textual.app import App

    from screens.run.log_panel import LogPanel

LOG_BINDINGS: list[BindingType] = [
    Binding("f", "only", "Filter", show=False),
    Binding("slash", "find", "Find", show=False),
    Binding("n", "find_next(-1)", "Find the next above", show=False),
    Binding("N", "find_next(1)", "Find the next below", show=False),
    Binding("w", "wrap", "Fold long lines", show=False),
    Binding("c", "copy_lines", "Copy the lines in sight", show=False),
    Binding("v", "save_lines", "Save the lines", show=False),
    Binding("y", "copy_path", "Copy the path", show=False),
    Binding("e", "follow", "To the end", show=False),
]


class LogActions:
    """The keys of the log; whoever mixes it in says where the log and the machines are."""

    if TYPE_CHECKING:
        app: ClassVar[App[Any]]

    @property
    def log_panel(self) -> LogPanel:
        """The live log."""
        raise NotImplementedError

    def machine_states(self) -> Mapping[str, str]:
        """The machines to choose from, each with its state; empty before anything ran."""
        raise NotImplementedError

    def log_file(self, machine: str) -> Path | None:
        """The log of one machine on the disk."""
        raise NotImplementedError

    async def write_text(self, path: Path, text: str) -> None:
        """Write a file; raises Problem."""
        raise NotImplementedError

    def say(self, text: str, *, bad: bool = False) -> None:
        """A sentence for the person."""
        raise NotImplementedError

    def action_only(self) -> None:
        """The lines of one machine or of all, and those alone that hold some words."""
        states = self.machine_states()
        if not states:
            self.say("There are no lines yet.")
            return
        log = self.log_panel.log_view

        def take(only: Only | None) -> None:
            if only is not None:
                file = self.log_file(only.host) if only.host else None
                self.log_panel.show_only(only.host, file, only.words)

        self.app.push_screen(OnlyScreen(states, Only(log.only, log.words)), take)

    def action_find(self) -> None:
        """Open the line in which to type what to look for."""
        self.log_panel.open_find()

    def action_find_next(self, by: int = -1) -> None:
        """The next line above that holds the words, or below."""
        self.log_panel.find_next(by)

    def action_follow(self) -> None:
        """To the end, where new lines appear."""
        self.log_panel.follow()

    def action_wrap(self) -> None:
        """Fold long lines, or cut them off."""
        self.log_panel.wrap()

    def action_copy_lines(self) -> None:
        """The lines in sight, into the clipboard of the terminal."""
        self.log_panel.copy_lines()

    def action_copy_path(self) -> None:
        """The path of the log, into the clipboard of the terminal."""
        self.log_panel.copy_path()

    def action_save_lines(self) -> None:
        """Write the lines that the filter lets through to a file."""
        lines = self.log_panel.log_view.lines
        about = (
            f"{counted(len(lines), 'line')} shown, as the filter lets them through now. All "
            f"lines of the run lie in {self.log_panel.path or 'its folder'}."
        )

        async def take(path: Path | None) -> None:
            if path is None:
                return
            try:
                await self.write_text(path, "\n".join(lines) + "\n")
            except Problem as problem:
                self.say(f"{problem.title}: {problem.cause}.", bad=True)
            else:
                self.say(f"Written: {shown_path(path)}")

        self.app.push_screen(WriteFileScreen("Save the lines", about, value="lines.log"), take)

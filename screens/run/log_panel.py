"""Log panel: the live log, the line in which to search it, and where it lies on the disk."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Input, Static

from foundation.wording import counted
from screens.run.run_log import RunLog, Said
from screens.services.file_words import home_path
from screens.widgets.field import Field, Line
from screens.widgets.quiet import put


class LogPanel(Vertical):
    """What machines say, as it comes; `folder` is that of the run, once there is one."""

    class Told(Message):
        """A sentence for the person."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    def __init__(self, *, id: str) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self.folder: Path | None = None
        self.file: Path | None = None
        """The log of the machine that alone is shown."""
        self.words = ""
        """What was searched for last."""
        self.waits = ""
        """What must not be overlooked: it stands before everything else."""

    @property
    def log_view(self) -> RunLog:
        """The live log."""
        return self.query_one(RunLog)

    @property
    def finding(self) -> bool:
        """Whether the line of the search is open."""
        return bool(self.query_one("#find-field").display)

    def compose(self) -> ComposeResult:
        """The log, the line of the search, the place on the disk."""
        yield RunLog(id="log")
        field = Field("Find", id="find")
        field.id = "find-field"
        yield field
        yield Static("", id="place", markup=False)

    def take(self, lines: Iterable[Said]) -> None:
        """Lines for the next flush."""
        self.log_view.add(lines)

    def flush(self) -> None:
        """Show what waits."""
        log = self.log_view
        if log.waiting and (log.flush() or not log.following):
            self.show_place()

    def show_place(self) -> None:
        """Where the log lies on the disk, what is shown of it, and whether it follows."""
        log = self.log_view
        words = [self.waits] if self.waits else []
        if log.only:
            words.append(f"only {log.only}")
        if log.words:
            words.append(f'only lines with "{log.words}"')
        if not log.following:
            words.append(f"stands still, {log.held} new lines; e goes to the end")
        path = "nothing yet" if self.path is None else home_path(self.path)
        width = max(self.query_one("#place").size.width - 2, 20)
        lines = ["; ".join(words)] if words else []
        lines.append(end_of(f"On disk: {path}", len("On disk: "), width))
        put("\n".join(lines), self.query_one("#place", Static))

    @property
    def path(self) -> Path | None:
        """The file of the machine that is shown, or the folder of all of them."""
        return self.file or (None if self.folder is None else self.folder / "logs")

    def show_only(self, host: str, file: Path | None, words: str = "") -> None:
        """The lines of one machine with its file, or of all; of these those with some words."""
        self.file = file
        self.log_view.show_only(host, words)
        self.show_place()

    def open_find(self) -> None:
        """Open the line in which to type what to look for."""
        self.query_one("#find-field").display = True
        self.query_one("#find", Line).focus()

    def close_find(self) -> None:
        """Close it again."""
        self.query_one("#find-field").display = False
        self.log_view.focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter looks for it, from the newest line upwards."""
        event.stop()
        self.words = event.value
        self.close_find()
        self.log_view.found = None
        self.find_next()

    def find_next(self, by: int = -1) -> None:
        """The next line above that holds the words, or with `by` 1 the next one below."""
        if not self.words:
            self.open_find()
            return
        line = self.log_view.find(self.words, by)
        if line is None:
            text = f'"{self.words}" is not among the last lines; the disk has all of them.'
        else:
            number, count = self.log_view.hits()
            text = f'"{self.words}": {number} of {count}; n the next above, N below.'
        self.post_message(self.Told(text))
        self.show_place()

    def follow(self) -> None:
        """To the end, where new lines appear."""
        self.log_view.follow()
        self.post_message(self.Told(""))
        self.show_place()

    def wrap(self) -> None:
        """Fold long lines, or cut them off again."""
        log = self.log_view
        log.wrapped = not log.wrapped
        cut = "Long lines are cut off; Right shows their ends, w folds them."
        self.post_message(self.Told("Long lines are folded." if log.wrapped else cut))

    def copy_lines(self) -> None:
        """The lines in sight, whole, into the clipboard of the terminal."""
        lines = self.log_view.in_sight()
        self.app.copy_to_clipboard("\n".join(lines) + "\n")
        self.post_message(
            self.Told(f"Copied {counted(len(lines), 'line')}, where the terminal allows it.")
        )

    def copy_path(self) -> None:
        """The path, into the clipboard of the terminal."""
        if self.path is not None:
            self.app.copy_to_clipboard(str(self.path))
            self.post_message(self.Told(f"Copied, where the terminal allows it: {self.path}"))

    def on_resize(self, _event: events.Resize) -> None:
        """The path is cut for another width."""
        self.call_after_refresh(self.show_place)


def end_of(text: str, kept: int, width: int) -> str:
    """A text in one line: its first characters, and of the rest as much of the end as fits."""
    if len(text) <= width:
        return text
    return f"{text[:kept]}…{text[len(text) - (width - kept - 1) :]}"

"""Hand over: the report of what was installed, to read here and to take along."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from screens.acceptance.open_acceptance import open_page
from screens.answers.wizard import StepId
from screens.dialogs.export import ExportScreen
from screens.dialogs.later import show_later
from screens.services.file_words import HAND_OVER, shown_path, stem
from screens.services.services import Export
from screens.shell.step import StepScreen
from screens.widgets.keys import Key

if TYPE_CHECKING:
    from installer.hand_over.model import HandOver


class HandOverScreen(StepScreen):
    """What was installed, with which values, where, by whom."""

    STEP = StepId.HAND_OVER
    CSS_PATH = "hand_over.tcss"
    KEYS: ClassVar[tuple[Key, ...]] = (
        Key("e", "Write the report", "screen.export"),
        Key("l", "Later", "screen.later"),
        Key("Up,Down", "Read", ""),
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("e", "export", "Export", show=False),
        Binding("l", "later", "Later", show=False),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.report: HandOver | None = None

    def compose_body(self) -> ComposeResult:
        """The report, to scroll through."""
        with VerticalScroll(id="report"):
            yield Static("", id="report-text", markup=False)

    def on_mount(self) -> None:
        """Read the record of the run."""
        self.query_one("#report").focus()
        work = self.memory.installed
        if work is None:
            self.call_after_refresh(self.wizard.go, StepId.PLAN, self.answers)
            return
        self.run_quietly(self._read(work.run.folder), group="read")

    async def _read(self, run: Path) -> None:
        self.report = await self.services.hand_over(run)
        self._draw()

    def on_resize(self, _event: events.Resize) -> None:
        """Other lines for another width."""
        self.call_after_refresh(self._draw)

    def _draw(self) -> None:
        from installer.hand_over.text import report_lines
        from installer.hand_over.words import title

        if self.report is None:
            return
        width = min(max(self.query_one("#report").size.width - 3, 40), 100)
        lines = report_lines(self.report, width)
        self.query_one("#report-text", Static).update(_content(lines, title(self.report)))

    def action_later(self) -> None:
        """What can be done with the site from now on, each with its command."""
        if self.memory.installed is not None:
            show_later(self, self.memory.installed.run.folder, partial(open_page, self))

    def action_export(self) -> None:
        """Write the report to a file, after a question for its form and name."""
        if self.report is None:
            self.say("The record is being read; wait a moment.")
            return
        self.app.push_screen(
            ExportScreen(stem(self.answers), HAND_OVER, "Write the hand-over report"), self._take
        )

    def _take(self, answer: tuple[Export, Path] | None) -> None:
        if answer is not None and self.report is not None:
            self.run_quietly(self._write(self.report, *answer), group="export")

    async def _write(self, report: HandOver, kind: Export, path: Path) -> None:
        await self.services.write_hand_over(kind, path, report)
        place = shown_path(path)
        self.memory.last_words.append(f"The hand-over report: {place}")
        self.say(f"Written: {place}")


def _content(lines: list[str], title: str) -> Content:
    parts: list[str | tuple[str, str]] = []
    verdict = True  # the first sentence, over as many lines as it takes
    for line in lines:
        verdict = verdict and not title.startswith(line)
        heading = verdict or (line.endswith(":") and not line.startswith(" "))
        parts.append((f"{line}\n", "bold") if heading else f"{line}\n")
    return Content.assemble(*parts)

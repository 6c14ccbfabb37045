"""Hand over: the report of what was installed, to read here and to take along."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from preflight.report.words import clean
from screens.file_words import shown_path, stem
from screens.step import StepScreen
from screens.widgets.keys import Key
from screens.wizard import StepId


class HandOverScreen(StepScreen):
    """What was installed, with which values, where, by whom."""

    STEP = StepId.HAND_OVER
    CSS_PATH = "hand_over.tcss"
    KEYS: ClassVar[tuple[Key, ...]] = (Key("e", "Export", "screen.export"),)
    BINDINGS: ClassVar[list[BindingType]] = [Binding("e", "export", "Export", show=False)]

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def compose_body(self) -> ComposeResult:
        """The report, to scroll through."""
        with VerticalScroll(id="report"):
            yield Static("", id="report-text", markup=False)

    def on_mount(self) -> None:
        """Write the report from what the run's own events say."""
        from installer.running.progress import progress_of
        from screens.hand_over_words import hand_over_lines

        self.query_one("#report").focus()
        work = self.memory.installed
        if work is None:
            self.call_after_refresh(self.wizard.go, StepId.PLAN, self.answers)
            return
        engine = work.engine
        now = self.services.now().timestamp()
        progress = progress_of(engine.plan, engine.state, work.expected, now=now)
        answers = work.order.answers
        self.lines = [
            clean(line)
            for line in hand_over_lines(work.run, engine.plan, engine.state, progress, answers)
        ]
        self.query_one("#report-text", Static).update(_content(self.lines))

    def action_export(self) -> None:
        """Write the report to a file, after a question for its name."""
        from screens.ask_file import FileScreen

        self.app.push_screen(
            FileScreen(
                "Write the hand-over report",
                "Plain text, without any secret.",
                value=f"{stem(self.answers)}-hand-over.txt",
            ),
            self._take,
        )

    def _take(self, path: Path | None) -> None:
        if path is not None:
            self.run_quietly(self._write(path), group="export")

    async def _write(self, path: Path) -> None:
        await self.services.write_text(path, "\n".join(self.lines) + "\n")
        place = shown_path(path)
        self.memory.last_words.append(f"The hand-over report: {place}")
        self.say(f"Written: {place}")


def _content(lines: list[str]) -> Content:
    parts: list[str | tuple[str, str]] = []
    for place, line in enumerate(lines):
        heading = place == 0 or (line.endswith(":") and not line.startswith(" "))
        parts.append((f"{line}\n", "bold") if heading else f"{line}\n")
    return Content.assemble(*parts)

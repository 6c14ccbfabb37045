"""Welcome: begin, go on, or open what was seen before."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.widgets import Static

from screens.answers import Answers, Saved
from screens.memory import Touched
from screens.opening import is_recording, open_file
from screens.services import Access, Order, Unfinished
from screens.step import StepScreen
from screens.welcome_words import said_when, saved_words, unfinished_words
from screens.widgets.board import Board, Cell, Column, Row
from screens.widgets.field import Field, Line
from screens.widgets.keys import Key
from screens.wizard import StepId, resume_at


class WelcomeScreen(StepScreen):
    """Where everything begins."""

    STEP = StepId.WELCOME
    CSS_PATH = "welcome.tcss"
    KEYS: ClassVar[tuple[Key, ...]] = (Key("Enter", "Choose", "screen.next"),)

    def __init__(self) -> None:
        super().__init__()
        self.saved = Saved()
        self.unfinished: Unfinished | None = None
        self.last = Touched()

    def compose_body(self) -> ComposeResult:
        """The choices, and a line for a file."""
        yield Board((Column("", 12), Column("")), self._rows(), header=False, id="choices")
        yield Field("File", id="file", example="facts.json or site.yaml")
        yield Static("", id="about", markup=False)

    def _rows(self) -> list[Row]:
        rows = []
        saved, unfinished = self.saved.answers, self.unfinished
        if unfinished is not None:
            words = unfinished_words(unfinished)
            rows.append(Row("run", (Cell("Installation", "strong"), Cell(words))))
        last = self.last.run
        if last is not None and unfinished is None:
            when = f"{self.last.short.partition(' on ')[2] or 'under way'}"
            by = f", by {self.last.by}" if self.last.by else ""
            rows.append(Row("last", (Cell("Last run", "strong"), Cell(f"{when}{by}: seen again"))))
        if saved is not None:
            rows.append(Row("resume", (Cell("Go on", "strong"), Cell(saved_words(saved)))))
        rows += [
            Row(
                "new",
                (
                    Cell("New site", "strong"),
                    Cell("this machine, or many: a map shows what fits", "muted"),
                ),
            ),
            Row(
                "open",
                (
                    Cell("Open a file", "strong"),
                    Cell("a site file, facts, a run or a support bundle", "muted"),
                ),
            ),
        ]
        return rows

    def on_mount(self) -> None:
        """After the first paint: is there a place to go on from, or a site file to begin with?"""
        self.query_one("#choices", Board).focus()
        self.query_one("#choices", Board).styles.height = 3
        self._about("new")
        self.call_after_refresh(self._begin)

    def _begin(self) -> None:
        if self.wizard.site_file is not None:
            file, self.wizard.site_file = self.wizard.site_file, None
            self.run_quietly(self._open(file), group="open")
        else:
            self.run_quietly(self._read_place(), group="open")

    async def _read_place(self) -> None:
        saved = await asyncio.to_thread(self.wizard.saved_place)
        self.saved = saved
        board = self.query_one("#choices", Board)
        board.set_rows(self._rows(), keep="resume" if saved.answers else None)
        self.unfinished = await self.services.unfinished()
        self.last = await self.services.touched(())
        rows = self._rows()
        board.styles.height = len(rows)
        if [row.key for row in rows] != [row.key for row in board.rows]:
            keep = "run" if self.unfinished is not None else board.key
            board.set_rows(rows, keep=keep)
        if saved.sentence:
            self.say(saved.sentence)

    def on_board_highlighted(self, event: Board.Highlighted) -> None:
        """Explain the choice under the cursor."""
        self._about(event.key)

    def _about(self, key: str) -> None:
        saved = self.saved.answers
        when = said_when(saved.saved_at, self.services.now()) if saved else ""
        run = self.unfinished
        begun = said_when(run.when, self.services.now()) if run else ""
        texts = {
            "run": f"An installation that is not finished, last at work {begun}. It goes on where "
            "it stands: what runs on machines is found again, and nothing is done twice. "
            "Passwords and secrets are asked for again.",
            "resume": f"Your place was kept {when}. Machines are looked at again, since they may "
            "have changed. Passwords were not kept: type them again under Login.",
            "new": "A map shows what serves you, and what fits this machine. Then Sitewright looks "
            "at the machines that you name, and says what is missing. Until you begin an "
            "installation it changes nothing.",
            "open": "Type the name of a file and press Enter. A site file repeats its answers. "
            "Facts that were saved are judged again, without any machine. A run or a support "
            "bundle is shown again as it happened.",
            "last": "What was done to machines last, from its record: stages, failures and the "
            "log, as they were. Nothing runs.",
        }
        self.query_one(".field", Field).display = key == "open"
        self.query_one("#about", Static).update(texts.get(key, ""))

    def on_board_chosen(self, event: Board.Chosen) -> None:
        """Enter on a choice."""
        self.action_next()

    def on_input_submitted(self, event: Line.Submitted) -> None:
        """Enter in the line of the file."""
        event.stop()
        self.action_next()

    def action_next(self) -> None:
        """Do what was chosen."""
        match self.query_one("#choices", Board).key:
            case "run" if self.unfinished is not None:
                self.run_quietly(self._reopen(self.unfinished.run), group="open")
            case "resume" if self.saved.answers is not None:
                answers = self.saved.answers
                self.wizard.go(resume_at(answers), answers)
            case "last" if self.last.run is not None:
                self.run_quietly(self._show_again(self.last.run), group="open")
            case "open":
                line = self.query_one("#file", Line)
                text = line.value.strip()
                if text:
                    self.run_quietly(self._open(Path(text).expanduser()), group="open")
                else:
                    line.focus()
                    self.say("Type the name of the file first.")
            case _:
                self.memory.forget_results()
                self.wizard.go_next(Answers())

    async def _reopen(self, run: Path) -> None:
        """An unfinished installation, as its own folder tells it; it is not begun again yet."""
        answers, plan = await self.services.reopen(run)
        self.memory.forget_results()
        self.memory.person = self.memory.person or self.services.person()
        self.memory.plan = plan
        access = Access(answers.inventory(), self.memory.credentials, answers.login.sudo)
        self.memory.order = Order(answers, plan, access, {}, self.memory.person, run)
        self.wizard.go(StepId.INSTALL, answers)

    async def _show_again(self, path: Path) -> None:
        """A run from its record, until the person comes back."""
        from installer.recorded_run import recorded_run
        from screens.replay import FIRST_SPEED, ReplayScreen

        kept = ExitStack()
        found, name = await asyncio.to_thread(kept.enter_context, recorded_run(str(path)))
        try:
            plan = await asyncio.to_thread(found.plan)
        except BaseException:
            kept.close()
            raise
        screen = ReplayScreen(found, plan, name, FIRST_SPEED, 2.0)
        screen.back = True
        self.app.push_screen(screen, lambda _: kept.close())

    async def _open(self, path: Path) -> None:
        """A file of facts, a site file, or a run: what is in it decides."""
        if is_recording(path):
            await self._show_again(path)
            return
        step, answers = await open_file(path, self.memory, self.services)
        self.wizard.go(step, answers)

"""Preflight: machines by areas, filling in live; a machine never waits for another."""

from __future__ import annotations

import asyncio
import gc
import time
from typing import TYPE_CHECKING, ClassVar, Final

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.timer import Timer
from textual.widgets import Static

from screens.answers.answers import Answers
from screens.answers.wizard import StepId
from screens.dialogs.ask_programs import ask_about_programs
from screens.services.judging import assess_site, question_for, with_answers
from screens.services.services import Access
from screens.shell.step import StepScreen
from screens.widgets.board import Board, Column, Row
from screens.widgets.keys import Key
from screens.words.program_words import programs_of

if TYPE_CHECKING:
    from foundation.hosts.model import Host
    from preflight.assessment import HostResult, Seen
    from preflight.findings import Finding, Waiver
    from screens.preflight.matrix import Shape

FLUSH_SECONDS: Final = 1 / 20
"""How often results may reach the screen."""
AT_A_TIME: Final = 20
"""How many workers are started before the screen may breathe."""
JUDGE_SECONDS: Final = 0.02
"""How long one flush may judge before it lets the screen breathe."""


class PreflightScreen(StepScreen):
    """The table of machines and what was found."""

    STEP = StepId.PREFLIGHT
    CSS_PATH = "preflight.tcss"
    KEYS: ClassVar[tuple[Key, ...]] = (
        Key("Enter", "Open", "screen.open"),
        Key("r", "Again", "screen.again"),
        Key("f", "To mend", "screen.filter"),
        Key("e", "Export", "screen.export"),
        Key("R", "All again", "screen.again_all"),
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("r", "again", "Look again", show=False),
        Binding("R", "again_all", "Look at all again", show=False),
        Binding("f", "filter", "Filter", show=False),
        Binding("e", "export", "Export", show=False),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.hosts: tuple[Host, ...] = ()
        self.results: dict[str, HostResult] = {}
        self.between: tuple[Finding, ...] | None = None
        self.looking: dict[str, int] = {}
        """Machines under way, with the number of the attempt whose answer counts."""
        self.attempt = 0
        self.starts = 0
        self.arrived: list[Seen] = []
        """Answers that were not judged yet."""
        self.only_open = False
        self.started = 0.0
        self.flusher: Timer | None = None
        self.clock: Timer | None = None
        self.shown_width = 0
        self.shape: Shape | None = None
        self.assess_number = 0

    def compose_body(self) -> ComposeResult:
        """How far it is, and the table."""
        yield Static("", id="progress", markup=False)
        yield Board((Column("machine", 12), Column("")), id="machines")
        with VerticalScroll(id="glance"):
            yield Static("", id="glance-text", markup=False)

    def on_mount(self) -> None:
        """Begin as soon as the tables are read."""
        # What is loaded by now stays; looking through it for garbage would hold the screen up.
        gc.freeze()
        self.hosts = tuple(self.answers.inventory())
        self.query_one("#machines", Board).focus()
        self.flusher = self.set_interval(FLUSH_SECONDS, self._flush, pause=True)
        self.clock = self.set_interval(1.0, self._tell, pause=True)
        self.run_quietly(self._prepare(), group="prepare")

    async def _prepare(self) -> None:
        if self.memory.question is None:
            self.memory.question = await question_for(self.answers, self.memory, self.services)
        self._refresh_question()
        self._show()
        known = [
            self.memory.seen[host.name] for host in self.hosts if host.name in self.memory.seen
        ]
        self.arrived += known
        if self.answers.facts_file is not None and not known:
            # The place was resumed: the file is read again.
            loaded = await self.services.load_facts(self.answers.facts_file)
            self.memory.seen = {entry.host.name: entry for entry in loaded}
            self.arrived += loaded
        if self.answers.facts_file is None:
            self._look([host for host in self.hosts if host.name not in self.memory.seen])
        self._start_flushing()

    def _refresh_question(self) -> None:
        """Roles and waivers are answers, and may have changed since the question was made."""
        if self.memory.question is not None:
            self.memory.question = with_answers(self.memory.question, self.answers)

    # ---- looking

    def _look(self, hosts: list[Host]) -> None:
        if not hosts:
            return
        access = self.access
        if not self.looking:
            self.started = time.monotonic()
        for host in hosts:
            self.attempt += 1
            self.looking[host.name] = self.attempt
        # Workers are started a few at a time, so that five hundred do not hold the screen up.
        self.starts += 1
        attempts = [(host, self.looking[host.name]) for host in hosts]
        self.run_quietly(self._start(attempts, access), group=f"start {self.starts}")
        self.between = None
        self._update([host.name for host in hosts])
        if self.clock is not None:
            self.clock.resume()
        self._tell()

    async def _start(self, attempts: list[tuple[Host, int]], access: Access) -> None:
        for place, (host, attempt) in enumerate(attempts, 1):
            work = self._look_at(host, access, attempt)
            self.run_quietly(work, group=f"look {host.name}")
            if place % AT_A_TIME == 0:
                await asyncio.sleep(0)

    async def _look_at(self, host: Host, access: Access, attempt: int) -> None:
        seen = await self.services.look(host, access)
        if self.looking.get(host.name) == attempt:
            del self.looking[host.name]
            self.memory.seen[host.name] = seen
            self.arrived.append(seen)
            self._start_flushing()
            ask_about_programs(self, seen.problem, self._look_past_programs)

    def _look_past_programs(self) -> None:
        """Look at those again that waited for a word about programs."""
        seen = self.memory.seen
        waited = [host.name for host in self.hosts if host.name in seen]
        self.again([name for name in waited if programs_of(seen[name].problem)])

    def _start_flushing(self) -> None:
        if self.flusher is not None:
            self.flusher.resume()

    def _flush(self) -> None:
        """Judge what has arrived, a little at a time, and draw it at most twenty times a second."""
        question = self.memory.question
        if question is None:
            return
        until = time.monotonic() + JUDGE_SECONDS
        names = []
        while self.arrived and time.monotonic() < until:
            seen = self.arrived.pop(0)
            roles = (question.roles or {}).get(seen.host.name, seen.host.roles)
            self.results[seen.host.name] = self.services.judge(seen, roles, question)
            names.append(seen.host.name)
        if names:
            self._update(names)
            self._tell()
        if self.arrived:
            return
        if self.flusher is not None:
            self.flusher.pause()
        if not self.looking:
            if self.clock is not None:
                self.clock.pause()
            self.assess()

    # ---- the whole

    def assess(self) -> None:
        """Judge the whole site, now that every machine has answered or failed."""
        self.assess_number += 1
        self.run_quietly(self._assess(self.assess_number), group="assess")

    async def _assess(self, number: int) -> None:
        try:
            await self._judge_all(number)
        except Exception:
            self._progress("What was seen could not be judged; r looks again.")
            raise

    async def _judge_all(self, number: int) -> None:
        judged = await assess_site(
            self.hosts,
            answers=self.answers,
            memory=self.memory,
            services=self.services,
            access=self.access,
            tell=self._progress,
            count=lambda done, all_: self._progress(f"Trying what is fetched: {done} of {all_}"),
        )
        if judged is None or number != self.assess_number or self.looking:
            return
        self.memory.question, assessment = judged
        self.memory.assessment = assessment
        self.results = {result.seen.host.name: result for result in assessment.hosts}
        self.between = assessment.findings
        self._show()
        self._tell()

    # ---- showing

    def _tell(self) -> None:
        """How far it is, in words and seconds; nothing moves when there is nothing to tell."""
        total = len(self.hosts)
        assessment = self.memory.assessment
        if self.looking:
            seconds = int(time.monotonic() - self.started)
            done = total - len(self.looking)
            self._progress(f"Looking: {done} of {total} have answered, {seconds} s")
        elif assessment is not None and self.between is not None:
            from screens.words.words import verdict_sentence

            self._progress(verdict_sentence(assessment))
        elif self.results:
            self._progress("Judging what was seen")

    def _progress(self, text: str) -> None:
        self.query_one("#progress", Static).update(text)

    def _row(self, name: str, shape: Shape) -> Row:
        from screens.preflight.matrix import result_row, waiting_row

        if name in self.looking:
            return waiting_row(name, "looking")
        result = self.results.get(name)
        return waiting_row(name) if result is None else result_row(result, shape)

    def _shape(self) -> Shape:
        from screens.preflight.matrix import shape_for

        width = self.query_one("#machines", Board).size.width or self.app.size.width - 18
        roles = [", ".join(result.roles) for result in self.results.values()]
        names = [host.name for host in self.hosts]
        present = {part.area for result in self.results.values() for part in result.findings}
        return shape_for(width, names, roles, present if self.between is not None else None)

    def _update(self, names: list[str]) -> None:
        if self.only_open:
            self._show()
        else:
            shape = self.shape or self._shape()
            rows = [self._row(name, shape) for name in names]
            self.query_one("#machines", Board).update_rows(rows)
            if self._under_cursor() in names:
                self._glance()

    def _show(self, keep: str | None = None) -> None:
        """Draw every row anew, with the columns that fit."""
        from preflight.report.areas import Mark, mark_of
        from screens.preflight.matrix import between_row, notes_row
        from screens.words.words import to_mend

        shape = self.shape = self._shape()
        board = self.query_one("#machines", Board)
        board.set_columns(shape.columns())
        rows = []
        for host in self.hosts:
            result = self.results.get(host.name)
            if self.only_open and result is not None and not to_mend(result.findings):
                continue
            rows.append(self._row(host.name, shape))
        alone = len(self.hosts) == 1
        # Of one machine alone there is nothing to compare, and yet its way out may be closed.
        if self.between is not None and (not alone or to_mend(self.between)):
            row = between_row(self.between, shape, alone=alone)
            # What fails between them concerns all, and must not stand below sixty machines.
            failing = any(mark_of(finding) is Mark.FAIL for finding in self.between)
            rows.insert(0 if failing else len(rows), row)
        if notes := self._notes():
            rows.append(notes_row(notes))
        board.set_rows(rows, keep=keep)
        self._glance()

    def _notes(self) -> tuple[str, ...]:
        """What the tables say that no check can tell, once a solution is judged for."""
        from preflight.sizing import table_notes

        question = self.memory.question
        judged = question is not None and self.between is not None and not question.carries_for
        return table_notes(question.needs) if question is not None and judged else ()

    def on_board_highlighted(self, _event: Board.Highlighted) -> None:
        """Say what is to mend on the machine under the cursor, where there is room for it."""
        self._glance()

    def _glance(self) -> None:
        from screens.preflight.matrix import BETWEEN, NOTES, glance, notes_glance

        name = self._under_cursor()
        text: Content | str = ""
        if name == BETWEEN:
            title = "Between the machines" if len(self.hosts) > 1 else "Around the machine"
            text = glance(title, self.between or ())
        elif name == NOTES:
            text = notes_glance(self._notes())
        elif name is not None and (result := self.results.get(name)) is not None:
            problem = result.seen.problem
            text = glance(name, result.findings, problem)
        self.query_one("#glance-text", Static).update(text)

    def on_resize(self, event: events.Resize) -> None:
        """Other columns for another width."""
        if event.size.width != self.shown_width:
            self.shown_width = event.size.width
            self.call_after_refresh(self._show)

    # ---- keys

    def _under_cursor(self) -> str | None:
        return self.query_one("#machines", Board).key

    def on_board_chosen(self, event: Board.Chosen) -> None:
        """Enter opens a machine."""
        event.stop()
        self.action_open()

    def action_open(self) -> None:
        """Open the machine under the cursor."""
        from screens.preflight.findings import FindingsScreen
        from screens.preflight.matrix import BETWEEN, NOTES
        from screens.preflight.notes_panel import NotesPanel

        name = self._under_cursor()
        if name is None:
            return
        if name == NOTES:
            self.app.push_screen(NotesPanel(self._notes()))
            return
        if name != BETWEEN and name not in self.results:
            self.say(f"{name} is still being looked at.")
            return
        self.app.push_screen(FindingsScreen(None if name == BETWEEN else name))

    def again(self, names: list[str]) -> bool:
        """Look at some machines again; False where there are only facts from a file."""
        if self.answers.facts_file is not None:
            self.say("These facts come from a file; there is no machine to look at again.")
            return False
        if not self.looking:
            # What one machine tells anew can change who plays which role, and who reaches whom.
            self.memory.assigned = None
            self.memory.mesh = None
            self.memory.egress_of = self.memory.egress = None
        self._look([host for host in self.hosts if host.name in names])
        return True

    def action_again(self) -> None:
        """Look at the machine under the cursor again."""
        from screens.preflight.matrix import BETWEEN, NOTES

        name = self._under_cursor()
        self.memory.programs_left.clear()
        if name in (BETWEEN, NOTES):
            self.action_again_all()
        elif name is not None:
            self.again([name])

    def action_again_all(self) -> None:
        """Look at all of them again."""
        self.memory.programs_left.clear()
        self.again([host.name for host in self.hosts])

    def action_filter(self) -> None:
        """All machines, or only those with something to mend."""
        self.only_open = not self.only_open
        self._show(keep=self._under_cursor())
        self.say(
            "Only machines with something to mend are shown; f shows all again."
            if self.only_open
            else "All machines are shown."
        )

    def action_export(self) -> None:
        """Write the result to a file."""
        from screens.dialogs.export import open_export

        open_export(self)

    # ---- waivers

    def waive(self, check: str, host: str | None, waiver: Waiver | None) -> None:
        """Take a waiver among the answers in the place of the one before, or take that one back.

        The site is judged again with it.
        """
        before = self.answers.waivers
        others = tuple(one for one in before if (one.check, one.host) != (check, host))
        self._take_waivers((*others, waiver) if waiver is not None else others)
        self.slip("", lambda: self._take_waivers(before))

    def _take_waivers(self, waivers: tuple[Waiver, ...]) -> None:
        self.wizard.answers = self.answers.saying(waivers=waivers)
        self.wizard.keep_place()
        self._refresh_question()
        self.assess()

    def collect(self) -> Answers:
        """Nothing to add: roles and waivers went in where they were given."""
        return self.answers

    def action_next(self) -> None:
        """On to the summary, once everything has been judged."""
        if self.looking or self.memory.assessment is None:
            self.say("Some machines are still being looked at; the summary needs all of them.")
            return
        super().action_next()

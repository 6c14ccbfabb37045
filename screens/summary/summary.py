"""Summary: the verdict, who plays which role, what this machine carries, and the site file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from screens.answers.answers import Answers
from screens.answers.wizard import StepId, installs
from screens.dialogs.export import open_export
from screens.services.file_words import (
    CARRY_COMMAND,
    facts_command,
    repeat_command,
    shown_path,
    site_name,
)
from screens.services.judging import assess_site
from screens.shell.step import StepScreen
from screens.summary.straight import OFFER, nothing_is_asked, straight_to_plan
from screens.widgets.board import Board, Cell, Column, Row
from screens.widgets.keys import Key

if TYPE_CHECKING:
    from preflight.assessment import Assessment


class SummaryScreen(StepScreen):
    """What came out, and how to repeat it."""

    STEP = StepId.SUMMARY
    CSS_PATH = "summary.tcss"
    KEYS: ClassVar[tuple[Key, ...]] = (
        Key("Enter", "Roles", "screen.roles"),
        Key("s", "Site file", "screen.site"),
        Key("e", "Export", "screen.export"),
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", "site", "Site file", show=False),
        Binding("e", "export", "Export", show=False),
        Binding("f9", "straight", "To the plan", show=False),
    ]

    def step_keys(self) -> Sequence[Key]:
        """Roles and a site file belong to machines with a solution."""
        answers = self.answers
        if answers.carry:
            return self.KEYS[2:]
        return self.KEYS if answers.facts_file is None else (self.KEYS[0], self.KEYS[2])

    def compose_body(self) -> ComposeResult:
        """Verdict, table, what is short, the command."""
        yield Static("", id="verdict", markup=False)
        yield Board((Column("", 12), Column("")), id="table")
        with VerticalScroll(id="shortfalls"):
            yield Static("", id="short", markup=False)
        yield Static("", id="repeat", markup=False)
        yield Static("", id="offer", markup=False)

    def on_mount(self) -> None:
        """Show what was judged; without it, which a resume brings about, judge first."""
        self.query_one("#table", Board).focus()
        if self.memory.assessment is None:
            self.call_after_refresh(self.wizard.go, StepId.PREFLIGHT, self.answers)
            return
        self._show(self.memory.assessment)
        self.run_quietly(self._offer(), group="offer")

    async def _offer(self) -> None:
        """Say so where an installation asks nothing more."""
        if await nothing_is_asked(self):
            offer = self.query_one("#offer", Static)
            offer.update(OFFER)
            offer.display = True

    def action_straight(self) -> None:
        """To the plan, past what has an answer already."""
        if installs(self.answers):
            self.run_quietly(straight_to_plan(self), group="offer")

    def _show(self, assessment: Assessment) -> None:
        from screens.words.words import VERDICT_TONES, verdict_sentence

        tone = VERDICT_TONES[assessment.verdict]
        verdict = self.query_one("#verdict", Static)
        verdict.set_classes(f"-{tone}")
        verdict.update(verdict_sentence(assessment))
        if self.answers.carry:
            self._show_carries(assessment)
        else:
            self._show_roles(assessment)
        self._show_repeat()

    def _show_carries(self, assessment: Assessment) -> None:
        from screens.words.words import VERDICT_TONES, VERDICT_WORDS

        board = self.query_one("#table", Board)
        board.set_columns((Column("", 10), Column("can it carry"), Column("why")))
        board.set_rows(
            Row(
                f"{carries.solution}/{carries.environment}",
                (
                    Cell(VERDICT_WORDS[carries.verdict].partition(",")[0],
                         VERDICT_TONES[carries.verdict]),
                    Cell(f"{carries.title}, {carries.environment}"),
                    Cell(carries.sentence, "muted"),
                ),
            )
            for carries in assessment.carries
        )  # fmt: skip
        self._explain()

    def _show_roles(self, assessment: Assessment) -> None:
        from screens.words.words import VERDICT_TONES, clusters_beside, host_sentence

        board = self.query_one("#table", Board)
        board.set_columns((Column("machine", name=True), Column("role", 6), Column("verdict")))
        board.set_rows(
            Row(
                host.seen.host.name,
                (
                    Cell(host.seen.host.name),
                    Cell(", ".join(host.roles) or "none"),
                    Cell(host_sentence(host), VERDICT_TONES[host.verdict]),
                ),
            )
            for host in assessment.hosts
        )
        short = [*(self.memory.assigned.shortfalls if self.memory.assigned else ())]
        short += filter(None, (clusters_beside(assessment.needs),))
        self.query_one("#shortfalls").display = bool(short)
        self.query_one("#short", Static).update("\n".join(short))

    def _show_repeat(self) -> None:
        answers = self.answers
        if answers.carry:
            text = Content.assemble("Again, without the wizard:  ", (CARRY_COMMAND, "bold"))
        elif answers.facts_file is not None:
            text = Content.assemble(
                "Again, without the wizard:  ", (facts_command(answers), "bold")
            )
        elif answers.site_file is not None and self.wizard.site_written:
            text = Content.assemble(
                f"Site file:  {shown_path(answers.site_file)}\nAgain:      ",
                (repeat_command(answers.site_file), "bold"),
            )
        else:
            text = Content.assemble(
                ("s", "bold"), " writes the site file that repeats this preflight."
            )
        self.query_one("#repeat", Static).update(text)

    def on_board_highlighted(self, _event: Board.Highlighted) -> None:
        """Where a machine could carry it or not, say why in full."""
        if self.answers.carry:
            self._explain()

    def _explain(self) -> None:
        assessment = self.memory.assessment
        key = self.query_one("#table", Board).key
        for carries in assessment.carries if assessment else ():
            if f"{carries.solution}/{carries.environment}" == key:
                self.query_one("#shortfalls").display = True
                self.query_one("#short", Static).update(
                    f"{carries.title}, {carries.environment}: {carries.sentence}"
                )

    # ---- roles

    def on_board_chosen(self, event: Board.Chosen) -> None:
        """Enter changes the roles of a machine."""
        event.stop()
        self.action_roles()

    def action_roles(self) -> None:
        """Change the roles of the machine under the cursor."""
        from screens.summary.roles import RolesScreen

        assessment = self.memory.assessment
        name = self.query_one("#table", Board).key
        if assessment is None or name is None or self.answers.carry:
            return
        result = next((host for host in assessment.hosts if host.seen.host.name == name), None)
        if result is not None:
            self.app.push_screen(
                RolesScreen(name, result.roles, assessment.needs),
                lambda roles: self._take_roles(name, roles),
            )

    def _take_roles(self, name: str, roles: tuple[str, ...] | None) -> None:
        if roles is None:
            return
        before = self.answers.roles
        self._give_roles({**before, name: roles})
        self.slip("", lambda: self._give_roles(before))

    def _give_roles(self, given: Mapping[str, tuple[str, ...]]) -> None:
        self.wizard.answers = self.answers.with_roles(given)
        self.wizard.keep_place()
        # Other machines may take over other roles.
        self.memory.assigned = None
        self.run_quietly(self._judge_again(), group="assess")

    async def _judge_again(self) -> None:
        judged = await assess_site(
            tuple(self.answers.inventory()),
            answers=self.answers,
            memory=self.memory,
            services=self.services,
            access=self.access,
            tell=self.say,
        )
        if judged is not None:
            self.memory.question, self.memory.assessment = judged
            self._show(self.memory.assessment)
            self.say("Judged again with these roles.")

    # ---- files

    def action_export(self) -> None:
        """Write the result to a file."""
        open_export(self)

    def action_site(self) -> None:
        """Write the site file, after a question for its name."""
        from installer.sites.site_paths import against_site_name
        from screens.dialogs.ask_file import WriteFileScreen

        answers = self.answers
        if answers.carry or answers.facts_file is not None:
            self.say("There is no site file to write: the command below repeats this as it is.")
            return
        name = answers.site_file or site_name(answers)
        self.app.push_screen(
            WriteFileScreen(
                "Write the site file",
                "It holds these answers, and no password. Keep it with the site.",
                value=str(name),
                against=against_site_name,
            ),
            self._take_site,
        )

    def _take_site(self, path: Path | None) -> None:
        if path is not None:
            self.run_quietly(self._write_site(path), group="site")

    async def _write_site(self, path: Path) -> None:
        question = self.memory.question
        roles = dict(question.roles) if question and question.roles else self.answers.roles
        answers: Answers = replace(self.answers.with_roles(roles), site_file=path)
        await self.services.write_site(answers, path)
        self.wizard.answers = answers
        self.wizard.site_written = True
        self.wizard.keep_place()
        words = [f"Site file: {shown_path(path)}", f"Again: {repeat_command(path)}"]
        self.memory.last_words = [w for w in self.memory.last_words if w not in words] + words
        self._show_repeat()
        self.say("Written.")

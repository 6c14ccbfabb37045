"""Goal: which solution, in which environment, these machines should carry."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.containers import Container, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from screens.answers import Answers
from screens.step import StepScreen
from screens.widgets.board import Board, Cell, Column, Row
from screens.widgets.keys import Key
from screens.wizard import StepId

if TYPE_CHECKING:
    from screens.services import EnvironmentChoice, SolutionChoice

CARRY = "carry"


class GoalScreen(StepScreen):
    """Every solution and environment in one list, with what each asks for."""

    STEP = StepId.GOAL
    CSS_PATH = "goal.tcss"
    KEYS: ClassVar[tuple[Key, ...]] = (Key("Enter", "Choose", "screen.next"),)

    def compose_body(self) -> ComposeResult:
        """The list, and the table of what is under the cursor."""
        with Container(id="goals"):
            yield Board((Column("", 26), Column("")), header=False, id="list")
            with VerticalScroll(id="asks", can_focus=True):
                yield Static("Reading the tables…", id="asks-text", markup=False)

    def on_mount(self) -> None:
        """Read the data files beside the screen."""
        self.query_one("#list", Board).focus()
        self.run_quietly(self._read(), group="solutions")

    async def _read(self) -> None:
        if not self.memory.solutions:
            self.memory.solutions = await self.services.solutions()
        answers = self.answers
        keep = (
            CARRY
            if answers.carry or answers.solution is None
            else f"{answers.solution}/{answers.environment}"
        )
        self.query_one("#list", Board).set_rows(self._rows(), keep=keep)
        self._explain(self.query_one("#list", Board).key or CARRY)

    def _rows(self) -> list[Row]:
        rows = []
        if self.answers.facts_file is None or len(self.answers.machines) == 1:
            rows.append(Row(CARRY, (Cell("What can this machine carry?"),)))
        for solution in self.memory.solutions:
            rows.append(Row(solution.id, (Cell(solution.title),), heading=True))
            for environment in solution.environments:
                rows.append(
                    Row(
                        f"{solution.id}/{environment.id}",
                        (
                            Cell(f"  {environment.title or environment.id}"),
                            Cell(needed(environment), "muted"),
                        ),
                    )
                )
        return rows

    def on_board_highlighted(self, event: Board.Highlighted) -> None:
        """Show what the choice under the cursor asks for."""
        self._explain(event.key)

    def on_board_chosen(self, event: Board.Chosen) -> None:
        """Enter takes it and goes on."""
        event.stop()
        self.action_next()

    def _explain(self, key: str) -> None:
        found = self._find(key)
        text = CARRY_TEXT if found is None else asks_text(*found)
        self.query_one("#asks-text", Static).update(text)
        self.query_one("#asks", VerticalScroll).scroll_home(animate=False)

    def _find(self, key: str) -> tuple[SolutionChoice, EnvironmentChoice] | None:
        name, _, environment_id = key.partition("/")
        for solution in self.memory.solutions:
            for environment in solution.environments:
                if solution.id == name and environment.id == environment_id:
                    return solution, environment
        return None

    def collect(self) -> Answers:
        """The goal; another one than before drops what was judged against the old one."""
        key = self.query_one("#list", Board).key
        before = self.answers
        if key is None:
            return before
        found = self._find(key)
        if found is None:
            answers = before.carrying(self.services.this_machine())
        else:
            answers = before.aiming_at(found[0].id, found[1].id)
        if not answers.aims_as(before):
            self.memory.forget_judgement()
        return answers


def needed(environment: EnvironmentChoice) -> str:
    """How many machines an environment asks for."""
    from screens.words import machines_needed

    return machines_needed(environment.needs)


CARRY_TEXT = Content.assemble(
    ("This machine, against everything\n", "bold"),
    "It is looked at, and compared with every solution that fits on one machine. The least "
    "demanding comes first. Nothing else is needed: no address, no login.",
)


def asks_text(solution: SolutionChoice, environment: EnvironmentChoice) -> Content:
    """What a solution asks of its machines, and who says so."""
    from screens.words import role_lines

    needs = environment.needs
    parts: list[str | tuple[str, str]] = [
        (f"{solution.title}, {environment.title or environment.id}\n", "bold"),
        f"{solution.summary}\n\n",
    ]
    lines = role_lines(needs)
    width = max((len(role) for _, role, _ in lines), default=0)
    for count, role, text in lines:
        parts += [f"{count:>3} ", (f"{role:<{width}}", "bold"), f"  {text}\n"]
    parts.append(f"\nSource: {needs.sizing.source}\n")
    for note in needs.sizing.notes:
        parts.append(f"{note}\n")
    if needs.other_sizings:
        titles = "; ".join(table.title for table in needs.other_sizings)
        parts.append(f"Other tables, not used: {titles}\n")
    if not solution.installable:
        parts.append(f"\nJudged only. {solution.note}".rstrip() + "\n")
    return Content.assemble(*parts)

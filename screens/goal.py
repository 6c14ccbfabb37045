"""Goal: which solution, in which environment, these machines should carry."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Final

from rich.console import Group
from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Container, VerticalScroll
from textual.widgets import Static

from screens.answers import Answers
from screens.step import StepScreen
from screens.widgets.board import Board, Cell, Column, Row
from screens.widgets.keys import Key
from screens.wizard import StepId

if TYPE_CHECKING:
    from screens.services import EnvironmentChoice, SolutionChoice

CARRY: Final = "carry"


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
        text = carry_text() if found is None else asks_text(*found)
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
            answers = replace(answers, furthest=self.STEP.value)
        return answers


def needed(environment: EnvironmentChoice) -> str:
    """How many machines an environment asks for."""
    from preflight.sizing import machines_needed

    return machines_needed(environment.needs)


CARRY_TEXT: Final = (
    "It is looked at, and compared with every solution that fits on one machine. The least "
    "demanding comes first. Nothing else is needed: no address, no login."
)


def carry_text() -> Group:
    """What the question about this machine means."""
    return Group(Text("This machine, against everything", "bold"), Text(CARRY_TEXT))


def asks_text(solution: SolutionChoice, environment: EnvironmentChoice) -> Group:
    """What a solution asks of its machines, and who says so."""
    from preflight.sizing import role_lines

    needs = environment.needs
    table = Table.grid(padding=(0, 1, 0, 0), expand=True)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(ratio=1)
    for count, role, text in role_lines(needs):
        table.add_row(Text(count), Text(role, "bold"), Text(text))
    parts: list[Text | Table] = [
        Text(f"{solution.title}, {environment.title or environment.id}", "bold"),
        Text(solution.summary),
        Text(),
        table,
        Text(),
        Text(f"Source: {needs.sizing.source}"),
    ]
    parts += [Text(note) for note in needs.sizing.notes]
    if needs.other_sizings:
        titles = "; ".join(other.title for other in needs.other_sizings)
        parts.append(Text(f"Other tables, not used: {titles}"))
    if not solution.installable:
        parts += [Text(), Text(f"It can be judged, and not installed yet. {solution.note}")]
    return Group(*parts)

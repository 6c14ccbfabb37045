"""Goal: which solution, in which environment, these machines should carry.

Two ways to it: the map, which asks who you are, and the list for those who know what they want.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, VerticalScroll
from textual.widgets import Static
from textual.worker import Worker

from foundation.problems import InputProblem
from screens.answers.answers import Answers
from screens.answers.wizard import StepId, step_of
from screens.goal.goal_map import LEGEND, MapPane, places_of
from screens.goal.goal_words import CARRY, asked_words, asks_text, carry_text, without_goal
from screens.shell.step import StepScreen
from screens.widgets.board import Board, Cell, Column, Row
from screens.widgets.keys import Key

if TYPE_CHECKING:
    from installer.guide.advice import Wishes
    from installer.guide.guide import Map
    from preflight.assessment import Seen
    from screens.services.services import EnvironmentChoice, SolutionChoice


class GoalScreen(StepScreen):
    """The map of use cases and options, or every environment in one list."""

    STEP = StepId.GOAL
    CSS_PATH = "goal.tcss"
    KEYS: ClassVar[tuple[Key, ...]] = (
        Key("Enter", "Choose", "screen.next"),
        Key("Space", "About", "screen.about"),
        Key("L", "List or map", "screen.swap"),
        Key("s", "Site file", "screen.site_file"),
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("l", "swap", "List", show=False),
        Binding("s", "site_file", "Site file", show=False),
        Binding("space", "about", "About", show=False),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.chart: Map | None = None
        self.machines: tuple[Seen, ...] = ()
        """What the advice is measured against: the site's machines, else this one."""

    def compose_body(self) -> ComposeResult:
        """The map, and behind it the list with the table of what is under the cursor."""
        yield MapPane()
        with Container(id="goals"):
            yield Board((Column("", 26), Column("")), header=False, id="list")
            with VerticalScroll(id="asks", can_focus=True):
                yield Static("Reading the tables…", id="asks-text", markup=False)

    def on_mount(self) -> None:
        """Read the data files beside the screen, then look at what there is."""
        self.set_class(self.memory.goal_list, "-list")
        self._focus()
        self.run_quietly(self._read(), group="solutions")

    def on_resize(self, _event: events.Resize) -> None:
        """Another width may need the signs, or have room for words."""
        self.call_after_refresh(self._tell_why)

    def _tell_why(self) -> None:
        """What the signs mean, where there are any; else why the step is there."""
        signs = not self.listed and self.pane.signs
        self.query_one("#why", Static).update(LEGEND if signs else step_of(self.STEP).why)

    @property
    def pane(self) -> MapPane:
        """The map."""
        return self.query_one(MapPane)

    @property
    def listed(self) -> bool:
        """Whether the list is in front."""
        return self.has_class("-list")

    async def _read(self) -> None:
        self.chart = await self.services.guide()
        self.pane.show(self.chart, case=self._case_to_begin(self.chart))
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
        self.machines = tuple(self.memory.seen.values())
        if not self.machines and answers.facts_file is None:
            if self.memory.here is None:
                self.memory.here = await self.services.look_here()
            self.machines = (self.memory.here,)
        self.pane.forget()

    def _case_to_begin(self, chart: Map) -> str:
        """The use case under the cursor at first: that of the goal before, else the first."""
        answers = self.answers
        if answers.carry:
            return CARRY
        if answers.solution and answers.environment:
            places = places_of(chart, answers.solution, answers.environment)
            if places:
                return places[0][0]
        return chart.use_cases[0].id

    # ---- the map

    def on_map_pane_wanted(self, event: MapPane.Wanted) -> None:
        """Advice for the use case under the cursor."""
        event.stop()
        # A worker that is replaced before it began must leave no coroutine behind.
        case = event.case

        async def work() -> None:
            await self._advise(case)

        _: Worker[None] = self.run_worker(work, group="advice", exclusive=True, exit_on_error=False)

    async def _advise(self, case: str) -> None:
        advice = await self.services.advise(wishes_of(case), self.machines, named=self._named)
        self.pane.take(case, advice, self._machine_name())
        answers = self.answers
        if answers.solution and self.chart is not None:
            for place, key in places_of(self.chart, answers.solution, answers.environment or ""):
                if place == case:
                    self.pane.ways.move_to(key)

    @property
    def _named(self) -> bool:
        """Whether the machines that were looked at are those meant for it, not the one at hand."""
        return bool(self.memory.seen) or self.answers.facts_file is not None

    def _machine_name(self) -> str:
        if not self.machines:
            return ""
        return self.machines[0].host.name if len(self.machines) == 1 else "these machines"

    def on_map_pane_chosen(self, event: MapPane.Chosen) -> None:
        """Enter on an option takes it."""
        event.stop()
        self.action_next()

    def action_about(self) -> None:
        """Everything about the option under the cursor."""
        ranked = None if self.listed else self.pane.ranked()
        if ranked is None or self.chart is None:
            return
        from screens.goal.option_panel import OptionPanel

        self.app.push_screen(OptionPanel(self.chart, ranked.option))

    def action_site_file(self) -> None:
        """Write a commented site file for the goal under the cursor."""
        from screens.welcome.new_site import ask_new_site

        try:
            goal = self._chosen() or ""
        except InputProblem:
            goal = ""
        ask_new_site(self, goal)

    # ---- the list

    def action_swap(self) -> None:
        """The list in the place of the map, or back; it is remembered for this session."""
        self.memory.goal_list = not self.memory.goal_list
        self.set_class(self.memory.goal_list, "-list")
        self._focus()
        self._tell_why()

    def _focus(self) -> None:
        (self.query_one("#list", Board) if self.listed else self.pane.cases).focus()

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
                            Cell(asked_words(environment.needs), "muted"),
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

    # ---- the answer

    def _chosen(self) -> str | None:
        """The key of the goal under the cursor, of the map or the list; raises InputProblem."""
        if self.listed:
            return self.query_one("#list", Board).key
        pane = self.pane
        if pane.case == CARRY and not pane.ways.has_focus:
            return CARRY
        ranked = pane.ranked()
        if ranked is None:
            return None
        if ranked.goal is None:
            raise InputProblem(
                without_goal(ranked), remedy="Choose another option, or take it by hand."
            )
        return "/".join(ranked.goal)

    def collect(self) -> Answers:
        """The goal; another one than before drops what was judged against the old one."""
        key = self._chosen()
        before = self.answers
        if key is None:
            return before
        found = self._find(key)
        if found is None:
            answers = before.carrying(self.services.this_machine())
        else:
            answers = before.aiming_at(found[0].id, found[1].id)
            if found[1].needs.single_machine:
                answers = answers.standing_on(self.services.this_machine())
        if not answers.aims_as(before):
            self.memory.forget_judgement()
            answers = replace(answers, furthest=self.STEP.value)
        return answers


def wishes_of(case: str) -> Wishes:
    """What somebody under a use case wishes for."""
    from installer.guide.advice import USE_CASE_OF, Purpose, Wishes

    if case == CARRY:
        return Wishes(purpose=Purpose.EXPERIMENT)
    purpose = next((one for one, name in USE_CASE_OF.items() if name == case), None)
    return Wishes(purpose=purpose) if purpose else Wishes(purpose=Purpose.RUN, where=case)

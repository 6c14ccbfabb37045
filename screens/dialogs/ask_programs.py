"""Programs that a site's files would start on this machine: shown whole, and asked about once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.widgets import Static

from foundation.problems import Problem
from screens.shell.dialog import Buttons, Sure
from screens.words.program_words import LEFT, WHY, programs_of

if TYPE_CHECKING:
    from foundation.hosts.openssh.ssh_files import Program
    from screens.shell.step import StepScreen


class ProgramsScreen(Sure):
    """Each line with its place, and yes or no."""

    HELP = "machines"
    GRAVE = True

    def __init__(self, programs: Sequence[Program], whose: str = "site") -> None:
        super().__init__()
        self.programs = tuple(programs)
        self.whose = whose
        """What would start them."""
        self.waiting: dict[tuple[Program, ...], Callable[[], None]] = {}
        """By programs that were met meanwhile: what asks about them once this is answered."""

    def compose(self) -> ComposeResult:
        """The lines and the question."""
        number = len(self.programs)
        what = "this program" if number == 1 else f"these {number} programs"
        # The place stands in a line of its own, so that no command can be taken for it.
        lines = "\n".join(f"{program.place}\n  {program.whole}" for program in self.programs)
        with Vertical(classes="dialog -wide"):
            yield Static(
                f"May the {self.whose} start {what} on this machine?",
                classes="dialog-title",
                markup=False,
            )
            with VerticalScroll(classes="dialog-lines"):
                yield Static(lines, markup=False, id="programs")
            yield Static(WHY, classes="dialog-note", markup=False)
            yield Static("", classes="dialog-error", id="wrong", markup=False)
            yield Buttons("Allow", "Leave them")


def ask_about_programs(
    screen: StepScreen, problem: Problem | None, again: Callable[[], None]
) -> None:
    """Ask where a problem is that nobody allowed some programs; `again` follows a yes.

    A site's machines meet the same problem at once; it is asked about once, and a no holds until
    the person asks for a machine again. Others wait for the question that stands on the screen.
    """
    programs, memory = programs_of(problem), screen.memory
    if not programs or programs in memory.programs_left:
        return
    stands = next((one for one in screen.app.screen_stack if isinstance(one, ProgramsScreen)), None)
    if stands is not None:
        if programs != stands.programs:
            stands.waiting[programs] = partial(ask_about_programs, screen, problem, again)
        return
    question = ProgramsScreen(programs)

    async def allow() -> None:
        try:
            await screen.services.allow_programs(programs)
        except Problem:
            memory.programs_left.add(programs)
            raise
        again()

    def answered(yes: bool | None) -> None:
        if yes:
            screen.run_quietly(allow(), group="allow programs")
        else:
            memory.programs_left.add(programs)
            screen.say(f"{LEFT} r on such a machine asks again.")
        for ask in question.waiting.values():
            ask()

    screen.app.push_screen(question, answered)

"""Step screen: what every step of the wizard has in common, from the headline to the keys."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, ClassVar, TypeVar, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Static
from textual.worker import Worker, WorkerState

from foundation.problems import Problem
from screens.answers.answers import Answers
from screens.answers.wizard import StepId, after, step_of
from screens.services.memory import Memory, Touched
from screens.services.services import Access, Services
from screens.shell.hints import hints, seek_in, seeks, working, works
from screens.shell.late import LastingScreen
from screens.widgets.headline import Headline
from screens.widgets.keys import Key, KeyLine
from screens.widgets.press import Press
from screens.widgets.problem import ProblemPanel
from screens.widgets.rail import Rail, Strip

if TYPE_CHECKING:
    from screens.shell.app import SitewrightApp

Result = TypeVar("Result")

COMMON_KEYS = (
    Key("F1 ?", "Help", "app.help"),
    Key("F4", "Look", "app.look"),
    Key("Esc ^P", "Back", "screen.back"),
    Key("F10 ^N", "Next", "screen.next"),
    Key("q ^Q", "Quit", "app.leave"),
)


class StepScreen(LastingScreen[None]):
    """One step: headline, rail, title, why, body, problem panel, keys, Back and Next."""

    STEP: ClassVar[StepId]
    KEYS: ClassVar[Sequence[Key]] = ()
    """The keys that belong to this step alone."""
    NEXT: ClassVar[str] = "Next"
    CSS_PATH: ClassVar[str | None] = None
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,ctrl+b,ctrl+p", "back", "Back", show=False),
        Binding("z,ctrl+z", "undo", "Take back the last", show=False),
        Binding("f10,ctrl+n", "next", "Next", show=False, priority=True),
        Binding("q", "app.leave", "Quit", show=False),
        Binding("slash", "seek", "Filter", show=False),
    ]
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (76, "-usual"), (110, "-wide")]  # noqa: RUF012 - Textual's own type
    VERTICAL_BREAKPOINTS = [(0, "-short"), (24, "-usual-height"), (34, "-high")]  # noqa: RUF012 - Textual's own type

    def __init__(self) -> None:
        super().__init__()
        self.slips: list[tuple[str, Callable[[], None]]] = []
        """What was done on this step and can be taken back, the last at the end."""

    @property
    def wizard(self) -> SitewrightApp:
        """The app, with the type that it has here."""
        return cast("SitewrightApp", self.app)

    @property
    def answers(self) -> Answers:
        """What was told so far."""
        return self.wizard.answers

    @property
    def memory(self) -> Memory:
        """What was learnt so far."""
        return self.wizard.memory

    @property
    def services(self) -> Services:
        """The floors below."""
        return self.wizard.services

    @property
    def access(self) -> Access:
        """The machines as answered so far, with this session's secrets."""
        return self.wizard.access()

    @property
    def panel(self) -> ProblemPanel:
        """Where problems and notes are shown."""
        return self.query_one(ProblemPanel)

    def compose(self) -> ComposeResult:
        """The frame; a step fills its body."""
        step = step_of(self.STEP)
        changed = self.memory.changed
        answers = self.answers
        yield Headline(answers.name, changed.sentence, answers.short_name, changed.short)
        yield Strip(self.STEP, self.answers)
        with Horizontal(id="frame"):
            yield Rail(self.STEP, self.answers)
            with Vertical(id="main"):
                yield Static(self.title_text(), id="title", markup=False)
                yield Static(step.why, id="why", markup=False)
                with Vertical(id="body"):
                    yield from self.compose_body()
                yield ProblemPanel()
                with Horizontal(id="nav"):
                    yield KeyLine(self.step_keys(), id="step-keys")
                    yield Press("Back", id="back", action="screen.back")
                    last = after(self.STEP, self.answers) is None
                    word = "Finish" if last else self.NEXT
                    yield Press(word, id="next", action="screen.next", primary=True)
        yield KeyLine(COMMON_KEYS, id="keys")

    def compose_body(self) -> ComposeResult:
        """The widgets of this step."""
        raise NotImplementedError

    def title_text(self) -> str:
        """The title of the step."""
        return step_of(self.STEP).title

    def step_keys(self) -> Sequence[Key]:
        """The keys of this step that mean something with the answers so far."""
        return self.KEYS

    def collect(self) -> Answers:
        """The answers with what this step adds; raises Problem if something typed is wrong."""
        return self.answers

    def say(self, text: str, *, bad: bool = False, passing: bool = False) -> None:
        """A sentence in the panel; it stays until something else is said.

        One that is `passing` is true only while something is under way, and goes with that.
        """
        self.panel.note(text, bad=bad, passing=passing)

    def show_problem(self, problem: Problem) -> None:
        """A problem in the panel."""
        self.panel.show(problem)

    def on_descendant_focus(self) -> None:
        """The keys are those that work where the cursor is."""
        self.refresh_keys()

    def on_board_sifted(self) -> None:
        """While the filter of a list is typed, letters belong to it."""
        self.refresh_keys()

    def refresh_keys(self) -> None:
        """Say anew which keys mean something."""
        slip = (Key("z ^Z", "Take back", "screen.undo"),) if self.slips else ()
        for line in self.query("#step-keys").results(KeyLine):
            line.show(hints(self, (*self.step_keys(), *slip)))
        for line in self.query("#keys").results(KeyLine):
            line.show(tuple(working(self, COMMON_KEYS)))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Nothing is filtered where there is no list."""
        return seeks(self) if action == "seek" else super().check_action(action, parameters)

    def action_seek(self) -> None:
        """/: the rows alone that hold some words, in the list with the cursor or the first one."""
        seek_in(self)

    # ---- slips

    def slip(self, text: str, back: Callable[[], None], *, quiet: bool = False) -> None:
        """Remember how to take back what was just done, as long as this step is open; say it.

        A `quiet` one, such as typing, is named only when it is put back.
        """
        self.slips.append((text, back))
        self.refresh_keys()
        if text and not quiet:
            self.say(f"{text}. {self._undo_key()} puts it back.")

    def _undo_key(self) -> str:
        """The key that takes back where the cursor is: in a line to type in, z is a letter."""
        return "z" if works(self, "z", "undo") else "Ctrl+Z"

    def take_back(self) -> str:
        """Take back what was done last; a sentence that says so."""
        if not self.slips:
            return "There is nothing to take back on this step."
        text, back = self.slips.pop()
        back()
        self.refresh_keys()
        return f"Put back as it was before: {text}." if text else "Put back as it was before."

    def action_undo(self) -> None:
        """z, or Ctrl+Z: take back what was done last on this step."""
        self.say(self.take_back())

    def run_quietly(self, work: Awaitable[Result], *, group: str, name: str = "") -> Worker[Result]:
        """Start work that the screen outlives: exclusive in its group, its errors handled."""
        return self.run_worker(work, group=group, name=name, exclusive=True, exit_on_error=False)

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """Work that ended in an error says so."""
        if event.state is WorkerState.ERROR and event.worker.error is not None:
            self.wizard.work_failed(event.worker.error, of=event.worker.node)

    def action_next(self) -> None:
        """Take the answer of this step and go on."""
        try:
            answers = self.collect()
        except Problem as problem:
            self.show_problem(problem)
            return
        self.wizard.go_next(answers)

    def action_back(self) -> None:
        """Back to the step before; what is typed here and valid is kept."""
        try:
            answers = self.collect()
        except Problem:
            answers = self.answers
        self.wizard.go_back(answers)

    def on_rail_wanted(self, event: Rail.Wanted) -> None:
        """A click on the rail."""
        event.stop()
        self.wizard.jump(event.step)

    def tell_changed(self, changed: Touched) -> None:
        """Say in the headline what has been changed on machines."""
        self.memory.changed = changed
        self.query_one(Headline).show(changed=changed.sentence, shorter=changed.short)

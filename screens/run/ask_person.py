"""Questions in the middle of an installation: a confirmation, a skip, a stop, which machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.widgets import Input, Static

from foundation.wording import counted
from installer.plans.plan import CONTROL_HOST
from installer.steps.kind import Answer, Question
from preflight.report.words import clean_lines
from screens.shell.dialog import Buttons, Form, Sure
from screens.widgets.board import Board, Cell, Column, Row
from screens.widgets.field import Field, Line
from screens.widgets.keys import Key
from screens.widgets.press import Press


class QuestionScreen(Form[Answer]):
    """A confirmation or a checklist, answered by name; Esc leaves it unanswered."""

    HELP = "install"
    KEYS = (
        Key("Space", "Tick", "screen.tick"),
        Key("y", "Yes", "screen.do"),
        Key("n", "No", "screen.answer(False)"),
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "tick", "Tick", show=False),
        # Where the cursor is in the name, these are letters of it.
        Binding("y", "do", "Yes", show=False),
        Binding("n", "answer(False)", "No", show=False),
    ]

    def __init__(self, question: Question, person: str, waiting: int = 0) -> None:
        super().__init__()
        self.question = question
        self.others = waiting
        """How many questions wait behind this one."""
        self.person = person
        self.ticked = [False] * len(question.items)

    def compose(self) -> ComposeResult:
        """The text, the lines to tick, the name, the buttons."""
        question = self.question
        place = "" if question.host in ("", CONTROL_HOST) else f" ({question.host})"
        with Vertical(classes="dialog -wide"):
            title = f"{question.title}{place}"
            if self.others:
                title += f"  ({counted(self.others, 'question')} after it)"
            yield Static(title, classes="dialog-title", markup=False)
            with VerticalScroll(classes="dialog-lines", can_focus=False):
                yield Static("\n".join(clean_lines(question.text)), markup=False)
            if question.items:
                yield Board((Column("", 3), Column("")), self._rows(), header=False, id="items")
            yield Field("Your name", id="by", value=self.person, example="for the record")
            yield Static("", classes="dialog-error", id="wrong", markup=False)
            word = "All is so" if question.items else "Yes"
            no = Press("No", id="no", action="screen.answer(False)")
            yield Buttons(word, "Later", third=no)

    def _rows(self) -> list[Row]:
        return [
            Row(str(n), (Cell("[x]" if self.ticked[n] else "[ ]"), Cell(item)))
            for n, item in enumerate(self.question.items)
        ]

    def on_mount(self) -> None:
        """Begin on the lines to tick, or on the answer that confirms nothing."""
        if self.question.items:
            board = self.query_one("#items", Board)
            board.styles.height = min(len(self.question.items), 8)
            board.focus()
        else:
            self.query_one("#no").focus()

    def on_board_chosen(self, event: Board.Chosen) -> None:
        """Enter ticks a line too."""
        event.stop()
        self.action_tick()

    def action_tick(self) -> None:
        """Tick the line under the cursor, or take the tick away, and go on to the next."""
        for board in self.query("#items").results(Board):
            if board.key is not None and board.has_focus:
                place = int(board.key)
                self.ticked[place] = not self.ticked[place]
                board.update_rows(self._rows())
                board.action_step(1)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter in the name goes on to the buttons: to yes only where all is ticked."""
        event.stop()
        event.prevent_default()
        sure = event.value.strip() and all(self.ticked)
        self.query_one("#take" if sure else "#no").focus()

    def action_take(self) -> None:
        """Yes."""
        self.action_answer(True)

    def action_answer(self, yes: bool) -> None:
        """Answer by name; yes only where every line is ticked."""
        name = self.query_one("#by", Line).value.strip()
        wrong = self.query_one("#wrong", Static)
        if not name:
            wrong.update("Say who answers; it stands in the record.")
            self.query_one("#by", Line).focus()
        elif yes and not all(self.ticked):
            wrong.update("Space ticks a line that is so; all of them must be, or answer no.")
        else:
            self.dismiss(Answer(by=name, yes=yes, items=tuple(self.ticked)))


@dataclass(frozen=True, slots=True)
class Skip:
    """Who leaves a step out, and why."""

    by: str
    reason: str


class SkipScreen(Form[Skip]):
    """A step is left out only by name and with a reason."""

    HELP = "install"

    def __init__(self, title: str, host: str, person: str) -> None:
        super().__init__()
        self.step_title = title
        self.host = host
        self.person = person

    def compose(self) -> ComposeResult:
        """What is skipped, the lines, the buttons."""
        with Vertical(classes="dialog -wide"):
            yield Static(f"Skip: {self.step_title}?", classes="dialog-title", markup=False)
            yield Static(f"On {self.host}.", classes="paragraph", markup=False)
            yield Static(
                "The installation goes on without it. It stands in the hand-over report with this "
                "name and reason.",
                classes="paragraph",
                markup=False,
            )
            yield Field("Your name", id="by", value=self.person)
            yield Field("Why", id="reason", example="why it is right without it")
            yield Static("", classes="dialog-error", id="wrong", markup=False)
            yield Buttons("Skip")

    def on_mount(self) -> None:
        """Begin with the name, or with the reason where the name is known."""
        self.query_one("#reason" if self.person else "#by", Line).focus()

    def action_take(self) -> None:
        """Close with name and reason, if both are there."""
        by = self.query_one("#by", Line).value.strip()
        reason = self.query_one("#reason", Line).value.strip()
        if by and reason:
            self.dismiss(Skip(by, reason))
        else:
            self.query_one("#wrong", Static).update("Both the name and the reason are needed.")
            self.query_one("#reason" if by else "#by", Line).focus()


class NameScreen(Form[str]):
    """Who goes on with an installation, or does another thing by name, for the record."""

    HELP = "install"

    def __init__(self, title: str, about: str, person: str, word: str = "Go on") -> None:
        super().__init__()
        self.ask = title
        self.about = about
        self.person = person
        self.word = word

    def compose(self) -> ComposeResult:
        """The line for the name."""
        with Vertical(classes="dialog"):
            yield Static(self.ask, classes="dialog-title", markup=False)
            yield Static(self.about, classes="paragraph", markup=False)
            yield Field("Your name", id="by", value=self.person, example="for the record")
            yield Static("", classes="dialog-error", id="wrong", markup=False)
            yield Buttons(self.word)

    def on_mount(self) -> None:
        """Begin in the line."""
        self.query_one("#by", Line).focus()

    def action_take(self) -> None:
        """Close with the name, if there is one."""
        name = self.query_one("#by", Line).value.strip()
        if name:
            self.dismiss(name)
        else:
            self.wrong("Say who you are; it stands in the record.")


class SureScreen(Sure):
    """Yes or no before something that cannot simply be taken back."""

    HELP = "install"
    GRAVE = True

    def __init__(self, title: str, about: str, word: str) -> None:
        super().__init__()
        self.ask = title
        self.about = about
        self.word = word

    def compose(self) -> ComposeResult:
        """The question, what it means, the buttons."""
        with Vertical(classes="dialog"):
            yield Static(self.ask, classes="dialog-title", markup=False)
            yield Static(self.about, markup=False)
            yield Static("", classes="dialog-error", id="wrong", markup=False)
            yield Buttons(self.word, "No")


@dataclass(frozen=True, slots=True)
class Only:
    """Which lines of a log to show."""

    host: str = ""
    """The machine; empty for every one."""
    words: str = ""
    """What a line must hold; empty for every line."""


class OnlyScreen(Form[Only]):
    """Whose lines to show, and which of them."""

    HELP = "install"

    def __init__(self, states: Mapping[str, str], before: Only) -> None:
        super().__init__()
        self.states = states
        self.before = before

    def compose(self) -> ComposeResult:
        """The machines with their state, and a line for words."""
        rows = [Row("all", (Cell("every machine", "strong"),))]
        rows += [
            Row(f"={name}", (Cell(name), Cell(stand, "muted")))
            for name, stand in self.states.items()
        ]
        with Vertical(classes="dialog"):
            yield Static("Which lines?", classes="dialog-title", markup=False)
            yield Board((Column("", 24), Column("")), rows, header=False, id="machines")
            yield Static("", markup=False)
            yield Field("Only lines with", id="words", value=self.before.words, example="any words")
            yield Buttons("Show")

    def on_mount(self) -> None:
        """As high as it needs to be, on the machine that is shown."""
        board = self.query_one("#machines", Board)
        board.styles.height = min(len(board.rows), 10)
        board.move_to(f"={self.before.host}")
        board.focus()

    def on_board_chosen(self, event: Board.Chosen) -> None:
        """Enter takes it."""
        event.stop()
        self.action_take()

    def action_take(self) -> None:
        """Close with the machine under the cursor and the words."""
        key = self.query_one("#machines", Board).key or "all"
        words = self.query_one("#words", Line).value.strip()
        self.dismiss(Only(key[1:] if key.startswith("=") else "", words))

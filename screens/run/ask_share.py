"""Shares in the middle of an installation: one is handed to a person, or typed by one."""

from __future__ import annotations

from typing import Final

from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.widgets import Input, Static

from foundation.secrets import Secret
from installer.steps.kind import Answer, Question
from installer.steps.vaults.shares import confirms, lines
from preflight.report.words import clean_lines
from screens.run.ask_person import QuestionScreen
from screens.shell.dialog import Buttons, Form
from screens.widgets.field import Field, Line
from screens.widgets.press import Press

ALONE: Final = (
    "Copy it whole, by hand or into a safe of your own; then F10 takes it off the screen."
)


class HandScreen(Form[Answer]):
    """A share that one person copies: shown, taken off, and its end typed from the copy."""

    HELP = "install"

    def __init__(self, question: Question, share: Secret) -> None:
        super().__init__()
        self.question = question
        self.share = share
        self.person = question.person
        self.phase = "before"
        self.slip = ""
        """What stands against it, when it is composed anew."""

    def compose(self) -> ComposeResult:
        """Who gets it; then the share and nothing to type; then its end."""
        question = self.question
        with Vertical(classes="dialog -wide"):
            yield Static(question.title, classes="dialog-title", markup=False)
            if self.phase == "before":
                with VerticalScroll(classes="dialog-lines", can_focus=False):
                    yield Static("\n".join(clean_lines(question.text)), markup=False)
                yield Field("Who gets it", id="by", value=self.person, example="for the record")
            elif self.phase == "shown":
                yield Static(f"The share of {self.person}", classes="paragraph", markup=False)
                yield Static("\n".join(lines(self.share)), id="share", markup=False)
                yield Static(ALONE, classes="paragraph", markup=False)
            else:
                yield Static(
                    f"{self.person} has copied it, and it is off the screen. Type from the copy "
                    "its last group and the four digits of its check.",
                    classes="paragraph",
                    markup=False,
                )
                yield Field("Its end", id="end", example="1a2b3c 4d5e", secret=True)
            yield Static(self.slip, classes="dialog-error", id="wrong", markup=False)
            word = {"before": "Show it", "shown": "It is copied"}.get(self.phase, "Take it")
            again = Press("Show it again", id="again", action="screen.show_again")
            yield Buttons(word, "Later", third=again if self.phase == "after" else None)

    def on_mount(self) -> None:
        """Begin in the line."""
        self._begin()

    def _begin(self) -> None:
        place = {"before": "#by", "after": "#end"}.get(self.phase, "#cancel")
        self.query_one(place).focus()

    async def _turn(self, phase: str, slip: str = "") -> None:
        self.phase, self.slip = phase, slip
        await self.recompose()
        self._begin()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter in the line goes on."""
        event.stop()
        event.prevent_default()
        self.action_take()

    def action_take(self) -> None:
        """Go on by one: show it, take it off, or be done with it."""
        if self.phase == "before":
            self.person = self.query_one("#by", Line).value.strip()
            if not self.person:
                self.wrong("Say who gets it; it stands in the record.")
                return
            self.run_worker(self._turn("shown"))
        elif self.phase == "shown":
            self.run_worker(self._turn("after"))
        elif confirms(self.share, self.query_one("#end", Line).value):
            self.dismiss(Answer(by=self.person, yes=True))
        else:
            slip = "It does not end so. Look at the copy; it can be shown again."
            self.run_worker(self._turn("after", slip))

    def action_show_again(self) -> None:
        """Back to the share."""
        self.run_worker(self._turn("shown"))


class ShareScreen(Form[Answer]):
    """A share that a person types, unseen."""

    HELP = "install"

    def __init__(self, question: Question) -> None:
        super().__init__()
        self.question = question

    def compose(self) -> ComposeResult:
        """What is asked, the name, the line."""
        question = self.question
        with Vertical(classes="dialog -wide"):
            yield Static(question.title, classes="dialog-title", markup=False)
            with VerticalScroll(classes="dialog-lines", can_focus=False):
                yield Static("\n".join(clean_lines(question.text)), markup=False)
            yield Field("Your name", id="by", value=question.person, example="for the record")
            yield Field(question.wants, id="typed", secret=True)
            yield Static("", classes="dialog-error", id="wrong", markup=False)
            yield Buttons("Take it", "Later")

    def on_mount(self) -> None:
        """Begin with the name."""
        self.query_one("#by", Line).focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter goes on to the next line, and takes it on the last."""
        event.stop()
        event.prevent_default()
        if event.input.id == "by":
            self.query_one("#typed", Line).focus()
        else:
            self.action_take()

    def action_take(self) -> None:
        """Close with both."""
        name = self.query_one("#by", Line).value.strip()
        typed = self.query_one("#typed", Line).value
        if name and typed:
            self.dismiss(Answer(by=name, yes=True, typed=Secret(typed)))
        else:
            self.wrong("Both the name and the share are needed.")
            self.query_one("#typed" if name else "#by", Line).focus()


PANELS: Final[tuple[type[Form[Answer]], ...]] = (QuestionScreen, HandScreen, ShareScreen)
"""Every panel that puts a question of the engine."""


def panel_for(question: Question, person: str, waiting: int) -> Form[Answer]:
    """The panel that puts a question."""
    if question.hands is not None:
        return HandScreen(question, question.hands)
    if question.wants:
        return ShareScreen(question)
    return QuestionScreen(question, person, waiting)

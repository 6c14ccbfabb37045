"""Rail: the steps of the wizard on the left, with their state in a sign and, where odd, a word."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Static

from screens.answers.answers import Answers
from screens.answers.wizard import Mark, StepId, later, marks, may_jump, position, step_of

SIGNS: Final = {
    Mark.DONE: "✓",
    Mark.HERE: "▸",
    Mark.TO_COME: "·",
    Mark.PASSED_OVER: "-",
}


class RailEntry(Static):
    """One step on the rail; a click goes to it where that is allowed."""

    def __init__(self, text: str, step: StepId | None, classes: str) -> None:
        super().__init__(text, classes=classes, markup=False)
        self.step = step

    def on_click(self, _event: events.Click) -> None:
        """Ask to go to this step."""
        if self.step is not None:
            self.post_message(Rail.Wanted(self.step))


class Rail(Vertical):
    """The steps, those to be built later included."""

    @dataclass
    class Wanted(Message):
        """A person clicked on a step that may be gone to."""

        step: StepId

    def __init__(self, here: StepId, answers: Answers) -> None:
        super().__init__(id="rail")
        self.here = here
        self.answers = answers

    def follow(self, answers: Answers) -> None:
        """Draw the steps anew after an answer changed which of them are needed."""
        if marks(self.here, answers) != marks(self.here, self.answers):
            self.answers = answers
            self.refresh(recompose=True)

    def compose(self) -> ComposeResult:
        """A line a step."""
        for step, mark in marks(self.here, self.answers):
            allowed = may_jump(step, self.here, self.answers)
            kind = mark.name.lower().replace("_", "-")
            yield RailEntry(
                f"{SIGNS[mark]} {step_of(step).word}",
                step if allowed else None,
                f"-{kind}" + (" -open" if allowed else ""),
            )
        announced = later(self.answers)
        if announced:
            yield RailEntry("", None, "-later")
            yield RailEntry("  later", None, "-later")
        for word in announced:
            yield RailEntry(f"  {word}", None, "-later")


class Strip(Static):
    """The rail in one line, for a narrow window."""

    def __init__(self, here: StepId, answers: Answers) -> None:
        number, count = position(here, answers)
        super().__init__(
            f"Step {number} of {count}  {step_of(here).word}", id="strip", markup=False
        )

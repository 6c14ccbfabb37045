"""The last look at an acceptance before it begins, and the question for a name."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.widgets import Static

from preflight.report.words import clean
from screens.dialogs.begin_form import BeginForm
from screens.shell.dialog import Buttons, Dialog
from screens.widgets.keys import Key
from screens.words.acceptance_words import IN_USE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from installer.acceptance.accept import Asked
    from installer.acceptance.report.review import Section

LABELS = 20
"""Cells of the labels, where there is room for them."""


class ReviewScreen(Dialog[bool]):
    """All that it will do, measure, ask and leave behind."""

    HELP = "acceptance"
    KEYS: ClassVar[tuple[Key, ...]] = (Key("Up,Down", "Read", ""),)

    def __init__(self, asked: Asked) -> None:
        super().__init__()
        self.asked = asked

    def compose(self) -> ComposeResult:
        """The sections, scrolling, and the buttons."""
        with Vertical(classes="dialog -whole"):
            yield Static("Before it begins", classes="dialog-title", markup=False)
            with VerticalScroll(classes="dialog-scroll", id="sections"):
                yield Static("", id="review-text", markup=False)
            yield Buttons("Begin", "Back")

    def on_mount(self) -> None:
        """The arrows scroll it."""
        from installer.acceptance.report.review import review

        self.query_one("#review-text", Static).update(sections_table(review(self.asked)))
        self.query_one(VerticalScroll).focus()

    def action_take(self) -> None:
        """On to the question for a name."""
        self.dismiss(True)


def sections_table(sections: Sequence[Section]) -> Table:
    """Headings over labels with their texts."""
    table = Table.grid(padding=(0, 1, 0, 0), expand=True)
    longest = max((len(label) for one in sections for label, _ in one.entries), default=0)
    table.add_column(width=min(longest, LABELS))
    table.add_column(ratio=1, overflow="fold")
    for number, one in enumerate(sections):
        if number:
            table.add_row("", "")
        table.add_row(Text(""), Text(one.title, "bold"))
        for label, text in one.entries:
            table.add_row(Text(clean(label)), Text(clean(text), overflow="fold"))
    return table


class BeginAcceptance(BeginForm):
    """The last question: by whom it is begun; returns the name."""

    HELP = "acceptance"
    KEPT_IN = "report"

    def __init__(self, title: str, words: str, person: str) -> None:
        super().__init__(title, (clean(words),), person)


def begin_question(asked: Asked, person: str) -> BeginAcceptance:
    """Begin it, and who does."""
    from installer.acceptance.report.review import begin_words

    return BeginAcceptance("Begin the acceptance?", begin_words(asked), person)


def in_use_question(cause: str, person: str) -> BeginAcceptance:
    """Load a hub that is in use, and who answers for that."""
    return BeginAcceptance(
        "This hub is in use. Load it all the same?", f"{cause}. {IN_USE}", person
    )

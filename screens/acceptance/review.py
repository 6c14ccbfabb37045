"""The last look at an acceptance before it begins, and the question for a name."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.widgets import Input, Static

from preflight.report.words import clean
from screens.shell.dialog import Buttons, Dialog, Form
from screens.widgets.field import Field, Line
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


class BeginAcceptance(Form[str]):
    """The last question: by whom it is begun; returns the name."""

    HELP = "acceptance"
    GRAVE = True
    KEYS = (Key("y", "Begin", "screen.do"), Key("n", "Cancel", "screen.close"))
    BINDINGS: ClassVar[list[BindingType]] = [
        # Where the cursor is in the name, these are letters of it.
        Binding("y", "do", "Begin", show=False),
        Binding("n", "close", "Cancel", show=False),
    ]

    def __init__(self, title: str, words: str, person: str) -> None:
        super().__init__()
        self.heading = title
        self.words = words
        self.person = person

    def compose(self) -> ComposeResult:
        """What follows from a yes, the name, the buttons."""
        with Vertical(classes="dialog -wide"):
            yield Static(self.heading, classes="dialog-title", markup=False)
            with VerticalScroll(classes="dialog-lines", can_focus=False):
                yield Static(clean(self.words), classes="paragraph", markup=False)
            yield Field("Your name", id="by", value=self.person, example="for the record")
            yield Static("", classes="dialog-error", id="wrong", markup=False)
            yield Buttons("Begin")

    def on_mount(self) -> None:
        """Begin on the button that begins nothing, or on the name where it is not known."""
        self.query_one("#cancel" if self.person else "#by").focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter in the name goes on to the button that begins, once somebody stands there."""
        event.stop()
        event.prevent_default()
        self.query_one("#take" if event.value.strip() else "#cancel").focus()

    def action_take(self) -> None:
        """Yes, by name."""
        name = self.query_one("#by", Line).value.strip()
        if name:
            self.dismiss(name)
        else:
            self.wrong("Say who begins it; it stands in the report.")
            self.query_one("#by", Line).focus()


def begin_question(asked: Asked, person: str) -> BeginAcceptance:
    """Begin it, and who does."""
    from installer.acceptance.report.review import begin_words

    return BeginAcceptance("Begin the acceptance?", begin_words(asked), person)


def in_use_question(cause: str, person: str) -> BeginAcceptance:
    """Load a hub that is in use, and who answers for that."""
    return BeginAcceptance(
        "This hub is in use. Load it all the same?", f"{cause}. {IN_USE}", person
    )

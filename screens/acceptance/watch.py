"""An acceptance under way: each figure beside its limit, what was said, and the way to stop it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Static

from preflight.report.words import clean
from screens.shell.dialog import Buttons, Dialog, Sure
from screens.widgets.board import Board, Cell, Column, Row
from screens.widgets.keys import Key, KeyLine
from screens.widgets.quiet import put
from screens.words.acceptance_words import how_far, stop_words

if TYPE_CHECKING:
    from installer.acceptance.carried import Carried
    from installer.acceptance.report.picture import Figure, Watch

_BEAT: Final = 0.5
_LAST: Final = 30
"""Sentences that are kept in sight; as many as there is room for are seen."""
_TONES: Final = {"holds": "pass", "misses": "fail", "-": "muted"}


class WatchScreen(Dialog[None]):
    """The live picture; it closes when the acceptance has ended, and never before."""

    HELP = "acceptance-live"
    KEYS: ClassVar[tuple[Key, ...]] = (Key("Esc s", "Stop", "screen.close"),)
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s,ctrl+c", "close", "Stop", show=False),
    ]
    UNDER_WAY = True
    VERTICAL_BREAKPOINTS = [(0, "-short"), (24, "-usual-height")]  # noqa: RUF012 - Textual's own type

    def __init__(self, carried: Carried, watch: Watch, name: str) -> None:
        super().__init__()
        self.carried = carried
        self.watch_ = watch
        self.heading = name
        self.question: StopScreen | None = None

    def compose(self) -> ComposeResult:
        """What is tried, how far it is, the figures, the last sentences, the keys."""
        with Vertical(classes="dialog -whole"):
            yield Static(clean(self.heading), classes="dialog-title", id="tried", markup=False)
            yield Static("", id="far", markup=False)
            yield Board(
                (
                    Column("", 6),
                    Column(""),
                    Column("now"),
                    Column("limit"),
                    Column("", most=8),  # it takes what is left
                ),
                id="figures",
                filters=False,
            )
            yield Said()
            yield KeyLine(self.KEYS, id="dialog-keys")

    def on_mount(self) -> None:
        """Look twice a second, and draw what is new."""
        self.query_one("#figures", Board).focus()
        self.set_interval(_BEAT, self.beat)
        self._draw()

    def beat(self) -> None:
        """Draw what is new; close once it has ended."""
        self._draw()
        if not self.carried.ended():
            return
        if self.question is not None:
            self.question.dismiss(None)  # there is nothing to stop any more
        self.dismiss(None)

    def _draw(self) -> None:
        seen = self.watch_.picture
        put(clean(how_far(self.watch_)), self.query_one("#far", Static))
        board = self.query_one("#figures", Board)
        rows = [] if seen is None else [figure_row(one) for one in seen.figures]
        if [row.key for row in rows] != [row.key for row in board.rows]:
            board.set_rows(rows)
            board.styles.height = len(rows) + 1
        else:
            board.update_rows(rows)
        board.display = bool(rows)
        self.query_one(Said).tell([clean(one) for one in [*self.watch_.said][-_LAST:]])

    def action_close(self) -> None:
        """Ask whether to stop it."""
        if self.carried.ended() or self.question is not None:
            return
        question = self.question = StopScreen(*stop_words(self.carried))

        def answered(yes: bool | None) -> None:
            self.question = None
            if yes:
                self.carried.end()

        self.app.push_screen(question, answered)


class Said(Static):
    """The last sentences, folded for the room there is, as many as it holds."""

    def __init__(self) -> None:
        super().__init__("", id="said", markup=False)
        self.sentences: list[str] = []

    def tell(self, sentences: list[str]) -> None:
        """Show the last of these."""
        self.sentences = sentences
        self._fold()

    def on_resize(self) -> None:
        """Fold them anew: before the first layout there is no room at all."""
        self._fold()

    def _fold(self) -> None:
        width, height = self.size
        if width and height:
            put("\n".join(last_lines(self.sentences, width, height)), self)


class StopScreen(Sure):
    """Stop it, and what follows from that."""

    HELP = "acceptance-live"
    GRAVE = True

    def __init__(self, title: str, words: str) -> None:
        super().__init__()
        self.heading = title
        self.words = words

    def compose(self) -> ComposeResult:
        """The question, what follows, the buttons."""
        with Vertical(classes="dialog"):
            yield Static(self.heading, classes="dialog-title", markup=False)
            yield Static(self.words, classes="paragraph", markup=False)
            yield Static("", classes="dialog-error", id="wrong", markup=False)
            yield Buttons("Yes", "Go on")


def figure_row(one: Figure) -> Row:
    """One figure, as a line of the board."""
    return Row(
        one.id,
        (
            Cell(str(one.stands), _TONES[one.stands]),
            Cell(one.title),
            Cell(one.now, "strong"),
            Cell(one.limit, "muted"),
            Cell(clean(one.more), "muted"),
        ),
    )


def last_lines(sentences: list[str], width: int, room: int) -> list[str]:
    """The last sentences, folded, as many as have room; of one that has none its beginning."""
    import textwrap

    found: list[str] = []
    for one in reversed(sentences):
        folded = textwrap.wrap(one, width)
        if found and len(found) + len(folded) > room:
            break
        found = [*folded, *found]
    return found[:room]

"""What an acceptance came to: the verdict, each criterion, and where its pages are."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.widgets import Static

from preflight.report.words import capital, clean
from screens.services.file_words import shown_path
from screens.shell.dialog import Dialog
from screens.widgets.board import Board, Cell, Column, Row
from screens.widgets.keys import Key, KeyLine
from screens.words.acceptance_words import FORMS

if TYPE_CHECKING:
    from pathlib import Path

    from installer.acceptance.result import Criterion, Result

_TONES = {"ok": "pass", "fail": "fail", "warn": "warn", "unknown": "unknown"}


class VerdictScreen(Dialog[None]):
    """The criteria, the one under the cursor whole, and the pages."""

    HELP = "acceptance-verdict"
    KEYS: ClassVar[tuple[Key, ...]] = (
        Key("Enter", "Whole", "screen.whole"),
        Key("y", "Copy path", "screen.copy"),
        Key("Esc", "Close", "screen.close"),
    )
    BINDINGS: ClassVar[list[BindingType]] = [Binding("y", "copy", "Copy path", show=False)]
    VERTICAL_BREAKPOINTS = [(0, "-short"), (24, "-usual-height")]  # noqa: RUF012 - Textual's own type

    def __init__(self, result: Result, folder: Path) -> None:
        super().__init__()
        self.result = result
        self.folder = folder

    def compose(self) -> ComposeResult:
        """The verdict, the list, the line under the cursor in full, keys."""
        from installer.acceptance.report.words import VERDICTS, sentence

        verdict = VERDICTS[self.result.verdict].word
        with Vertical(classes="dialog -whole"):
            yield Static(
                clean(f"{verdict}. {capital(sentence(self.result))}"),
                classes="dialog-title", id="verdict", markup=False,
            )  # fmt: skip
            yield Board(
                # The last takes what is left, and is whole below; the names before it are short.
                (Column(""), Column("", name=True), Column("", most=8)), self._rows(),
                header=False, id="criteria",
            )  # fmt: skip
            with VerticalScroll(id="detail"):
                yield Static("", id="detail-text", markup=False)
            yield Static("", id="told", markup=False)
            yield KeyLine(self.KEYS, id="dialog-keys")

    def _rows(self) -> list[Row]:
        from installer.acceptance.report.words import OUTCOMES

        rows = [Row("verdict", (Cell("VERDICT", "strong"), Cell("the whole of it")))]
        for one in self.result.criteria:
            word = OUTCOMES[one.outcome]
            tone = _TONES.get(word.name, "plain")
            cells = (Cell(word.word, tone), Cell(one.title), Cell(clean(one.seen), "muted"))
            rows.append(Row(one.id, cells))
        said = [*self.result.limited, *self.result.notes]
        if said:
            words = f"{len(said)} to be known beside the figures"
            rows.append(Row("notes", (Cell("NOTES", "warn"), Cell(words))))
        rows.append(Row("pages", (Cell("Where the pages are"),), heading=True))
        for name, about in FORMS.items():
            rows.append(Row(f"page {name}", (Cell("file"), Cell(name), Cell(about, "muted"))))
        return rows

    def on_mount(self) -> None:
        """Begin with the first that did not hold."""
        from installer.acceptance.result import Outcome

        missed = (one.id for one in self.result.criteria if one.outcome is Outcome.MISSED)
        board = self.query_one("#criteria", Board)
        board.move_to(next(missed, "rate"))
        board.focus()
        self._say(f"Kept in {shown_path(self.folder)}")
        self._explain()

    def on_board_highlighted(self, event: Board.Highlighted) -> None:
        """Show the line under the cursor."""
        event.stop()
        self._explain()

    def _explain(self) -> None:
        self.query_one("#detail-text", Static).update(self.detail())
        self.query_one("#detail", VerticalScroll).scroll_home(animate=False)

    def detail(self) -> Table:
        """The line under the cursor in full."""
        from installer.acceptance.report.words import VERDICTS, sentence

        key = self.query_one("#criteria", Board).key or ""
        one = next((one for one in self.result.criteria if one.id == key), None)
        if one is not None:
            return _table(one.title, _of_criterion(one))
        if key.startswith("page "):
            name = key.removeprefix("page ")
            return _table(name, [("", FORMS[name]), ("file", str(self.folder / name))])
        if key == "verdict":
            return _table(
                VERDICTS[self.result.verdict].word, [("", capital(sentence(self.result)))]
            )
        said = [("limited", one) for one in self.result.limited]
        return _table("Beside the figures", [*said, *(("note", one) for one in self.result.notes)])

    def _say(self, text: str) -> None:
        self.query_one("#told", Static).update(clean(text))

    def on_board_chosen(self, event: Board.Chosen) -> None:
        """Enter shows the line on the whole screen."""
        event.stop()
        self.action_whole()

    def action_whole(self) -> None:
        """The line alone, with room for all its words."""
        self.app.push_screen(WholeCriterion(self.detail()))

    def action_copy(self) -> None:
        """The path of the file under the cursor, or of the page."""
        key = self.query_one("#criteria", Board).key or ""
        name = key.removeprefix("page ") if key.startswith("page ") else next(iter(FORMS))
        self.app.copy_to_clipboard(str(self.folder / name))
        self._say(f"Copied, where the terminal allows it: {shown_path(self.folder / name)}")


class WholeCriterion(Dialog[None]):
    """One line on the whole screen."""

    HELP = "acceptance-verdict"

    def __init__(self, detail: Table) -> None:
        super().__init__()
        self.detail = detail

    def compose(self) -> ComposeResult:
        """The line, scrolling."""
        with Vertical(classes="dialog -whole"):
            with VerticalScroll(classes="dialog-scroll"):
                yield Static(self.detail, markup=False)
            yield KeyLine(self.KEYS, id="dialog-keys")

    def on_mount(self) -> None:
        """The arrows scroll it."""
        self.query_one(VerticalScroll).focus()


def _of_criterion(one: Criterion) -> list[tuple[str, str]]:
    from installer.acceptance.report.words import words_of

    entries = [("seen", one.seen), ("asked", one.asked)]
    entries += [(whose, said) for whose, said in words_of(one)]
    return entries + [("", more) for more in one.more]


def _table(title: str, entries: list[tuple[str, str]]) -> Table:
    table = Table.grid(padding=(0, 1, 0, 0), expand=True)
    table.add_column(no_wrap=True, width=12)
    table.add_column(ratio=1)
    table.add_row("", Text(clean(title), "bold"))
    for label, text in entries:
        table.add_row(label, Text(clean(text), overflow="fold"))
    return table

"""Updates: what runs and has something newer, with what applying it would do."""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.widgets import Static

from foundation.problems import Problem
from preflight.report.words import clean, clean_lines
from screens.dialogs.ask_file import FileScreen, FolderScreen
from screens.services.cluster_way import look_for_updates, prepare, site_in
from screens.services.live_updates import update_command
from screens.services.services import UpdatesSeen
from screens.shell.dialog import Dialog
from screens.widgets.board import Board, Cell, Column, Row
from screens.widgets.keys import Key, KeyLine
from screens.words.applied_words import (
    CLONE,
    MIXED,
    NOT_CHANGED,
    WHICH_SITE,
    chosen_words,
    problem_words,
)
from screens.words.update_words import (
    CHANGED,
    CURRENT,
    HEADINGS,
    Item,
    count_words,
    items_of,
    title_words,
)

if TYPE_CHECKING:
    from screens.answers.answers import Answers
    from screens.services.services import Order


class UpdatesScreen(Dialog[None]):
    """The workloads and images of one cluster, or Compose's of machines; one of them whole."""

    HELP = "updates"
    KEYS: ClassVar[tuple[Key, ...]] = (
        Key("Enter", "Whole", "screen.whole"),
        Key("Space", "Choose", "screen.mark"),
        Key("a", "Apply", "screen.apply"),
        Key("r", "Again", "screen.again"),
        Key("f", "Newer", "screen.filter"),
        Key("y", "Copy", "screen.copy"),
        Key("Esc", "Close", "screen.close"),
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "mark", "Choose", show=False),
        Binding("a", "apply", "Apply", show=False),
        Binding("r", "again", "Look again", show=False),
        Binding("f", "filter", "Filter", show=False),
        Binding("y", "copy", "Copy", show=False),
    ]

    def __init__(self, seen: UpdatesSeen) -> None:
        super().__init__()
        self.seen = seen
        self.only_newer = False
        self.marked: set[str] = set()
        """Keys of the lines that were chosen; none means the one under the cursor."""
        self.site: Answers | None = None
        """The site in whose record an update stands, where the wizard's answers name none."""

    def compose(self) -> ComposeResult:
        """How it is, the list, the line under the cursor in full, keys."""
        with Vertical(classes="dialog -whole"):
            yield Static("", classes="dialog-title", id="about", markup=False)
            yield Static("", id="begin", markup=False)
            yield Board(
                (
                    Column("", 6),
                    Column("what runs", name=True),
                    Column("from -> to"),
                    Column("owner", most=34),
                ),
                id="updates",
            )
            with VerticalScroll(id="detail"):
                yield Static("", id="detail-text", markup=False)
            yield Static("", id="told", markup=False)
            yield KeyLine(self.KEYS, id="dialog-keys")

    def on_mount(self) -> None:
        """Begin with the first that would be changed."""
        self.show_items()
        self._say(self.seen.note or f"Reached by {self.seen.way}.")
        self.query_one("#updates", Board).focus()

    def show_items(self) -> None:
        """Draw all of it anew."""
        review = self.seen.review
        self.items = items_of(review, self.seen.workloads, self.seen.services)
        self.marked &= {one.key for one in self.items if one.chosen or one.by_commit}
        shown = [one for one in self.items if not self.only_newer or one.group != CURRENT]
        title = f"{self.seen.where}: {title_words(review)}"
        self.query_one("#about", Static).update(clean(title))
        self.query_one("#begin", Static).update(clean(count_words(review, self.items)))
        rows: list[Row] = []
        group = ""
        for one in shown:
            if one.group != group:
                group = one.group
                rows.append(Row(f"group {group}", (Cell(HEADINGS[group]),), heading=True))
            rows.append(_row(one, marked=one.key in self.marked))
        board = self.query_one("#updates", Board)
        board.set_rows(rows, keep=board.key)
        self._explain()

    def _current(self) -> Item | None:
        key = self.query_one("#updates", Board).key
        return next((one for one in self.items if one.key == key), None)

    def on_board_highlighted(self, event: Board.Highlighted) -> None:
        """Show the line under the cursor."""
        event.stop()
        self._explain()

    def _explain(self) -> None:
        item = self._current()
        text = "Nothing is there to be shown." if item is None else self.detail(item)
        self.query_one("#detail-text", Static).update(text)
        self.query_one("#detail", VerticalScroll).scroll_home(animate=False)

    def detail(self, item: Item) -> Table:
        """A line in full: what, from, to, why, risk, owner, and the command that applies it."""
        entries = list(item.entries)
        if item.chosen or item.by_commit:
            entries.append(("apply", self.command([item])))
        table = Table.grid(padding=(0, 1, 0, 0), expand=True)
        table.add_column(no_wrap=True, width=9)
        table.add_column(ratio=1)
        table.add_row(Text(item.word, "bold"), Text(clean(item.name), "bold"))
        for label, text in entries:
            if lines := clean_lines(text):
                # A digest or a command that is wider than the panel goes on below, whole.
                table.add_row(label, Text("\n".join(lines), overflow="fold"))
        return table

    def command(self, items: Sequence[Item]) -> str:
        """The command that applies these, or all that are to be changed."""
        by_commit = bool(items) and all(one.by_commit for one in items)
        chosen = [one.by_commit or one.chosen for one in items]
        answers = self.site or self.wizard.answers
        return update_command(self.seen.meant, chosen, answers, by_commit=by_commit)

    def _say(self, text: str) -> None:
        self.query_one("#told", Static).update(clean(text))

    def on_board_chosen(self, event: Board.Chosen) -> None:
        """Enter shows the line on the whole screen."""
        event.stop()
        self.action_whole()

    def action_whole(self) -> None:
        """The line alone, with room for long reasons."""
        item = self._current()
        if item is not None:
            self.app.push_screen(WholeUpdateScreen(self.detail(item)))

    def action_filter(self) -> None:
        """All lines, or those of what is newer or not told."""
        self.only_newer = not self.only_newer
        self.show_items()
        self._say("All but what is up to date." if self.only_newer else "All that runs.")

    def action_copy(self) -> None:
        """The command that applies what is chosen, or all that is to be changed."""
        items = self._chosen()
        if not items and not any(one.group == CHANGED for one in self.items):
            self._say("Nothing is to be applied.")
        elif _mixed(items):
            self._say(MIXED)
        else:
            command = self.command(items)
            self.app.copy_to_clipboard(command)
            self._say(f"Copied, where the terminal allows it: {command}")

    # ---- choosing

    def action_mark(self) -> None:
        """Choose the line under the cursor among those that are applied together, or no more."""
        item = self._current()
        if item is None or not (item.chosen or item.by_commit):
            self._say(NOT_CHANGED)
            return
        self.marked ^= {item.key}
        self.query_one("#updates", Board).update_rows([_row(item, marked=item.key in self.marked)])
        self._say(chosen_words(len(self.marked)))

    def _chosen(self) -> list[Item]:
        """Those that were chosen, else the one under the cursor; none that is not changed."""
        if self.marked:
            return [one for one in self.items if one.key in self.marked]
        item = self._current()
        return [item] if item is not None and (item.chosen or item.by_commit) else []

    # ---- applying them

    def action_apply(self) -> None:
        """Plan the update of what is chosen, to be looked at first."""
        items = self._chosen()
        if not items:
            self._say(NOT_CHANGED)
        elif _mixed(items):
            self._say(MIXED)
        elif items[0].by_commit:
            title, take = "Where is the clone?", partial(self._take_clone, items)
            self.app.push_screen(FolderScreen(title, CLONE, example="~/site"), take)
        else:
            self._apply(tuple(one.chosen for one in items))

    def _apply(self, chosen: tuple[str, ...]) -> None:
        answers = self.site or self.wizard.answers
        if answers.solution is None or not answers.machines:
            ask = FileScreen("Of which site is this?", WHICH_SITE, example="site.yaml")
            self.app.push_screen(ask, partial(self._take_site, chosen))
        else:
            self._work(self._plan(chosen, answers), "Planning it; nothing is changed.")

    def _take_site(self, chosen: tuple[str, ...], file: Path | None) -> None:
        if file is not None:
            self._work(self._plan_of(chosen, file), "Planning it; nothing is changed.")

    def _take_clone(self, items: Sequence[Item], folder: Path | None) -> None:
        if folder is not None:
            self._work(self._commit(items, folder), "Reading the clone; nothing is changed.")

    async def _commit(self, items: Sequence[Item], folder: Path) -> None:
        from screens.updates.commit_update import CommitUpdateScreen

        keys = {one.key for one in items}
        theirs = [one for one in self.seen.workloads if one.words in keys]
        try:
            commit = await self.wizard.services.plan_commit(theirs, folder)
        except Problem as problem:
            self._say_problem(problem)
            return
        if not commit.patch:
            self._say(" ".join(commit.untold))
            return
        self._say("")
        self.app.push_screen(CommitUpdateScreen(commit), self._committed)

    def _committed(self, told: str | None) -> None:
        if told is None:
            self._say("Nothing was committed.")
        else:
            self.marked.clear()
            self.show_items()
            self._say(told)

    def _work(self, work: Coroutine[Any, Any, None], words: str) -> None:
        self._say(words)
        self.run_worker(work, group="look", exclusive=True, exit_on_error=False)

    async def _plan_of(self, chosen: tuple[str, ...], file: Path) -> None:
        try:
            self.site = await site_in(file, self.wizard.services)
        except Problem as problem:
            self._say_problem(problem)
        else:
            await self._plan(chosen, self.site)

    async def _plan(self, chosen: tuple[str, ...], answers: Answers) -> None:
        from screens.updates.review_update import ReviewUpdateScreen

        wizard = self.wizard
        try:
            to_apply = await prepare(
                self.seen.meant, chosen, answers, wizard.memory.credentials, wizard.services
            )
        except Problem as problem:
            self._say_problem(problem)
            return
        self._say("")
        self.app.push_screen(ReviewUpdateScreen(to_apply), self._begin)

    def _begin(self, order: Order | None) -> None:
        from screens.updates.apply_update import ApplyUpdateScreen

        if order is None:
            self._say("It was not begun, and nothing was changed.")
        else:
            self.marked.clear()
            self.app.push_screen(ApplyUpdateScreen(order), lambda _: self.action_again())

    def _say_problem(self, problem: Problem) -> None:
        self._say(problem_words(problem))

    # ---- a second look

    def action_again(self) -> None:
        """Look again."""
        self._work(self._again(), "Looking again.")

    async def _again(self) -> None:
        wizard = self.wizard
        try:
            seen = await look_for_updates(
                self.seen.asked, wizard.answers, wizard.access(), wizard.services
            )
        except Problem as problem:
            self._say_problem(problem)
            return
        before = {one.key: (one.group, one.change) for one in self.items}
        self.seen = seen
        self.show_items()
        changed = [one.name for one in self.items if before.get(one.key) != (one.group, one.change)]
        changed += [key for key in before if key not in {one.key for one in self.items}]
        few = ", ".join(changed[:3])
        self._say(f"Looked again; changed: {few}." if few else "Looked again: nothing has changed.")


class WholeUpdateScreen(Dialog[None]):
    """One line on the whole screen."""

    HELP = "updates"

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


def _mixed(items: Sequence[Item]) -> bool:
    """Whether some are changed here and some by a commit."""
    return len({bool(one.by_commit) for one in items}) > 1


def _row(one: Item, *, marked: bool) -> Row:
    cells = [Cell(f"+{one.word}" if marked else one.word, one.tone), Cell(clean(one.name))]
    if one.change or one.owner:
        cells += [Cell(clean(one.change), "muted" if one.group == CURRENT else "plain")]
    if one.owner:
        cells += [Cell(clean(one.owner), "muted")]
    return Row(one.key, tuple(cells))

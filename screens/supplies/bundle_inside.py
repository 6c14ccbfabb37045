"""Inside a bundle: every item with version, size, origin and hash, and a filter."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Input, Static

from foundation.wording import human_size
from screens.services.bundle_seen import KIND_WORDS, BundleSeen, ItemSeen, about_item, counts
from screens.shell.dialog import Dialog
from screens.widgets.board import Board, Cell, Column, Row
from screens.widgets.field import Field, Line
from screens.widgets.keys import Key, KeyLine


class InsideScreen(Dialog[None]):
    """The list, filtered as one types, and the item under the cursor in full."""

    HELP = "supplies"
    KEYS: ClassVar[tuple[Key, ...]] = (
        Key("Up,Down", "Item", "screen.move(1)"),
        Key("Esc", "Close", "screen.close"),
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move(-1)", "Up", show=False),
        Binding("down", "move(1)", "Down", show=False),
        Binding("pageup", "page(-1)", "Page up", show=False),
        Binding("pagedown", "page(1)", "Page down", show=False),
    ]

    def __init__(self, seen: BundleSeen) -> None:
        super().__init__()
        self.seen = seen
        self.by_key = {f"{n}": item for n, item in enumerate(_ordered(seen.items))}

    def compose(self) -> ComposeResult:
        """What it is, the filter, the list, the item in full."""
        seen = self.seen
        made = seen.created[:10]
        with Vertical(classes="dialog -whole"):
            title = f"{seen.solution} {seen.version} for {seen.environment}, made {made}"
            yield Static(title, classes="dialog-title", markup=False)
            yield Field("Filter", id="filter", example="part of a name, a kind, a version")
            yield Board(
                (Column("kind", 8), Column("name"), Column("version", 14), Column("size", 9)),
                id="items",
            )
            yield Static("", id="count", markup=False)
            with VerticalScroll(id="item", can_focus=False):
                yield Static("", id="item-text", markup=False)
            yield KeyLine(self.KEYS, id="dialog-keys")

    def on_mount(self) -> None:
        """Everything, until something is typed."""
        self._draw("")
        self.query_one("#filter", Line).focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filter with every key."""
        event.stop()
        self._draw(event.value)

    def on_board_highlighted(self, event: Board.Highlighted) -> None:
        """The item in full."""
        event.stop()
        parts: list[str | tuple[str, str]] = []
        for label, value in about_item(self.by_key[event.key]):
            # Five cells leave room for a whole hash on a screen of eighty.
            parts += ["\n" if parts else "", (f"{label:<4} ", "bold"), value]
        self.query_one("#item-text", Static).update(Content.assemble(*parts))

    def action_move(self, by: int) -> None:
        """Another item, while the filter keeps the keys."""
        self.query_one("#items", Board).action_step(by)

    def action_page(self, by: int) -> None:
        """A page of items."""
        self.query_one("#items", Board).action_page(by)

    def _draw(self, words: str) -> None:
        found = {key: item for key, item in self.by_key.items() if item.matches(words)}
        rows = [
            Row(
                key,
                (
                    Cell(KIND_WORDS.get(item.kind, item.kind), "muted"),
                    Cell(item.name.removesuffix(f":{item.version}")),
                    Cell(item.version),
                    Cell(f"{human_size(item.size):>9}"),
                ),
            )
            for key, item in found.items()
        ]
        self.query_one("#items", Board).set_rows(rows)
        if not found:
            self.query_one("#item-text", Static).update("")
        size = human_size(sum(item.size for item in found.values()))
        words = ", ".join(counts(found.values()))
        self.query_one("#count", Static).update(f"{words}: {size}" if words else "nothing")


class ListScreen(Dialog[None]):
    """A list of sentences about a bundle, and what to do about them."""

    HELP = "supplies"

    def __init__(self, title: str, lines: Sequence[str], what_to_do: str) -> None:
        super().__init__()
        self.title_text = title
        self.lines_text = "\n".join(lines)
        self.what_to_do = what_to_do

    def compose(self) -> ComposeResult:
        """A line each, and what to do."""
        with Vertical(classes="dialog -large"):
            yield Static(self.title_text, classes="dialog-title", markup=False)
            with VerticalScroll(classes="dialog-scroll", id="lines"):
                yield Static(self.lines_text, markup=False)
            yield Static(self.what_to_do, classes="dialog-note", markup=False)
            yield KeyLine(self.KEYS, id="dialog-keys")

    def on_mount(self) -> None:
        """The arrows scroll."""
        self.query_one("#lines").focus()


def missing_screen(seen: BundleSeen) -> ListScreen:
    """What the recipe asks for and the bundle has not."""
    return ListScreen(
        "What the bundle lacks",
        seen.missing,
        "Make the bundle again with the recipe of this version of Sitewright; what it has "
        "already is not fetched twice. Or carry on, if the site has these itself.",
    )


def untold_screen(seen: BundleSeen) -> ListScreen:
    """What could not be told when the bundle was made."""
    return ListScreen(
        "What could not be told",
        seen.untold,
        "Ask its maker for what the site needs of these: images by a line of their own under "
        "`images`, values under `values`, repositories under `git`. Or carry on, if the site does "
        "without.",
    )


def _ordered(items: Iterable[ItemSeen]) -> list[ItemSeen]:
    kinds = list(KIND_WORDS)
    return sorted(items, key=lambda item: (kinds.index(item.kind), item.name, item.version))

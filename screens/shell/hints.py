"""Hints: of the keys that a screen knows, those that work where the focus is.

What stands at the foot of a screen is read from the bindings that are active there, so that no key
is shown that is a letter in the line with the cursor, or that another widget takes for itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from textual.widgets import Input

from screens.widgets.board import Board
from screens.widgets.keys import Key

if TYPE_CHECKING:
    from typing import Any

    from textual.binding import ActiveBinding
    from textual.screen import Screen

NAMES: Final = {
    "Esc": "escape", "Enter": "enter", "Space": "space", "Tab": "tab", "Del": "delete",
    "PgDn": "pagedown", "Up": "up", "Down": "down", "Left": "left", "Right": "right", "/": "slash",
    "?": "question_mark", "+": "plus", "-": "minus", "<": "less_than_sign",
    ">": "greater_than_sign", ",": "comma", ".": "full_stop",
}  # fmt: skip
"""How Textual calls the keys that are printed otherwise."""
FILTER: Final = Key("/", "Filter", "screen.seek")
SIFTING: Final = (Key("Enter", "Keep", ""), Key("Esc", "Show all", ""))
"""What ends the filter of a list while it is typed."""


def parts_of(label: str) -> tuple[str, ...]:
    """The keys of a label: "F1 ?" are two, and so are "Up,Down"."""
    if " " in label:
        return tuple(label.split())
    return tuple(label.split(",")) if len(label) > 1 and "," in label else (label,)


def name_of(part: str) -> str:
    """What Textual calls a key."""
    if part.startswith("^"):
        return f"ctrl+{part[1:].lower()}"
    return NAMES.get(part, part if len(part) == 1 else part.lower())


def verb_of(action: str) -> str:
    """The name of an action without its place and its words."""
    return action.partition("(")[0].rpartition(".")[2]


def works(screen: Screen[Any], part: str, action: str) -> bool:
    """Whether a key does what it is shown for, with the focus where it is."""
    return not is_letter(screen, part) and _works(screen.active_bindings, part, action)


def is_letter(screen: Screen[Any], part: str) -> bool:
    """Whether a key is a letter of the text in which the cursor stands.

    Textual leaves those out of the active bindings too, but for the signs that it calls otherwise
    than Unicode does: / + - and some more.
    """
    focused = screen.focused
    return focused is not None and len(part) == 1 and focused.check_consume_key(name_of(part), part)


def _works(active: Mapping[str, ActiveBinding], part: str, action: str) -> bool:
    name = name_of(part)
    found = active.get(name) or active.get(name.lower())  # a capital means what the small one does
    if found is None:
        return False
    if not action or verb_of(found.binding.action) == verb_of(action):
        return True
    # A list and a line tell their screen of Enter and of a move, and it does what is shown.
    if name == "enter":
        return isinstance(found.node, Board | Input)
    return name in ("up", "down") and isinstance(found.node, Board)


def working(screen: Screen[Any], keys: Iterable[Key]) -> Iterator[Key]:
    """The keys that work now, each with those of its labels that do."""
    active = screen.active_bindings
    for key in keys:
        parts = parts_of(key.label)
        found = [
            part
            for part in parts
            if not is_letter(screen, part) and _works(active, part, key.action)
        ]
        if len(found) == len(parts):
            yield key
        elif found:
            yield replace(key, label=" ".join(found))


def hints(screen: Screen[Any], keys: Sequence[Key]) -> tuple[Key, ...]:
    """What a screen shows of its own keys: those that work; the filter too, where a list is."""
    focused = screen.focused
    if isinstance(focused, Board) and focused.typing:
        return SIFTING
    found = list(working(screen, keys))
    if works(screen, FILTER.label, FILTER.action) and seeks(screen):
        found.append(FILTER)
    return tuple(found)


def _boards(screen: Screen[Any]) -> list[Board]:
    """The lists that can be filtered, the one with the cursor first; an empty one has nothing."""
    boards = [
        board
        for board in screen.query(Board)
        if board.filters and board.all_rows and _in_sight(board)
    ]
    return sorted(boards, key=lambda one: not one.has_focus)


def _in_sight(board: Board) -> bool:
    """Whether nothing around a list is hidden."""
    return all(getattr(node, "display", True) for node in board.ancestors_with_self)


def seeks(screen: Screen[Any]) -> bool:
    """Whether there is a list to filter."""
    return bool(_boards(screen))


def seek_in(screen: Screen[Any]) -> None:
    """Begin the filter of the list with the cursor, else of the first one."""
    for board in _boards(screen)[:1]:
        board.focus()
        board.action_seek()

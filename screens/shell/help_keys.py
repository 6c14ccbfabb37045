"""What a topic of the help is, and the keys that several topics have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Help:
    """One topic: a title, paragraphs, and the keys that belong to it."""

    title: str
    paragraphs: tuple[str, ...]
    keys: tuple[tuple[str, str], ...] = ()
    alone: bool = False
    """Whether these are all the keys that work there."""


_LOOK: Final = ("F4", "choose the look: auto, dark, light, high contrast, no colour, ASCII")
_BELL: Final = ("Ctrl+G", "bell and notification at an end or a failure: on, off")

KEYS_ON_STEPS: Final = (
    ("F10, Ctrl+N", "next step"),
    ("Esc, Ctrl+P", "back"),
    ("Tab", "to the next part of the screen"),
    ("z, Ctrl+Z", "take back what was done last on this step"),
    ("F1, ?", "this help"),
    _LOOK,
    _BELL,
    ("q, Ctrl+Q", "quit; it asks first, and your place is kept"),
)
"""What works on every step, whatever the focus."""

KEYS_IN_PANELS: Final = (
    ("F10, Ctrl+N", "do what the panel is for"),
    ("Esc, Ctrl+P", "close it without an answer"),
    ("Tab", "to the next part of the panel"),
    ("F1", "this help; ? too, where nothing is typed"),
    _LOOK,
    _BELL,
    ("Ctrl+Q", "quit; it asks first, and your place is kept"),
)
"""What works in every panel before a step."""

FILTER: Final = ("/", "in the list: the rows alone that hold some words; Esc shows all")
"""What works where there is a list."""

LOG_KEYS: Final = (
    ("f", "filter: the lines of one machine, those with some words"),
    ("/, n, N", "find words in the log, upwards; the next above, below"),
    ("w", "fold long lines, or cut them off; Left and Right move them"),
    ("e, End", "to the end of the log, which then follows"),
    ("c, v", "copy the lines in sight; save those that are shown"),
    ("y", "copy the path of the log"),
)

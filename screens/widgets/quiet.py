"""What keeps a screen quick while lines pour in: no layout and no collection without need."""

from __future__ import annotations

import gc

from textual.content import Content
from textual.widgets import Static


def put(content: str | Content, place: Static) -> None:
    """Put a text in its place; the same text costs nothing, as many lines no layout."""
    before = place.content
    plain = content if isinstance(content, str) else content.plain
    was = before.plain if isinstance(before, Content) else str(before)
    if content != before:
        place.update(content, layout=plain.count("\n") != was.count("\n"))


def settle_memory() -> None:
    """Have the garbage collector pass over all that is there already from now on.

    A full collection walks every object of the libraries, which takes longer than the screen may
    stand still; what comes after this moment is little, and is collected as always.
    """
    gc.collect()
    gc.freeze()

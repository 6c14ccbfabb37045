"""What keeps a screen quick while lines pour in: no layout without need."""

from __future__ import annotations

from textual.content import Content
from textual.widgets import Static


def put(content: str | Content, place: Static) -> None:
    """Put a text in its place; the same text costs nothing, one of the same height no layout."""
    before = place.content
    if content == before:
        return
    width = place.size.width
    lines, were = _lines(content), _lines(before)
    # What is folded may take another number of rows, though it has as many lines.
    fits = all(len(line) <= width for line in (*lines, *were))
    place.update(content, layout=not fits or len(lines) != len(were))


def _lines(content: object) -> list[str]:
    text = content.plain if isinstance(content, Content) else str(content)
    return text.split("\n")

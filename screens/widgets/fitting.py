"""Fitting: how wide the columns of a list are, from what stands in them and the room there is.

No screen reckons for itself: where all of it fits, nothing is cut; where it does not, the widest
column gives first, and the last one, which holds sentences, keeps up to three fifths of the line.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.cells import cell_len


def naturals(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> list[int]:
    """How wide what stands in each column is.

    The last text of a row with fewer of them runs on, and tells nothing of its column.
    """
    found = [cell_len(title) for title in titles]
    last = len(found) - 1
    for texts in rows:
        end = len(texts) - 1
        for place, text in enumerate(texts):
            if place <= last and (place < end or place == last):
                found[place] = max(found[place], cell_len(text))
    return found


def fitted(wants: Sequence[int], room: int) -> list[int]:
    """The width of each column in a line of so many cells, with one cell between two of them.

    The last one takes what is left.
    """
    if not wants:
        return []
    room = max(room - len(wants) + 1, len(wants))
    *others, last = wants
    others = levelled(others, room - min(last, room * 3 // 5))
    return [*others, max(room - sum(others), 1)]


def levelled(wants: Sequence[int], room: int) -> list[int]:
    """Widths that together take no more than so much; the widest give first."""
    over = sum(wants) - max(room, len(wants))
    if over <= 0:
        return list(wants)
    level, left = 1, max(room, len(wants))
    for place, want in enumerate(sorted(wants)):
        level = max(left // (len(wants) - place), 1)
        if want > level:
            break
        left -= want
    found = [min(want, level) for want in wants]
    spare = max(room, len(wants)) - sum(found)
    for place, want in enumerate(wants):
        if spare and found[place] < want:  # less than one for each of them
            found[place] += 1
            spare -= 1
    return found

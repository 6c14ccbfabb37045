"""How wide columns are: nothing is cut where there is room, and the widest gives first."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from screens.widgets.board import Board, Cell, Column, Row
from screens.widgets.fitting import fitted, levelled, naturals

WANTS = st.lists(st.integers(1, 90), min_size=1, max_size=8)


@given(WANTS, st.integers(0, 200))
def test_where_all_of_it_fits_nothing_is_cut(wants: list[int], more: int) -> None:
    widths = fitted(wants, sum(wants) + len(wants) - 1 + more)
    assert widths[:-1] == wants[:-1]
    assert widths[-1] == wants[-1] + more


@given(WANTS, st.integers(20, 200))
def test_a_line_is_filled_and_never_passed(wants: list[int], room: int) -> None:
    widths = fitted(wants, room)
    assert all(width >= 1 for width in widths)
    assert sum(widths) + len(widths) - 1 == room
    # Sentences keep most of the line, and nothing else is wider than it needs to be.
    assert widths[-1] >= min(wants[-1], (room - len(wants) + 1) * 3 // 5 - len(wants))
    assert all(width <= want for width, want in zip(widths[:-1], wants[:-1], strict=True))


@given(WANTS, st.integers(1, 200))
def test_the_widest_give_first(wants: list[int], room: int) -> None:
    found = levelled(wants, room)
    cut = [width for width, want in zip(found, wants, strict=True) if width < want]
    assert all(width <= min(cut) + 1 for width in cut)
    assert all(width <= min(cut, default=200) + 1 for width in found)


def test_a_row_that_runs_on_tells_nothing_of_its_last_column() -> None:
    rows = [["w1", "ok", "fine"], ["w2", "not seen: nobody answers there"]]
    assert naturals(["machine", "", "why"], rows) == [7, 2, 4]


def test_a_list_measures_what_it_holds_and_grows_with_news() -> None:
    board = Board((Column("", 3), Column("name", name=True, most=10), Column("")))
    board.set_rows([Row("a", (Cell("ok"), Cell("one"), Cell("x")))])
    wants = [c.wants(n) for c, n in zip(board.columns, board._natural, strict=True)]
    assert wants == [3, 4, 1]
    board.update_rows([Row("a", (Cell("waiting"), Cell("n" * 30), Cell("x")))])
    wants = [c.wants(n) for c, n in zip(board.columns, board._natural, strict=True)]
    assert wants == [7, 10, 1]

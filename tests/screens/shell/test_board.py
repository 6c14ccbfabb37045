"""The board: its filter, and names that are cut where they do not differ."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from textual.app import App, ComposeResult
from textual.widgets import Input

from screens.widgets.board import Board, Cell, Column, Row, cut_middle, sifted

ROWS = [
    Row("head", (Cell("workers"),), heading=True),
    *(Row(f"w{n}", (Cell(f"worker {n}"), Cell("ok"))) for n in range(1, 13)),
    Row("other", (Cell("masters"),), heading=True),
    Row("m1", (Cell("master 1"), Cell("FAIL"))),
]


class Boards(App[None]):
    """One board, and a line beside it."""

    def compose(self) -> ComposeResult:
        yield Board((Column("name", 12, name=True), Column("")), ROWS, id="rows")
        yield Input(id="line")


async def test_letters_after_a_slash_leave_the_rows_that_hold_them() -> None:
    app = Boards()
    async with app.run_test(size=(60, 20)) as pilot:
        board = app.query_one(Board)
        board.focus()
        await pilot.pause()
        await pilot.press("slash", "F", "a", "i")
        assert [row.key for row in board.rows] == ["other", "m1"]
        assert board.key == "m1"
        assert "1 of 13" in board.sifting
        # News of rows that are out of sight is not lost.
        board.update_rows([Row("w1", (Cell("worker 1"), Cell("FAIL")))])
        await pilot.press("enter")
        await pilot.press("escape")
        assert len(board.rows) == len(ROWS)
        assert board.rows[1].cells[1].text == "FAIL"
        assert not board.sifting


async def test_the_filter_ends_where_something_else_is_typed() -> None:
    app = Boards()
    async with app.run_test(size=(60, 20)) as pilot:
        board = app.query_one(Board)
        board.focus()
        await pilot.pause()
        await pilot.press("slash", "1", "2")
        app.query_one(Input).focus()
        await pilot.pause()
        await pilot.press("3")
        assert (board.sought, app.query_one(Input).value) == ("12", "3")


@given(st.text(alphabet="ab-1", max_size=6))
def test_what_is_left_holds_the_words_under_its_own_heading(words: str) -> None:
    left = sifted(ROWS, words)
    for place, row in enumerate(left):
        if row.heading and words:
            assert place + 1 < len(left)
            assert not left[place + 1].heading
        elif words:
            assert any(words.casefold() in cell.text.casefold() for cell in row.cells)


@given(st.text(max_size=40), st.integers(5, 30))
def test_a_name_is_cut_in_its_middle_and_never_too_wide(text: str, width: int) -> None:
    cut = cut_middle(text, width)
    assert cell_len(cut) <= width
    if cell_len(text) > width:
        assert "…" in cut


def test_names_that_begin_alike_stay_apart() -> None:
    names = [f"node-with-a-rather-long-name-{n}" for n in range(10, 60)]
    assert len({cut_middle(name, 14) for name in names}) == len(names)


async def test_a_filter_that_leaves_nothing_survives_another_size() -> None:
    app = Boards()
    async with app.run_test(size=(60, 20)) as pilot:
        board = app.query_one(Board)
        board.focus()
        await pilot.pause()
        await pilot.press("end", "slash", "q", "q")
        assert board.rows == []
        await pilot.resize_terminal(40, 8)
        assert board.key is None
        await pilot.press("down", "enter", "escape")
        assert len(board.rows) == len(ROWS)

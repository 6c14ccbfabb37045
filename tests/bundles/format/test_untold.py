"""The list of what could not be told: for people, for JSON, and in the lock of a bundle."""

from __future__ import annotations

from bundles.format.lock import Gathered, make_lock, parse_lock
from bundles.format.recipe import Recipe
from bundles.format.untold import serious, told, untold_dicts, untold_lines

LINE = f"sha256:{1:064x}"


def test_the_serious_come_first_and_what_is_the_same_is_told_once() -> None:
    entries = [
        *(told(f"the chart {n}", "it was only read", "note") for n in range(10)),
        told("the repository r", "a submodule"),
        told("the chart c", "image x:1", "perhaps"),
    ]
    assert untold_lines(entries) == [
        "1 cannot be told, so it may be missing:",
        "  the repository r: a submodule",
        "1 perhaps needed, perhaps not:",
        "  the chart c: image x:1",
        "10 good to know:",
        f"  {', '.join(f'the chart {n}' for n in range(8))} and 2 more: it was only read",
    ]
    assert untold_lines([]) == []
    assert [entry.of for entry in serious(entries)] == ["the repository r"]


def test_signs_of_a_terminal_do_not_reach_it() -> None:
    entry = told("the chart x", "a\x1b[2J\nb" + "c" * 2000)
    assert str(entry).isprintable()
    assert len(entry.what) == 600


def test_a_lock_keeps_the_list_and_one_without_is_what_it_was() -> None:
    recipe = Recipe(solution="t", version="1")
    plain = make_lock(recipe, "default", "now", [Gathered(LINE, ())])
    assert b"untold" not in plain.as_bytes()
    entry = told("the chart x", "image y", image="q.io/y:1")
    lock = make_lock(recipe, "default", "now", [Gathered(LINE, (), (entry, entry))])
    again = parse_lock(lock.as_bytes(), where="x")
    assert again.all_untold == (entry,)
    assert again.untold_of(LINE) == (entry,)
    assert again.untold_of(f"sha256:{2:064x}") == ()
    assert untold_dicts(again.all_untold) == [
        {"kind": "untold", "of": "the chart x", "what": "image y", "image": "q.io/y:1"}
    ]

"""Moments: each time of a record is a date, or is told as none, and nowhere else is one made."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from bundles.make.create import _now
from foundation.moments import clock, moment
from foundation.problems import InputProblem
from foundation.wording import duration

ROOT = Path(__file__).parents[2]
FLOORS = ("bundles", "foundation", "installer", "preflight", "screens")
MAKERS = frozenset({"fromtimestamp", "localtime", "gmtime", "ctime"})


@pytest.mark.parametrize("seconds", [1e20, -1e18, 1e300, 253402300800.0])
def test_a_time_that_no_calendar_has_is_none(seconds: float) -> None:
    assert moment(seconds) is None
    assert clock(seconds) == "??:??:??"


@pytest.mark.parametrize("seconds", [float("inf"), float("nan"), float("-inf")])
def test_what_is_no_number_is_no_duration(seconds: float) -> None:
    assert duration(seconds) == "a time that cannot be told"


def test_a_date_is_made_of_seconds_in_one_place() -> None:
    """Which raise for a time that no calendar has, each in its own way."""
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for floor in FLOORS
        for path in (ROOT / floor).rglob("*.py")
        if any(maker in (text := path.read_text(encoding="utf-8")) for maker in MAKERS)
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Attribute) and node.attr in MAKERS
    ]
    assert {one.partition(":")[0] for one in found} == {"foundation/moments.py"}


@pytest.mark.parametrize("stated", ["tomorrow", "-1", "1" + "0" * 17, "9" * 5000, "1.5"])
def test_a_bundle_states_no_time_that_is_none(stated: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", stated)
    with pytest.raises(InputProblem, match="SOURCE_DATE_EPOCH"):
        _now()
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1580601600")
    assert _now() == "2020-02-02T00:00:00Z"

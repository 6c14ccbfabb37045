"""What a plan comes to in words, by `show -json` of OpenTofu 1.12.6 as it was recorded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from foundation.problems import InputProblem
from installer.opentofu.changes import Action, Changes, read_changes

RECORDED = Path(__file__).parent / "recorded" / "plan.json"


def _read(**other: Any) -> Changes:
    return read_changes(json.dumps({**json.loads(RECORDED.read_text()), **other}), where="hub-a")


def test_each_resource_is_told_with_what_becomes_of_it() -> None:
    found = _read()
    assert {one.address: one.action for one in found.changes} == {
        "local_file.hosts": Action.CREATE,
        "terraform_data.cluster": Action.REPLACE,
        "terraform_data.old[0]": Action.DESTROY,
        "terraform_data.store": Action.UPDATE,
    }
    assert set(found.destroyed) == {"terraform_data.cluster", "terraform_data.old[0]"}
    assert found.outputs == ("size",)
    assert found.summary() == (
        "1 to be created, 1 to be changed, 1 to be replaced, 1 to be destroyed and 1 output to "
        "become another"
    )
    assert [one.words(outside=True) for one in found.drift] == ["local_file.hosts is gone"]


def test_what_differs_is_told_and_nothing_sensitive() -> None:
    store = next(one for one in _read().changes if one.address == "terraform_data.store")
    assert store.attributes == (
        "input.size: 3 becomes 4",
        "output becomes known when it is applied",
    )
    assert "s3cr3t" not in str(_read())


def _one(before: Any, after: Any, **more: Any) -> tuple[str, ...]:
    change = {"actions": ["update"], "before": before, "after": after, **more}
    found = _read(resource_changes=[{"address": "a.b", "change": change}])
    return found.changes[0].attributes


def test_a_sensitive_value_is_never_shown_however_it_is_marked() -> None:
    told = _one(
        {"a": "old", "b": {"c": "old"}, "d": ["old"]},
        {"a": "new", "b": {"c": "new"}, "d": ["new"]},
        before_sensitive={"a": True},
        after_sensitive={"b": {"c": True}, "d": [True]},
    )
    assert len(told) == 3
    assert not any("old" in one or "new" in one for one in told)
    assert _one({"a": "old"}, {"a": "new"}, after_sensitive=True) == (
        " becomes another (sensitive, not shown)",
    )


def test_what_is_long_is_told_by_its_length_and_what_is_much_by_its_number() -> None:
    assert _one({"a": "x\ny"}, {"a": "z"}) == ('a: a text of 3 characters becomes "z"',)
    many = _one({str(n): 0 for n in range(20)}, {str(n): 1 for n in range(20)})
    assert len(many) == 13
    assert many[-1] == "and 8 more"


def test_an_action_that_is_not_known_counts_as_one_that_destroys() -> None:
    found = _read(resource_changes=[{"address": "a.b", "change": {"actions": ["graft"]}}])
    assert found.destroyed == ("a.b",)


def test_names_from_outside_move_no_cursor() -> None:
    found = _read(
        resource_changes=[{"address": "a.b\x1b[2J", "change": {"actions": ["delete"]}}],
        output_changes={"x\x1b]0;t\x07": {"actions": ["create"]}},
    )
    assert "\x1b" not in str(found.destroyed) + str(found.outputs)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"resource_changes": [{}]}', "[" * 5000])
def test_another_form_is_a_problem(text: str) -> None:
    with pytest.raises(InputProblem):
        read_changes(text, where="hub-a")


def test_a_plan_that_is_not_whole_says_so() -> None:
    assert "ended by an error" in _read(errored=True).untold[0]
    assert "not whole" in _read(complete=False).untold[0]

"""The head of a state, and its backups."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from foundation.problems import InputProblem
from installer.opentofu.states import backup_name, drop_oldest, read_head

STATE: dict[str, Any] = {
    "version": 4, "terraform_version": "1.12.6", "serial": 7, "lineage": "89ccee37",
    "outputs": {}, "resources": [
        {"mode": "managed", "instances": [{}, {}]}, {"mode": "data", "instances": [{}]},
    ],
}  # fmt: skip


def test_a_head_says_which_state_it_is_and_nothing_of_what_is_in_it() -> None:
    head = read_head(json.dumps(STATE), where="hub-a")
    assert (head.lineage, head.serial, head.resources) == ("89ccee37", 7, 2)
    assert read_head("", where="hub-a").empty


@pytest.mark.parametrize("text", ["{", "[]", "null", json.dumps({**STATE, "version": 5})])
def test_another_form_is_a_problem(text: str) -> None:
    with pytest.raises(InputProblem):
        read_head(text, where="hub-a")


def test_the_number_of_backups_is_bounded_and_what_is_none_stays(tmp_path: Path) -> None:
    names = [backup_name(f"20261130-0800{second:02}", second) for second in range(25)]
    for name in (*names, "by-hand.tfstate"):
        (tmp_path / name).touch()
    drop_oldest(tmp_path)
    assert sorted(one.name for one in tmp_path.iterdir()) == sorted(
        [*names[-20:], "by-hand.tfstate"]
    )

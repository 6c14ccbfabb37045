"""Operations that are done to one machine after another: in which order, and what to each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from foundation.problems import InputProblem
from installer.planning.make import make_plan
from installer.plans.plan import Plan
from installer.steps.stage_files import load_operations
from tests.installer.planning.test_planning import bare, made, stage, step

EACH: dict[str, Any] = {
    "roles": ["load-balancer", "worker", "master"],
    "title": "Look after {{ machine.name }}",
    "why": "W",
    "steps": [
        step("asked", on=["other:master"], of=["worker", "master"], script="{{ machine.address }}"),
        step("done", on=["machine"]),
        step("agreed", of=["first"]),
    ],
}


def planned(folder: Path, each: dict[str, Any], names: tuple[str, ...] | None = None) -> Plan:
    """The plan of an operation that does this to each machine of the planning tests' site."""
    solution = made(folder, stage("one"))
    operations = solution.folder / "operations"
    for file in operations.glob("*.yaml"):
        file.unlink()
    text = {"operation": stage("care", step("before", on=["master"])), "each": each}
    (operations / "care.yaml").write_text(yaml.safe_dump(text))
    operation = load_operations(solution)["care"]
    return make_plan(solution, bare(), (), operation=operation, one_by_one=names)


def test_each_machine_is_a_stage_in_the_order_of_roles_and_names(tmp_path: Path) -> None:
    plan = planned(tmp_path, EACH)
    assert [one.id for one in plan.stages] == [
        "care", "care-lb1", "care-lb2", "care-w1", "care-w2", "care-m1", "care-m2", "care-m3",
    ]  # fmt: skip
    by_id = {one.id: one for one in plan.stages}
    # None is done by itself before the one that comes first.
    assert [by_id[name].needs for name in ("care-lb1", "care-lb2")] == [("care",), ("care-lb1",)]
    assert by_id["care-w2"].title == "Look after w2"
    assert [(s.id, s.hosts) for s in by_id["care-lb1"].steps] == [
        ("done", ("lb1",)),
        ("agreed", ("control",)),
    ]
    assert [(s.key, s.hosts) for s in by_id["care-w1"].steps] == [
        ("care-w1/asked", ("m1",)),
        ("care-w1/done", ("w1",)),
    ]
    # A master is asked about by another one.
    assert by_id["care-m1"].steps[0].hosts == ("m2",)
    assert by_id["care-m2"].steps[0].hosts == ("m1",)
    assert by_id["care-m1"].steps[0].spec["script"] == "10.10.0.13"
    assert "of" not in by_id["care-m1"].steps[0].spec


def test_machines_may_be_named_in_an_order_of_one_s_own(tmp_path: Path) -> None:
    plan = planned(tmp_path, EACH, ("m2", "m1"))
    assert [one.id for one in plan.stages] == ["care", "care-m2", "care-m1"]
    assert [s.id for s in plan.stages[1].steps] == ["asked", "done", "agreed"]
    assert planned(tmp_path / "none", EACH, ()).stages[-1].id == "care"


def test_a_word_of_no_role_is_told(tmp_path: Path) -> None:
    wrong = {**EACH, "steps": [step("asked", of=["workers"])]}
    with pytest.raises(InputProblem, match='no machine that is "workers"'):
        planned(tmp_path, wrong)

"""Recorded facts: what is saved comes back the same, and a hostile file is one clear problem."""

from __future__ import annotations

import contextlib
import json
import stat
import typing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foundation.hosts.model import Host
from foundation.problems import ConnectTimeout, InputProblem
from preflight.assessment import Seen
from preflight.facts import ABSENT, Absent, DiskKind, Facts, Unknown, known
from preflight.recorded import (
    SCHEMA,
    facts_for_report,
    facts_from_json,
    facts_to_json,
    load_facts,
    save_facts,
    seen_from_json,
)

RECORDED = Path(__file__).parent.parent / "recorded"
MACHINES = sorted(RECORDED.glob("*.json"))

_TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20)


def _strategy(kind: Any) -> st.SearchStrategy[Any]:
    """Values of a type of preflight.facts."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if kind is str:
        return _TEXT
    if kind is int:
        return st.integers(-(1 << 62), 1 << 62)
    if kind is float:
        return st.floats(allow_nan=False, allow_infinity=False, min_value=-1e15, max_value=1e15)
    if kind is Absent:
        return st.just(ABSENT)
    if kind is Unknown:
        return st.builds(Unknown, _TEXT)
    if origin is tuple:
        return st.lists(_strategy(arguments[0]), max_size=2).map(tuple)
    if origin is frozenset:
        return st.frozensets(_strategy(arguments[0]), max_size=3)
    if origin is dict:
        return st.dictionaries(_TEXT, _strategy(arguments[1]), max_size=3)
    if arguments:
        return st.one_of([_strategy(one) for one in arguments])
    if kind in {bool, type(None)} or issubclass(kind, str):
        return st.from_type(kind)
    hints = typing.get_type_hints(kind)
    return st.builds(kind, **{name: _strategy(hint) for name, hint in hints.items()})


@settings(max_examples=60, deadline=None)
@given(_strategy(Facts))
def test_facts_come_back_from_json_as_they_were(facts: Facts) -> None:
    text = json.dumps(facts_to_json(facts))
    assert facts_from_json(json.loads(text)) == facts
    json.dumps(facts_for_report(facts), allow_nan=False)


def test_a_saved_file_is_private_and_loads_the_same(tmp_path: Path) -> None:
    seen = [
        load_facts(MACHINES[0])[0],
        Seen(
            host=Host("dead", "192.0.2.9", port=2222, user="ops", bastion="ops@192.0.2.1:22"),
            problem=ConnectTimeout("no answer in 15 s", where="dead", remedy="Switch it on."),
            seen_at=datetime(2026, 11, 21, 12, 0, tzinfo=UTC),
            seconds=15.0,
        ),
    ]
    path = tmp_path / "facts.json"
    save_facts(path, seen)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]
    first, dead = load_facts(path)
    assert first == seen[0]
    assert dead.host == seen[1].host
    assert isinstance(dead.problem, ConnectTimeout)
    assert seen[1].problem is not None
    assert dead.problem.as_dict() == seen[1].problem.as_dict()
    assert dead.seen_at == seen[1].seen_at
    assert not dead.reachable


def test_a_folder_that_is_not_there_is_a_problem_with_its_remedy(tmp_path: Path) -> None:
    with pytest.raises(InputProblem, match="cannot be written"):
        save_facts(tmp_path / "no" / "facts.json", [])
    with pytest.raises(InputProblem, match="cannot be read"):
        load_facts(tmp_path / "no.json")


ASKED_SINCE = {"os.newest_kernel", "os.restart_for", "certificates"}
"""What the probe asks since these machines were written down: unknown there, and never well."""


@pytest.mark.parametrize("path", MACHINES, ids=lambda path: path.stem)
def test_the_recorded_machines_are_complete(path: Path) -> None:
    (seen,) = load_facts(path)
    facts = seen.facts
    assert facts is not None
    assert facts_from_json(facts_to_json(facts)) == facts
    left = {name for name, why in facts_for_report(facts)["unknown"].items() if "probe did" in why}
    assert left <= ASKED_SINCE
    assert json.loads(path.read_text())["schema"] == SCHEMA


def test_the_recorded_worker_is_what_the_sizing_table_asks_for() -> None:
    facts = load_facts(RECORDED / "pm4ml-worker.json")[0].facts
    assert facts is not None
    total = known(facts.memory.total_bytes) or 0
    assert 62.7 < total / (1 << 30) < 62.9
    assert facts.memory.installed_bytes == 64 << 30
    disks = known(facts.disks) or ()
    assert [(disk.kind, disk.size_bytes) for disk in disks] == [(DiskKind.NVME, 500107862016)] * 2
    assert len({disk.serial for disk in disks}) == 2


def test_the_report_form_has_the_shape_of_the_design() -> None:
    facts = load_facts(RECORDED / "small-vm.json")[0].facts
    assert facts is not None
    shown = facts_for_report(facts)
    assert shown["hostname"] == "app-01"
    assert shown["os"]["version"] == "22.04"
    assert shown["cpu"]["logical"] == 2
    assert shown["disks"][0]["kind"] == "virtual"
    assert shown["nics"][0]["addresses"][0] == "192.0.2.50/24"
    assert shown["nics"][0]["speed_mbps"] is None
    assert "virtio_net" in shown["unknown"]["nics.eth0.speed_mbps"]
    assert "disks.vda.model" in shown["absent"]
    assert shown["sockets"][0]["process"] is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not JSON"),
        ("{", "not JSON in line 1"),
        ("[" * 100_000, "not JSON|nested"),
        ("NaN", "not JSON"),
        ("[]", "schema"),
        ('{"schema": "sitewright.facts/2", "machines": []}', "schema"),
        ('{"schema": "sitewright.facts/1", "machines": {}}', "machines: a list"),
        ('{"schema": "sitewright.facts/1", "machines": [], "more": 1}', "more"),
        ('{"schema": "sitewright.facts/1", "machines": [{"host": 7}]}', r"machines\[0\].host"),
    ],
)
def test_a_file_that_is_something_else_is_one_clear_problem(text: str, message: str) -> None:
    with pytest.raises(InputProblem, match=message) as caught:
        seen_from_json(text.encode(), where="facts.json")
    assert caught.value.where == "facts.json"


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("facts", "cpu", "logical"), "8", "facts.cpu.logical: a whole number is wanted"),
        (("facts", "cpu", "logical"), True, "a whole number"),
        (("facts", "cpu", "logical"), 10**30, "a whole number"),
        (("facts", "cpu", "logical"), {"unknown": 7}, "a text"),
        (("facts", "cpu", "logical"), {"absent": False}, "a whole number"),
        (("facts", "cpu", "turbo"), 1, "no such key as .turbo"),
        (("facts", "disks"), [{}], 'the key "name" is missing'),
        (("facts", "notes"), ["x" * 5000], "more than 4096 characters"),
        (("facts", "probe_seconds"), "soon", "a number"),
        (("host", "port"), 0, "a port"),
        (("host", "machine"), "toaster", "physical"),
        (("seen_at",), "yesterday", "a moment"),
        (("problem",), {"code": []}, "a text"),
    ],
)
def test_a_value_that_misfits_is_named_with_its_place(
    path: tuple[str, ...], value: Any, message: str
) -> None:
    record = json.loads(MACHINES[0].read_text())
    place = record["machines"][0]
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    with pytest.raises(InputProblem, match=message):
        seen_from_json(json.dumps(record).encode(), where="facts.json")


def test_strings_of_a_file_lose_what_cannot_be_shown() -> None:
    record = json.loads(MACHINES[0].read_text())
    record["machines"][0]["facts"]["identity"]["hostname"] = "pi\u001b[2J\u202e5\ud800"
    (seen,) = seen_from_json(json.dumps(record).encode(), where="facts.json")
    assert seen.facts is not None
    assert seen.facts.identity.hostname == "pi[2J5?"


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(data=st.data(), value=_VALUES)
def test_any_value_anywhere_is_read_or_refused(data: st.DataObject, value: Any) -> None:
    record = json.loads(MACHINES[0].read_text())
    place: Any = record["machines"][0]
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = data.draw(st.sampled_from(keys))
        if not isinstance(place[key], (dict, list)) or not place[key] or data.draw(st.booleans()):
            place[key] = value
            break
        place = place[key]
    # Nothing but an InputProblem may escape.
    with contextlib.suppress(InputProblem):
        assert len(seen_from_json(json.dumps(record).encode(), where="facts.json")) == 1

"""The house can be seen: rooms of a size to be read at once, each named, the tests in the same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FLOORS = ("foundation", "preflight", "bundles", "installer", "screens")
MOST = 20
LONGEST = 550
SAYS = re.compile(r'(#.*\n)*"""')
ONE_KIND = {"installer/commands", "installer/steps", "preflight/checks", "bundles/sources"}
"""Rooms whose modules are all of one kind, so that knowing one is knowing the others."""

NO_ROOM_OF_CODE = {
    "installer/pm4ml",
    "installer/pm4ml/backup",
    "installer/pm4ml/machines",
    "installer/pm4ml/upkeep",
    "installer/core_test_harness",
    "installer/helm_deploy",
    "installer/miniloop",
    "installer/mosip",
}
"""Tests about one solution, which is data."""


def _rooms(top: str) -> dict[str, list[Path]]:
    rooms: dict[str, list[Path]] = {}
    for path in sorted((ROOT / top).rglob("*.py")):
        if path.name != "__init__.py" and "solutions" not in path.parts:
            rooms.setdefault(str(path.parent.relative_to(ROOT)), []).append(path)
    return rooms


@pytest.mark.parametrize("top", [*FLOORS, "tests"])
def test_no_room_is_too_full_to_be_seen(top: str) -> None:
    """A folder of more than twenty modules wants a wall, unless all of them are of one kind."""
    full = {name: len(found) for name, found in _rooms(top).items() if name not in ONE_KIND}
    assert {name: count for name, count in full.items() if count > MOST} == {}


@pytest.mark.parametrize("top", [*FLOORS, "tests", "benchmarks"])
def test_no_module_is_too_long_to_be_read(top: str) -> None:
    """A module of much more than five hundred lines has more than one subject.

    A program of a solution goes to a machine as one file, however long.
    """
    found = [path for path in (ROOT / top).rglob("*.py") if "solutions" not in path.parts]
    long = {str(path): path.read_bytes().count(b"\n") for path in found}
    assert {name: lines for name, lines in long.items() if lines > LONGEST} == {}


def test_every_room_stands_in_the_plan_of_the_house() -> None:
    """docs/architecture.md names every folder of code, and below the floor on which it lies."""
    text = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    # Rooms of two floors may have one name: `updates/` below installer is not that of screens.
    below = {
        top: part
        for part in text.split("\n## ")
        for top in FLOORS
        if top in part.partition("\n")[0]
    }
    rooms = {name for top in FLOORS for name in _rooms(top)} - set(FLOORS)
    deep = {name for name in rooms if name.endswith("/on_machine") or "/on_control_host" in name}
    assert [
        name
        for name in sorted(rooms - deep)
        if f"`{name.partition('/')[2]}/`" not in below[name.partition("/")[0]]
    ] == []


def test_every_flat_module_stands_in_it_too() -> None:
    """A module that lies in no room is named by itself."""
    text = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    flat = [path for top in FLOORS for path in (ROOT / top).glob("*.py")]
    names = {path.stem for path in flat if not path.name.startswith("__")} - {"version"}
    assert [name for name in sorted(names) if f"`{name}`" not in text] == []


def test_tests_lie_where_what_they_test_lies() -> None:
    """A folder of tests has the name of a folder of code, or of a solution."""
    folders = {name.removeprefix("tests/") for name in _rooms("tests")} - {"tests"}
    of_code = {name for name in folders if name.split("/")[0] in FLOORS} - NO_ROOM_OF_CODE
    assert [name for name in sorted(of_code) if not (ROOT / name).is_dir()] == []


@pytest.mark.parametrize("top", FLOORS)
def test_every_module_says_what_it_is_for(top: str) -> None:
    """The first line of a module is its row in the plan of the house."""
    silent = [
        str(path.relative_to(ROOT))
        for paths in _rooms(top).values()
        for path in paths
        if not SAYS.match(path.read_text(encoding="utf-8"))
    ]
    assert silent == []

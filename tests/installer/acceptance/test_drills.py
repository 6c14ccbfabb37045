"""Faults under load: which are set, that each is undone, and what is said of their effect."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from foundation.problems import ExitCode, InputProblem, Refused
from installer.acceptance import gates
from installer.acceptance.accept import Asked, Progress, accept
from installer.acceptance.drills import Drilled, chosen, effects, under_load
from installer.acceptance.driver.measured import Measured
from installer.acceptance.driver.tally import COLUMNS, Column
from installer.acceptance.hub_file import Drill
from installer.acceptance.left_faults import left_faults, note, notes_folder, require_none_left
from installer.acceptance.profile import Profile
from installer.acceptance.result import Outcome
from installer.cli import main
from tests.installer.acceptance.made import BOUNDS, PROFILE, measured, reconciled
from tests.installer.acceptance.test_accept import WIDE, hub_file
from tests.installer.engine_site import when
from tests.stand_ins.hub import Hub

pytestmark = pytest.mark.processes

QUICK = replace(BOUNDS, before_drills=0.0, after_drill=0.0)


def _drill(name: str, command: str = "true", undo: str = "", **more: Any) -> Drill:
    return Drill.model_validate({
        "name": name, "command": ["sh", "-c", command],
        "undo": ["sh", "-c", undo] if undo else [], "wait": 0, **more,
    })  # fmt: skip


@dataclass
class Load:
    """A load that is under way since a moment ago."""

    measured: Measured = field(default_factory=lambda: Measured(began=time.time()))


async def _set(*drills: Drill) -> tuple[list[Drilled], list[str]]:
    """All drills to their end."""
    said: list[str] = []
    profile = Profile(1, steady=60, warm_up=0, ramp=0)
    done: list[Drilled] = []
    async with under_load(drills, profile, QUICK, Load(), said.append, done):
        await when(
            lambda: len(done) == len(drills)
            and (done[-1].undone or any(one.left for one in done))
        )  # fmt: skip
    return done, said


async def test_each_fault_is_set_in_its_turn_and_undone(tmp_path: Path) -> None:
    log = tmp_path / "log"
    done, said = await _set(
        _drill("pod", f"echo pod >>{log}"),
        _drill("drain", f"echo drain >>{log}", f"echo undone >>{log}"),
    )
    assert log.read_text().split() == ["pod", "drain", "undone"]
    assert all(one.undone and not one.failed for one in done)
    assert [text.split(":")[0] for text in said] == ["Drill pod", "Drill drain", "Undoing drain"]


async def test_a_fault_that_could_not_be_set_whole_is_undone_all_the_same(tmp_path: Path) -> None:
    log = tmp_path / "log"
    (one,), said = await _set(_drill("drain", "echo no rights >&2; exit 4", f"echo x >{log}"))
    assert log.exists()
    assert one.failed == "it ended with 4: no rights"
    assert any("was not set" in text for text in said)


async def test_who_comes_after_a_kill_is_told_what_to_undo(tmp_path: Path) -> None:
    """While a fault is set its undoing stands in a file; where that goes wrong it stays there."""
    require_none_left()
    seen = tmp_path / "seen"
    await _set(_drill("drain", f"cp {notes_folder()}/drain-*.json {seen}", "true"))
    assert json.loads(seen.read_text()) == {"drill": "drain", "undo": ["sh", "-c", "true"]}
    require_none_left()
    notes_folder().joinpath("drain-1.json").write_bytes(seen.read_bytes())  # as a killed one does
    with pytest.raises(Refused, match="the fault drain of an acceptance before was set") as told:
        require_none_left()
    assert "By hand it is sh -c true; " in str(told.value.remedy)
    notes_folder().joinpath("drain-1.json").write_text("[" * 100_000)
    with pytest.raises(Refused, match="nobody saw that it was undone"):
        require_none_left()
    # The one file of an earlier version.
    notes_folder().joinpath("drain-1.json").unlink()
    notes_folder().with_suffix(".json").write_bytes(seen.read_bytes())
    with pytest.raises(Refused, match="the fault drain"):
        require_none_left()


def test_after_a_fault_that_is_left_no_other_is_set_and_none_is_forgotten(
    tmp_path: Path,
) -> None:
    log, mended = tmp_path / "log", tmp_path / "mended"
    (first, second), _ = asyncio.run(_set(
        _drill("drain", f"echo drain >>{log}", f"test -e {mended}"),
        _drill("pod", f"echo pod >>{log}", "true"),
    ))  # fmt: skip
    assert log.read_text() == "drain\n"
    assert first.left
    assert (second.began, second.failed) == (
        0.0, "not begun, since the fault of drain is still set",
    )  # fmt: skip
    found = _criterion(measured(), replace(first, began=1015.0), second)
    assert found.outcome is not Outcome.HELD
    assert "pod was not set: not begun" in found.more[0]
    # Another acceptance's fault has a note of its own.
    asyncio.run(_set(_drill("drain", "true", "exit 5")))
    assert [one.name for one in left_faults()] == ["drain", "drain"]
    with pytest.raises(Refused, match="and 1 fault besides") as told:
        require_none_left()
    command = "accept --undo-left"
    assert f"sitewright {command}." in str(told.value.remedy)
    assert main(command.split()) == ExitCode.STAGE_FAILED
    mended.touch()
    assert main(command.split()) == ExitCode.STAGE_FAILED
    (other,) = left_faults()
    assert other.undo == ("sh", "-c", "exit 5")
    assert len(other.files) == 2
    assert all(str(file) in str(told.value.remedy) for file in other.files)
    for file in other.files:
        file.unlink()
    assert main(command.split()) == ExitCode.DONE


def test_a_fault_of_an_acceptance_under_way_is_not_undone_by_another(
    capsys: pytest.CaptureFixture[str],
) -> None:
    mine = note(_drill("drain", "true", "exit 3"))
    assert main(["accept", "--undo-left"]) == ExitCode.STAGE_FAILED
    assert "Left alone: drain" in capsys.readouterr().err
    mine.take_away()
    require_none_left()


async def test_what_could_not_be_undone_is_named_with_its_command() -> None:
    (one,), said = await _set(_drill("drain", "true", "exit 5"))
    assert one.left == "sh -c 'exit 5' (it ended with 5: no word)"
    assert said[-1].startswith("NOT undone: sh -c")
    (one,), _ = await _set(Drill(name="gone", command=("/no/such",), undo=("true",)))
    assert "could not be started" in one.failed


async def test_a_load_that_ends_or_is_left_leaves_no_fault_set(tmp_path: Path) -> None:
    log = tmp_path / "log"
    drill = _drill("drain", "true", f"sleep 0.1; echo undone >{log}", wait=3600)
    said: list[str] = []
    profile = Profile(1, steady=9999, warm_up=0, ramp=0)

    async def left() -> None:
        done: list[Drilled] = []
        async with under_load((drill,), profile, QUICK, Load(), said.append, done):
            await when(lambda: done)
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await left()
    assert log.read_text() == "undone\n"


def test_a_drill_that_is_not_there_and_a_time_that_is_too_short_are_told() -> None:
    drills = (_drill("pod", wait=30), _drill("drain", wait=30))
    with pytest.raises(InputProblem, match='no drill "pd"'):
        chosen(drills, ["pd"], PROFILE, BOUNDS)
    with pytest.raises(InputProblem, match="too short") as caught:
        chosen(drills, ["pod", "drain"], replace(PROFILE, steady=100), BOUNDS)
    assert "--for 200s" in str(caught.value.remedy)
    assert chosen(drills, ["drain"], replace(PROFILE, steady=110), BOUNDS) == drills[1:]


def _measured(*short: int, gap: tuple[int, int] = (0, 0)) -> Measured:
    """Six slots of a hundred a second from 1002 on; in some half failed, and no commit in a gap."""
    made = measured()
    for slot in short:
        counts = [0] * COLUMNS
        counts[Column.STARTED], counts[Column.COMMITTED] = 1000, 500
        made.slots[slot] = counts
    made.commits -= set(range(*gap))
    return made


def _criterion(it: Measured, *done: Drilled) -> Any:
    criteria = gates.judge(PROFILE, it, reconciled(), None, None, BOUNDS, done)
    return next(one for one in criteria if one.id == "recovery")


def test_a_drill_is_told_with_its_gap_and_when_the_rate_was_back() -> None:
    one, two = Drilled(_drill("pod", gap=1.0), 1015.0), Drilled(_drill("drain"), 1035.0)
    it = _measured(1, gap=(10160, 10230))
    first, second = effects([one, two], PROFILE, it)
    assert (first.name, round(first.gap, 1), first.back, first.failed) == ("pod", 7.0, 7.0, 500)
    assert (second.gap, second.back, second.failed) == (0.0, 0.0, 0)
    found = _criterion(it, one, two)
    assert found.outcome is Outcome.MISSED  # a second is borne
    assert "pod: 7.0 s without a commit, the rate back within 7 s" in found.seen
    assert "drain: 0.0 s without a commit, the rate back at once" in found.seen


@pytest.mark.parametrize(
    ("it", "drill", "outcome"),
    [
        (_measured(1), _drill("pod", gap=1.0), Outcome.HELD),
        (_measured(1), _drill("pod"), Outcome.NOTED),
        (_measured(5), _drill("pod"), Outcome.MISSED),
    ],
    ids=["borne", "told", "never-back"],
)
def test_how_recovery_comes_out(it: Measured, drill: Drill, outcome: Outcome) -> None:
    assert _criterion(it, Drilled(drill, 1015.0)).outcome is outcome


def test_a_fault_that_was_not_set_proves_nothing() -> None:
    found = _criterion(measured(), Drilled(_drill("pod"), 1015.0, failed="no rights"))
    assert found.outcome is Outcome.UNKNOWN
    assert not found.to_come
    assert found.more[0] == "pod was not set: no rights."


async def test_a_hub_that_refuses_all_for_a_while_is_seen_to_come_back() -> None:
    """Against the stand-in, for some seconds of a slot: real journeys, real commands."""
    ask = "import sys, urllib.request; urllib.request.urlopen(sys.argv[1])"
    async with Hub().serving() as hub:
        fault = Drill.model_validate({
            "name": "refuses", "wait": 3,
            "command": [sys.executable, "-c", ask, f"{hub.url}/stand-in/faults?refuse=1"],
            "undo": [sys.executable, "-c", ask, f"{hub.url}/stand-in/faults?refuse=0"],
        })  # fmt: skip
        bounds = replace(WIDE, before_drills=2.0, after_drill=1.0)
        asked = Asked(
            hub_file(hub), Profile(20, steady=34, warm_up=0, ramp=0), 1, bounds, drills=(fault,)
        )
        result = await accept(asked, Progress(lambda _: None, lambda *_: None))
    found = result.criterion("recovery")
    figures = found.figures["refuses"]
    assert figures["gap"] >= 2
    assert figures["failed"] > 20
    # A driver that had no time of its own saw no rate come back, and says so.
    assert figures["back"] or result.limited
    assert result.criterion("losses").outcome is Outcome.HELD
    assert hub.faults.refuse == 0

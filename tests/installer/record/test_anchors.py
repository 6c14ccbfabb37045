"""How far a journal is, is noted while it is written, and a machine that lost it is told."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from pathlib import Path

import pytest

from foundation.hosts.machine_lock import Around
from foundation.hosts.model import Host
from installer.record import anchors
from installer.record.anchors import NotAsLeft, NotKept, not_kept, told_of_not_kept
from installer.record.journal import read
from installer.record.journal_lines import BrokenJournal
from installer.record.other_hands import Mark
from installer.record.record_check import Noted, check_record, note_end, noted_of_site
from installer.record.runs import Run
from installer.record.site_lock import Lock
from tests.installer.engine_site import engine, new_run, plan, step
from tests.installer.record.test_record_check import written
from tests.installer.run_engine import run_engine

AT = "2026-01-02T03:04:05+00:00"
THEN = "2026-01-02T01:00:00+00:00"


def mark(run: str = "ours", events: int = 20, time: str = AT) -> Mark:
    """What a run leaves."""
    return Mark(run, "site", "Ma Ma", "root", "laptop", "id", time, "", events, "0" * 64)


def found(seen: Mapping[str, Mark | None], *left: tuple[str, Noted]) -> list[NotKept]:
    return list(not_kept(seen, left))


OURS = ("ours", Noted(mark(), {"m1": 20, "m2": 8}))


@pytest.mark.parametrize(
    ("kept", "said"),
    [
        (mark(), ""),
        (mark(events=21), ""),  # it was left, and not noted any more
        (mark("another", 3), ""),  # which worked there after us
        (mark("another", 3, "no time"), ""),
        (None, "m1 keeps nothing of it: it was installed anew"),
        (mark(events=12), "m1 keeps its line 12, though its line 20 was left there"),
        (mark("another", 99, THEN), "m1 keeps what the run another left there before it"),
    ],
)
def test_what_a_machine_keeps_is_held_against_what_was_left_there(
    kept: Mark | None, said: str
) -> None:
    told = found({"m1": kept}, OURS)
    assert [one.sentence.startswith(said) for one in told] == ([True] if said else [])


def test_a_machine_is_held_against_the_run_that_was_there_last() -> None:
    before = ("before", Noted(mark("before", 99, THEN), {"m1": 99, "m3": 50}))
    kept = {"m1": mark(), "m2": mark(events=8), "m3": mark("before", 50, THEN), "m4": None}
    assert found(kept, OURS, before) == []
    assert [one.host for one in found({"m3": None, "m4": None}, OURS, before)] == ["m3"]


def test_what_each_machine_took_last_is_noted() -> None:
    run = new_run(plan(step("a")))
    note_end(run, mark(run.id, 3), ["m1", "m2"])
    note_end(run, mark(run.id, 9), ["m2"])
    note_end(run, mark(run.id, 12))
    [(name, noted)] = noted_of_site(run)
    assert (name, noted.mark.events, noted.kept) == (run.id, 12, {"m1": 3, "m2": 9})


BEFORE = "2026-01-01T00:00:00+00:00"
DAYS = [f"2026-01-0{day}T03:04:05+00:00" for day in (1, 2, 3)]


def test_a_machine_that_was_off_is_held_against_its_own_mark() -> None:
    """A stop worked on m1 the day after; the run went on the day after that, while m1 was off."""
    run = new_run(plan(step("a")))
    note_end(run, mark(run.id, 20, DAYS[0]), ["m1", "m2"])
    note_end(run, mark(run.id, 30, DAYS[2]), ["m2"])
    left = noted_of_site(run)
    assert found({"m1": mark("stop", 5, DAYS[1])}, *left) == []
    # What is older than its own mark is told all the same, and on m2 the last one counts.
    assert [one.host for one in found({"m1": mark("b", 5, BEFORE)}, *left)]
    assert [one.host for one in found({"m2": mark("stop", 5, DAYS[1])}, *left)] == ["m2"]


def test_what_is_noted_is_read_once_however_many_machines_there_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = new_run(plan(step("a")))
    names = [f"m{n}" for n in range(30)]
    note_end(run, mark(run.id, 20), names)
    read: list[str] = []

    def counting(one: Run) -> list[tuple[str, Noted]]:
        read.append(one.id)
        return noted_of_site(one)

    monkeypatch.setattr(anchors, "noted_of_site", counting)
    seen = [(Host(name, "10.0.0.1"), Around()) for name in names]
    with pytest.raises(NotAsLeft):
        told_of_not_kept(seen, run, goes_on=True, takes_back=False)
    assert len(told_of_not_kept(seen, run, goes_on=True, takes_back=True)) == 30
    assert len(read) == 2


def test_a_laptop_whose_clock_is_behind_is_named_as_the_one_who_may_have_come_after() -> None:
    """By its clock it left its mark before ours: only the machine knows which came last."""
    (one,) = found({"m1": mark("another", 99, THEN)}, OURS)
    assert "or Ma Ma" in one.sentence
    assert "by a clock that is behind" in one.sentence
    (gone,) = found({"m1": None}, OURS)
    assert "clock" not in gone.sentence


def test_a_note_without_times_judges_by_the_last_mark_alone() -> None:
    """As an earlier version left it: when m2 took its mark is not known."""
    late = ("ours", Noted(mark(time=DAYS[2]), {"m1": 20, "m2": 8}))
    seen = {name: mark("stop", 5, DAYS[1]) for name in ("m1", "m2")}
    assert [one.host for one in found(seen, late)] == ["m1"]


async def test_what_could_not_be_left_at_the_end_of_a_session_is_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The locks of the machines are a stand-in; the journal is closed, so that the log has it."""

    class Locks:
        def __init__(self, *_: object, **__: object) -> None:
            """It holds nothing."""

        away = ()

        async def acquire(self) -> None:
            """Taken."""

        release = acquire

    async def left(_: object) -> list[str]:
        return ["How far the journal is could not be noted beside the runs: No space left."]

    monkeypatch.setattr("installer.running.others.company.MachineLocks", Locks)
    company = engine(plan(step("a")), lock=Lock("site-aaaaaaaaaa"))._company
    monkeypatch.setattr(company, "leave_mark", left)
    async with company.held():
        company.learnt = True
    assert "could not be noted beside the runs: No space left." in caplog.text


@pytest.mark.processes
@pytest.mark.skipif(os.geteuid() != 0, reason="jobs are run as root; this is not root")
def test_a_killed_journal_cannot_be_shortened_to_before_the_last_stage(tmp_path: Path) -> None:
    made = plan(step("a", script="echo a"), step("b", stage="two", script="echo b"))
    run = new_run(made)
    told = {
        "hosts": [{"name": "local", "address": "local"}], "by": "Ma Ma",
        "die": {"kind": "step.started", "stage": "two"},
    }  # fmt: skip
    status, output = run_engine(run.folder, told)
    assert status == -signal.SIGKILL, output
    check_record(run)
    events = list(read(run.journal))
    end = next(n for n, one in enumerate(events) if one.kind.value == "stage.finished")
    written(run, events[:end])
    with pytest.raises(BrokenJournal, match="its end is gone"):
        check_record(run)

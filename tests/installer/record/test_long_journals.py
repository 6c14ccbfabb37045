"""A journal of many lines: parsed without a parser where it can be, and read no more than once."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foundation import bounded_files
from installer import cli
from installer.events import Event, Kind
from installer.hand_over.gather import gather
from installer.record import journal_lines, state
from installer.record.journal import Journal
from installer.record.journal_lines import (
    FIRST,
    BrokenJournal,
    Record,
    digest,
    encode,
    of_kind,
    records,
)
from installer.record.record_check import check_record
from installer.record.runs import Run
from tests.installer.engine_site import a_failed_run, plan, step

SITE = "solution: pm4ml\nhosts: [{name: local, address: local, roles: [master]}]\n"
MADE = plan(step("a", script="seq 1 300"), step("b", stage="two", script="exit 3"))
HERE = Path("events.jsonl")


def line(text: str, time: float = 1.5) -> Event:
    data: dict[str, Any] = {"text": text, "stream": "stdout", "cursor": "s=1;i=2", "unit": ""}
    return Event(Kind.LINE, time, "s", "t", "h", data)


@given(st.text(max_size=40), st.floats(0, 1e13), st.data())
@settings(max_examples=300, deadline=None)
def test_a_line_of_output_is_read_as_json_reads_it(
    text: str, time: float, data: st.DataObject
) -> None:
    raw = bytearray(encode(line(text, time), FIRST)[:-1])
    assert Record(1, bytes(raw), HERE).event() == line(text, time)
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        found = Record(1, bytes(raw), HERE).event()
    except BrokenJournal:
        return
    told = json.loads(bytes(raw))
    assert (found.kind, found.time, found.data) == (told["kind"], told["time"], told["data"])
    assert (found.stage, found.step, found.host) == (told["stage"], told["step"], told["host"])


def test_events_of_a_kind_are_found_among_lines_that_look_alike(tmp_path: Path) -> None:
    ended = Event(Kind.STEP_FINISHED, 2.0, "s", "t", "h", {"outcome": "done"})
    like = Event(Kind.NOTE, 2.0, data={"kind": "step.finished", "x": {"kind": "step.finished"}})
    path = tmp_path / "events.jsonl"
    with Journal(path) as journal:
        for event in (line('{"kind":"step.finished"}'), ended, like, line("x" * 600_000), ended):
            journal.append(event)
    with path.open("ab") as file:  # the last one is torn
        file.write(encode(ended, FIRST)[:-5])
    assert list(of_kind(path, Kind.STEP_FINISHED)) == [ended, ended]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run whose second stage failed; how far its journal came is noted beside it."""
    return a_failed_run(MADE, SITE, tmp_path)


@pytest.fixture
def readings(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The journals that are opened to be read, each time."""
    opened: list[Path] = []
    open_file = bounded_files.opened

    def counting(path: Path, *args: Any, **options: Any) -> BinaryIO:
        if path.name == "events.jsonl":
            opened.append(path)
        return open_file(path, *args, **options)

    monkeypatch.setattr(bounded_files, "opened", counting)
    return opened


@pytest.mark.processes
def test_a_journal_is_read_once_by_whoever_needs_it(run: Run, readings: list[Path]) -> None:
    told = check_record(run)
    assert len(readings) == 1
    assert told.last == (report := gather(run)).record.sha256
    assert told.events == report.record.events
    assert len(readings) == 2
    started = run.started()
    assert started is not None
    assert started == told.started
    readings.clear()
    assert cli.main(["status"]) == 0
    # Once for what it tells, and once, without its chain, for how long steps took before.
    assert len(readings) == 2


def test_a_long_journal_is_not_read_again_until_somebody_writes_to_it(
    run: Run, readings: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state, "_LONG", 1)
    first = check_record(run)
    assert check_record(run) is first  # as the site's lock is taken
    assert state.replay(run.journal, run.plan()) is first  # as the engine begins
    assert len(readings) == 1
    # The engine goes on with it, so nobody else is given it.
    second = check_record(run)
    assert second is not first
    assert second.last == first.last
    assert len(readings) == 2

    with Journal(run.journal) as journal:
        journal.append(Event(Kind.NOTE, 3.0, data={"text": "more"}))
    third = check_record(run)
    assert third.events == second.events + 1
    raw = run.journal.read_bytes()
    run.journal.write_bytes(raw.replace(b'"by":"', b'"by":"X', 1)[: len(raw)])
    with pytest.raises(BrokenJournal):
        check_record(run)
    assert len(readings) == 4


def test_a_long_journal_is_read_again_for_a_hash_and_for_another_plan(
    run: Run, readings: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state, "_LONG", 1)
    made = run.plan()
    first = state.replay(run.journal, made, keep=True)
    assert state.replay(run.journal, None, keep=True) is not first
    found = state.replay(run.journal, None, (2, 0, 10**6), keep=True)
    assert found.hashes.keys() == {2}
    assert len(readings) == 3
    assert state.replay(run.journal, None, (2, 0, 10**6)) is found
    assert len(readings) == 3


@given(st.lists(st.integers(0, 90), min_size=1, max_size=12), st.data())
@settings(max_examples=150, deadline=None)
def test_what_does_not_follow_is_found_wherever_a_block_ends(
    lengths: list[int], data: st.DataObject
) -> None:
    lines: list[bytes] = []
    for length in lengths:
        lines.append(encode(line("x" * length), digest(lines[-1]) if lines else FIRST)[:-1])
    wrong = data.draw(st.integers(0, len(lines)))
    if wrong < len(lines):
        # A line that is shorter than its head, one more, or a byte in the head that is another.
        at = data.draw(st.integers(0, 72))
        change = data.draw(st.sampled_from(("cut", "more", "other")))
        old = lines[wrong]
        other = old[:at] + bytes([old[at] ^ 1]) + old[at + 1 :]
        new = {"cut": [old[:at]], "more": [old[:at], old[at:]], "other": [other]}[change]
        lines[wrong : wrong + 1] = [one.replace(b"\n", b"N") for one in new]
    text = b"".join(one + b"\n" for one in lines)
    block = data.draw(st.integers(1, len(text)))
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(journal_lines, "_BLOCK", block)
        path = Path(folder) / "events.jsonl"
        path.write_bytes(text)
        seen: list[bytes] = []
        if wrong == len(lengths):
            seen += (record.raw for record in records(path))
        else:
            with pytest.raises(BrokenJournal, match=f"line {wrong + 1}:"):
                seen.extend(record.raw for record in records(path))
    assert seen == lines[:wrong]

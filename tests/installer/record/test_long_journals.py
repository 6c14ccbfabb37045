"""A journal of many lines: parsed without a parser where it can be, and read no more than once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foundation import bounded_files
from installer import cli
from installer.events import Event, Kind
from installer.hand_over.gather import gather
from installer.record.journal import Journal
from installer.record.journal_lines import FIRST, BrokenJournal, Record, encode, of_kind
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
    state = check_record(run)
    assert len(readings) == 1
    assert state.last == (report := gather(run)).record.sha256
    assert state.events == report.record.events
    assert len(readings) == 2
    started = run.started()
    assert started is not None
    assert started == state.started
    readings.clear()
    assert cli.main(["status"]) == 0
    # Once for what it tells, and once, without its chain, for how long steps took before.
    assert len(readings) == 2

"""A step that floods: what of its output is kept here, what is told, what a failure still says."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foundation.hosts.jobs.jobs_model import JobLine
from installer.events import Kind, Outcome
from installer.record.state import TAIL_LINES
from installer.running import context
from installer.running.output_cap import OutputCap, where_it_lies
from tests.installer.engine_site import Watch, engine, new_run, plan, step


def line(text: str) -> JobLine:
    """A line of output."""
    return JobLine(text, "stdout", "", 0.0)


@given(st.lists(st.text(max_size=200), max_size=60), st.integers(0, 20_000))
def test_the_beginning_and_the_end_are_kept_and_the_rest_is_counted(
    texts: list[str], cap: int
) -> None:
    one = OutputCap(cap=cap)
    kept = [text for text in texts if one.keeps(line(text))]
    assert kept == texts[: len(kept)]  # nothing in the middle, and nothing after a gap
    ending = [found.text for found in one.ending()]
    assert ending == texts[len(kept) :][-TAIL_LINES:]
    assert one.left_out == len(texts) - len(kept) - len(ending)
    assert one.bytes_left_out >= 0


def test_a_person_is_told_where_the_whole_of_it_is() -> None:
    assert where_it_lies("sw-a-1", "systemd") == "journalctl -u sw-a-1.service"
    assert "/jobs/sw-a-1/log" in where_it_lies("sw-a-1", "detached")


@pytest.mark.skipif(os.geteuid() != 0, reason="jobs are run as root; this is not root")
async def test_a_flood_is_cut_here_and_its_last_words_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(context, "OutputCap", lambda: OutputCap(cap=20_000))
    flood = "i=0; while [ $i -lt 3000 ]; do echo line $i; i=$((i+1)); done; echo E: the end; exit 9"
    run, watch = new_run(plan(step("a", script=flood))), Watch()
    failing = engine(run.plan(), run, watch=watch)
    assert await failing.run() is Outcome.FAILED
    lines = watch.lines()
    assert lines[0] == "line 0"
    assert lines[-1] == "E: the end"
    assert len(lines) < 400
    assert "E: the end" in failing.failures[0].problem.cause
    notes = [str(event.data["text"]) for event in watch.of(Kind.NOTE)]
    assert any("more is not kept here" in note for note in notes)
    assert any("lines (" in note and "/log" in note for note in notes)
    assert run.journal.stat().st_size < 150_000

"""The engine killed, cut off and short of disk on this machine: resumed to the same result."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from foundation.problems import Problem
from installer.events import Kind, Outcome
from installer.record.journal import verify
from installer.record.site_lock import Lock
from tests.installer.deaths import die_everywhere, doomed, undisturbed
from tests.installer.engine_site import (
    Watch,
    engine,
    new_run,
    once,
    plan,
    step,
    words,
)

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="jobs are run as root; this is not root")

TOLD = {"hosts": [{"name": "local", "address": "local"}]}


def test_killed_at_every_boundary_and_within_steps(tmp_path: Path) -> None:
    run = new_run(doomed("local", tmp_path / "log"))
    die_everywhere(run, TOLD)
    undisturbed(run, words(tmp_path / "log"))


async def test_a_journal_cut_anywhere_in_its_last_record_resumes_to_the_same_result(
    tmp_path: Path,
) -> None:
    made = plan(step("a", **once(tmp_path / "log", "a")))
    whole = new_run(made)
    await engine(made, whole).run()
    data = whole.journal.read_bytes()
    records = data.splitlines(keepends=True)
    # The record of the step's end is torn in the middle: the step is asked, and found done.
    kept = b"".join(records[: next(i for i, r in enumerate(records) if b"step.finished" in r)])
    for torn in (1, 40, 120):
        run = new_run(made)
        run.journal.write_bytes(kept + records[-3][:torn])
        watch = Watch()
        assert await engine(made, run, watch=watch).run() is Outcome.DONE
        assert words(tmp_path / "log") == ["a"]
        assert "torn" in str(watch.of(Kind.NOTE)[0].data["text"])
        verify(run.journal)


async def test_a_journal_broken_in_the_middle_is_refused(tmp_path: Path) -> None:
    made = plan(step("a", script="true"))
    run = new_run(made)
    await engine(made, run).run()
    data = run.journal.read_bytes().replace(b"Do a", b"Do b", 1)
    run.journal.write_bytes(data)
    with pytest.raises(Problem, match="line 4"):
        await engine(made, run).run()


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.ENOSPC, "No space left"),
        (errno.EDQUOT, "your quota on this machine's disk is used up"),
        (errno.EROFS, "can only be read"),
    ],
)
async def test_a_journal_that_cannot_be_written_ends_the_run_before_more_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, said: str
) -> None:
    """The disk is a stand-in here; test_run_disk_lab.py has real ones, but for the quota."""
    log = tmp_path / "log"
    made = plan(step("a", **once(log, "a")), step("b", **once(log, "b")))
    run = new_run(made)
    real = os.write

    def write(file: int, data: Any) -> int:
        if b'"step":"b"' in bytes(data):
            raise OSError(number, os.strerror(number))
        return real(file, data)

    unlinked = Path.unlink

    def unlink(path: Path, *, missing_ok: bool = False) -> None:
        if path.name == "lock":
            raise OSError(number, os.strerror(number), str(path))
        unlinked(path, missing_ok=missing_ok)

    monkeypatch.setattr("installer.record.journal.os.write", write)
    monkeypatch.setattr("installer.record.site_lock.Path.unlink", unlink)
    with pytest.raises(Problem, match=said), Lock("site", by="Ma Ma") as lock:
        await engine(made, run, lock=lock).run()
    assert words(log) == ["a"]
    monkeypatch.undo()
    assert await engine(made, run).run() is Outcome.DONE
    assert words(log) == ["a", "b"]
    verify(run.journal)


async def test_a_resumed_step_knows_the_last_line_of_every_machine_it_followed() -> None:
    from installer.events import Event
    from installer.record.state import RunState

    state = RunState()
    key = ("one", "a")
    state.apply(Event(Kind.STEP_STARTED, 1.0, *key, "control", {"title": "", "attempt": 1}))
    for host in ("control", "w1", "w1"):
        cursor = f"{host}-{state.events}"
        data: dict[str, Any] = {"text": "x", "stream": "journal", "cursor": cursor, "unit": "u"}
        state.apply(Event(Kind.LINE, 1.0, *key, host, data))
    assert state.of((*key, "control")).cursors == {"control": "control-1"}
    assert state.of((*key, "w1")).cursors == {"w1": "w1-3"}
    assert not state.finished((*key, "w1"))

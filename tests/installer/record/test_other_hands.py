"""What machines keep of the runs that worked on them, and what is made of it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foundation.hosts.connection import Completed, Connection
from foundation.hosts.jobs.jobs_model import JobStatus
from foundation.hosts.machine_lock import around
from foundation.hosts.model import Host
from foundation.problems import ConnectionLost, MachineProblem
from installer.events import Event, Json, Kind
from installer.record.journal import Journal, read
from installer.record.journal_lines import FIRST, BrokenJournal, digest, encode, verify
from installer.record.other_hands import (
    Mark,
    OtherHands,
    begun_by,
    changes_nothing,
    left_by,
    mark_from_text,
    new_mark,
    not_what_was_left,
    overtaken,
)
from installer.record.site_lock import Holder, this_holder
from installer.record.state import RunState
from installer.running.levers import Control
from installer.running.work import playbook_cut_short
from tests.installer.engine_site import plan, step


def mark(events: int = 0, sha256: str = FIRST, run: str = "r1", time: str = "2026-01-01") -> Mark:
    """A mark of a run on another laptop."""
    made = new_mark(this_holder("Ma Ma"), run, "site", "done", events, sha256)
    return replace(made, laptop="0" * 32, time=time)


@given(st.text(max_size=80) | st.from_regex(r"\{.{0,60}\}"))
def test_a_mark_is_not_believed(text: str) -> None:
    found = mark_from_text(text)
    assert found is None or isinstance(found, Mark)


def test_a_mark_is_read_as_it_was_left() -> None:
    assert mark_from_text(mark(7, "a" * 64).as_text()) == mark(7, "a" * 64)
    said = mark_from_text('{"by": "\\u001b]0;x\\u0007", "user": "\\u202ex", "events": "x"}')
    assert said is None
    said = mark_from_text('{"by": "\\u001b[2J", "user": "u"}')
    assert said is not None
    assert "\x1b" not in said.sentence()


def test_only_what_another_laptop_did_with_another_run_is_told() -> None:
    ours = mark(run="r1")
    theirs = mark(run="r2", time="2026-02-02")
    assert overtaken([], "r1", "f" * 32, 0) is None
    assert overtaken([("m1", ours)], "r1", "f" * 32, 0) is None
    assert overtaken([("m1", theirs)], "r1", "0" * 32, 0) is None  # this very laptop
    found = overtaken([("m1", theirs), ("m2", mark(run="r3"))], "r1", "f" * 32, 0)
    assert found is not None
    assert found.exit_code == 7
    assert "with the run r2 at 2026-02-02, which ended as done" in found.cause


@pytest.mark.parametrize(
    ("left", "meanwhile"),
    [
        ("2026-03-01T11:00:00+00:00", True),
        ("2026-02-28T23:30:00+00:00", True),  # clocks of laptops differ
        ("2026-01-15T11:00:00+00:00", False),
        ("2026-01-15", False),
        ("some time", True),
    ],
)
def test_only_what_was_left_since_the_run_began_is_work_of_meanwhile(
    left: str, meanwhile: bool
) -> None:
    began = datetime(2026, 3, 1, tzinfo=UTC).timestamp()
    found = overtaken([("m1", mark(run="r2", time=left))], "r1", "f" * 32, began)
    assert (found is not None) == meanwhile


class Machine:
    """Stands in for a connection: answers every command alike."""

    def __init__(self, status: int, stdout: bytes) -> None:
        self.host = Host("m1", "10.0.0.1")
        self.answer = Completed(status, stdout, b"sh: no", 0.0, 0.0)

    async def run(self, *_: object, **__: object) -> Completed:
        return self.answer


async def test_a_job_whose_state_is_not_told_is_taken_for_running() -> None:
    machine = cast("Connection", Machine(0, b"job sw-x-1\ntasks 0\nmark \n"))

    async def connect(_: Host) -> Connection:
        return machine

    async def status(*_: object) -> JobStatus:
        raise MachineProblem("the state of a job could not be read", where="m1")

    async def stop(*_: object) -> None:
        raise AssertionError

    hands = OtherHands([machine.host], connect, "r1", status, stop, lambda *_: None)
    assert (await hands._theirs(machine.host))[:2] == (["sw-x-1"], 0)


JOB = "sw-20261128-140012-ab12-prepare-first-w1-1"


def test_who_began_what_runs_and_since_when() -> None:
    """By the mark of that very run; by the lock that we took over; else that nobody knows."""
    since = "2026-11-28 14:00:12 UTC"
    theirs = replace(mark(3, "x"), run="20261128-140012-ab12", by="Ma Ma", user="root", host="lap2")
    told = begun_by([JOB, JOB], theirs, None)
    assert told == f"It is of a run that Ma Ma (root) on lap2 began at {since}."
    holder = Holder("ko", "lap3", 7, "2026-11-28T13:00:00+00:00")
    assert f"probably ko on lap3 began at {since}" in begun_by([JOB], mark(3, "x"), holder)
    assert "knows no name" in begun_by([JOB], None, None)
    assert begun_by(["other"], None, None) == "Who began it is not known."
    assert begun_by([], None, holder) == "It is probably of ko on lap3."


@pytest.mark.parametrize("ended", [False, True])
async def test_theirs_is_ended_on_a_word_that_comes_while_it_is_waited_for(
    ended: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("installer.record.other_hands._PAUSE", 0.01)
    machine = Machine(0, f"job {JOB}\ntasks 0\nmark \n".encode())
    control, stopped, told = Control(), list[str](), list[str]()

    async def connect(_: Host) -> Connection:
        return cast("Connection", machine)

    async def status(*_: object) -> JobStatus:
        raise MachineProblem("the state of a job could not be read", where="m1")

    async def stop(_: Connection, job: str) -> None:
        stopped.append(job)
        machine.answer = Completed(0, b"tasks 0\nmark \n", b"", 0.0, 0.0)

    def found(text: str) -> None:
        told.append(text)
        if ended:
            control.end_theirs(by="Ma Ma")
        else:
            machine.answer = Completed(0, b"tasks 0\nmark \n", b"", 0.0, 0.0)

    await OtherHands(
        [machine.host], connect, "r1", status, stop, lambda *_: None,
        lambda: control.ending_theirs, found=found,
    ).alone()  # fmt: skip
    assert stopped == ([JOB] if ended else [])
    assert len(told) == 1
    assert "2026-11-28 14:00:12 UTC" in told[0]
    assert [one.action for one in control.take()] == (["end-theirs"] if ended else [])


def hands_on(machine: Machine, stop: Any, *, said: list[str], **more: Any) -> OtherHands:
    """Hands over a machine on which a job runs whose state is not told."""

    async def connect(_: Host) -> Connection:
        return cast("Connection", machine)

    async def status(*_: object) -> JobStatus:
        raise MachineProblem("the state of a job could not be read", where="m1")

    return OtherHands(
        [machine.host], connect, "r1", status, stop, lambda _, text: said.append(text), **more
    )


async def nothing_ends(*_: object) -> None:
    """What is ended and goes on all the same."""


async def test_nothing_is_waited_for_once_a_person_ended_the_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("installer.record.other_hands._PAUSE", 0.01)
    control, said = Control(), list[str]()
    machine = Machine(0, f"job {JOB}\ntasks 0\nmark \n".encode())
    hands = hands_on(
        machine, nothing_ends, said=said, leaving=lambda: control.finishing,
        found=lambda _: control.finish(by="Ctrl-C"),
    )  # fmt: skip
    assert await asyncio.wait_for(hands.alone(), 30) == [machine.host]
    assert len(said) == 1


async def test_what_does_not_end_is_told_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("installer.record.other_hands._PAUSE", 0.01)
    monkeypatch.setattr("installer.record.other_hands._SAID_AGAIN", 0.0)
    said = list[str]()
    machine = Machine(0, f"job {JOB}\ntasks 0\nmark \n".encode())
    hands = hands_on(
        machine, nothing_ends, said=said, end_theirs=lambda: True,
        leaving=lambda: len(said) > 1,
    )  # fmt: skip
    await asyncio.wait_for(hands.alone(), 30)
    assert said[0].startswith("Ending on m1")
    assert "runs all the same" in said[1]


async def test_a_connection_lost_while_theirs_is_ended_does_not_end_the_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("installer.record.other_hands._PAUSE", 0.01)
    machine = Machine(0, f"job {JOB}\ntasks 0\nmark \n".encode())
    tries: list[str] = []

    async def stop(_: Connection, job: str) -> None:
        tries.append(job)
        if len(tries) == 1:
            raise ConnectionLost("the connection was lost", where="m1")
        machine.answer = Completed(0, b"tasks 0\nmark \n", b"", 0.0, 0.0)

    await hands_on(machine, stop, said=[], end_theirs=lambda: True).alone()
    assert tries == [JOB, JOB]


async def test_where_one_machine_cannot_be_freed_no_other_is_looked_at_any_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What goes on would write into a journal that is closed."""
    monkeypatch.setattr("installer.record.other_hands._PAUSE", 0.01)
    other = Host("m2", "10.0.0.2")
    machine = Machine(0, f"job {JOB}\ntasks 0\nmark \n".encode())

    async def stop(*_: object) -> None:
        raise MachineProblem("the job could not be ended", where="m1")

    asked: list[str] = []

    def end() -> bool:
        asked.append("")
        return len(asked) == 3

    hands = replace(hands_on(machine, stop, said=[], end_theirs=end), hosts=[machine.host, other])
    with pytest.raises(MachineProblem):
        await asyncio.wait_for(hands.alone(), 30)
    assert asyncio.all_tasks() == {asyncio.current_task()}


def test_a_task_may_be_left_where_the_last_run_came_to_no_good_end() -> None:
    """A run that goes on asks at each step itself: its playbook may be at work still."""
    killed, failed = mark(run="r2"), replace(mark(run="r2"), outcome="failed")
    cut = replace(killed, outcome="")
    marks = [("m1", replace(killed, outcome="done")), ("m2", failed), ("m3", cut)]
    assert set(left_by(marks, "r1")) == {"m2", "m3"}
    assert left_by(marks, "r2") == {}
    assert "which came to no end." in left_by(marks, "r1")["m3"]


@pytest.mark.parametrize("left", [True, False])
async def test_a_task_is_waited_for_only_where_one_may_have_been_left(left: bool) -> None:
    machine = Machine(0, b"tasks 1\nmark \n")

    async def connect(_: Host) -> Connection:
        return cast("Connection", machine)

    async def none(*_: object) -> Any:
        raise AssertionError

    said = {"m1": "It is of Ma Ma."} if left else {}
    hands = OtherHands(
        [machine.host], connect, "r1", none, none, lambda *_: None, left_by=said, only_tasks=True
    )
    assert (await hands._theirs(machine.host))[1] == (1 if left else 0)


def test_a_playbook_was_cut_short_where_its_last_try_came_to_no_good_end() -> None:
    made = plan(step("p", kind="playbook", playbook="x.yml"), step("s"))
    state = RunState(made)

    def told(kind: Kind, name: str, **data: Json) -> bool:
        state.apply(Event(kind, 1.0, "one", name, "control", data))
        return playbook_cut_short(made, state)

    over: dict[str, Json] = {"seconds": 1.0, "sentence": ""}
    assert not playbook_cut_short(made, state)
    assert not told(Kind.STEP_STARTED, "s", title="", attempt=1)
    assert told(Kind.STEP_STARTED, "p", title="", attempt=1)
    assert told(Kind.STEP_FINISHED, "p", outcome="failed", **over)
    assert told(Kind.STEP_FINISHED, "p", outcome="skipped", **over)
    assert not told(Kind.STEP_FINISHED, "p", outcome="done", **over)


async def test_a_machine_that_does_not_say_what_runs_is_not_one_where_nothing_runs() -> None:
    with pytest.raises(MachineProblem, match="what runs on the machine"):
        await around(cast("Connection", Machine(92, b"")))


@given(st.integers(0, 12), st.integers(0, 12), st.integers(0, 12))
def test_a_journal_is_one_that_goes_on_from_what_was_left(
    left: int, kept: int, changed: int
) -> None:
    """Longer is right; shorter, or with another line before it, is not."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "events.jsonl"
        with Journal(path) as journal:
            for number in range(left):
                journal.append(Event(Kind.NOTE, float(number), data={"text": str(number)}))
            noted = mark(journal.number, journal.last)
        events = list(read(path))
        more = [Event(Kind.NOTE, 99.0, data={"text": "more"})] * kept
        if changed < left:
            events[changed] = replace(events[changed], data={"text": "other"})
        previous, lines = FIRST, []
        for event in (events + more)[:kept]:
            lines.append(encode(event, previous))
            previous = digest(lines[-1][:-1])
        path.write_bytes(b"".join(lines))
        verify(path)  # its own chain is right
        if kept >= left and changed >= left:
            not_what_was_left(path, [("m1", noted)], "r1")
        elif left:
            with pytest.raises(BrokenJournal):
                not_what_was_left(path, [("m1", noted)], "r1")
        not_what_was_left(path, [("m1", noted)], "another run")


def test_each_machine_is_believed_for_itself(tmp_path: Path) -> None:
    """Two that keep another hash of one line: what one of them knows is not lost over the other."""
    path = tmp_path / "events.jsonl"
    journal = Journal(path)
    journal.append(Event(Kind.NOTE, 1.0, data={"text": "x"}))
    journal.close()
    good, bad = ("m1", mark(1, verify(path)[1])), ("m2", mark(1, "0" * 64))
    not_what_was_left(path, [good], "r1")
    for marks in ([good, bad], [bad, good]):
        with pytest.raises(BrokenJournal, match="m2"):
            not_what_was_left(path, marks, "r1")


def test_what_only_asks_leaves_no_mark() -> None:
    assert changes_nothing(plan(step("x", stage="verify"), step("y", stage="z", kind="confirm")))
    assert not changes_nothing(plan(step("x")))

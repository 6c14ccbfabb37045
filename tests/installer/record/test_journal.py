"""The journal: what is written is read again, what is torn is cut, what is changed is found."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import signal
import stat
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from foundation.problems import Problem, Refused
from foundation.secrets import MASK, Secret
from installer.events import Event, Json, Kind
from installer.record.journal import BATCH, BrokenJournal, Journal, JournalProblem, read, verify
from installer.record.journal_lines import FIRST, records
from tests.forked import forked

texts = st.text(max_size=40) | st.sampled_from(["\ud800", 'a"b\\c', "x\ny", "\0", "\u2028", "é"])
plain = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts
values = st.recursive(
    plain, lambda v: st.lists(v, max_size=3) | st.dictionaries(texts, v, max_size=3), max_leaves=6
)
lines = st.builds(
    lambda text, unit, host, time: Event(
        Kind.LINE, time, "s", "t", host,
        {"text": text, "stream": "stdout", "cursor": "c", "unit": unit},
    ),
    texts, texts, texts, st.floats(0, 1e11),
)  # fmt: skip
NEEDED: dict[Kind, dict[str, Json]] = {
    Kind.RUN_FINISHED: {"outcome": "done"},
    Kind.STAGE_FINISHED: {"outcome": "done"},
    Kind.STEP_FINISHED: {"outcome": "done"},
    Kind.JOB_STARTED: {"job": "j", "boot_id": "b", "durable": "systemd"},
}
"""What no event of a kind is written without."""
others = st.builds(
    lambda kind, time, host, data: Event(
        kind, time, "s", "t", host, {**data, **NEEDED.get(kind, {})}
    ),
    st.sampled_from([kind for kind in Kind if kind is not Kind.LINE]),
    st.floats(0, 1e11),
    texts,
    st.dictionaries(texts, values, max_size=4),
)
events = lines | others

quick = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
_serial = iter(range(10**9))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("journals")


def written(folder: Path, what: Sequence[Event]) -> Path:
    """A new journal with these events."""
    path = folder / f"{next(_serial)}.jsonl"
    with Journal(path) as journal:
        for event in what:
            journal.append(event)
    return path


def note(text: str) -> Event:
    return Event(Kind.NOTE, 1.0, data={"text": text})


def line(text: str) -> Event:
    return Event(
        Kind.LINE, 1.0, "s", "t", "h", {"text": text, "stream": "stdout", "cursor": "1", "unit": ""}
    )


@given(st.lists(events, max_size=12))
@quick
def test_what_is_written_is_read_again(folder: Path, what: list[Event]) -> None:
    path = written(folder, what)
    assert list(read(path)) == what
    assert verify(path)[0] == len(what)


@given(st.lists(events, max_size=8))
@quick
def test_every_line_is_json_and_names_the_hash_of_the_one_before(
    folder: Path, what: list[Event]
) -> None:
    import hashlib

    raw = written(folder, what).read_bytes().split(b"\n")
    assert raw.pop() == b""
    previous = "0" * 64
    for one in raw:
        assert json.loads(one)["prev"] == previous
        previous = hashlib.sha256(one).hexdigest()


@given(st.lists(events, min_size=1, max_size=5), st.data())
@quick
def test_a_record_torn_at_any_byte_is_cut_off_and_writing_goes_on(
    folder: Path, what: list[Event], data: st.DataObject
) -> None:
    whole = written(folder, what).read_bytes()
    last = whole.rfind(b"\n", 0, len(whole) - 1) + 1
    at = data.draw(st.integers(last, len(whole) - 1))
    path = folder / f"{next(_serial)}.jsonl"
    path.write_bytes(whole[:at])
    assert list(read(path)) == what[:-1]
    with Journal(path) as journal:
        assert journal.cut == at - last
        journal.append(note("on"))
    assert list(read(path)) == [*what[:-1], note("on")]
    verify(path)


def test_every_cut_of_the_last_record_is_recovered(folder: Path) -> None:
    """The same for each byte of one record, none left out."""
    whole = written(folder, [note("one"), line("two"), note("three é")]).read_bytes()
    last = whole.rfind(b"\n", 0, len(whole) - 1) + 1
    for at in range(last, len(whole)):
        path = folder / f"{next(_serial)}.jsonl"
        path.write_bytes(whole[:at])
        with Journal(path) as journal:
            journal.append(note("on"))
        assert [event.data["text"] for event in read(path)] == ["one", "two", "on"]


def test_a_tail_of_zeros_after_a_power_cut_is_cut_off(folder: Path) -> None:
    path = written(folder, [note("one")])
    with path.open("ab") as file:
        file.write(b'{"prev":"abc' + b"\0" * 5000)
    with Journal(path) as journal:
        assert journal.cut == 5012
    assert list(read(path)) == [note("one")]


@given(st.data())
@quick
def test_a_byte_changed_before_the_last_line_is_found(folder: Path, data: st.DataObject) -> None:
    whole = bytearray(written(folder, [note("one"), line("two"), note("three")]).read_bytes())
    last = whole.rfind(b"\n", 0, len(whole) - 1) + 1
    at = data.draw(st.integers(0, last - 1))
    whole[at] ^= data.draw(st.integers(1, 255))
    path = folder / f"{next(_serial)}.jsonl"
    path.write_bytes(whole)
    with pytest.raises(BrokenJournal) as caught:
        verify(path)
    assert "line " in caught.value.cause


def test_a_line_taken_out_is_found_and_named(folder: Path) -> None:
    path = written(folder, [note(str(n)) for n in range(5)])
    kept = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(kept[:2] + kept[3:]))
    with pytest.raises(BrokenJournal, match="line 3"):
        list(read(path))


@given(st.binary(max_size=300))
@quick
def test_nothing_but_problems_comes_out_of_foreign_bytes(folder: Path, data: bytes) -> None:
    path = folder / f"{next(_serial)}.jsonl"
    path.write_bytes(data)
    try:
        list(read(path))
    except Problem:
        return


@pytest.mark.parametrize(
    ("kind", "data", "time"),
    [
        ("note", "{}", "1" + "0" * 400),
        ("note", "{}", "NaN"),
        ("step.started", '{"title":"t","attempt":Infinity}', "1"),
        ("step.finished", '{"outcome":"done","seconds":1e999}', "1"),
        ("step.finished", '{"seconds":1}', "1"),
        ("run.finished", '{"outcome":"well","seconds":1}', "1"),
        ("job.started", '{"job":"j","boot_id":"b"}', "1"),
    ],
)
def test_what_nothing_writes_is_no_event(tmp_path: Path, kind: str, data: str, time: str) -> None:
    """A record that somebody sends is judged where it is read, and nowhere after."""
    path = tmp_path / "events.jsonl"
    path.write_text(
        f'{{"prev":"{FIRST}","kind":"{kind}","stage":"a","step":"b","host":"c","time":{time},'
        f'"data":{data}}}\n'
    )
    with pytest.raises(BrokenJournal, match="line 1"):
        list(read(path))


def test_secrets_are_masked_in_the_file_and_for_subscribers(folder: Path) -> None:
    secret = Secret('hunter2"with\\quotes')
    seen: list[Event] = []
    path = folder / "secret.jsonl"
    with Journal(path) as journal:
        journal.subscribe(seen.extend)
        journal.append(line(f"password={secret.reveal()}"))
        journal.append(
            Event(Kind.ANSWER, 1.0, data={"by": "a", "answer": {"x": [secret.reveal()]}})
        )
    assert b"hunter2" not in path.read_bytes()
    assert seen[0].data["text"] == f"password={MASK}"
    assert seen[1].data["answer"] == {"x": [MASK]}
    assert list(read(path)) == seen


def test_the_file_is_private_and_links_are_not_followed(tmp_path: Path) -> None:
    with Journal(tmp_path / "events.jsonl"):
        pass
    assert stat.S_IMODE((tmp_path / "events.jsonl").stat().st_mode) == 0o600
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(JournalProblem):
        Journal(tmp_path / "link")
    assert not (tmp_path / "elsewhere").exists()


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    with Journal(tmp_path / "j"), pytest.raises(Refused):
        Journal(tmp_path / "j")
    Journal(tmp_path / "j").close()


async def test_lines_reach_the_disk_and_then_subscribers_without_being_pushed(
    tmp_path: Path,
) -> None:
    arrived = asyncio.Event()
    on_disk: list[int] = []

    def subscriber(batch: Sequence[Event]) -> None:
        on_disk.append(len(list(read(tmp_path / "j"))))
        arrived.set()

    with Journal(tmp_path / "j") as journal:
        journal.subscribe(subscriber)
        for n in range(3):
            journal.append(line(str(n)))
        assert on_disk == []
        await asyncio.wait_for(arrived.wait(), 60)
        assert on_disk == [3]


async def test_what_decides_is_on_disk_when_record_returns_and_in_order(tmp_path: Path) -> None:
    seen: list[Event] = []
    with Journal(tmp_path / "j") as journal:
        journal.subscribe(seen.extend)

        async def one(n: int) -> None:
            journal.append(line(f"before {n}"))
            event = Event(
                Kind.STEP_STARTED, float(n), "s", "t", f"h{n}", {"title": "", "attempt": 1}
            )
            await journal.record(event)
            assert event in seen
            assert event in list(read(tmp_path / "j"))

        await asyncio.gather(*(one(n) for n in range(20)))
    assert seen == list(read(tmp_path / "j"))
    assert len(seen) == 40


async def test_a_flood_reaches_subscribers_in_order_and_lets_others_have_a_turn(
    tmp_path: Path,
) -> None:
    batches: list[list[int]] = []
    turns = 0
    with Journal(tmp_path / "events.jsonl") as journal:
        journal.subscribe(lambda batch: batches.append([int(str(e.data["text"])) for e in batch]))
        for number in range(4 * BATCH + 1):
            journal.append(line(str(number)))
        journal.flush()
        while sum(map(len, batches)) <= 4 * BATCH:
            turns += 1
            await asyncio.sleep(0)
    assert [one for batch in batches for one in batch] == list(range(4 * BATCH + 1))
    assert max(map(len, batches)) <= BATCH
    assert turns >= 3


async def test_the_disk_is_made_to_take_much_before_anybody_waits_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("installer.record.journal.UNSYNCED_BYTES", 1000)
    taken = threading.Event()
    fsync = os.fsync

    def seen(file: int) -> None:
        fsync(file)
        if threading.current_thread() is not threading.main_thread():
            taken.set()

    monkeypatch.setattr(os, "fsync", seen)
    with Journal(tmp_path / "j") as journal:
        for number in range(20):
            journal.append(line(str(number)))
        journal.flush()
        assert await asyncio.to_thread(taken.wait, 10)
    with Journal(tmp_path / "j"):  # closed, whatever a thread still had of it
        pass


def test_a_subscriber_that_fails_does_not_end_the_run(tmp_path: Path) -> None:
    seen: list[Event] = []

    def fails(batch: Sequence[Event]) -> None:
        raise RuntimeError("a view")

    with Journal(tmp_path / "j") as journal:
        journal.subscribe(fails)
        end = journal.subscribe(seen.extend)
        journal.append(note("one"), sync=True)
        end()
        journal.append(note("two"), sync=True)
    assert [event.data["text"] for event in seen] == ["one"]


def test_a_full_disk_is_a_problem_and_leaves_no_half_line(tmp_path: Path) -> None:
    """A bound on the size of files stands in for the disk, in a process that has it alone."""
    path = tmp_path / "j"

    def full() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        journal = Journal(path)
        for n in range(20):
            journal.append(note(f"{n}"), sync=True)
        room = path.stat().st_size + 100
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))
        with pytest.raises(JournalProblem) as caught:
            journal.append(note("x" * 200), sync=True)
        assert (caught.value.remedy or "").startswith("Make room")
        with pytest.raises(JournalProblem):
            journal.append(note("again"), sync=True)
        journal.close()

    assert forked(full) == 0
    with Journal(path) as journal:
        assert journal.cut == 0
        journal.append(note("on"))
    assert len(list(read(path))) == 21


def test_reading_a_large_journal_takes_little_memory(tmp_path: Path) -> None:
    """13 MB are read within 8 MB more than before."""
    with Journal(tmp_path / "j") as journal:
        for n in range(5_000):
            journal.append(line(f"{n} {'x' * 2_500}"))
    assert (tmp_path / "j").stat().st_size > 13_000_000

    def read_it() -> None:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        assert sum(record.is_line for record in records(tmp_path / "j")) == 5_000
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 8_000

    # In a process of its own: the most that ours ever took says nothing of what this one takes.
    assert forked(read_it) == 0

"""Output cut into lines and journal entries read as lines, whatever they hold."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st

from foundation.hosts.connection import Become, Chunk, Connection
from foundation.hosts.jobs import jobs_systemd
from foundation.hosts.jobs.jobs_detached import as_status as detached_status
from foundation.hosts.jobs.jobs_model import JobLine, JobState
from foundation.hosts.jobs.jobs_shell import Records
from foundation.hosts.jobs.jobs_systemd import as_status
from foundation.hosts.jobs.journald import JournalReader
from foundation.hosts.jobs.output_lines import LINE_LIMIT, LineCutter, clean_line

JOB = "job.service"


def entry(
    number: int, message: object, *, stream: str = "a", unit: str = JOB, split: bool = False
) -> bytes:
    """One line of journalctl -o json."""
    value = {
        "__CURSOR": f"s=ab;i={number:x}",
        "__REALTIME_TIMESTAMP": "1700000000000000",
        "MESSAGE": message,
        "_SYSTEMD_UNIT": unit,
        "_TRANSPORT": "stdout",
        "_STREAM_ID": stream,
        "_PID": "42",
        "PRIORITY": "6",
    }
    if split:
        value["_LINE_BREAK"] = "line-max"
    return json.dumps(value).encode()


def read(*entries: bytes) -> list[JobLine]:
    """The lines of some entries."""
    reader = JournalReader(job=JOB)
    lines = [line for raw in entries for line in reader.feed(raw)]
    return lines + list(reader.flush())


@given(st.lists(st.binary(max_size=40)), st.integers(1, 50))
def test_pieces_do_not_matter(lines: list[bytes], size: int) -> None:
    """A stream cut anywhere gives the same lines and offsets."""
    whole = b"\n".join(lines)
    one, many = LineCutter(limit=20), LineCutter(limit=20)
    at_once = one.feed(whole)
    in_pieces = [
        line for at in range(0, len(whole), size) for line in many.feed(whole[at : at + size])
    ]
    assert at_once == in_pieces
    assert one.last() == many.last()
    assert one.offset == many.offset == len(whole)


@given(st.binary(max_size=400))
def test_a_clean_line_is_fit_for_every_terminal(raw: bytes) -> None:
    text = clean_line(raw)
    assert not any(ord(c) < 32 or 0x7F <= ord(c) < 0xA0 for c in text)
    text.encode("utf-8")


def test_colours_go_and_tabs_stay_blanks() -> None:
    assert clean_line(b"\x1b[1;31mred\x1b[0m\tx\x1b]0;title\x07\r\n") == "red     x"


@given(st.binary(max_size=600))
def test_garbage_is_no_entry(raw: bytes) -> None:
    """Nothing that a machine sends raises."""
    assert len(read(raw)) <= 1


@given(
    st.dictionaries(
        st.sampled_from(["__CURSOR", "MESSAGE", "_PID", "PRIORITY", "_STREAM_ID", "UNIT"]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=9),
            lambda inner: st.lists(inner, max_size=4),
            max_leaves=8,
        ),
    )
)
def test_entries_of_any_shape_are_survived(value: dict[str, object]) -> None:
    read(json.dumps({"__CURSOR": "s=1;i=2", **value}).encode())


def test_a_split_line_is_put_together() -> None:
    lines = read(entry(1, "ab", split=True), entry(2, "cd", split=True), entry(3, "e"))
    assert [(line.text, line.cursor) for line in lines] == [("abcde", "s=ab;i=3")]


def test_what_others_write_in_between_cannot_skip_a_long_line() -> None:
    """Until the long line is whole, no cursor is given out that lies behind its beginning."""
    lines = read(
        entry(1, "first"),
        entry(2, "ab", split=True),
        entry(3, "other", stream="b", unit="x.service"),
        entry(4, "cd"),
    )
    assert [(line.text, line.cursor) for line in lines] == [
        ("first", "s=ab;i=1"),
        ("other", "s=ab;i=1"),
        ("abcd", "s=ab;i=4"),
    ]


def test_a_line_without_end_is_bounded() -> None:
    piece = "x" * 40_000
    lines = read(*(entry(n, piece, split=True) for n in range(1, 6)), entry(6, "y"))
    assert len(lines) == 1
    assert lines[0].text.endswith(f"[{200_001 - LINE_LIMIT} bytes more]")


def test_bytes_and_several_lines() -> None:
    lines = read(entry(1, [104, 105, 10, 255]))
    assert [line.text for line in lines] == ["hi", "\ufffd"]


def test_only_the_right_word_ends_a_job() -> None:
    reader = JournalReader(job=JOB, end="the end")
    forged = list(reader.feed(entry(1, "the end", unit="x.service")))
    assert [line.text for line in forged] == ["the end"]
    assert not reader.ended
    assert list(reader.feed(entry(2, "the end"))) == []
    assert reader.ended


@given(st.dictionaries(st.text(max_size=20), st.text(max_size=20)))
def test_a_standing_of_any_words_has_a_state(standing: dict[str, str]) -> None:
    assert isinstance(as_status(standing).state, JobState)
    assert isinstance(detached_status(standing).state, JobState)


def test_a_signal_is_a_failure_even_where_systemd_calls_it_success() -> None:
    standing = {
        "LoadState": "loaded", "ActiveState": "active", "SubState": "exited",
        "Result": "success", "ExecMainCode": "2", "ExecMainStatus": "15",
    }  # fmt: skip
    status = as_status(standing)
    assert (status.state, status.exit_status) == (JobState.FAILED, 143)


def test_a_job_that_ended_while_its_machine_went_down_has_not_ended_by_itself() -> None:
    gone = {"LoadState": "not-found", "Started": "yes"}
    assert as_status(gone).state is JobState.FAILED
    assert as_status({**gone, "GoingDown": "yes"}).state is JobState.RUNNING
    killed = {"LoadState": "loaded", "ActiveState": "failed", "Result": "signal"}
    assert as_status({**killed, "GoingDown": "yes"}).state is JobState.RUNNING
    assert as_status({**gone, "GoingDown": "yes", "Stopped": "yes"}).state is JobState.FAILED


class Talkative:
    """A stand-in for a connection whose command wrote a lot before anybody read."""

    def __init__(self, said: bytes) -> None:
        self._said = said

    async def stream(self, command: Sequence[str], **_: Any) -> AsyncIterator[Chunk]:
        """All of it at once."""
        yield Chunk("stdout", self._said)


class Others:
    """Whoever else is on the event loop: how much they were made to wait for, at most."""

    def __init__(self) -> None:
        self.most = self._since = 0
        self._task = asyncio.create_task(self._live())

    async def _live(self) -> None:
        while True:
            self._since = 0
            await asyncio.sleep(0)

    def worked(self, done: int) -> None:
        """Count work that was done while they had no turn."""
        self._since += done
        self.most = max(self.most, self._since)

    def end(self) -> None:
        self._task.cancel()


async def test_many_lines_at_once_leave_others_on_the_event_loop_their_turn() -> None:
    connection = cast("Connection", Talkative(b"Begun=0\n\n" + b"a line\n" * 2000))
    async with Records(connection, "", [], become=Become.LOGIN, limit=100) as records:
        assert await records.standing() == {"Begun": "0"}
        others, read = Others(), 0
        async for line, _ in records.lines():
            assert line == b"a line"
            read += 1
            others.worked(1)
        others.end()
    assert read == 2000
    assert 0 < others.most <= 65


async def test_an_entry_of_thousands_of_lines_leaves_others_their_turn() -> None:
    """One entry of a machine's journal may hold as many lines as it has bytes."""
    connection = cast("Connection", Talkative(entry(1, "\n" * 20_000) + b"\n"))
    others, read = Others(), 0
    async for _ in jobs_systemd.follow_units(connection, ["x.service"], ""):
        read += 1
        others.worked(1)
    others.end()
    assert read == 20_001
    assert others.most <= 65

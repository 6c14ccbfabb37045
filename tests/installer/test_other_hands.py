"""What machines keep of the runs that worked on them, and what is made of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from installer.events import Event, Kind
from installer.journal import Journal, read
from installer.journal_lines import FIRST, BrokenJournal, digest, encode, verify
from installer.other_hands import (
    Mark,
    changes_nothing,
    mark_from_text,
    new_mark,
    not_what_was_left,
    overtaken,
)
from installer.site_lock import this_holder
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
    assert overtaken([], "r1", "f" * 32) is None
    assert overtaken([("m1", ours)], "r1", "f" * 32) is None
    assert overtaken([("m1", theirs)], "r1", "0" * 32) is None  # this very laptop
    found = overtaken([("m1", theirs), ("m2", mark(run="r3"))], "r1", "f" * 32)
    assert found is not None
    assert found.exit_code == 7
    assert "with the run r2 at 2026-02-02, which ended as done" in found.cause


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


def test_what_only_asks_leaves_no_mark() -> None:
    assert changes_nothing(plan(step("x", stage="verify"), step("y", stage="z", kind="confirm")))
    assert not changes_nothing(plan(step("x")))

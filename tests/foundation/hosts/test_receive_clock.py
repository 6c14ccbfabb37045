"""A machine's time of day jumps while something is brought to it: who is at work stays so."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from foundation.hosts.on_machine import receive


@pytest.fixture
def store(tmp_path: Path) -> Iterator[receive.Store]:
    """One that another delivery holds, which was at work a moment ago."""
    here = receive.Store(str(tmp_path))
    here.prepare()
    assert receive.take_lock(here, "another", "") is not None
    yield here
    os.close(here.lock)


def _asked(store: receive.Store) -> bool:
    """Whether the other one counts as dead for whoever comes now."""
    lock = os.open(store.incoming / "lock", os.O_RDWR)
    try:
        with pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return receive.quiet(store, lock)
    finally:
        os.close(lock)


@pytest.mark.parametrize("jump", [-400 * 86400.0, 3600.0, 400 * 86400.0])
def test_a_clock_that_jumps_makes_nobody_dead_and_nobody_live_for_ever(
    store: receive.Store, jump: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    steady, day = time.clock_gettime(receive.STEADY), time.time()
    passed = 0.0
    monkeypatch.setattr(time, "time", lambda: day + jump + passed)
    monkeypatch.setattr(time, "clock_gettime", lambda _: steady + passed)
    assert not _asked(store)
    passed = receive.QUIET + 2
    assert _asked(store)


def test_who_reads_again_what_was_begun_is_at_work(store: receive.Store, tmp_path: Path) -> None:
    name, content = "0" * 64, b"x" * (2 * receive.CHUNK)
    store.part(name).write_bytes(content)
    os.utime(store.lock, (1, 1))
    receive.receive(store, name, len(content), len(content), receive.Landing(store))
    assert os.fstat(store.lock).st_mtime > 1


def test_the_lock_of_an_earlier_version_goes_by_the_time_of_day(store: receive.Store) -> None:
    os.utime(store.lock, (time.time(), time.time()))
    assert not _asked(store)
    os.utime(store.lock, (time.time() - 2 * receive.QUIET,) * 2)
    assert _asked(store)

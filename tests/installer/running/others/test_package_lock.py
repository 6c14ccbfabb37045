"""Who holds a machine's package lock: what is said of it, and when it is asked at all."""

from __future__ import annotations

import asyncio
import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foundation.hosts.model import Host
from installer.running.others import package_lock
from installer.running.others.package_lock import FIND, LockHolder, parse, tell_holders

HOSTS = (Host("m1", "192.0.2.1"), Host("m2", "192.0.2.2"))


def test_a_holder_is_named_with_its_service() -> None:
    found = parse(b"812\nunattended-upgr\napt-daily-upgrade.service\n")
    assert found == LockHolder(812, "unattended-upgr", "apt-daily-upgrade.service")
    assert found.sentence("m1") == (
        "The package lock of m1 is held by process 812 (unattended-upgr) of "
        "apt-daily-upgrade.service; the step waits until it is free."
    )
    assert "of " not in LockHolder(1, "dpkg").sentence("m1").partition("(dpkg)")[2]
    assert parse(b"") is None


@given(st.binary(max_size=80))
def test_whatever_a_machine_says_is_one_line(said: bytes) -> None:
    found = parse(said)
    told = "" if found is None else found.sentence("m1")
    assert not any(ord(c) < 32 or 0x7F <= ord(c) < 0xA0 for c in told)


async def test_it_is_said_once_while_it_lasts_and_once_when_it_is_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(package_lock, "QUIET", 0.001)
    answers = {"m1": [b"", b"7\ndpkg\n\n", b"7\ndpkg\n\n", b"9\napt\n\n", b""], "m2": [b""]}
    said: list[tuple[str, str]] = []
    asked: list[str] = []

    async def look(host: Host) -> bytes:
        asked.append(host.name)
        left = answers[host.name]
        if host.name == "m2":
            raise OSError("away")
        return left.pop(0) if len(left) > 1 else left[0]

    def say(host: Host, text: str) -> None:
        said.append((host.name, text.partition(";")[0]))

    telling = asyncio.create_task(tell_holders(HOSTS, look, lambda: 1.0, say))
    async with asyncio.timeout(20):
        while len(said) < 3:  # noqa: ASYNC110 - of another task
            await asyncio.sleep(0.001)
    telling.cancel()
    assert said == [
        ("m1", "The package lock of m1 is held by process 7 (dpkg)"),
        ("m1", "The package lock of m1 is held by process 9 (apt)"),
        ("m1", "The package lock of m1 is free again."),
    ]


async def test_a_step_that_writes_lines_is_not_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package_lock, "QUIET", 0.001)
    turns = 0

    async def look(host: Host) -> bytes:
        raise AssertionError("nobody should be asked")

    def quiet() -> float:
        nonlocal turns
        turns += 1
        return 0.0

    telling = asyncio.create_task(tell_holders(HOSTS, look, quiet, lambda host, text: None))
    async with asyncio.timeout(20):
        while turns < 5:  # noqa: ASYNC110 - of another task
            await asyncio.sleep(0.001)
    assert not telling.done()
    telling.cancel()


def test_a_process_that_has_ended_holds_nothing(tmp_path: Path) -> None:
    """It was seen at the lock and is gone, or waits to be reaped, when its name is asked."""
    held, locks = tmp_path / "lock", tmp_path / "locks"
    held.touch()
    script = FIND.replace("/var/lib/dpkg/lock-frontend", str(held)).replace(
        "/proc/locks", str(locks)
    )
    # What the process had open is seen a moment before it ends.
    script = 'ls() { printf "x -> %s\\n" "$f"; }\n' + script

    def found(pid: int) -> bytes:
        locks.write_text(f"1: POSIX  ADVISORY  WRITE {pid} 08:01:{held.stat().st_ino} 0 EOF\n")
        return subprocess.run(["sh", "-c", script], check=True, capture_output=True).stdout

    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as alive:
        holder = parse(found(alive.pid))
        assert holder is not None
        assert (holder.pid, holder.name) == (alive.pid, "cat")
    ended = subprocess.Popen(["true"])
    os.waitid(os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT)
    assert found(ended.pid) == b""
    ended.wait()
    assert found(ended.pid) == b""

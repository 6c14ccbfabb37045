"""A command that changes machines and is no run holds them as a run does."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from pathlib import Path

import pytest

from foundation.hosts import machine_lock
from foundation.hosts.jobs import jobs
from foundation.hosts.jobs.jobs_model import JobState, JobStatus
from foundation.problems import ConnectionProblem, Refused
from installer.record import machine_locks
from installer.record.site_lock import Lock, Locked, this_holder
from installer.running.others.held_machines import held
from tests.installer.record.test_machine_locks import Machines, locks_of

KEY = "site-0123456789"


def quiet(text: str) -> None:
    """Nobody is there to be told."""


@pytest.mark.processes
async def test_nothing_is_brought_beside_a_run_of_somebody_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Other tests' tasks of Ansible run on this machine too.
    around = machine_lock._AROUND.replace(machine_lock._TASKS, "-e 'no such tas[k]'")
    monkeypatch.setattr(machine_lock, "_AROUND", around)
    machines = Machines(tmp_path, "m1", "m2")
    theirs = locks_of(Machines(tmp_path, "m0", "m2"), "Ko Ko")
    await theirs.acquire()
    with pytest.raises(Locked, match="Ko Ko") as refused:
        async with held(machines.hosts, machines.connect, KEY, quiet):
            raise AssertionError("it began")
    assert "the same command with --take-over" in refused.value.remedy
    assert not machines.lock("m1").exists()
    # Whose computer is gone gives no lock back, and here is no run to go on with.
    async with held(machines.hosts, machines.connect, KEY, quiet, take_over=True):
        assert not await theirs.look()
    assert not machines.lock("m2").exists()
    await theirs.release()
    theirs = locks_of(Machines(tmp_path, "m0", "m2"), "Ko Ko")
    await theirs.acquire()
    await theirs.release()
    with Lock(KEY), pytest.raises(Locked):
        async with held(machines.hosts, machines.connect, KEY, quiet):
            raise AssertionError("it began")
    async with held(machines.hosts, machines.connect, KEY, quiet):
        with pytest.raises(Locked):
            await locks_of(machines, "Ko Ko").acquire()
    assert not machines.lock("m1").exists()


async def test_who_waits_for_others_is_named_no_option_that_there_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To end what others began is the word of a run: what brings a bundle has no such option."""
    monkeypatch.setattr("installer.record.other_hands._PAUSE", 0.01)
    machines = Machines(tmp_path, "m1")
    job = tmp_path / "m1" / "jobs" / "sw-20261128-140012-ab12-prepare-first-m1-1"
    job.mkdir(parents=True)
    told: list[str] = []

    async def status(*_: object) -> JobStatus:
        return JobStatus(JobState.RUNNING)

    def say(text: str) -> None:
        told.append(text)
        if job.exists():
            job.rmdir()

    monkeypatch.setattr(jobs, "status", status)
    async with held(machines.hosts, machines.connect, KEY, say):
        assert job.name in told[0]
        assert told[0].endswith("before it has ended. To wait for it no longer: Ctrl-C.")


async def test_who_is_taken_over_ends_and_says_by_whom(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine_locks, "SIGN_OF_LIFE", 0.01)
    machines = Machines(tmp_path, "m1")

    async def body() -> None:
        async with held(machines.hosts, machines.connect, KEY, quiet):
            other = json.dumps(asdict(this_holder("Ko Ko")))
            theirs = tmp_path / "theirs"
            theirs.write_text("f" * 32 + f"\n{other}\n")
            theirs.replace(machines.lock("m1"))  # whole at once, as a machine writes it
            await asyncio.Event().wait()

    with pytest.raises(Refused, match="taken over: Ko Ko"):
        await body()


async def test_a_machine_that_cannot_be_held_does_not_hold_up_the_others(tmp_path: Path) -> None:
    machines = Machines(tmp_path, "m1", "m2")
    (tmp_path / "m1").mkdir()
    (tmp_path / "m1" / "lock.guard").mkdir()
    async with held(machines.hosts, machines.connect, KEY, quiet) as reach:
        await reach.connect(machines.hosts[1])
        with pytest.raises(ConnectionProblem, match="could not be taken"):
            await reach.connect(machines.hosts[0])

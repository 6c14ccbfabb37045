"""A killed playbook leaves its task on the machine: it is waited for, or ended on a word."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from foundation.hosts import machine_lock
from foundation.hosts.connection import Connection
from foundation.hosts.local import LocalConnection
from foundation.hosts.model import LOCAL_ADDRESS, Host, Inventory
from foundation.hosts.pool import Pool
from installer.events import Kind, Outcome
from installer.plans.pinned_playbooks import digest as carried_digest
from installer.plans.plan import Carry, Plan
from installer.record.runs import Run
from installer.running.levers import Control
from tests.foundation.processes import PATIENCE
from tests.installer.engine_site import LOCAL, Watch, engine, new_run, plan, step, when, words

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="jobs are run as root; this is not root"),
    pytest.mark.timeout(180),
]

MACHINE = Host("m1", "192.0.2.1")


class Here(Pool):
    """A pool whose one machine is reached without SSH: a stand-in for a machine elsewhere."""

    def __init__(self) -> None:
        super().__init__(Inventory((MACHINE,)))

    async def _login(self, host: Host) -> Connection:
        return LocalConnection(replace(host, address=LOCAL_ADDRESS), self._credentials)


@pytest.fixture
def ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Python whose tasks are looked for alone: other tests' tasks run on this machine too."""
    python = tmp_path / "ours" / "python3"
    python.parent.mkdir()
    python.symlink_to(sys.executable)
    alone = f"-e '{python}[^ ]* && sleep [0]'"
    for script in ("_AROUND", "_END_TASKS"):
        text = getattr(machine_lock, script).replace(machine_lock._TASKS, alone)
        monkeypatch.setattr(machine_lock, script, text)
    monkeypatch.setattr("installer.record.other_hands._PAUSE", 0.05)
    return python


PLAYBOOK = """\
- hosts: all
  connection: local
  gather_facts: false
  vars: {{ansible_python_interpreter: {python}}}
  tasks:
    - ansible.builtin.shell: |
        echo began >> {log}; until [ -e {go} ]; do sleep 0.02; done; echo ended >> {log}
"""


@pytest.fixture
def made(ours: Path, tmp_path: Path) -> Iterator[Plan]:
    """A plan of one playbook that waits for a file."""
    folder = tmp_path / "playbooks"
    folder.mkdir()
    text = PLAYBOOK.format(python=ours, log=tmp_path / "log", go=tmp_path / "go")
    (folder / "x.yml").write_text(text)
    play = step("play", "m1", kind="playbook", playbook="x.yml")
    carry: Carry = ("site", str(folder), carried_digest(folder))
    yield replace(plan(play, playbooks=str(folder)), carries=(carry,))
    (tmp_path / "go").touch()


def kill_ansible(run: Run) -> None:
    """Kill what is ansible-playbook for a run, and nothing that it began."""
    killed = 0
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            at_work = b"ansible-playbook" in (process / "cmdline").read_bytes()
            if at_work and (process / "cwd").readlink().is_relative_to(run.folder):
                os.kill(int(process.name), signal.SIGKILL)
                killed += 1
    assert killed


async def left_in_its_task(made: Plan, tmp_path: Path) -> Run:
    """A run whose ansible-playbook was killed in the task, which goes on."""
    run = new_run(made)
    async with Here() as pool:
        first = asyncio.create_task(engine(made, run, pool=pool).run())
        await when(lambda: words(tmp_path / "log") == ["began"])
        kill_ansible(run)
        assert await first is Outcome.FAILED
    return run


def notes(watch: Watch) -> str:
    """What the run told."""
    return "\n".join(str(event.data["text"]) for event in watch.of(Kind.NOTE))


async def test_a_playbook_is_not_begun_again_beside_its_own_task(
    made: Plan, tmp_path: Path
) -> None:
    run, watch = await left_in_its_task(made, tmp_path), Watch()
    async with Here() as pool:
        again = asyncio.create_task(engine(made, run, pool=pool, watch=watch).run())
        await when(lambda: "On m1 runs what was left there: a task of Ansible." in notes(watch))
        assert "--end-theirs" in notes(watch)
        assert watch.of(Kind.STEP_STARTED) == []
        (tmp_path / "go").touch()
        assert await again is Outcome.DONE
    assert words(tmp_path / "log") == ["began", "ended"] * 2
    assert "Nothing of others runs on m1 any more" in notes(watch)


async def test_a_task_that_never_ends_is_ended_on_a_word(made: Plan, tmp_path: Path) -> None:
    run, watch = await left_in_its_task(made, tmp_path), Watch()
    async with Here() as pool:
        ours = engine(made, run, pool=pool, watch=watch, end_theirs=True)
        again = asyncio.create_task(ours.run())
        await when(lambda: words(tmp_path / "log") == ["began"] * 2)
        (tmp_path / "go").touch()
        assert await again is Outcome.DONE
    assert words(tmp_path / "log") == ["began", "began", "ended"]
    assert "Ending on m1 what was left there: a task of Ansible." in notes(watch)


async def test_a_run_that_is_ended_while_it_waits_begins_no_playbook(
    made: Plan, tmp_path: Path
) -> None:
    """Nothing more is begun, as Ctrl-C says; and what was left is left alone."""
    run, watch, control = await left_in_its_task(made, tmp_path), Watch(), Control()
    async with Here() as pool:
        ours = engine(made, run, pool=pool, watch=watch, control=control)
        again = asyncio.create_task(ours.run())
        await when(lambda: "On m1 runs what was left there: a task of Ansible." in notes(watch))
        control.finish(by="Ctrl-C")
        assert await asyncio.wait_for(again, PATIENCE) is Outcome.STOPPED
        assert watch.of(Kind.STEP_STARTED) == []
    assert words(tmp_path / "log") == ["began"]
    assert run.state().of(("one", "play", "control")).outcome is Outcome.FAILED


@pytest.fixture
def task(ours: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process as a task's shell is, with one below it."""
    below = f"{sys.executable} -c 'import time; time.sleep(600)'"
    process = subprocess.Popen(["sh", "-c", f"(:; {below}; :) || {ours} && sleep 0"])
    yield process
    process.kill()
    process.wait()


@pytest.fixture
def other() -> Iterator[subprocess.Popen[bytes]]:
    """A process that is none of a task's."""
    process = subprocess.Popen(["sleep", "600"])
    yield process
    process.kill()
    process.wait()


async def test_what_a_task_began_ends_with_it_and_nothing_else(
    task: subprocess.Popen[bytes], other: subprocess.Popen[bytes]
) -> None:
    async with Pool(Inventory((LOCAL,))) as pool:
        connection = await pool.connect(LOCAL)
        await when(lambda: descendants(task.pid))
        below = descendants(task.pid)
        assert (await machine_lock.around(connection)).tasks > 0
        await asyncio.gather(asyncio.to_thread(task.wait), machine_lock.end_tasks(connection))
        assert (await machine_lock.around(connection)).tasks == 0
    await when(lambda: not any(alive(pid) for pid in below))
    assert other.poll() is None


def descendants(pid: int) -> list[int]:
    """Every process below one."""
    found: list[int] = []
    with contextlib.suppress(OSError):
        below = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        for child in map(int, below):
            found += [child, *descendants(child)]
    return found


def alive(pid: int) -> bool:
    """Whether a process is there, and has not ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False

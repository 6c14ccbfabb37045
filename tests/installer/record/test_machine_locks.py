"""What is said of a machine's lock that another holds, and who is believed to hold it."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foundation.hosts import machine_lock
from foundation.hosts.connection import Completed, Connection
from foundation.hosts.machine_lock import HeldBy
from foundation.hosts.model import Host
from foundation.hosts.places import STATE
from foundation.problems import ConnectionProblem, LoginRefused
from installer.record import machine_locks
from installer.record.machine_locks import MachineLocks, silence
from installer.record.site_lock import Holder, Lock, Locked, holder_from_json, laptop, this_holder
from installer.running.others.entering import Entering


def held(seconds: float) -> HeldBy:
    """A lock whose holder was last heard of so many seconds ago."""
    return HeldBy("0" * 32, "", seconds)


def test_a_holder_that_gives_signs_of_life_is_at_work() -> None:
    assert silence(held(7)) == "Its last sign of life came 7 seconds ago: it is at work."


def test_a_silent_holder_may_be_asleep_and_is_not_called_dead() -> None:
    assert "90 seconds ago: that laptop may be off, asleep" in silence(held(90))
    assert "12 minutes ago" in silence(held(720))
    assert "goes on there" in silence(held(720))


def test_a_lock_names_its_holder_and_how_silent_it_is() -> None:
    problem = Locked(this_holder("Ma Ma"), "m1:/lock", silence=silence(held(7)))
    assert "Ma Ma" in problem.cause
    assert problem.cause.endswith("it is at work.")
    assert problem.where == "m1:/lock"
    assert "--take-over" in problem.remedy


def test_each_home_has_a_word_of_its_own_that_stays() -> None:
    assert laptop() == laptop() == this_holder("x").laptop
    assert len(laptop()) == 32


@given(st.text(max_size=60) | st.binary(max_size=60))
def test_what_a_lock_holds_is_not_believed(text: str | bytes) -> None:
    found = holder_from_json(text)
    assert found is None or isinstance(found, Holder)


@given(st.text(max_size=30), st.integers() | st.floats() | st.none() | st.booleans())
def test_a_name_in_a_lock_cannot_write_to_the_terminal(name: str, pid: float | None) -> None:
    text = json.dumps({"user": name, "host": name, "pid": pid, "since": name, "by": name})
    found = holder_from_json(text)
    told = "" if found is None else found.sentence()
    assert not any(ord(c) < 32 or 0x7F <= ord(c) < 0xA0 for c in told)


@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_who_was_put_out_learns_by_whom_whatever_their_login_is(shell: str, tmp_path: Path) -> None:
    """dash's echo reads backslashes, and a login of a domain has one."""
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not here")

    def ask(script: str, token: str, *more: str, text: str = "") -> bytes:
        for path in (machine_lock.PATH, machine_lock.PUT_OUT, machine_lock.HOLDER):
            script = script.replace(path, str(tmp_path / Path(path).name))
        words = [shell, "-c", script, "sh", token, *more]
        return subprocess.run(words, input=text.encode(), capture_output=True, check=True).stdout

    def taken(token: str, holder: Holder, instead: str = "") -> None:
        text = f"{token}\n{json.dumps(asdict(holder))}\n"
        assert ask(machine_lock._TAKE, token, instead, "", text=text).strip() == b"taken"

    theirs, ours = "a" * 32, "b" * 32
    taker = replace(this_holder('Ma "Ma" \\n'), user="DOMAIN\\tun")
    taken(theirs, this_holder("Ko Ko"))
    taken(ours, taker, instead=theirs)
    ask(machine_lock._RELEASE, ours)
    told = machine_lock._held(ask(machine_lock._REFRESH, theirs, text="it is not put back"))
    assert told.token == ours
    assert holder_from_json(told.text) == taker


class Machines:
    """Stand-ins for machines: the scripts of the lock run here, each machine in a folder."""

    def __init__(self, folder: Path, *names: str) -> None:
        self.folder = folder
        self.hosts = [Host(name, f"10.0.0.{n}") for n, name in enumerate(names, 1)]
        self.away: dict[str, ConnectionProblem] = {}
        self.asked: list[str] = []

    async def connect(self, host: Host) -> Connection:
        """A connection, unless the machine is away."""
        self.asked.append(host.name)
        if host.name in self.away:
            raise self.away[host.name]
        return cast("Connection", _Shell(host, self.folder / host.name))

    def lock(self, name: str) -> Path:
        """The lock of a machine."""
        return self.folder / name / Path(machine_lock.PATH).name


class _Shell:
    def __init__(self, host: Host, folder: Path) -> None:
        self.host = host
        self.folder = folder

    async def run(self, command: list[str], *, stdin: bytes | None, **_: object) -> Completed:
        return await asyncio.to_thread(self._run, command, stdin)

    def _run(self, command: list[str], stdin: bytes | None) -> Completed:
        self.folder.mkdir(exist_ok=True)
        script = command[2]
        for place in (STATE, str(Path(machine_lock.HOLDER).parent)):
            script = script.replace(f"{place}/", f"{self.folder}/")
        done = subprocess.run(
            ["sh", "-c", script, *command[3:]], input=stdin or b"", capture_output=True, check=False
        )
        return Completed(done.returncode, done.stdout, done.stderr, 0.0, 0.0)


def locks_of(machines: Machines, by: str = "Ma Ma") -> MachineLocks:
    """The locks of one laptop on these machines, in a site of its own."""
    return MachineLocks(machines.hosts, machines.connect, Lock(f"site-{by[:2]}", by=by), run="r1")


async def test_every_machine_gets_signs_of_life_and_not_the_first_alone(tmp_path: Path) -> None:
    """Another site's first machine may be our second: it would call us asleep."""
    machines = Machines(tmp_path, "m1", "m2")
    locks = locks_of(machines)
    await locks.acquire()
    for name in ("m1", "m2"):
        os.utime(machines.lock(name), (0, 0))
    assert await locks.look()
    shell = await machines.connect(machines.hosts[1])
    held = await machine_lock.take(shell, "2" * 32, "{}")
    assert held is not None
    assert "it is at work" in silence(held)
    await locks.release()


async def test_a_lock_that_was_removed_is_put_back_and_says_the_same(tmp_path: Path) -> None:
    machines = Machines(tmp_path, "m1", "m2")
    locks = locks_of(machines)
    await locks.acquire()
    before = machines.lock("m2").read_text()
    shutil.rmtree(tmp_path / "m2")
    assert await locks.look()
    assert machines.lock("m2").read_text() == before
    assert (tmp_path / "m2" / Path(machine_lock.HOLDER).name).read_text() == "r1\n"
    with pytest.raises(Locked, match="Ma Ma"):
        await locks_of(machines, "Ko Ko").acquire()
    await locks.release()
    assert not machines.lock("m2").exists()


async def test_a_machine_that_another_took_is_noticed_whichever_it_is(tmp_path: Path) -> None:
    machines = Machines(tmp_path, "m1", "m2")
    locks = locks_of(machines)
    await locks.acquire()
    machines.lock("m2").write_text("f" * 32 + "\n" + json.dumps(asdict(this_holder("Ko Ko"))))
    assert not await locks.look()
    taker = locks.taker()
    assert taker is not None
    assert taker.by == "Ko Ko"


async def test_a_machine_that_lets_nobody_in_is_not_asked_again(tmp_path: Path) -> None:
    """A password that is tried every twenty seconds locks its account."""
    machines = Machines(tmp_path, "m1", "m2")
    locks = locks_of(machines)
    await locks.acquire()
    machines.away["m2"] = LoginRefused("no", where="m2")
    for _ in "abc":
        assert await locks.look()
    assert machines.asked.count("m2") == 2


async def _nothing(seen: object) -> list[str]:
    return []


async def _nobody(hosts: object) -> list[Host]:
    return []


async def test_who_was_away_is_held_before_anything_is_begun_there(tmp_path: Path) -> None:
    machines = Machines(tmp_path, "m1", "m2")
    machines.away["m2"] = ConnectionProblem("no route", where="m2")
    locks = locks_of(machines)
    await locks.acquire()
    said: list[str] = []
    entering = Entering(
        locks,
        lambda host, _: machines.connect(host),
        _nothing,
        _nobody,
        lambda host, text: said.append(text),
    )
    assert list(entering.late) == ["m2"]
    await entering.enter(machines.hosts, 0.0)  # among several it is told again
    assert said == ["m2 is not held, for it is away (no route)."]
    with pytest.raises(ConnectionProblem):
        await entering.enter(machines.hosts[1:], 0.0)
    del machines.away["m2"]
    theirs = MachineLocks(machines.hosts[1:], machines.connect, Lock("site-Ko", by="Ko Ko"))
    await theirs.acquire()
    with pytest.raises(Locked, match="Ko Ko"):
        await entering.enter(machines.hosts[1:], 0.0)
    await theirs.release()
    await entering.enter(machines.hosts[1:], 0.0)
    assert machines.lock("m2").exists()
    assert [*entering.late, *locks.away] == []
    await locks.release()
    assert not machines.lock("m2").exists()


async def test_several_that_are_away_are_asked_side_by_side(tmp_path: Path) -> None:
    """One after the other they would take a quarter of a minute each, at every playbook."""
    machines, both = Machines(tmp_path, "m1", "m2"), asyncio.Barrier(2)
    machines.away = {name: ConnectionProblem("no route", where=name) for name in ("m1", "m2")}
    locks = locks_of(machines)
    await locks.acquire()
    said: list[str] = []

    async def connect(host: Host, _: float) -> Connection:
        await both.wait()
        return await machines.connect(host)

    entering = Entering(
        locks, connect, _nothing, _nobody, lambda host, text: said.append(f"{host.name}: {text}")
    )
    await asyncio.wait_for(entering.enter(machines.hosts, 0.0), 30)
    assert [text[:2] for text in said] == ["m1", "m2"]
    assert list(entering.late) == ["m1", "m2"]


@pytest.mark.parametrize("leaves", [False, True])
async def test_who_is_lost_again_before_it_told_of_others_is_asked_again(
    leaves: bool, tmp_path: Path
) -> None:
    machines = Machines(tmp_path, "m1", "m2")
    machines.away["m2"] = ConnectionProblem("no route", where="m2")
    locks = locks_of(machines)
    await locks.acquire()
    del machines.away["m2"]
    asked: list[Host] = []
    said: list[str] = []

    async def alone(hosts: Sequence[Host]) -> Sequence[Host]:
        asked.extend(hosts)
        return hosts if len(asked) < 3 else []

    entering = Entering(
        locks,
        lambda host, _: machines.connect(host),
        _nothing,
        alone,
        lambda host, text: said.append(text),
        lambda: leaves,
    )
    await entering.enter(machines.hosts, 0.0)  # the others of the step do not wait for it
    assert said == ([] if leaves else ["m2 is away again, and told nothing of others."])
    await entering.enter(machines.hosts[1:], 0.0)
    assert list(entering.late) == (["m2"] if leaves else [])
    assert len(asked) == (2 if leaves else 3)
    await locks.release()


async def test_a_sign_of_life_under_way_does_not_come_after_the_end(tmp_path: Path) -> None:
    machines = Machines(tmp_path, "m1")
    locks = locks_of(machines)
    await locks.acquire()
    looking = asyncio.create_task(locks.look())
    await asyncio.sleep(0)
    looking.cancel()
    await locks.release()
    assert not machines.lock("m1").exists()
    assert await locks.look()
    assert not machines.lock("m1").exists()


async def test_a_machine_that_answers_after_the_end_gets_no_lock_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sign of life that waits for a machine longer than the end waits for it."""
    monkeypatch.setattr(machine_locks, "_LOOK_SECONDS", 0.0)
    monkeypatch.setattr(machine_locks, "_RELEASE_SECONDS", 0.0)
    machines, back, asked = Machines(tmp_path, "m1"), asyncio.Event(), list[str]()

    async def connect(host: Host) -> Connection:
        asked.append(host.name)
        if len(asked) == 2:
            await back.wait()
        if len(asked) == 3 and not back.is_set():
            raise ConnectionProblem("no route", where="m1")
        return await machines.connect(host)

    locks = MachineLocks(machines.hosts, connect, Lock("site-Ma", by="Ma Ma"))
    await locks.acquire()
    assert await locks.look()
    await asyncio.sleep(0)
    await locks.release()
    await asyncio.sleep(0)
    assert len(asked) == 3
    machines.lock("m1").unlink()
    back.set()
    await asyncio.gather(*(asyncio.all_tasks() - {asyncio.current_task()}))
    assert not machines.lock("m1").exists()

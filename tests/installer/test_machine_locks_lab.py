"""Two laptops and the machines of one site: one works, the other is told, or takes over."""

from __future__ import annotations

import asyncio
import secrets
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from foundation.hosts import machine_lock
from foundation.hosts.model import Host, Inventory
from foundation.hosts.pool import Pool
from installer.events import Kind, Outcome
from installer.plan import Plan
from installer.runs import Run
from installer.site_lock import Lock, Locked
from tests.installer.engine_site import Watch, engine, new_run, plan, step, when
from tests.installer.run_engine import start_engine
from tests.lab.lab import Lab
from tests.lab.machine import Machine

pytestmark = [pytest.mark.lab, pytest.mark.timeout(120)]

LOG = "/root/effects"
WAITS = f"touch /root/begun; until [ -e /root/go ]; do sleep 0.05; done; echo a >> {LOG}"


@dataclass
class Site:
    """Two machines, and how processes are told of them."""

    lab: Lab
    machines: list[Machine]

    @property
    def inventory(self) -> Inventory:
        """The machines as m1 and m2."""
        hosts = tuple(
            Host(f"m{n}", one.address, user="ubuntu", identity_files=(self.lab.key,))
            for n, one in enumerate(self.machines, 1)
        )
        return Inventory(hosts, known_hosts=(self.lab.known_hosts,), use_ssh_config=False)

    def told(self, **more: Any) -> dict[str, Any]:
        """The same for another process."""
        hosts = [
            {"name": f"m{n}", "address": one.address, "port": 22, "user": "ubuntu"}
            for n, one in enumerate(self.machines, 1)
        ]
        lab = {"known_hosts": str(self.lab.known_hosts), "key": str(self.lab.key)}
        return {"hosts": hosts, **lab, **more}

    def effects(self) -> list[list[str]]:
        """What was done on each machine."""
        return [m.exec(["cat", LOG], check=False).stdout.split() for m in self.machines]

    def locked(self) -> list[bool]:
        """Whether each machine has a lock."""
        test = ["test", "-e", machine_lock.PATH]
        return [m.exec(test, check=False).returncode == 0 for m in self.machines]

    def begun(self) -> bool:
        """Whether the waiting step runs on both machines."""
        test = ["test", "-e", "/root/begun"]
        return all(m.exec(test, check=False).returncode == 0 for m in self.machines)


@pytest.fixture(scope="module")
def machines(lab: Lab) -> Iterator[list[Machine]]:
    """Two machines for all tests of this file."""
    made = lab.machines(2)
    yield made
    for machine in made:
        lab.discard(machine)


@pytest.fixture
def site(lab: Lab, machines: list[Machine]) -> Site:
    """The machines with nothing on them."""
    for machine in machines:
        machine.exec(["sh", "-c", f"rm -rf {LOG} /root/go* /root/begun /var/lib/sitewright"])
    return Site(lab, machines)


BOTH = ("m1", "m2")
THEIRS = plan(
    step("a", *BOTH, script=WAITS, done={"script": f"grep -qx a {LOG}"}),
    step("b", *BOTH, script=f"echo b >> {LOG}"),
)
OURS = plan(step("c", *BOTH, script=f"echo c >> {LOG}"))


def other_laptop(
    site: Site, home: Path, made: Plan, monkeypatch: pytest.MonkeyPatch
) -> tuple[subprocess.Popen[str], Run]:
    """Ko Ko's laptop, with a home of its own, at work."""
    with monkeypatch.context() as there:
        there.setenv("XDG_DATA_HOME", str(home))
        run = new_run(made)
    return start_engine(run.folder, site.told(by="Ko Ko"), home=home), run


async def test_another_laptop_is_refused_and_may_take_over_knowingly(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whom it was taken from begins nothing more; what runs there already goes on."""
    other, _ = other_laptop(site, tmp_path / "other", THEIRS, monkeypatch)
    try:
        await when(site.begun)
        async with Pool(site.inventory) as pool:
            with Lock("site", by="Ma Ma") as lock:
                run, watch = new_run(OURS), Watch()
                with pytest.raises(Locked, match="Ko Ko") as caught:
                    await engine(OURS, run, pool=pool, lock=lock, watch=watch).run()
            assert "at work" in caught.value.cause
            assert caught.value.exit_code == 7
            assert not run.journal.exists()
            assert site.locked() == [True, True]
            with Lock("site", by="Ma Ma", take_over=True) as lock:
                ours = engine(OURS, run, pool=pool, lock=lock, watch=watch)
                assert await ours.run() is Outcome.DONE
                notes = [str(event.data["text"]) for event in watch.of(Kind.NOTE)]
                assert any("taken over: Ko Ko" in text for text in notes), notes
                # Now Ma Ma's run is over; hold on, so that Ko Ko meets her lock.
                late = plan(
                    step("d", "m1", "m2", script="until [ -e /root/go2 ]; do sleep 0.05; done")
                )
                waiting = asyncio.create_task(engine(late, pool=pool, lock=lock, watch=watch).run())
                await when(lambda: len(watch.of(Kind.JOB_STARTED)) == 4)
                for machine in site.machines:
                    machine.exec(["touch", "/root/go"])
                output, _ = await asyncio.to_thread(other.communicate, timeout=60)
                assert other.returncode == 7, output
                assert "the site was taken over: Ma Ma" in output
                for machine in site.machines:
                    machine.exec(["touch", "/root/go2"])
                assert await waiting is Outcome.DONE
    finally:
        other.kill()
        other.communicate()
    assert site.effects() == [["c", "a"], ["c", "a"]]
    assert site.locked() == [False, False]


async def test_a_laptop_that_died_goes_on_by_itself_and_another_must_take_over(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "other"
    other, run = other_laptop(site, home, THEIRS, monkeypatch)
    await when(site.begun)
    other.kill()
    other.communicate()
    assert other.returncode == -signal.SIGKILL
    assert site.locked() == [True, True]
    async with Pool(site.inventory) as pool:
        with Lock("site", by="Ma Ma") as lock, pytest.raises(Locked, match="Ko Ko"):
            await engine(OURS, pool=pool, lock=lock).run()
    for machine in site.machines:
        machine.exec(["touch", "/root/go"])
    again = start_engine(run.folder, site.told(by="Ko Ko"), home=home)
    output, _ = await asyncio.to_thread(again.communicate, timeout=60)
    assert again.returncode == 0, output
    assert site.effects() == [["a", "b"], ["a", "b"]]
    assert site.locked() == [False, False]
    assert run.complete


async def test_of_many_who_come_at_once_one_gets_the_machine(site: Site) -> None:
    async with Pool(site.inventory) as pool:
        connection = await pool.connect(site.inventory.hosts[0])
        tokens = [secrets.token_hex(16) for _ in range(8)]
        answers = await asyncio.gather(
            *(machine_lock.take(connection, token, token) for token in tokens)
        )
        [winner] = [t for t, answer in zip(tokens, answers, strict=True) if answer is None]
        assert {answer.token for answer in answers if answer is not None} == {winner}
        for token in tokens:
            await machine_lock.release(connection, token)
    assert site.locked() == [False, False]


async def test_a_lock_that_is_none_of_ours_is_left_alone(site: Site) -> None:
    site.machines[1].script("mkdir -p /var/lib/sitewright; echo rubbish >/var/lib/sitewright/lock")
    async with Pool(site.inventory) as pool:
        with Lock("site", by="Ma Ma", take_over=True) as lock, pytest.raises(Locked) as caught:
            await engine(OURS, pool=pool, lock=lock).run()
    assert caught.value.where == f"m2:{machine_lock.PATH}"
    assert site.locked() == [False, True]
    assert site.effects() == [[], []]

"""What a run left on its machines is gone, or its machine is: real ones, installed anew, put back,
without power, full, or read-only."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from foundation.hosts.model import Host, Inventory
from foundation.hosts.pool import Pool
from installer.events import Kind, Outcome
from installer.record.anchors import NotAsLeft
from installer.record.journal import verify
from installer.record.runs import Run
from installer.record.site_lock import Lock
from tests.installer.engine_site import Watch, engine, new_run, once, plan, step, when
from tests.lab.lab import Lab
from tests.lab.machine import Machine

pytestmark = [pytest.mark.lab, pytest.mark.timeout(180)]

LOG = "/root/effects"
BOTH = ("m1", "m2")
MADE = plan(
    step("a", *BOTH, **once(LOG, "a")),
    step("b", *BOTH, stage="two", script=f"test -e /root/go && echo b >> {LOG}"),
    needs={"two": ("one",)},
)


@pytest.fixture
def machines(lab: Lab) -> Iterator[list[Machine]]:
    """Two machines of its own, since one of them is lost."""
    made = lab.machines(2)
    yield made
    for machine in made:
        lab.discard(machine)


def pool_of(lab: Lab, machines: list[Machine]) -> Pool:
    """The machines as m1 and m2."""
    hosts = tuple(
        Host(f"m{n}", one.address, user="ubuntu", identity_files=(lab.key,))
        for n, one in enumerate(machines, 1)
    )
    return Pool(Inventory(hosts, known_hosts=(lab.known_hosts,), use_ssh_config=False))


def effects(machines: list[Machine]) -> list[list[str]]:
    """What was done on each machine."""
    return [m.exec(["cat", LOG], check=False).stdout.split() for m in machines]


def installed_anew(lab: Lab, machine: Machine) -> None:
    """Another system at the same address, with the host keys of the old one."""
    keys = machine.script("tar -C /etc/ssh -c $(cd /etc/ssh; ls -d ssh_host_*) | base64")
    machine.remove()
    machine.boot(lab._setup(machine))
    machine.exec(["sh", "-c", "base64 -d | tar -C /etc/ssh -x"], stdin=keys)
    machine.exec(["systemctl", "restart", "ssh"])
    machine.wait_for_ssh()


async def begun(lab: Lab, machines: list[Machine], run: Run) -> None:
    """The first stage done on both machines, the second failed."""
    async with pool_of(lab, machines) as pool:
        with Lock("site", by="Ma Ma") as lock:
            assert await engine(MADE, run, pool=pool, lock=lock).run() is Outcome.FAILED
    assert effects(machines) == [["a"], ["a"]]


@pytest.mark.parametrize("how", ["installed anew", "put back"])
async def test_a_machine_that_lost_what_was_done_is_not_called_done(
    lab: Lab, machines: list[Machine], how: str
) -> None:
    """To go on is refused by name; a new run does there again what is gone, and tells why."""
    run, lost = new_run(MADE), machines[1]
    if how == "put back":
        lost.script("mkdir -p /var/lib/sitewright; tar -C /var/lib -cf /root/before sitewright")
    await begun(lab, machines, run)
    before = run.journal.read_bytes()
    if how == "put back":
        lost.script(f"rm -rf /var/lib/sitewright {LOG}; tar -C /var/lib -xf /root/before")
    else:
        installed_anew(lab, lost)
    for machine in machines:
        machine.exec(["touch", "/root/go"])
    async with pool_of(lab, machines) as pool:
        with Lock("site", by="Ma Ma") as lock:
            for _ in "twice":  # to be refused once must not make it right
                with pytest.raises(NotAsLeft) as caught:
                    await engine(MADE, run, pool=pool, lock=lock).run()
                assert caught.value.where == "m2"
                assert "it was installed anew or put back" in caught.value.cause
                assert "sitewright install" in str(caught.value.remedy)
        assert run.journal.read_bytes().startswith(before)
        assert effects(machines) == [["a"], []]
        with Lock("site", by="Ma Ma") as lock:
            again, watch = new_run(MADE), Watch()
            assert await engine(MADE, again, pool=pool, lock=lock, watch=watch).run() is (
                Outcome.DONE
            )
    assert effects(machines) == [["a", "b"], ["a", "b"]]
    [note] = [str(e.data["text"]) for e in watch.of(Kind.NOTE) if "holds no more" in str(e.data)]
    assert "m2 keeps nothing of it" in note
    assert ("a", "m1", "already") in watch.outcomes()
    assert ("a", "m2", "done") in watch.outcomes()
    verify(again.journal)


async def test_a_machine_without_power_in_a_step_is_waited_for_and_asked(
    lab: Lab, machines: list[Machine]
) -> None:
    """Its power goes in the middle of a step that can be asked; it does the step again, once."""
    made = plan(
        step(
            "a",
            *BOTH,
            **once(LOG, "a", body="touch /root/begun; until [ -e /root/go ]; do sleep 0.05; done"),
        ),
        step("b", *BOTH, stage="two", script=f"echo b >> {LOG}"),
    )
    run, watch = new_run(made), Watch()
    async with pool_of(lab, machines) as pool:
        with Lock("site", by="Ma Ma") as lock:
            running = asyncio.create_task(
                engine(made, run, pool=pool, lock=lock, watch=watch).run()
            )
            test = ["test", "-e", "/root/begun"]
            await when(lambda: all(m.exec(test, check=False).returncode == 0 for m in machines))
            await asyncio.to_thread(machines[1].kill)
            machines[0].exec(["touch", "/root/go"])
            await when(lambda: any("cannot be reached" in str(e.data) or "connection" in
                                   str(e.data).lower() for e in watch.of(Kind.NOTE)))  # fmt: skip
            await asyncio.to_thread(machines[1].start)
            machines[1].exec(["touch", "/root/go"])
            assert await running is Outcome.DONE, watch.of(Kind.PROBLEM)
    assert effects(machines) == [["a", "b"], ["a", "b"]]
    assert any("it was restarted meanwhile" in str(e.data["text"]) for e in watch.of(Kind.NOTE))

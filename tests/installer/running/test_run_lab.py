"""The engine on real machines over SSH: killed, cut off, rebooted, always with the same result."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest

from foundation.hosts.connection import Credentials
from foundation.hosts.model import Host, Inventory
from foundation.hosts.openssh import login
from foundation.hosts.pool import Pool
from foundation.secrets import Secret
from installer.events import Kind, Outcome
from installer.plans.plan import Plan
from installer.record.journal import read, verify
from installer.record.runs import Run
from tests.installer import deaths
from tests.installer.engine_site import Watch, engine, new_run, once, plan, step, when
from tests.installer.run_engine import run_engine, start_engine
from tests.lab.lab import Lab
from tests.lab.lending import LabMachines, MachineFactory
from tests.lab.machine import Machine

pytestmark = pytest.mark.lab

LOG = "/root/effects"
LINES = 40
BODY = f"for i in $(seq 1 {LINES}); do echo line $i; sleep 0.01; done"
TWO_STEPS = plan(
    step("a", "m1", **once(LOG, "a", body=BODY)),
    step("b", "m1", stage="two", **once(LOG, "b", body=BODY)),
)


def site(lab: Lab, *machines: Machine, user: str = "ubuntu") -> Inventory:
    """Machines of the lab as m1, m2, …"""
    return Inventory(
        hosts=tuple(
            Host(f"m{n}", one.address, one.port, user=user, identity_files=(lab.key,))
            for n, one in enumerate(machines, 1)
        ),
        known_hosts=(lab.known_hosts,),
        use_ssh_config=False,
    )


def told(lab: Lab, *machines: Machine) -> dict[str, Any]:
    """The same for an engine in a process of its own."""
    hosts = [
        {"name": f"m{n}", "address": one.address, "port": one.port, "user": "ubuntu"}
        for n, one in enumerate(machines, 1)
    ]
    return {"hosts": hosts, "known_hosts": str(lab.known_hosts), "key": str(lab.key)}


def effects(machine: Machine) -> list[str]:
    """What the steps did on a machine, in order."""
    machine.altered = True
    return machine.exec(["cat", LOG], check=False).stdout.split()


def forget_effects(machine: Machine) -> None:
    machine.exec(["rm", "-f", LOG])


def undisturbed(run: Run, machine: Machine, *, steps: str = "ab") -> None:
    """The same result as a run that nothing happened to: no effect twice, no line lost."""
    verify(run.journal)
    seen = list(read(run.journal))
    assert effects(machine) == list(steps)
    for name in steps:
        lines = [str(e.data["text"]) for e in seen if e.kind is Kind.LINE and e.step == name]
        assert lines == [f"line {n}" for n in range(1, LINES + 1)]
    assert run.complete


@pytest.fixture(scope="module", params=[False, True], ids=["detached", "systemd"])
def either(request: pytest.FixtureRequest, lab: Lab) -> Iterator[Machine]:
    """A machine without and one with a journal on disk: both ways to keep a job."""
    made = lab.machine(keep_journal=request.param)
    yield made
    lab.discard(made)


@pytest.fixture
def machine(either: Machine) -> Machine:
    """That machine, with nothing on it of an earlier test."""
    either.exec(["rm", "-f", LOG, "/root/second", "/root/go"])
    return either


async def test_a_plan_runs_on_machines_side_by_side_and_again_changes_nothing(
    lab: Lab, lab_machines: LabMachines
) -> None:
    machines = lab_machines(3)
    names = [f"m{n}" for n in range(1, 4)]
    made = plan(
        step("a", *names, **once(LOG, "a", body=BODY)),
        step("file", *names, kind="file", path="/etc/sitewright-test", content="x\n", mode="0640",
             then={"script": f"echo reloaded >> {LOG}"}),
        step("b", *names, stage="two", rolling=1, **once(LOG, "b")),
    )  # fmt: skip
    async with Pool(site(lab, *machines)) as pool:
        run, watch = new_run(made), Watch()
        assert await engine(made, run, pool=pool, watch=watch).run() is Outcome.DONE
        for name, one in zip(names, machines, strict=True):
            assert effects(one) == ["a", "reloaded", "b"]
            assert watch.lines(name)[:LINES] == [f"line {n}" for n in range(1, LINES + 1)]
        again = Watch()
        assert await engine(made, pool=pool, watch=again).run() is Outcome.ALREADY
        assert {outcome for _, _, outcome in again.outcomes()} == {"already"}
        assert [effects(one) for one in machines] == [["a", "reloaded", "b"]] * 3


def test_killed_at_every_boundary_and_within_steps(
    lab: Lab, machine_factory: MachineFactory
) -> None:
    """kill -9 at journal positions and at calls to the machine, then gone on with."""
    machine = machine_factory(keep_journal=True)
    run = new_run(deaths.doomed("m1", LOG))
    deaths.die_everywhere(run, told(lab, machine))
    deaths.undisturbed(run, effects(machine))


def test_killed_again_and_again_at_any_time(lab: Lab, machine: Machine) -> None:
    """Eight deaths in one run, each a little later than the one before."""
    run = new_run(TWO_STEPS)
    killed = 0
    for n in range(8):
        process = start_engine(run.folder, told(lab, machine))
        # From before the first login to well within the second step.
        deadline = time.monotonic() + 0.3 + 0.2 * n
        while time.monotonic() < deadline and process.poll() is None:
            time.sleep(0.005)
        process.kill()
        killed += process.wait() == -signal.SIGKILL
        process.communicate()
    assert killed >= 3
    code, output = run_engine(run.folder, told(lab, machine))
    assert code == 0, output
    undisturbed(run, machine)


SLOW = f"""\
for i in $(seq 1 {LINES}); do echo line $i; sleep 0.1; done
until [ -e /root/go ]; do sleep 0.1; done"""
"""It ends when it is told to: however late a test is, what it does falls into the middle."""
ONE_STEP = plan(step("a", "m1", **once(LOG, "a", body=SLOW)))


async def test_a_connection_that_breaks_in_the_middle_costs_nothing(
    lab: Lab, machine: Machine
) -> None:
    run, watch = new_run(ONE_STEP), Watch()
    async with Pool(site(lab, machine)) as pool:
        running = asyncio.create_task(engine(ONE_STEP, run, pool=pool, watch=watch).run())
        for so_many in (5, 15, 25):
            await when(lambda so_many=so_many: len(watch.lines()) >= so_many)  # type: ignore[misc]  # a lambda with a default
            # Where many lines came at once after the last break, it may not be back yet.
            kill = ["pkill", "-9", "-f", "^sshd: ubuntu"]
            await when(lambda kill=kill: not machine.exec(kill, check=False).returncode)  # type: ignore[misc]  # a lambda with a default
        machine.exec(["touch", "/root/go"])
        assert await running is Outcome.DONE
    undisturbed(run, machine, steps="a")
    assert any("broke" in str(event.data["text"]) for event in watch.of(Kind.NOTE))


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Connections that are taken for dead after four silent seconds, not after a minute."""
    monkeypatch.setattr(login, "KEEPALIVE_SECONDS", 1)
    login._shared_options.cache_clear()
    yield
    login._shared_options.cache_clear()


@pytest.mark.usefixtures("impatient")
async def test_a_connection_that_is_silent_for_a_while_costs_nothing(
    lab: Lab, machine: Machine
) -> None:
    """Every packet vanishes for longer than the connection is thought to be alive."""
    run, watch = new_run(ONE_STEP), Watch()
    async with Pool(site(lab, machine), connect_timeout=10.0) as pool:
        running = asyncio.create_task(engine(ONE_STEP, run, pool=pool, watch=watch).run())
        await when(lambda: len(watch.lines()) >= 5)
        machine.drop_port(22)
        await when(lambda: any("out of reach" in str(e.data) for e in watch.of(Kind.NOTE)))
        machine.undrop()
        machine.exec(["touch", "/root/go"])
        assert await running is Outcome.DONE
    undisturbed(run, machine, steps="a")
    assert any("reached again" in str(e.data) for e in watch.of(Kind.NOTE))


async def test_a_machine_that_restarts_is_asked_before_anything_is_done_again(
    lab: Lab, machine_factory: MachineFactory
) -> None:
    """The effect came before the restart: it is found done and not done again."""
    machine = machine_factory(keep_journal=True)
    script = f"echo a >> {LOG}; sync; echo written; sleep 300"
    made = plan(step("a", "m1", script=script, done={"script": f"grep -qx a {LOG}"}))
    run, watch = new_run(made), Watch()
    async with Pool(site(lab, machine), connect_timeout=10.0) as pool:
        running = asyncio.create_task(engine(made, run, pool=pool, watch=watch).run())
        await when(lambda: watch.lines() == ["written"])
        await asyncio.to_thread(machine.restart)
        assert await running is Outcome.DONE
    assert effects(machine) == ["a"]
    assert watch.lines() == ["written"]
    assert [e.data["attempt"] for e in watch.of(Kind.STEP_STARTED)] == [1, 2]
    verify(run.journal)


SECOND_TIME_LUCKY = """\
echo begun
[ -e /root/second ] || { touch /root/second; sync; sleep 300; }"""


async def test_a_machine_that_restarted_before_the_effect_does_the_step_again(
    lab: Lab, machine: Machine
) -> None:
    made = plan(step("a", "m1", **once(LOG, "a", body=SECOND_TIME_LUCKY)))
    run, watch = new_run(made), Watch()
    async with Pool(site(lab, machine), connect_timeout=10.0) as pool:
        running = asyncio.create_task(engine(made, run, pool=pool, watch=watch).run())
        await when(lambda: watch.lines() == ["begun"])
        await asyncio.to_thread(machine.restart)
        assert await running is Outcome.DONE
    assert effects(machine) == ["a"]
    assert watch.lines() == ["begun", "begun"]


def test_a_machine_that_restarts_while_the_engine_is_dead(lab: Lab, machine: Machine) -> None:
    """Killed while a step runs, the machine restarted, resumed: asked, then done once."""
    made = plan(step("a", "m1", **once(LOG, "a", body=SECOND_TIME_LUCKY)))
    run = new_run(made)
    code, output = run_engine(run.folder, {**told(lab, machine), "kill_after": 5})
    assert code == -signal.SIGKILL, output
    machine.restart()
    code, output = run_engine(run.folder, told(lab, machine))
    assert code == 0, output
    assert effects(machine) == ["a"]
    texts = [str(e.data["text"]) for e in read(run.journal) if e.kind is Kind.NOTE]
    assert any("knows nothing of the command" in text for text in texts)


async def test_waiting_polls_on_the_machine_and_explains_when_time_is_up(
    lab: Lab, lab_machines: LabMachines
) -> None:
    (machine,) = lab_machines(1)
    until = {"script": "test -e /root/ready || { echo not yet; exit 1; }"}
    explain = {"script": "echo the file /root/ready is not there"}
    wait: dict[str, Any] = {"kind": "wait", "until": until, "every_seconds": 0.1}
    late = plan(step("w", "m1", **wait, explain=explain, timeout_minutes=0.02))
    soon = plan(step("w", "m1", **wait, timeout_minutes=1))
    async with Pool(site(lab, machine)) as pool:
        failing = engine(late, pool=pool)
        assert await failing.run() is Outcome.FAILED
        assert (
            "it is still not so: the file /root/ready is not there"
            in failing.failures[0].problem.cause
        )
        watch = Watch()
        running = asyncio.create_task(engine(soon, pool=pool, watch=watch).run())
        await when(lambda: "not yet" in watch.lines())
        machine.exec(["touch", "/root/ready"])
        machine.altered = True
        assert await running is Outcome.DONE
        assert await engine(soon, pool=pool).run() is Outcome.ALREADY


async def test_a_stopped_service_is_told_at_once_since_when_and_how_it_is_started(
    lab: Lab, lab_machines: LabMachines
) -> None:
    (machine,) = lab_machines(1)
    machine.altered = True
    machine.exec(["systemctl", "stop", "chrony.service"])
    until = {"command": ["systemctl", "is-active", "chrony.service"]}
    made = plan(step("w", "m1", kind="wait", until=until, every_seconds=0.1, timeout_minutes=30))
    async with Pool(site(lab, machine)) as pool:
        failing = engine(made, pool=pool)
        async with asyncio.timeout(300):  # and not half an hour
            assert await failing.run() is Outcome.FAILED
    problem = failing.failures[0].problem
    assert "chrony.service is stopped since " in problem.cause
    assert "systemctl enable --now chrony.service" in problem.remedy


async def test_a_wrong_sudo_password_is_said_at_once_and_not_retried(
    lab: Lab, lab_machines: LabMachines
) -> None:
    machines = lab_machines(1)
    made = plan(step("a", "m1", **once(LOG, "a")))
    run, watch = new_run(made), Watch()
    wrong = Credentials(sudo_password=Secret("not the password"))
    async with Pool(site(lab, *machines, user="engineer"), wrong) as pool:
        failing = engine(made, run, pool=pool, watch=watch)
        assert await failing.run() is Outcome.FAILED
        assert failing.failures[0].problem.code == "sudo-refused"
        assert len(watch.of(Kind.STEP_STARTED)) == 1
    right = Credentials(sudo_password=Secret(lab.password))
    async with Pool(site(lab, *machines, user="engineer"), right) as pool:
        assert await engine(made, run, pool=pool).run() is Outcome.DONE
    assert effects(machines[0]) == ["a"]


async def test_a_full_disk_leaves_the_file_as_it_was(
    lab: Lab, machine_factory: MachineFactory
) -> None:
    machine = machine_factory()
    machine.fill_disk("/srv", 1 << 20, free=8192)
    machine.script("echo old > /srv/conf")
    content = "x" * 100_000
    made: Plan = plan(step("f", "m1", kind="file", path="/srv/conf", content=content))
    async with Pool(site(lab, machine)) as pool:
        run = new_run(made)
        failing = engine(made, run, pool=pool)
        assert await failing.run() is Outcome.FAILED
        assert any("No space left" in line or "disk full" in line
                   for line in failing.failures[0].lines), failing.failures  # fmt: skip
        assert machine.exec(["ls", "-A", "/srv"]).stdout.split() == [".filled", "conf"]
        assert machine.exec(["cat", "/srv/conf"]).stdout == "old\n"
        machine.exec(["rm", "/srv/.filled"])
        assert await engine(made, run, pool=pool).run() is Outcome.DONE
        assert machine.exec(["cat", "/srv/conf"]).stdout == content

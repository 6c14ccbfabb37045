"""Durable jobs on real machines with systemd, and as detached processes on this machine."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import uuid
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import pytest

from foundation.hosts.connection import Become, Connection
from foundation.hosts.jobs import jobs
from foundation.hosts.jobs.jobs import JobLine, JobSpec, JobState
from foundation.hosts.jobs.jobs_systemd import LOST
from foundation.hosts.local import LocalConnection
from foundation.hosts.model import Host, Inventory
from foundation.hosts.pool import Pool
from foundation.problems import ConnectionLost, InputProblem
from tests.foundation.processes import BOUNDS, PATIENCE
from tests.lab.lab import Lab
from tests.lab.lending import LabMachines, MachineFactory
from tests.lab.machine import Machine

COUNT = 50_000
"""Lines of the long output; journald's own limit would let 35,000 of them through."""
SHORT_JOBS = 12
"""Jobs of one line; now and then one overtakes systemd's own word about it under load."""


def new_id() -> str:
    """An id that no test used before."""
    return f"sw-test-{uuid.uuid4().hex[:12]}"


def inventory_of(lab: Lab, machines: list[Machine]) -> Inventory:
    """The machines as the lab's user who has sudo."""
    hosts = tuple(
        Host(m.name, m.address, user="ubuntu", identity_files=(lab.key,)) for m in machines
    )
    return Inventory(hosts=hosts, known_hosts=(lab.known_hosts,), use_ssh_config=False)


@pytest.fixture(params=[pytest.param("systemd", marks=pytest.mark.lab), "detached"])
async def connection(request: pytest.FixtureRequest) -> AsyncIterator[Connection]:
    """A machine with systemd, and this one, where a job is a detached process."""
    if request.param == "detached":
        yield LocalConnection(Host("here", "local"))
        return
    lab: Lab = request.getfixturevalue("lab")
    lend: LabMachines = request.getfixturevalue("lab_machines")
    inventory = inventory_of(lab, lend(1))
    async with Pool(inventory) as pool:
        yield await pool.connect(inventory.hosts[0])


@pytest.fixture
def become(connection: Connection) -> Become:
    """Root on lab machines; on this one, whoever runs the tests."""
    return Become.LOGIN if connection.host.local else Become.ROOT


async def started_and_followed(
    connection: Connection, spec: JobSpec, become: Become = Become.ROOT
) -> tuple[list[JobLine], jobs.JobStatus]:
    """Start a job, follow it to its end as a run does, and ask how it ended."""
    await jobs.start(connection, replace(spec, followed=True), become=become)
    lines = [line async for line in jobs.follow(connection, spec.id, become=become)]
    return lines, await jobs.status(connection, spec.id, become=become)


async def run_through(
    connection: Connection, spec: JobSpec, become: Become
) -> tuple[list[JobLine], jobs.JobStatus]:
    """Start a job, follow it to its end and ask how it ended; then forget it."""
    lines, status = await started_and_followed(connection, spec, become)
    await jobs.forget(connection, spec.id, become=become)
    return lines, status


def texts(lines: list[JobLine]) -> list[str]:
    """What the job itself wrote."""
    return [line.text for line in lines if line.stream == "stdout" and line.text]


async def test_arguments_arrive_as_they_are(connection: Connection, become: Become) -> None:
    """Neither a shell, systemd's variables nor its specifiers touch an argument."""
    words = ["$HOME", "${X}", "$$", "%n %%", "a b", "'", '"', "\\", "*", "`id`", ";&|", "ünï"]
    spec = JobSpec(new_id(), ("printf", "%s|\n", *words))
    lines, status = await run_through(connection, spec, become)
    assert texts(lines) == [f"{word}|" for word in words]
    assert (status.state, status.exit_status) == (JobState.SUCCEEDED, 0)


async def test_environment_and_folder(connection: Connection, become: Become) -> None:
    spec = JobSpec(
        new_id(), ("sh", "-c", 'echo "$A"; pwd'), environment=(("A", "b $c %d"),), directory="/usr"
    )
    lines, _ = await run_through(connection, spec, become)
    assert texts(lines) == ["b $c %d", "/usr"]


async def test_a_failure_has_its_status(connection: Connection, become: Become) -> None:
    spec = JobSpec(new_id(), ("sh", "-c", "echo out; echo err >&2; printf end; exit 7"))
    lines, status = await run_through(connection, spec, become)
    assert texts(lines) == ["out", "err", "end"]
    assert (status.state, status.exit_status) == (JobState.FAILED, 7)


async def test_a_program_that_there_is_not(connection: Connection, become: Become) -> None:
    _, status = await run_through(connection, JobSpec(new_id(), ("no-such-program",)), become)
    assert (status.state, status.exit_status) == (JobState.FAILED, 127)


async def test_the_machine_ends_what_takes_too_long(connection: Connection, become: Become) -> None:
    said: list[str] = []
    for seconds in BOUNDS[-2:]:
        spec = JobSpec(new_id(), ("sh", "-c", "echo begun; sleep 1000"), timeout=seconds)
        lines, status = await run_through(connection, spec, become)
        assert status.state is JobState.TIMED_OUT
        if said := texts(lines):
            break
    assert said == ["begun"]


async def test_stop_and_forget(connection: Connection, become: Become) -> None:
    """A stopped job is told as stopped, and a forgotten one is gone."""
    spec = JobSpec(new_id(), ("sh", "-c", "echo begun; sleep 1000 & wait"))
    await jobs.start(connection, spec, become=become)
    assert (await jobs.status(connection, spec.id, become=become)).state is JobState.RUNNING
    await jobs.stop(connection, spec.id, become=become)
    status = await jobs.status(connection, spec.id, become=become)
    assert (status.state, status.result) == (JobState.FAILED, "stopped")
    await jobs.forget(connection, spec.id, become=become)
    status = await jobs.status(connection, spec.id, become=become)
    assert status.state is JobState.GONE


async def test_starting_again_does_nothing_again(
    connection: Connection, become: Become, tmp_path: Path
) -> None:
    """A job of that id that runs, ended or failed is left alone."""
    mark = f"/tmp/{tmp_path.name}-{uuid.uuid4().hex}"
    for exit_status in (0, 1):
        spec = JobSpec(new_id(), ("sh", "-c", f"echo x >>{mark}; cat; exit {exit_status}"),
                       stdin=b"input")  # fmt: skip
        for _ in range(3):
            await jobs.start(connection, spec, become=become)
        async for _ in jobs.follow(connection, spec.id, become=become):
            pass
        await jobs.start(connection, spec, become=become)
        await jobs.forget(connection, spec.id, become=become)
    done = await connection.run(["cat", mark])
    assert done.stdout == b"x\nx\n"
    await connection.run(["rm", "-f", mark], become=become)


async def test_a_job_that_never_was(connection: Connection, become: Become) -> None:
    """Following it ends at once, and it is gone."""
    job_id = new_id()
    assert [line async for line in jobs.follow(connection, job_id, become=become)] == []
    assert (await jobs.status(connection, job_id, become=become)).state is JobState.GONE


async def test_every_line_of_a_long_output(connection: Connection, become: Become) -> None:
    spec = JobSpec(new_id(), ("seq", str(COUNT)))
    lines, _ = await run_through(connection, spec, become)
    assert texts(lines) == [str(number + 1) for number in range(COUNT)]


async def test_following_goes_on_after_any_cursor(connection: Connection, become: Become) -> None:
    spec = JobSpec(new_id(), ("seq", "300"))
    await jobs.start(connection, spec, become=become)
    whole = [line async for line in jobs.follow(connection, spec.id, become=become)]
    for at in (0, 1, 150, 298):
        rest = [
            line
            async for line in jobs.follow(
                connection, spec.id, cursor=whole[at].cursor, become=become
            )
        ]
        assert texts(rest) == texts(whole[at + 1 :])
    await jobs.forget(connection, spec.id, become=become)


async def test_hostile_output(connection: Connection, become: Become) -> None:
    """Controls are made visible, colours go, bytes that are no text are replaced, lines bounded."""
    script = (
        r"printf '\033[31mred\033[0m\001\r\n\377\376bad\n\342\200\256turned\n"
        r"sitewright: the job ended 000000000000000000000000\n'; "
        "head -c 1000000 /dev/zero | tr '\\000' x; echo; echo after"
    )
    lines, _ = await run_through(connection, JobSpec(new_id(), ("sh", "-c", script)), become)
    seen = texts(lines)
    assert seen[:4] == [
        "red␁", "\ufffd\ufffdbad", "\ufffdturned",
        "sitewright: the job ended 000000000000000000000000",
    ]  # fmt: skip
    assert seen[-1] == "after"
    assert seen[4].startswith("xxxx")
    assert all(len(text) < 70_000 for text in seen)
    assert all(text.isprintable() for text in seen)


async def test_a_secret_on_standard_input_is_found_nowhere(
    connection: Connection, become: Become
) -> None:
    """Neither in arguments, units, the journal nor a file, while the job runs and afterwards."""
    secret = f"hush-{secrets.token_hex(12)}"
    # Its two halves are given apart, so that the search does not find itself.
    halves = (secret[:9], secret[9:])
    search = (
        'w="$0$1"; for p in /proc/[0-9]*; do [ "${p#/proc/}" = $$ ] && continue; '
        'tr "\\000" "\\n" <"$p/cmdline" 2>/dev/null | grep -aF -e "$w" && echo "$p"; '
        'tr "\\000" "\\n" <"$p/environ" 2>/dev/null | grep -aF -e "$w" && echo "$p"; done; '
        'grep -rlaF -e "$w" /run/sitewright* /run/systemd /var/lib/sitewright /var/tmp '
        '"$HOME/.local/state/sitewright" /dev/shm 2>/dev/null; '
        'journalctl --no-pager 2>/dev/null | grep -F -e "$w"; true'
    )
    mark = f"/tmp/{new_id()}"
    spec = JobSpec(
        new_id(),
        ("sh", "-c", 'read word; echo ${#word}; until [ -e "$0" ]; do sleep 0.1; done', mark),
        stdin=f"{secret}\n".encode(),
    )
    await jobs.start(connection, spec, become=become)
    found = await connection.run(["sh", "-c", search, *halves], become=become)
    assert (await jobs.status(connection, spec.id, become=become)).state is JobState.RUNNING
    await connection.run(["touch", mark])
    lines = [line async for line in jobs.follow(connection, spec.id, become=become)]
    assert texts(lines) == [str(len(secret))]
    await connection.run(["rm", "-f", mark])
    again = await connection.run(["sh", "-c", search, *halves], become=become)
    await jobs.forget(connection, spec.id, become=become)
    assert (found.stdout, again.stdout) == (b"", b"")


async def test_large_binary_input_arrives_whole(connection: Connection, become: Become) -> None:
    data = secrets.token_bytes(3_000_000)
    lines, _ = await run_through(connection, JobSpec(new_id(), ("cksum",), stdin=data), become)
    there = await connection.run(["cksum"], stdin=data)
    assert texts(lines) == [there.stdout.decode().strip()]


async def test_a_machine_that_is_slow_to_begin_a_job_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was told as one that could not be started, and ran all the same."""
    looks, programs = tmp_path / "looks", tmp_path / "programs"
    programs.mkdir()
    slow = "n=0; until [ $(wc -l <LOOKS) -gt 600 ] || [ $n -gt 600 ]; do"
    for name, script in {
        "sleep": "echo >>LOOKS; exec REAL 0.001",
        "flock": f'{slow} /bin/sleep 0.05; n=$((n + 1)); done; exec REAL "$@"',
    }.items():
        real = shutil.which(name)
        assert real is not None
        text = script.replace("LOOKS", str(looks)).replace("REAL", real)
        (programs / name).write_text(f"#!/bin/sh\n{text}\n")
        (programs / name).chmod(0o755)
    looks.touch()
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    here = LocalConnection(Host("here", "local"))
    lines, status = await run_through(here, JobSpec(new_id(), ("echo", "hi")), Become.LOGIN)
    assert texts(lines) == ["hi"]
    assert status.state is JobState.SUCCEEDED


@pytest.mark.parametrize(
    "spec",
    [
        JobSpec("UPPER", ("true",)),
        JobSpec("a/../b", ("true",)),
        JobSpec("ok", ()),
        JobSpec("ok", ("a\0b",)),
        JobSpec("ok", ("true",), directory="relative"),
        JobSpec("ok", ("true",), environment=(("A=B", "c"),)),
        JobSpec("ok", ("true",), timeout=0),
    ],
)
async def test_specs_that_cannot_be_jobs(spec: JobSpec) -> None:
    with pytest.raises(InputProblem):
        await jobs.start(LocalConnection(Host("here", "local")), spec, become=Become.LOGIN)


# --- trouble, on lab machines -----------------------------------------------------------------


@pytest.mark.lab
async def test_no_line_is_lost_or_doubled_over_broken_connections(
    lab: Lab, lab_machines: LabMachines
) -> None:
    """The connection is killed again and again while 50,000 lines are written."""
    [machine] = lab_machines(1)
    machine.altered = True
    inventory = inventory_of(lab, [machine])
    script = f'seq {COUNT} | while read n; do echo "$n"; [ $((n % 5000)) != 0 ] || sleep 0.3; done'
    spec = JobSpec(new_id(), ("sh", "-c", script))
    seen: list[str] = []
    killed = 0
    async with Pool(inventory) as pool:
        host = inventory.hosts[0]
        await jobs.start(await pool.connect(host), spec)
        lines = jobs.follow_again(lambda: pool.connect(host), spec.id)
        async for line in lines:
            seen += texts([line])
            if killed < 4 and len(seen) >= 9000 * (killed + 1):
                killed += 1
                await asyncio.to_thread(machine.script, "pkill -KILL -u ubuntu sshd; true")
        assert killed == 4
        assert seen == [str(number + 1) for number in range(COUNT)]
        assert (await jobs.status(await pool.connect(host), spec.id)).state is JobState.SUCCEEDED


@pytest.mark.lab
async def test_the_first_line_is_there_whatever_stands_before_it(
    lab: Lab, lab_machines: LabMachines
) -> None:
    """A line that overtakes systemd's own "Started" is the first entry after another unit's."""
    [machine] = lab_machines(1)
    machine.altered = True
    inventory = inventory_of(lab, [machine])
    script = "logger -t other between; journalctl --sync; echo first; echo second"
    spec = JobSpec(new_id(), ("sh", "-c", script), mark=True)
    # The place from which the job is read is moved to the entry just before its first line.
    move = (
        'journalctl -q -o json -t other | sed -n \'$s/.*"__CURSOR" *: *"\\([^"]*\\)".*/\\1/p\' '
        '>"/run/sitewright/jobs/$0/cursor"'
    )
    async with Pool(inventory) as pool:
        connection = await pool.connect(inventory.hosts[0])
        lines, _ = await started_and_followed(connection, spec)
        assert texts(lines) == ["first", "second"]
        await connection.run(["sh", "-c", move, spec.id], become=Become.ROOT)
        again = [line async for line in jobs.follow(connection, spec.id)]
        assert texts(again) == ["first", "second"]
        await jobs.forget(connection, spec.id)


@pytest.mark.lab
async def test_what_the_journal_did_not_keep_is_said(lab: Lab, lab_machines: LabMachines) -> None:
    """The journal is emptied, as a disk that runs full does it, before the job is read."""
    [machine] = lab_machines(1)
    machine.altered = True
    inventory = inventory_of(lab, [machine])
    spec = JobSpec(new_id(), ("echo", "a word that nobody will read"))
    async with Pool(inventory) as pool:
        connection = await pool.connect(inventory.hosts[0])
        await jobs.start(connection, spec)
        async with asyncio.timeout(PATIENCE):
            while (await jobs.status(connection, spec.id)).state is JobState.RUNNING:  # noqa: ASYNC110 - on a machine
                await asyncio.sleep(0.02)
        empty = "journalctl --sync; journalctl --rotate; journalctl --vacuum-time=1us"
        await connection.run(["sh", "-c", empty], become=Become.ROOT)
        lines = [line async for line in jobs.follow(connection, spec.id)]
        assert [line.text for line in lines] == [LOST]
        await jobs.forget(connection, spec.id)


@pytest.mark.lab
async def test_very_short_jobs_lose_no_line_under_load(lab: Lab, lab_machines: LabMachines) -> None:
    """One line each, three at a time, while other processes keep the processors busy."""
    [machine] = lab_machines(1)
    machine.altered = True
    inventory = inventory_of(lab, [machine])
    busy = JobSpec(new_id(), ("sh", "-c", "for n in 1 2; do while :; do :; done & done; wait"))
    async with Pool(inventory) as pool:
        connection = await pool.connect(inventory.hosts[0])
        await jobs.start(connection, busy)

        async def one(number: int) -> list[str]:
            spec = JobSpec(new_id(), ("echo", str(number)))
            lines, _ = await started_and_followed(connection, spec)
            await jobs.forget(connection, spec.id)
            return texts(lines)

        async def several(first: int) -> list[list[str]]:
            return [await one(number) for number in range(first, SHORT_JOBS, 3)]

        found = await asyncio.gather(*(several(first) for first in range(3)))
        await jobs.forget(connection, busy.id)
    seen = sorted((line for part in found for one_job in part for line in one_job), key=int)
    assert seen == [str(number) for number in range(SHORT_JOBS)]


@pytest.mark.lab
async def test_a_broken_connection_is_told(lab: Lab, lab_machines: LabMachines) -> None:
    """`follow` itself does not connect again: the job runs on without it."""
    [machine] = lab_machines(1)
    inventory = inventory_of(lab, [machine])
    go = f"/run/{new_id()}"
    wait = f"until [ -e {go} ]; do sleep 0.1; done"
    spec = JobSpec(new_id(), ("sh", "-c", f"echo one; {wait}; echo two"))
    async with Pool(inventory) as pool:
        host = inventory.hosts[0]
        connection = await pool.connect(host)
        await jobs.start(connection, spec)
        seen: list[JobLine] = []

        async def follow_and_break() -> None:
            async for line in jobs.follow(connection, spec.id):
                seen.append(line)
                await asyncio.to_thread(machine.script, "pkill -KILL -u ubuntu sshd; true")

        with pytest.raises(ConnectionLost):
            await follow_and_break()
        await asyncio.to_thread(machine.exec, ["touch", go])
        again = await pool.connect(host)
        rest = [line async for line in jobs.follow(again, spec.id, cursor=seen[-1].cursor)]
        assert texts(seen + rest) == ["one", "two"]
        await jobs.forget(again, spec.id)


@pytest.mark.lab
async def test_a_restarted_machine_knows_nothing_of_the_job(
    lab: Lab, machine_factory: MachineFactory
) -> None:
    """It is gone, the boot is another, and what it wrote before is still read."""
    machine = machine_factory(keep_journal=True)
    inventory = inventory_of(lab, [machine])
    spec = JobSpec(new_id(), ("sh", "-c", "echo before; sleep 1000"))
    async with Pool(inventory) as pool:
        host = inventory.hosts[0]
        connection = await pool.connect(host)
        await jobs.start(connection, spec)
        before = await jobs.status(connection, spec.id)
        async with aclosing(jobs.follow(connection, spec.id)) as lines_before:
            assert (await anext(lines_before)).text  # it has begun, and written that
        await asyncio.to_thread(machine.restart)
        connection = await pool.connect(host)
        after = await jobs.status(connection, spec.id)
        assert (before.state, after.state) == (JobState.RUNNING, JobState.GONE)
        assert before.boot_id != after.boot_id
        lines = [line async for line in jobs.follow(connection, spec.id)]
        assert texts(lines) == ["before"]


@pytest.mark.lab
async def test_services_are_followed_with_the_job(lab: Lab, lab_machines: LabMachines) -> None:
    """Lines of other units since the job's start come in between, with the unit's name."""
    [machine] = lab_machines(1)
    inventory = inventory_of(lab, [machine])
    script = "logger-unit() { systemd-run --quiet --wait --unit=beside echo from beside; }"
    words = ("sh", "-c", script.replace("logger-unit", "f") + "; f; echo mine")
    spec = JobSpec(new_id(), words, mark=True)
    async with Pool(inventory) as pool:
        connection = await pool.connect(inventory.hosts[0])
        await jobs.start(connection, spec)
        units = ["beside.service"]
        lines = [line async for line in jobs.follow(connection, spec.id, units=units)]
        assert texts(lines) == ["mine"]
        beside = [line for line in lines if line.unit == "beside.service"]
        assert "from beside" in [line.text for line in beside]
        await jobs.forget(connection, spec.id)


@pytest.mark.lab
async def test_services_are_followed_alone(lab: Lab, lab_machines: LabMachines) -> None:
    [machine] = lab_machines(1)
    inventory = inventory_of(lab, [machine])
    seen: list[JobLine] = []
    async with Pool(inventory) as pool:
        connection = await pool.connect(inventory.hosts[0])

        async def follow() -> None:
            async for line in jobs.follow_units(connection, ["chatty.service"]):
                seen.append(line)

        task = asyncio.create_task(follow())
        try:
            # It follows from when journalctl is up, so what is said is said until it is heard.
            async with asyncio.timeout(PATIENCE):
                while not any(line.text == "hello" for line in seen):
                    command = ["systemd-run", "--quiet", "--wait", "--collect", "--unit=chatty"]
                    await connection.run([*command, "echo", "hello"], become=Become.ROOT)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
    assert {line.unit for line in seen} == {"chatty.service"}

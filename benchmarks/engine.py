"""The engine on lab machines: a finished plan again, what a step costs beside ssh, a million lines.

Each step of the first is asked whether it is done, over connections of its own. For the second the
same command runs through `ssh` with a connection that is open already, and as a script step, in
turn. For the third every machine writes its share at once; the journal is read back and counted.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncssh

from foundation.hosts.model import Host, Inventory
from foundation.hosts.pool import Pool
from installer.events import Event, Kind, Outcome
from installer.plans.plan import Plan, PlannedStage, PlannedStep
from installer.record.journal import read
from installer.record.runs import Run, create_run
from installer.record.site_lock import Lock
from installer.running.engine import Engine
from installer.running.order import Order, Tools
from installer.steps.kind import Answer, Question

COMMAND = "uname -sr; id -un"


@dataclass(frozen=True)
class Place:
    """The lab as `python -m tests.lab up` describes it."""

    addresses: list[str]
    key: Path
    known_hosts: Path

    @property
    def inventory(self) -> Inventory:
        """The machines as m1, m2, …"""
        return Inventory(
            hosts=tuple(
                Host(f"m{n}", address, user="ubuntu", identity_files=(self.key,))
                for n, address in enumerate(self.addresses, 1)
            ),
            known_hosts=(self.known_hosts,),
            use_ssh_config=False,
        )


def plan_of(stages: dict[str, list[tuple[str, str, Sequence[str], dict[str, Any]]]]) -> Plan:
    """A plan of (name, kind, machines, data) by stage."""
    planned = []
    for stage, steps in stages.items():
        inside = tuple(
            PlannedStep(stage, name, kind, f"Do {name}", tuple(hosts), spec)
            for name, kind, hosts, spec in steps
        )
        planned.append(PlannedStage(stage, stage, "to measure", "none", (), (), inside))
    names = dict.fromkeys(h for steps in stages.values() for one in steps for h in one[2])
    return Plan("benchmark", "lab", tuple(planned), tuple((name, ()) for name in names), ())


async def nobody(question: Question) -> Answer:
    """Nothing is asked here."""
    raise AssertionError(question)


class Watch:
    """Counts events and keeps how long steps took."""

    def __init__(self) -> None:
        self.lines = 0
        self.seconds: list[float] = []

    def __call__(self, events: Sequence[Event]) -> None:
        for event in events:
            if event.kind is Kind.LINE:
                self.lines += 1
            elif event.kind is Kind.STEP_FINISHED:
                self.seconds.append(float(str(event.data["seconds"])))


async def carry(place: Place, plan: Plan, *, expect: Outcome) -> tuple[float, Run, Watch]:
    """One run with the site's lock and connections of its own; seconds, the run, what was seen."""
    watch = Watch()
    began = time.perf_counter()
    with Lock("benchmark", by="benchmark") as lock:
        async with Pool(place.inventory) as pool:
            run = create_run("benchmark", plan)
            engine = Engine(Order(plan=plan), run, Tools(machines=pool, ask=nobody, lock=lock))
            engine.subscribe(watch)
            outcome = await engine.run()
    assert outcome is expect, (outcome, [failure.problem for failure in engine.failures])
    return time.perf_counter() - began, run, watch


# -- a finished plan again ------------------------------------------------------------------------


def finished_plan(names: Sequence[str]) -> Plan:
    """Five stages of script, file and wait steps on every machine, one of them rolling."""

    def script(word: str) -> dict[str, Any]:
        file = f"/var/tmp/sitewright-benchmark-{word}"  # noqa: S108 - of a lab machine
        return {"script": f"echo {word} >{file}\n", "done": {"script": f"test -e {file}"}}

    stages: dict[str, list[tuple[str, str, Sequence[str], dict[str, Any]]]] = {}
    for n in range(5):
        stages[f"stage-{n}"] = [
            (f"script-{n}", "script", names, script(f"a{n}")),
            (f"file-{n}", "file", names, {"path": f"/etc/sitewright-{n}", "content": f"{n}\n"}),
            (f"wait-{n}", "wait", names, {"until": {"command": ["true"]}}),
        ]
    stages["rolling"] = [("one-by-one", "script", names, {**script("r"), "rolling": 1})]
    return plan_of(stages)


async def again(place: Place, rounds: int) -> None:
    """Do a plan once, then measure how long it takes to find everything done."""
    names = [host.name for host in place.inventory.hosts]
    plan = finished_plan(names)
    steps = sum(len(step.hosts) for stage in plan.stages for step in stage.steps)
    first, _, _ = await carry(place, plan, expect=Outcome.DONE)
    print(f"{'a plan of ' + str(steps) + ' steps on machines, the first time':<56}{first:8.2f} s")
    ours, theirs = [], []
    for _ in range(rounds):
        theirs.append(await asked_barely(place, steps // len(names)))
        ours.append((await carry(place, plan, expect=Outcome.ALREADY))[0])
    base = show("asyncssh alone: a login and as many commands by sudo", theirs)
    show("the same plan again, everything asked and found done", ours, base)


async def asked_barely(place: Place, questions: int) -> float:
    """Log in to every machine at once and run so many commands as root there, one after another."""
    began = time.perf_counter()
    known_hosts = asyncssh.read_known_hosts(str(place.known_hosts))

    async def one(address: str) -> None:
        async with asyncssh.connect(
            address,
            username="ubuntu",
            client_keys=[str(place.key)],
            known_hosts=known_hosts,
            agent_path=None,
            config=[],
        ) as connection:
            for _ in range(questions):
                done = await connection.run("sudo -n sh -c true")
                assert done.returncode == 0

    await asyncio.gather(*(one(address) for address in place.addresses))
    return time.perf_counter() - began


# -- a step beside ssh ----------------------------------------------------------------------------


def ssh_to_first(place: Place, *options: str) -> list[str]:
    """The ssh command for the first machine."""
    return [
        "ssh", "-F", "none", "-i", str(place.key), "-o", f"UserKnownHostsFile={place.known_hosts}",
        "-o", "StrictHostKeyChecking=yes", "-o", "BatchMode=yes", *options,
        f"ubuntu@{place.addresses[0]}",
    ]  # fmt: skip


@asynccontextmanager
async def shared_ssh(place: Place, folder: str) -> AsyncIterator[list[str]]:
    """The ssh command for the first machine over a connection that is open already."""
    shared = ("-o", f"ControlPath={folder}/shared")
    await finished(ssh_to_first(place, *shared, "-o", "ControlMaster=yes", "-fN"))
    try:
        yield ssh_to_first(place, *shared)
    finally:
        await finished(ssh_to_first(place, *shared, "-O", "exit"))


async def finished(command: list[str]) -> None:
    """Run a program to its end."""
    null = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(*command, stdin=null, stdout=null, stderr=null)
    assert await process.wait() == 0, command


async def beside_ssh(place: Place, folder: str, rounds: int) -> None:
    """The same command through ssh and as a script step, in turn; both with an open connection."""
    step = [("command", "script", ["m1"], {"script": COMMAND})]
    theirs: list[float] = []
    fresh: list[float] = []
    ours: list[float] = []
    async with shared_ssh(place, folder) as ssh, Pool(place.inventory) as pool:
        bare = ssh_to_first(place)
        await pool.connect(place.inventory.hosts[0])
        plan = plan_of({"one": [("warm", "script", ["m1"], {"script": "true"}), *step]})
        for turn in range(rounds + 1):
            began = time.perf_counter()
            await finished([*ssh, "sudo", "-n", "sh", "-c", f"'{COMMAND}'"])
            middle = time.perf_counter()
            await finished([*bare, "sudo", "-n", "sh", "-c", f"'{COMMAND}'"])
            end = time.perf_counter()
            watch = Watch()
            run = create_run("beside", plan)
            engine = Engine(Order(plan=plan), run, Tools(machines=pool, ask=nobody))
            engine.subscribe(watch)
            assert await engine.run() is Outcome.DONE
            assert watch.lines == 2
            if turn:  # the first warms both up
                theirs.append(middle - began)
                fresh.append(end - middle)
                ours.append(watch.seconds[1])
    base = show("ssh over an open connection, the command alone", theirs)
    show("ssh with a login of its own", fresh, base)
    step_seconds = show("a script step, journalled, durable, verified", ours, base)
    print(f"{'overhead of the step over ssh':<56}{(step_seconds - base) * 1000:8.0f} ms")


# -- a million lines ------------------------------------------------------------------------------


async def many_lines(place: Place, total: int) -> None:
    """Every machine writes its share at once; on disk whole, and how the loop fared meanwhile."""
    names = [host.name for host in place.inventory.hosts]
    share = total // len(names)
    script = f"seq -f '%.0f jumps over the lazy dog, and writes on' 1 {share}"
    plan = plan_of({"lines": [("write", "script", names, {"script": script})]})
    before = peak()
    lag = asyncio.create_task(longest_stall())
    seconds, run, watch = await carry(place, plan, expect=Outcome.DONE)
    lag.cancel()
    stall = await lag
    memory = peak() - before
    size = sum(path.stat().st_size for path in (run.journal, *(run.folder / "logs").iterdir()))
    began = time.perf_counter()
    seen: dict[str, int] = {}
    for event in read(run.journal):
        if event.kind is Kind.LINE:
            seen[event.host] = seen.get(event.host, 0) + 1
            assert str(event.data["text"]).startswith(f"{seen[event.host]} "), event
    assert seen == dict.fromkeys(names, share), seen
    reading = time.perf_counter() - began
    lines = share * len(names)
    rate = f"{lines / seconds:,.0f} lines/s"
    print(f"{f'{lines:,} lines of {len(names)} machines, each whole and in order':<56}"
          f"{seconds:8.1f} s   {rate}")  # fmt: skip
    print(f"{'  on disk (journal and logs)':<56}{size / 1e6:8.0f} MB")
    print(f"{'  memory above the start':<56}{memory:8.0f} MB")
    print(f"{'  longest stall of the event loop, its own work':<56}{stall * 1000:8.0f} ms")
    print(f"{'  reading the journal again, each hash checked':<56}{reading:8.1f} s")
    assert watch.lines == lines


async def longest_stall() -> float:
    """How long the event loop worked at worst without answering anybody, until cancelled.

    Seconds of this thread's own processor time, so that a busy machine is not counted.
    """
    worst, last = 0.0, time.thread_time()
    try:
        while True:
            await asyncio.sleep(0.002)
            now = time.thread_time()
            worst, last = max(worst, now - last), now
    except asyncio.CancelledError:
        return worst


def peak() -> float:
    """The most memory that this process has had, MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


# -- all of it ------------------------------------------------------------------------------------


def show(name: str, seconds: list[float], base: float | None = None) -> float:
    """Print a row; return the median."""
    middle = statistics.median(seconds)
    ratio = f"   x {middle / base:5.2f}" if base else ""
    print(f"{name:<56}{middle:8.3f} s  ({min(seconds):.3f} to {max(seconds):.3f}){ratio}")
    return middle


async def measure(place: Place, options: argparse.Namespace, folder: str) -> None:
    """Everything, one after the other."""
    if "again" in options.what:
        await again(place, options.rounds)
    if "ssh" in options.what:
        await beside_ssh(place, folder, options.rounds * 4)
    if "lines" in options.what:
        await many_lines(place, options.lines)


def main() -> None:
    """Start the lab, measure, take the lab away."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="*", default=["again", "ssh", "lines"])
    parser.add_argument("--machines", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--lines", type=int, default=1_000_000)
    options = parser.parse_args()
    command = [sys.executable, "-m", "tests.lab", "up", str(options.machines)]
    lab = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert lab.stdin is not None
    assert lab.stdout is not None
    try:
        text = b""
        while not text.endswith(b"\n}\n"):
            line = lab.stdout.readline()
            if not line:
                raise SystemExit("the lab did not come up")
            text += line
        told = json.loads(text)
        place = Place(
            [machine["address"] for machine in told["machines"]],
            Path(told["key"]),
            Path(told["known_hosts"]),
        )
        with tempfile.TemporaryDirectory() as folder:
            os.environ["XDG_DATA_HOME"] = folder
            asyncio.run(measure(place, options, folder))
    finally:
        lab.stdin.close()
        lab.wait(timeout=120)


if __name__ == "__main__":
    main()

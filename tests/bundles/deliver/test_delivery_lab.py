"""A bundle delivered to twelve machines side by side, with one of every trouble among them."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import shlex
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from bundles.deliver.delivery import Consignment, Delivery, News
from bundles.deliver.source import BundleSource
from bundles.make.create import CreateOptions, create_bundle
from bundles.read.opened import open_bundle
from bundles.read.signature import load_signing_key
from bundles.read.structure import read_structure
from foundation.hosts import machine_lock
from foundation.hosts.model import Host, Inventory
from foundation.hosts.pool import Pool
from foundation.hosts.transfer import SUPPLIES, Blob, MachineFull, bring
from foundation.problems import ConnectionProblem
from installer.record.site_lock import this_holder
from tests.bundles.conftest import Keys, file_recipe, make
from tests.lab.lab import Lab
from tests.lab.lending import LabMachines, MachineFactory
from tests.lab.machine import Machine

pytestmark = pytest.mark.lab

MIB = 1024 * 1024
ORDER = Consignment(("files:*",), "folder", "delivered-folder")


def site(lab: Lab, machines: list[Machine]) -> Inventory:
    return Inventory(
        hosts=tuple(
            Host(one.name, one.address, one.port, user="ubuntu", identity_files=(lab.key,))
            for one in machines
        ),
        known_hosts=(lab.known_hosts,),
        use_ssh_config=False,
    )


def whole(machine: Machine) -> bool:
    """Whether every blob of a machine's store is what its name says."""
    lines = machine.script(f"cd {SUPPLIES}/blobs/sha256 && sha256sum -- *").splitlines()
    return bool(lines) and all(len(set(line.split())) == 1 for line in lines)


async def test_twelve_machines_of_which_some_are_in_trouble(
    lab: Lab, lab_machines: LabMachines, tmp_path: Path, keys: Keys
) -> None:
    """One is cut off, one reboots, one dies, one is full: nine and the mended ones are whole.

    A quick machine may have all of it before its reboot begins; it must be whole either way.
    """
    contents = {f"f{n}": os.urandom(2 * MIB) for n in range(4)}
    recipe = file_recipe(tmp_path / "src", **contents)
    bundle = await asyncio.to_thread(make, recipe, tmp_path / "bundle", keys.key)
    machines = lab_machines(12)
    for machine in machines:
        machine.altered = True
    cut, reboots, dies, full = machines[:4]
    full.fill_disk("/var/lib/sitewright", 64 * MIB, free=5 * MIB)
    troubled: set[str] = set()
    acts = {
        cut.name: lambda: cut.exec(["pkill", "-f", "sshd: ubuntu"], check=False),
        reboots.name: reboots.restart,
        dies.name: dies.kill,
    }
    news: list[News] = []
    tasks = []

    def hear(one: News) -> None:
        news.append(one)
        act = acts.get(one.host)
        if one.kind == "bytes" and one.done and act is not None and one.host not in troubled:
            troubled.add(one.host)
            if one.host == reboots.name:
                tasks.append(asyncio.ensure_future(asyncio.to_thread(act)))
            else:
                act()  # nothing more is sent meanwhile, so that it is in the middle

    with open_bundle(bundle) as opened:
        index = read_structure(opened).index
        async with Pool(site(lab, machines), connect_timeout=15.0) as pool:
            delivery = Delivery(opened, index, pool, parallel=12, patience=90.0, listener=hear)
            hosts = list(pool.inventory)
            results = {
                one.host: one for one in await delivery.deliver([(h, (ORDER,)) for h in hosts])
            }
            await asyncio.gather(*tasks)
            assert isinstance(results[full.name].problem, MachineFull)
            assert "nothing was sent" in str(results[full.name].problem)
            assert isinstance(results[dies.name].problem, ConnectionProblem)
            others = [m for m in machines if m not in (full, dies)]
            assert [results[m.name].problem for m in others] == [None] * 10
            assert all(await asyncio.gather(*(asyncio.to_thread(whole, m) for m in others)))

            # One whose disk fills up while it is being given something keeps what is whole.
            blobs = [Blob(hashlib.sha256(raw).hexdigest(), len(raw)) for raw in contents.values()]
            connection = await pool.connect(pool.inventory.hosts_by_name[full.name])
            with pytest.raises(MachineFull, match="the disk was full while"):
                await bring(connection, blobs, BundleSource(opened), spare=-(1 << 40))
            assert await asyncio.to_thread(whole, full)

            # Again: nothing is sent to those that have it, and the mended ones get theirs.
            await asyncio.to_thread(dies.start)
            await asyncio.to_thread(full.script, "umount /var/lib/sitewright")
            again = Delivery(opened, index, pool, parallel=12, patience=90.0)
            results = {one.host: one for one in await again.deliver([(h, (ORDER,)) for h in hosts])}
    assert {one.problem for one in results.values()} == {None}
    assert {results[m.name].sent for m in others} == {0}
    assert results[full.name].sent == 8 * MIB
    assert whole(dies)
    name = next(iter(contents))
    text = dies.script(f"sha256sum {SUPPLIES}/files/{name}")
    assert text.split()[0] == hashlib.sha256(contents[name]).hexdigest()


def create_older(folder: Path, keys: Keys) -> Path:
    """A bundle of the same solution and maker, made before the others of these tests."""
    recipe = file_recipe(folder / "src", kubectl=b"an older program")
    options = CreateOptions(created="2020-01-01T00:00:00Z", key=load_signing_key(keys.key))
    asyncio.run(create_bundle(recipe, folder / "bundle", options))
    return folder / "bundle"


def test_the_command_delivers_and_tells(
    lab: Lab, machine_factory: MachineFactory, tmp_path: Path, keys: Keys
) -> None:
    """As a user sees it: a report, JSON lines, a flipped byte, a machine that is not there."""
    bundle = make(
        file_recipe(tmp_path / "src", kubectl=b"a program" * 999, other=b"x"),
        tmp_path / "bundle", keys.key,
    )  # fmt: skip
    machine = machine_factory()
    machine.altered = True
    (tmp_path / "site.yaml").write_text(
        f"ssh: {{user: ubuntu, identity_files: [{lab.key}], known_hosts: {lab.known_hosts},"
        " config: false}\nhosts:\n"
        f"  - {{name: here, address: {machine.address}}}\n"
        f"  - {{name: gone, address: {lab.dead_address()}}}\n"
    )

    def run(*words: str, bundle: Path = bundle) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "-m", "installer", "bundle", "deliver", str(bundle), "--site",
                str(tmp_path / "site.yaml"), "--keys", str(keys.allowed),
                "--connect-timeout", "2", *words]  # fmt: skip
        return subprocess.run(argv, capture_output=True, text=True, check=False)

    done = run("--to", "folder", "--only", "kube*", "--json-lines")
    assert done.returncode == 4, done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert {event["event"] for event in events} >= {"bytes", "delivered", "failed", "result"}
    here = events[-1]["hosts"][0]
    assert (here["items"], here["sent_bytes"], here["problem"]) == (1, 9 * 999, None)
    assert machine.script(f"ls {SUPPLIES}/files") == "kubectl\n"
    again = run("--to", "folder", "--host", "here")
    assert (again.returncode, "delivered and verified there" in again.stdout) == (0, True)
    assert run("--to", "apt", "--host", "here").returncode == 2
    assert run("--to", "folder", "--host", "here", "--only", "nothing").returncode == 2
    assert run().returncode == 2  # no solution, so nobody knows what belongs where
    # Nothing is brought beside a run of somebody else.
    lock, there = (
        machine_lock.PATH,
        json.dumps({**asdict(this_holder("Ko Ko")), "laptop": "0" * 32}),
    )
    machine.script(f"printf '%s\\n' {'a' * 32} {shlex.quote(there)} >{lock}")
    held = run("--to", "folder", "--host", "here")
    assert (held.returncode, "Ko Ko" in held.stderr) == (7, True)
    machine.script(f"rm {lock}")
    # An older bundle of the same maker is refused by the machine, unless it is meant.
    older = create_older(tmp_path / "older", keys)
    refused = run("--to", "folder", "--host", "here", bundle=older)
    assert refused.returncode != 0
    assert "newer bundle" in refused.stdout
    assert machine.script(f"cat {SUPPLIES}/files/kubectl").startswith("a program")
    meant = run("--to", "folder", "--host", "here", "--allow-older", "A. Name", bundle=older)
    assert meant.returncode == 0, meant.stdout
    assert machine.script(f"cat {SUPPLIES}/files/kubectl") == "an older program"
    assert run("--to", "folder", "--host", "here").returncode == 0
    largest = max((bundle / "blobs/sha256").iterdir(), key=lambda file: file.stat().st_size)
    raw = bytearray(largest.read_bytes())
    raw[7] ^= 1
    largest.write_bytes(raw)
    machine.script(f"rm -r {SUPPLIES}")
    assert run("--to", "folder", "--host", "here").returncode == 6
    assert machine.exec(["ls", SUPPLIES], check=False).returncode != 0

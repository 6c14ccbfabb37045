"""Delivery: 1 GiB to one lab machine beside `scp`, to twelve, again with 5 % changed; memory.

    python -m benchmarks.deliver [--rounds 3] [--size 1024] [--twelve 128]

Both sides log in, copy the same files from the page cache and end when the machine has them; ours
is hashed there and written to the disk for good as well, scp's is neither. They take turns in one
call, and medians are printed. What `--twelve` says goes to each of twelve machines at once.
Memory is the peak of the whole command, which verifies the bundle before it delivers it.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bundles.deliver.delivery import Consignment, Delivered, Delivery
from bundles.format.recipe import Recipe
from bundles.make.create import CreateOptions, create_bundle
from bundles.read.opened import open_bundle
from bundles.read.structure import read_structure
from foundation.hosts.model import Host, Inventory
from foundation.hosts.pool import Pool
from foundation.hosts.transfer import SUPPLIES
from tests.lab.lab import Lab
from tests.lab.machine import Machine

MIB = 1 << 20
PART = 16
"""MiB of one file."""
ORDER = Consignment(("files:*",), "folder", "delivered-folder")


def fill(folder: Path, size: int) -> None:
    """Files of `PART` MiB each, `size` MiB together, of what cannot be packed."""
    folder.mkdir()
    for number in range(size // PART):
        (folder / f"f{number:04}").write_bytes(os.urandom(PART * MIB))


def bundle_of(files: Path, folder: Path) -> Path:
    """A bundle of a folder's files."""
    lines = []
    for file in sorted(files.iterdir()):
        with file.open("rb") as opened:
            sha256 = hashlib.file_digest(opened, "sha256").hexdigest()
        lines.append({"name": file.name, "url": file.as_uri(), "sha256": sha256})
    recipe = Recipe.model_validate({"solution": "b", "version": "1", "files": lines})
    asyncio.run(create_bundle(recipe, folder, CreateOptions()))
    return folder


def site(lab: Lab, machines: Sequence[Machine]) -> Inventory:
    """Machines of the lab; root logs in on both sides, so that sudo is on neither."""
    return Inventory(
        hosts=tuple(
            Host(one.name, one.address, one.port, user="root", identity_files=(lab.key,))
            for one in machines
        ),
        known_hosts=(lab.known_hosts,),
        use_ssh_config=False,
    )


def ours(lab: Lab, machines: Sequence[Machine], bundle: Path) -> tuple[float, list[Delivered]]:
    """Seconds until every machine has the bundle, and what was sent."""

    async def run() -> list[Delivered]:
        with open_bundle(bundle) as opened:
            index = read_structure(opened).index
            async with Pool(site(lab, machines)) as pool:
                delivery = Delivery(opened, index, pool, parallel=len(machines))
                return await delivery.deliver([(host, (ORDER,)) for host in pool.inventory])

    began = time.perf_counter()
    delivered = asyncio.run(run())
    seconds = time.perf_counter() - began
    for one in delivered:
        assert one.problem is None, one.problem
    return seconds, delivered


def scp(lab: Lab, machines: Sequence[Machine], files: Path) -> float:
    """Seconds until scp, one process a machine, has copied the same files."""
    began = time.perf_counter()
    running = [
        subprocess.Popen(
            [
                *("scp", "-q", "-r", "-F", "none", "-i", str(lab.key)),
                *("-o", f"UserKnownHostsFile={lab.known_hosts}", "-o", "BatchMode=yes"),
                *("-o", "IdentitiesOnly=yes", str(files), f"root@{machine.address}:/var/tmp/"),
            ]
        )
        for machine in machines
    ]
    assert [process.wait() for process in running] == [0] * len(machines)
    return time.perf_counter() - began


def cpu(machines: Sequence[Machine]) -> tuple[float, float]:
    """Seconds of CPU spent so far by this process and its children, and by the machines.

    On a machine that others use too, these say more than the clock.
    """
    here = sum(
        usage.ru_utime + usage.ru_stime
        for usage in (
            resource.getrusage(resource.RUSAGE_SELF),
            resource.getrusage(resource.RUSAGE_CHILDREN),
        )
    )
    there = 0.0
    for machine in machines:
        shown = ["podman", "inspect", "-f", "{{.Id}}", machine.container]
        name = subprocess.run(shown, capture_output=True, text=True, check=True).stdout.strip()
        for file in Path("/sys/fs/cgroup").glob(f"cpuacct/**/libpod-{name}*/cpuacct.usage"):
            there += int(file.read_text()) / 1e9
    return here, there


def forget(machines: Sequence[Machine], files: Path) -> None:
    """Take away on the machines what either side brought."""
    for machine in machines:
        machine.script(f"rm -rf {SUPPLIES} /var/tmp/{files.name}")


def compare(
    lab: Lab, machines: Sequence[Machine], bundle: Path, files: Path, rounds: int, size: int
) -> None:
    """Print the medians of both sides."""
    us, them = [], []
    spent: dict[str, list[tuple[float, float]]] = {"ours": [], "scp": []}
    for number in range(rounds):
        for side in ("ours", "scp") if number % 2 else ("scp", "ours"):
            before = cpu(machines)
            if side == "ours":
                us.append(ours(lab, machines, bundle)[0])
            else:
                them.append(scp(lab, machines, files))
            after = cpu(machines)
            spent[side].append((after[0] - before[0], after[1] - before[1]))
            forget(machines, files)
    for side, seconds in spent.items():
        here, there = (statistics.median(one) for one in zip(*seconds, strict=True))
        print(f"  CPU of {side}: {here:.2f} s here, {there:.2f} s on the machine(s)")
    mine, theirs = statistics.median(us), statistics.median(them)
    total = size * len(machines)
    print(
        f"{size} MiB to {len(machines)} machine(s): sitewright {mine:.2f} s "
        f"({total / mine:.0f} MiB/s; {min(us):.2f} to {max(us):.2f}), "
        f"scp {theirs:.2f} s ({total / theirs:.0f} MiB/s; {min(them):.2f} to {max(them):.2f}): "
        f"x{theirs / mine:.2f} as fast"
    )


def again(lab: Lab, machine: Machine, bundle: Path, files: Path, folder: Path) -> None:
    """Print what a second delivery costs after one file in twenty has changed."""
    first, delivered = ours(lab, [machine], bundle)
    changed = sorted(files.iterdir())[:: max(1, len(list(files.iterdir())) // 20 + 1)]
    part = max(1, len(list(files.iterdir())) // 20)
    for file in changed[:part]:
        file.write_bytes(os.urandom(PART * MIB))
    other = bundle_of(files, folder / "changed")
    second, later = ours(lab, [machine], other)
    share = part / len(list(files.iterdir()))
    print(
        f"again with {100 * share:.1f} % changed: {second:.2f} s of {first:.2f} s "
        f"({100 * second / first:.1f} %), {later[0].sent / MIB:.0f} of "
        f"{delivered[0].sent / MIB:.0f} MiB sent"
    )
    shutil.rmtree(other)


def memory(lab: Lab, machines: Sequence[Machine], bundle: Path, folder: Path) -> None:
    """Print the peak of the whole command with every machine at once."""
    hosts = "".join(f"  - {{name: {m.name}, address: {m.address}}}\n" for m in machines)
    site_file = folder / "site.yaml"
    site_file.write_text(
        f"ssh: {{user: root, identity_files: [{lab.key}], known_hosts: {lab.known_hosts},"
        f" config: false}}\nhosts:\n{hosts}"
    )
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.bundle_command", "deliver", str(bundle), "--site",
         str(site_file), "--to", "folder", "--quiet", "--parallel", str(len(machines))],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    seconds = time.perf_counter() - began
    peak = int(done.stderr.rpartition("peak ")[2]) / 1024
    print(f"the whole command to {len(machines)} machines: {seconds:.2f} s, peak {peak:.0f} MB")


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--size", type=int, default=1024, help="MiB to one machine")
    parser.add_argument("--twelve", type=int, default=128, help="MiB to each of twelve")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sitewright-deliver-") as name, Lab() as lab:
        folder = Path(name)
        machines = lab.machines(12)
        fill(folder / "files", options.size)
        bundle = bundle_of(folder / "files", folder / "bundle")
        one = machines[:1]
        compare(lab, one, bundle, folder / "files", options.rounds, options.size)
        again(lab, one[0], bundle, folder / "files", folder)
        forget(one, folder / "files")
        shutil.rmtree(bundle)
        shutil.rmtree(folder / "files")
        fill(folder / "small", options.twelve)
        bundle = bundle_of(folder / "small", folder / "bundle")
        compare(lab, machines, bundle, folder / "small", options.rounds, options.twelve)
        memory(lab, machines, bundle, folder)


if __name__ == "__main__":
    main()

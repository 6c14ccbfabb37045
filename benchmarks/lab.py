"""Twelve lab machines: the whole preflight, a bare asyncssh login with one script, and Ansible.

The bare side logs in to every machine with asyncssh, verifies the host keys, runs the same probe
script and keeps its output: it judges nothing. Both run in one process, interleaved. As whole
processes, `sitewright preflight` is set against `ansible -m setup` with one fork a machine.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import asyncssh

from foundation.hosts.model import Host, Inventory
from foundation.hosts.pool import Pool
from installer.catalogue.solution import load_solution
from preflight import mesh as between
from preflight.judge import assess
from preflight.report import render
from preflight.survey import survey

ROLES = ["master"] * 3 + ["worker"] * 3 + ["load-balancer"] * 2 + ["storage"] * 3 + ["bastion"]
SCRIPT = Path(between.__file__).with_name("probe.sh").read_bytes()


@dataclass(frozen=True)
class Place:
    """The lab as `python -m tests.lab up` describes it."""

    addresses: list[str]
    key: str
    known_hosts: str
    user: str
    dead: str
    silent: str


async def bare(place: Place) -> float:
    """Log in to every machine at once, run the script, keep the output; seconds."""
    started = time.perf_counter()
    known_hosts = asyncssh.read_known_hosts(place.known_hosts)
    keys = [asyncssh.read_private_key(place.key)]

    async def one(address: str) -> int:
        async with asyncssh.connect(
            address,
            username=place.user,
            client_keys=keys,
            known_hosts=known_hosts,
            agent_path=None,
            config=[],
        ) as connection:
            done = await connection.run(
                "sudo -n sh -s probe-0123456789abcdef", input=SCRIPT, encoding=None
            )
            return len(done.stdout or b"")

    sizes = await asyncio.gather(*(one(address) for address in place.addresses))
    assert all(size > 1000 for size in sizes), sizes
    return time.perf_counter() - started


async def rows(place: Place, *, trouble: bool) -> float:
    """Seconds until the last good machine's row is there, with or without two bad ones in front."""
    started = time.perf_counter()
    bad = [("dead", place.dead), ("silent", place.silent)] if trouble else []
    good = [(f"n{number}", address) for number, address in enumerate(place.addresses)]
    hosts = tuple(
        Host(name=name, address=address, user=place.user, identity_files=(Path(place.key),))
        for name, address in (*bad, *good)
    )
    inventory = Inventory(hosts=hosts, known_hosts=(Path(place.known_hosts),), use_ssh_config=False)
    async with Pool(inventory, connect_timeout=4.0) as pool:
        last = 0.0
        async for entry in survey(pool, hosts):
            if entry.reachable:
                last = time.perf_counter() - started
            else:
                assert entry.host.name in ("dead", "silent"), entry.problem
    return last


async def whole(place: Place, *, mesh: bool) -> float:
    """The whole preflight with a text report, in this process; seconds."""
    started = time.perf_counter()
    hosts = tuple(
        Host(
            name=f"n{number}",
            address=address,
            user=place.user,
            roles=(ROLES[number % len(ROLES)],),
            identity_files=(Path(place.key),),
        )
        for number, address in enumerate(place.addresses)
    )
    inventory = Inventory(hosts=hosts, known_hosts=(Path(place.known_hosts),), use_ssh_config=False)
    needs = load_solution("pm4ml").needs("production")
    roles = {host.name: host.roles for host in hosts}
    async with Pool(inventory) as pool:
        seen = [entry async for entry in survey(pool, hosts)]
        assert all(entry.reachable for entry in seen), [entry.problem for entry in seen]
        met = await between.measure(pool, list(hosts), roles, needs) if mesh else None
    now = datetime.now(UTC)
    render(assess(seen, needs, roles=roles, today=now.date(), mesh=met), "text")
    return time.perf_counter() - started


def process(command: list[str], environment: dict[str, str]) -> float:
    """A whole process; seconds. Its exit code says the verdict, so it is not judged here."""
    started = time.perf_counter()
    done = subprocess.run(command, capture_output=True, check=False, env=environment)
    assert done.returncode in (0, 3), done.stderr.decode()[-2000:]
    return time.perf_counter() - started


def ansible(place: Place, folder: str, *, tuned: bool) -> tuple[list[str], dict[str, str]]:
    """`ansible -m setup` on the same machines, host keys verified, one fork a machine.

    Its own defaults, or with pipelining. Each run has a folder of control sockets of its own, so
    that none finds the logins of the run before it still open.
    """
    own = Path(tempfile.mkdtemp(dir=folder))
    inventory = own / "inventory.ini"
    inventory.write_text(
        "\n".join(
            f"n{number} ansible_host={address}" for number, address in enumerate(place.addresses)
        )
        + f"\n[all:vars]\nansible_user={place.user}\nansible_become=true\n"
        f"ansible_ssh_private_key_file={place.key}\n"
        f"ansible_ssh_common_args=-o UserKnownHostsFile={place.known_hosts}"
        " -o StrictHostKeyChecking=yes\n"
    )
    (own / "ansible.cfg").write_text("[defaults]\n")  # nobody's own settings
    forks = str(len(place.addresses))
    program = str(Path(sys.executable).with_name("ansible"))
    return [program, "all", "-i", str(inventory), "-m", "setup", "-f", forks], {
        **os.environ,
        "ANSIBLE_CONFIG": str(own / "ansible.cfg"),
        "ANSIBLE_PIPELINING": "true" if tuned else "false",
        "ANSIBLE_HOME": str(own),
        "ANSIBLE_SSH_CONTROL_PATH_DIR": str(own),
        "LC_ALL": "C.UTF-8",
    }


def sitewright(place: Place, folder: str, *extra: str) -> tuple[list[str], dict[str, str]]:
    """`sitewright preflight` of the same machines."""
    machines = [f"n{n}={place.user}@{address}" for n, address in enumerate(place.addresses)]
    roles: dict[str, list[str]] = {}
    for number in range(len(machines)):
        roles.setdefault(ROLES[number % len(ROLES)], []).append(f"n{number}")
    command = [str(Path(sys.executable).with_name("sitewright")), "preflight", *machines]
    for role, names in roles.items():
        command += ["--role", f"{role}={','.join(names)}"]
    command += ["--solution", "pm4ml", "--identity", place.key, "--known-hosts", place.known_hosts]
    environment = {**os.environ, "HOME": folder, "XDG_CONFIG_HOME": folder}
    # As installed: the modules' bytecode is there from the second start on.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    return [*command, *extra], {**environment, "PYTHONPYCACHEPREFIX": folder}


def show(name: str, seconds: list[float], base: float | None = None) -> float:
    """Print a row; return the median."""
    middle = statistics.median(seconds)
    ratio = f"   x {middle / base:5.2f}" if base else ""
    print(f"{name:<44}{min(seconds):7.2f}{middle:7.2f}{max(seconds):7.2f} s{ratio}", flush=True)
    return middle


def main() -> None:
    """Start the lab, measure all sides interleaved, print, take the lab away."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--machines", type=int, default=12)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--netem", type=int, default=0, metavar="MS", help="delay of the network")
    options = parser.parse_args()
    command = [sys.executable, "-m", "tests.lab", "up", str(options.machines), "--trouble"]
    if options.netem:
        command += ["--netem", str(options.netem)]
    lab = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert lab.stdin is not None
    assert lab.stdout is not None
    try:
        text = b""
        while True:
            line = lab.stdout.readline()
            text += line
            try:
                described = json.loads(text)
            except ValueError:
                if not line:
                    raise SystemExit("the lab did not come up") from None
                continue
            break
        place = Place(
            addresses=[machine["address"] for machine in described["machines"]],
            key=described["key"],
            known_hosts=described["known_hosts"],
            user="ubuntu",
            dead=described["dead_address"],
            silent=described["silent_address"],
        )
        measure(place, options.runs)
    finally:
        lab.stdin.close()
        lab.wait(timeout=120)


def measure(place: Place, runs: int) -> None:
    """Every side once a round, so that a busy minute hits all of them."""
    times: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        ours, our_environment = sitewright(place, folder)
        plain, _ = sitewright(place, folder, "--no-mesh")
        asyncio.run(bare(place))  # warm: imports, page cache, first logins
        asyncio.run(whole(place, mesh=True))
        process(plain, our_environment)
        for _ in range(runs):
            times.setdefault("bare", []).append(asyncio.run(bare(place)))
            times.setdefault("whole", []).append(asyncio.run(whole(place, mesh=False)))
            times.setdefault("mesh", []).append(asyncio.run(whole(place, mesh=True)))
            times.setdefault("rows", []).append(asyncio.run(rows(place, trouble=False)))
            times.setdefault("troubled", []).append(asyncio.run(rows(place, trouble=True)))
            times.setdefault("process", []).append(process(plain, our_environment))
            times.setdefault("process mesh", []).append(process(ours, our_environment))
            theirs = process(*ansible(place, folder, tuned=False))
            times.setdefault("ansible", []).append(theirs)
            theirs = process(*ansible(place, folder, tuned=True))
            times.setdefault("ansible tuned", []).append(theirs)
    print(f"{len(place.addresses)} machines, {runs} rounds{'':<22}    min median    max")
    base = show("bare asyncssh, one login and one script", times["bare"])
    show("preflight with report", times["whole"], base)
    show("preflight with report and port mesh", times["mesh"], base)
    base = show("last good row", times["rows"])
    show("last good row, a dead and a silent one beside", times["troubled"], base)
    slow = show("ansible -m setup, process", times["ansible"])
    tuned = show("ansible -m setup with pipelining, process", times["ansible tuned"])
    quick = show("sitewright preflight --no-mesh, process", times["process"])
    meshed = show("sitewright preflight, process", times["process mesh"])
    for name, theirs in (("ansible", slow), ("ansible with pipelining", tuned)):
        print(f"{name} / sitewright: {theirs / quick:.1f}; with the mesh {theirs / meshed:.1f}")


if __name__ == "__main__":
    main()

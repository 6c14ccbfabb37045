"""500 machines: SSH servers in another process, judged by one whole preflight in this one.

The servers are asyncssh's, each on a port of its own of the loopback, with a host key of its own,
which is verified. They answer the probe with what `probe.sh` told of this machine when the farm
started, under the nonce that the client sent; so the client's side is real from the login to the
report, and the servers' side costs nothing but the protocol.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import re
import resource
import subprocess
import tempfile
import time
from datetime import UTC, datetime
from multiprocessing.connection import Connection as Pipe
from pathlib import Path

import asyncssh

import preflight
from foundation.hosts.model import Host, Inventory
from foundation.hosts.pool import Pool
from foundation.named_files import write_named
from installer.catalogue.solution import load_solution
from preflight.judge import assess
from preflight.report import pieces
from preflight.survey import survey

PLACEHOLDER = "probe-0123456789abcdef"
PROBE = Path(preflight.__file__ or "").with_name("probe.sh")


def serve(count: int, public_key: str, pipe: Pipe) -> None:
    """The farm's process: start the servers, tell their ports and keys, serve until told to end."""
    answer = subprocess.run(
        ["sh", "-s", PLACEHOLDER], input=PROBE.read_bytes(), capture_output=True, check=True
    ).stdout
    asyncio.run(_serve(count, public_key, answer, pipe))


async def _serve(count: int, public_key: str, answer: bytes, pipe: Pipe) -> None:
    keys = asyncssh.import_authorized_keys(public_key)

    async def handle(process: asyncssh.SSHServerProcess[bytes]) -> None:
        words = re.findall(r"probe-[0-9a-f]{16,64}", process.command or "")
        # Where the command's own output begins (foundation/hosts/login_shell.py).
        mark = re.findall(r"exit \d+ # [0-9a-f]{24}", process.command or "")[0]
        await process.stdin.read()
        process.stderr.write(mark.encode())
        process.stdout.write(
            mark.encode() + answer.replace(PLACEHOLDER.encode(), words[-1].encode())
        )
        process.exit(0)

    told = []
    for _ in range(count):
        key = asyncssh.generate_private_key("ssh-ed25519")
        server = await asyncssh.listen(
            "127.0.0.1",
            0,
            server_host_keys=[key],
            authorized_client_keys=keys,
            process_factory=handle,
            encoding=None,
            backlog=256,
        )
        told.append((server.get_port(), key.export_public_key().decode().strip()))
    pipe.send(json.dumps(told))
    await asyncio.to_thread(pipe.recv)


async def judge(told: list[tuple[int, str]], folder: Path, key: Path) -> tuple[int, int]:
    """The whole preflight of the farm; the number of machines seen, and of bytes of report."""
    known_hosts = folder / "known_hosts"
    known_hosts.write_text("".join(f"[127.0.0.1]:{port} {public}\n" for port, public in told))
    hosts = tuple(
        Host(
            name=f"n{number}",
            address="127.0.0.1",
            port=port,
            user="ubuntu",
            roles=("worker",),
            identity_files=(key,),
        )
        for number, (port, _) in enumerate(told)
    )
    inventory = Inventory(hosts=hosts, known_hosts=(known_hosts,), use_ssh_config=False)
    needs = load_solution("pm4ml").needs("production")
    async with Pool(inventory) as pool:
        seen = [entry async for entry in survey(pool, hosts)]
    now = datetime.now(UTC)
    roles = {host.name: host.roles for host in hosts}
    report = folder / "report.json"
    write_named(report, pieces(assess(seen, needs, roles=roles, today=now.date()), "json"))
    return sum(entry.reachable for entry in seen), report.stat().st_size


def main() -> None:
    """Start the farm, judge it once, print the figures, end the farm."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--machines", type=int, default=500)
    count = parser.parse_args().machines
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        key = asyncssh.generate_private_key("ssh-ed25519")
        key.write_private_key(folder / "key")
        (folder / "key").chmod(0o600)
        farm = context.Process(
            target=serve, args=(count, key.export_public_key().decode(), theirs), daemon=True
        )
        farm.start()
        try:
            told = json.loads(ours.recv())
            before = resource.getrusage(resource.RUSAGE_SELF)
            started = time.perf_counter()
            seen, size = asyncio.run(judge(told, folder, folder / "key"))
            seconds = time.perf_counter() - started
            after = resource.getrusage(resource.RUSAGE_SELF)
        finally:
            ours.send("end")
            farm.join(timeout=10)
            farm.terminate()
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"{seen} of {count} machines seen and judged in {seconds:.1f} s")
    if seen < count:
        raise SystemExit("not all were seen: the figures say nothing")
    print(f"client CPU             {cpu / count * 1000:6.1f} ms a machine")
    print(f"client memory, peak    {after.ru_maxrss / 1024:6.1f} MB")
    print(f"JSON report            {size / 1e6:6.1f} MB")


if __name__ == "__main__":
    main()

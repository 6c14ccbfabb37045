"""Serving: one large blob over TLS from `bundle serve` and from Debian's docker-registry.

Both serve the same bytes from the page cache to the same number of curl processes, one after the
other, several times over. The registry is Go and is given a certificate of the same kind.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import tempfile
import time
from datetime import timedelta
from pathlib import Path

from bundles.serve import serve_bundle
from bundles.serve.certificates import Identity, new_identity
from tests.bundles.made import Made
from tests.bundles.places import layer, skopeo
from tests.foundation.processes import free_port

_MIB = 1 << 20


async def fetch(url: str, ca: Path, clients: int) -> float:
    """Seconds until so many curl processes have all of it."""
    started = time.perf_counter()
    words = ("curl", "--silent", "--fail", "--cacert", str(ca), "--output", os.devnull, url)
    running = [await asyncio.create_subprocess_exec(*words) for _ in range(clients)]
    for process in running:
        assert await process.wait() == 0
    return time.perf_counter() - started


def start_registry(folder: Path, identity: Identity) -> tuple[subprocess.Popen[bytes], str]:
    """docker-registry over TLS, waited for by skopeo's own patience."""
    port = free_port()
    (folder / "cert.pem").write_text(identity.certificate)
    (folder / "key.pem").write_text(identity.key.reveal())
    config = {
        "version": "0.1",
        "log": {"level": "error", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(folder / "data")}},
        "http": {
            "addr": f"127.0.0.1:{port}",
            "tls": {
                "certificate": str(folder / "cert.pem"),
                "key": str(folder / "key.pem"),
                "minimumtls": "tls1.2",
            },
        },
    }
    (folder / "config.json").write_text(json.dumps(config))
    process = subprocess.Popen(
        ["docker-registry", "serve", str(folder / "config.json")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return process, f"127.0.0.1:{port}"


async def measure(folder: Path, size: int, clients: int, rounds: int) -> None:
    """Print the rates of both."""
    made = Made(folder / "bundle")
    content = layer(large=os.urandom(size * _MIB))
    item = made.image("docker.io/bench/large:1", content)
    bundle = made.write()
    blob = json.loads(made.path(item.digest).read_bytes())["layers"][0]["digest"]
    identity = new_identity(["127.0.0.1"], timedelta(hours=2))
    ca = folder / "ca.crt"
    ca.write_text(identity.authority)
    registry, place = start_registry(folder, identity)
    other_base = f"https://{place}/v2"
    ours: list[float] = []
    theirs: list[float] = []
    try:
        async with serve_bundle(bundle, "127.0.0.1", 0, tls=identity) as served:
            copy = ("copy", "--quiet", "--retry-times", "5", "--src-cert-dir", str(folder))
            await asyncio.to_thread(
                skopeo, *copy, "--dest-cert-dir", str(folder),
                f"docker://{served.registry}/docker.io/bench/large:1",
                f"docker://{place}/bench/large:1",
            )  # fmt: skip
            for _ in range(rounds):
                for base, times in ((f"{served.base}/v2/docker.io", ours), (other_base, theirs)):
                    url = f"{base}/bench/large/blobs/{blob}"
                    times.append(await fetch(url, ca, clients))
    finally:
        registry.terminate()
        registry.wait()
    total = size * clients
    mine, other = statistics.median(ours), statistics.median(theirs)
    print(f"{clients:3d} clients   serve {total / mine:7.0f} MiB/s   docker-registry "
          f"{total / other:7.0f} MiB/s   time {mine / other:.2f}")  # fmt: skip


def main() -> None:
    """Measure with one client and with several."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=256, metavar="MIB")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    for clients in (1, 4, 12):
        with tempfile.TemporaryDirectory() as name:
            asyncio.run(measure(Path(name), options.size, clients, options.rounds))


if __name__ == "__main__":
    main()

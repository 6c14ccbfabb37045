"""The image-watcher: look-ups a second on one core, how long one takes, a thousand images again.

A registry in this process stands in for a real one (each repository with 300 tags), since only the
watcher is measured. The watcher is a process of its own, bound to one core; those who ask are bound
to the others. `oha` or `wrk` would ask faster than Python does; these connections are kept, and
each asks the next question when it has its answer.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.bundles.servers import Answer, Asked, answering

ROOT = Path(__file__).parent.parent
TAGS = [f"v{x}.{y}.{z}" for x in (10, 11, 12) for y in range(10) for z in range(10)]
LISTED = json.dumps({"name": "x", "tags": TAGS}).encode()


def registry(asked: Asked) -> Answer:
    """Any repository, with the same tags; a digest for each tag, and for each digest itself."""
    selector = asked.path.partition("?")[0].rpartition("/")[2]
    if selector == "list":
        return Answer(200, LISTED)
    digest = hashlib.sha256(asked.path.encode()).hexdigest()
    known = selector if selector.startswith("sha256:") else f"sha256:{digest}"
    return Answer(200, headers={"Docker-Content-Digest": known})


@contextmanager
def watcher(host: str, folder: Path, core: int) -> Iterator[tuple[str, int]]:
    """A watcher on one core; its address and process."""
    process = subprocess.Popen(
        [
            *("taskset", "-c", str(core), sys.executable, "-m", "installer", "image-watcher"),
            *("--port", "0", "--quiet", "--mirror", f"docker.io={host}", "--fresh", "1h"),
        ],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "XDG_CACHE_HOME": str(folder)},
    )
    assert process.stdout is not None
    base = process.stdout.readline().split()[2].rstrip(";")
    try:
        yield base, process.pid
    finally:
        process.terminate()
        process.wait()


def cpu_seconds(pid: int) -> float:
    """Processor time of a process until now."""
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def ask(port: int, requests: int, images: int, begin: int, results: str, pause: float) -> None:
    """Ask so many questions over one connection, and write down how long each took.

    With a pause (seconds) each is due so long after the one before; where that was late, its time
    counts from when it was due.
    """
    connection = socket.create_connection(("127.0.0.1", port))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    times = []
    due = 0.0
    for number in range(requests):
        image = (begin + number * 7) % images
        path = f"/image/bench/image-{image}/v11.0.0?strategy=bugfix"
        started = time.perf_counter()
        if pause:
            due = due + pause if number else started
            if started < due:
                time.sleep(due - started)
                started = time.perf_counter()
            else:
                started = due
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        answer = b""
        while b"}\n" not in answer:
            piece = connection.recv(65536)
            assert piece
            answer += piece
        times.append(time.perf_counter() - started)
        assert answer.startswith(b"HTTP/1.1 200")
    Path(results).write_text(json.dumps(times))


def batch(base: str, images: int) -> float:
    """Seconds for all images in one question."""
    names = [f"bench/image-{number}:v11.0.0" for number in range(images)]
    started = time.perf_counter()
    answer = httpx.post(
        f"{base}/images", json={"images": names, "strategy": "bugfix"}, timeout=600, trust_env=False
    )
    found = answer.json()["images"]
    assert {one["tag"] for one in found} == {"v11.0.9"}, found[:3]
    return time.perf_counter() - started


def load(
    base: str, pid: int, clients: int, requests: int, images: int, folder: Path, rate: float = 0.0
) -> None:
    """Print look-ups a second, by the clock and by the watcher's processor time, and p50, p99."""
    port = int(base.rpartition(":")[2])
    files = [str(folder / f"times-{number}") for number in range(clients)]
    asking = [
        multiprocessing.Process(
            target=ask,
            args=(port, requests, images, number * 131, file, clients / rate if rate else 0.0),
        )
        for number, file in enumerate(files)
    ]
    before, started = cpu_seconds(pid), time.perf_counter()
    for one in asking:
        one.start()
    for one in asking:
        one.join()
    seconds, used = time.perf_counter() - started, cpu_seconds(pid) - before
    times = sorted(one for file in files for one in json.loads(Path(file).read_text()))
    count = len(times)
    asked = f", {rate:.0f}/s asked" if rate else ""
    middle, late = times[count // 2] * 1000, times[count * 99 // 100] * 1000
    print(
        f"{clients:2d} connections{asked:14}  {count / seconds:6.0f} look-ups/s  "
        f"of one core's whole time {count / used:6.0f}/s  p50 {middle:5.1f} ms  p99 {late:5.1f} ms"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--requests", type=int, default=3000, help="of each connection")
    options = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) > 1:
        os.sched_setaffinity(0, cores[1:])
    with tempfile.TemporaryDirectory() as name, answering(registry) as server:
        folder = Path(name)
        with watcher(server.host, folder, cores[0]) as (base, pid):
            print(f"{options.images} images, nothing known: {batch(base, options.images):6.2f} s")
            print(f"{options.images} images, again:         {batch(base, options.images):6.2f} s")
            for clients in (1, 4, 16):
                load(base, pid, clients, options.requests, options.images, folder)
            load(base, pid, 16, options.requests, options.images, folder, 2000.0)
        with watcher(server.host, folder, cores[0]) as (base, _):
            again = batch(base, options.images)
            print(f"{options.images} images, after a restart: {again:4.2f} s")
    print(f"load over the last minute: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()

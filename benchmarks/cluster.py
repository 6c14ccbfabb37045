"""A cluster of 200 nodes and 5,000 pods, read and judged, against a bare client that parses it."""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from tests.preflight.cluster import fake_api as fake

MANAGED = [
    {"manager": f"manager-{n}", "fieldsV1": {f"f:field-{m}": {} for m in range(60)}}
    for n in range(3)
]
"""Who set which field: the larger half of a real object, 5 kB of a pod."""


def filled(api: fake.FakeApi, nodes: int, pods: int) -> None:
    """Serve a cluster of this size, of objects as large as real ones."""
    for n in range(nodes):
        made = fake.node(f"node-{n}")
        made["metadata"]["managedFields"] = MANAGED
        made["status"]["images"] = [
            {"names": [f"registry.example.org/image-{m}@sha256:{'a' * 64}"], "sizeBytes": 1}
            for m in range(50)
        ]
        api.objects[fake.NODES].append(made)
    for n in range(pods):
        made = fake.pod(f"pod-{n}", f"space-{n % 40}", node=f"node-{n % nodes}")
        made["metadata"]["managedFields"] = MANAGED
        if n % 500 == 0:
            made = fake.pod(f"pod-{n}", f"space-{n % 40}", node=f"node-{n % nodes}",
                            waiting={"reason": "CrashLoopBackOff"})  # fmt: skip
        api.objects[fake.PODS].append(made)
    api.objects[fake.VALIDATING] = [fake.webhook("guard")]
    api.objects[fake.EVENTS] = [
        fake.event("Pod", "space-0", f"pod-{n}", "BackOff", "restarting") for n in range(1_000)
    ]
    api.kept = {}


def serve(folder: str, nodes: int, pods: int, end: Connection) -> None:
    """Serve until told to end, in a process of its own; then say what was asked."""
    with fake.fake_api(Path(folder)) as api:
        filled(api, nodes, pods)
        end.send((str(api.way_in(days=300)), api.server))
        while end.recv() == "asked":
            end.send(list(api.asked))
            api.asked.clear()


def judged(kubeconfig: str) -> tuple[float, float, float]:
    """Seconds, seconds of CPU and peak megabytes of the whole command."""
    command = [str(Path(sys.executable).with_name("sitewright")), "preflight", "--kubeconfig",
               kubeconfig, "--format", "json"]  # fmt: skip
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    assert os.waitstatus_to_exitcode(status) == 3, "the pods that crash were found"
    return seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1000


def bare(server: str, authority: str, asked: list[str]) -> float:
    """Seconds of the same questions, one after another, each parsed and dropped."""
    context = ssl.create_default_context(cafile=authority)
    started = time.perf_counter()
    for path in asked:
        # The server is our own, on this machine.
        with urllib.request.urlopen(server + path, context=context, timeout=60) as answer:  # noqa: S310 - ours
            _: Any = json.loads(answer.read())
    return time.perf_counter() - started


def main() -> None:
    """Print medians of both, interleaved, and how often the cluster was asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--nodes", type=int, default=200)
    parser.add_argument("--pods", type=int, default=5_000)
    options = parser.parse_args()
    ours, theirs = multiprocessing.Pipe()
    with tempfile.TemporaryDirectory() as folder:
        server = multiprocessing.Process(
            target=serve, args=(folder, options.nodes, options.pods, theirs)
        )
        server.start()
        kubeconfig, address = ours.recv()
        judged(kubeconfig)  # so that the server has its answers ready
        ours.send("asked")
        asked = list(ours.recv())
        times, busy, sizes, others = [], [], [], []
        for _ in range(options.runs):
            seconds, processor, megabytes = judged(kubeconfig)
            times.append(seconds)
            busy.append(processor)
            sizes.append(megabytes)
            others.append(bare(address, str(Path(folder) / "ca.crt"), asked))
        ours.send("end")
        server.join()
    ratios = [one / other for one, other in zip(times, others, strict=True)]
    print(f"{options.nodes} nodes, {options.pods} pods; {len(asked)} questions")
    print(f"sitewright preflight  {statistics.median(times):6.2f} s, of CPU"
          f" {statistics.median(busy):.2f} s  {max(sizes):5.0f} MB at most")  # fmt: skip
    print(f"a bare client         {statistics.median(others):6.2f} s")
    print(f"ratio                 {statistics.median(ratios):6.2f}")
    print(f"load                  {os.getloadavg()[0]:6.1f}")


if __name__ == "__main__":
    main()

"""The driver of `sitewright accept`: what a journey costs it, beside a bare client and server of
the same library; its percentiles beside an oracle; the memory of an hour at 1,000 a second.

What a journey costs is CPU of the driver's own processes, so that the hub that does nothing and
whatever else works on the machine do not count; what a core can do follows from it. A journey is
thirteen messages: the bare side sends and takes as many a second of the same size, and does nothing
with them.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import os
import random
import resource
import secrets
import statistics
import time
from collections.abc import Sequence
from dataclasses import replace

from installer.acceptance.cast import Bounds, cast
from installer.acceptance.driver.fleet import Fleet, Process
from installer.acceptance.driver.histograms import Histogram
from installer.acceptance.driver.measured import Measured
from installer.acceptance.driver.tally import JOURNEY, Column, Tally
from installer.acceptance.driver.told import Told, Told16
from installer.acceptance.hub_file import Callbacks, HubFile
from installer.acceptance.ledger.reconcile import Fate, classified
from installer.acceptance.profile import Profile

HERE = "127.0.0.1"
PAIRS = 6.5
"""Messages out and in of a journey: six that it sends, seven that it takes."""


async def bare(rate: float, seconds: float) -> float:
    """Seconds of CPU for a journey's messages, in a bare client and server."""
    hub, process = Process("null hub"), Process("bare")
    await hub.begin("installer.acceptance.driver.null_hub", None, lambda _: None)
    try:
        await process.begin("benchmarks.acceptance_bare", None, lambda _: None)
        doors = {"b": f"http://{HERE}:{process.port}"}
        hub.write(json.dumps({"doors": doors, "ranges": [], "version": "1.1"}))
        await hub.answer()
        messages = round(rate * seconds * PAIRS)
        asked = {"messages": messages, "a_second": rate * PAIRS}
        process.write(json.dumps({"hub": f"http://{HERE}:{hub.port}/quotes", **asked}))
        said = await process.answer()
    finally:
        await process.end()
        await hub.end()
    return float(said["cpu"]) / messages * PAIRS


async def driven(rate: float, seconds: float, processes: int) -> tuple[float, float, float]:
    """CPU of a journey; journeys a second that came to their end; memory of a process at most."""
    hub = HubFile(
        lookup="http://x", quotes="http://x", transfers="http://x", admin="http://x",
        callbacks=Callbacks(address=HERE, first_port=0),
    )  # fmt: skip
    profile = Profile(rate, steady=seconds, warm_up=1, ramp=1)
    specs = cast(hub, profile, processes, secrets.token_bytes(16), Bounds(), probe=False)
    hubs = [Process(f"null hub {n}") for n in range(processes)]
    for one in hubs:
        await one.begin("installer.acceptance.driver.null_hub", None, lambda _: None)
    try:
        at = [f"http://{HERE}:{one.port}" for one in hubs]
        specs = [
            replace(spec, lookup=url, terms=url, clearing=url)
            for spec, url in zip(specs, at, strict=True)
        ]
        async with Fleet(specs) as fleet:
            for spec, one, process in zip(specs, hubs, fleet.processes, strict=True):
                doors = {
                    dfsp.name: f"http://{HERE}:{process.port}/{dfsp.name}" for dfsp in spec.dfsps
                }
                ranges = [(dfsp.name, dfsp.first_party, dfsp.parties) for dfsp in spec.dfsps]
                one.write(json.dumps({"doors": doors, "ranges": ranges, "version": "1.1"}))
                await one.answer()
            await fleet.do("smoke")
            await fleet.do("drain")
            measured = fleet.measured
            before, done = measured.sum("cpu"), measured.sum("started")
            began = time.monotonic()
            await fleet.run(profile)
            await fleet.do("drain")
            took = time.monotonic() - began
            journeys = measured.sum("started") - done
            cpu = (measured.sum("cpu") - before) / journeys
            memory = max(one["memory"] for one in measured.workers.values())
            return cpu, measured.sum("committed") / took, memory
    finally:
        for one in hubs:
            await one.end()


def percentiles(count: int) -> float:
    """The largest error of a percentile against every value kept and sorted, as a part of it."""
    chance = random.Random(1)  # noqa: S311 - the same each time
    values = [chance.lognormvariate(-2, 1) for _ in range(count)]
    histogram = Histogram()
    for value in values:
        histogram.record(value)
    values.sort()
    percents = (50, 90, 99, 99.9, 99.99)
    found = histogram.percentiles(percents)
    oracle = [values[math.ceil(count * percent / 100 - 1e-9) - 1] for percent in percents]
    return max(abs((one or 0) - true) / true for one, true in zip(found, oracle, strict=True))


def an_hour(processes: int, rate: int = 1000) -> tuple[float, float]:
    """Megabytes that an hour adds to the process that gathers it; seconds to classify it."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    measured, told = Measured(began=time.time()), [Told16() for _ in range(processes)]
    clean = (
        Told.SENT | Told.ACCEPTED | Told.PAYEE_ASKED | Told.FULFILLED | Told.PAYER_COMMITTED
        | Told.PAYEE_COMMITTED
    )  # fmt: skip
    each = rate // processes
    chance = random.Random(2)  # noqa: S311 - the same each time
    for second in range(3600):
        for worker in range(processes):
            tally = Tally(1.0)
            for _ in range(each):
                told[worker].tell(told[worker].begin(steady=True), clean)
            tally.slot(second)[Column.STARTED] += each
            for name in ("lookup.hub", "terms.hub", "clearing.hub", JOURNEY):
                for _ in range(10):
                    tally.record(name, chance.lognormvariate(-2, 1), steady=True)
            tally.commits.update(range(second * 10, second * 10 + 10))
            measured.add(worker, tally.taken())
    began = time.perf_counter()
    done = classified(told, {})
    took = time.perf_counter() - began
    assert done.counts[Fate.CLEAN] == 3600 * each * processes
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024, took


def main() -> None:
    """Measure and print medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rate", type=float, default=100)
    parser.add_argument("--seconds", type=float, default=8)
    options = parser.parse_args()
    plain: list[float] = []
    ours: dict[int, list[tuple[float, float, float]]] = {1: [], 2: []}
    for _ in range(options.rounds):
        plain.append(asyncio.run(bare(options.rate, options.seconds)))
        for processes, seen in ours.items():
            rate = options.rate * processes
            seen.append(asyncio.run(driven(rate, options.seconds, processes)))
    _tell(plain, ours)
    memory, took = an_hour(8)
    print(f"largest error of a percentile, of 1,000,000: {percentiles(1_000_000) * 100:.3f} %")
    print(f"an hour at 1,000 a second, gathered of 8 processes: {memory:.0f} MB")
    print(f"3,600,000 transfers classified: {took:.1f} s")
    print(f"load over the last minute: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


def _tell(plain: Sequence[float], ours: dict[int, list[tuple[float, float, float]]]) -> None:
    middle = statistics.median(plain)
    print(f"bare client and server, a journey's messages: {middle * 1000:.2f} ms of CPU, so")
    print(f"    {1 / middle:.0f} journeys a second on one core")
    for processes, seen in ours.items():
        cpu = statistics.median(one[0] for one in seen)
        rate = statistics.median(one[1] for one in seen)
        memory = max(one[2] for one in seen) / 2**20
        print(f"{processes} of the driver: {cpu * 1000:.2f} ms of CPU for a journey, so")
        print(f"    {processes / cpu:.0f} a second on {processes}; x {cpu / middle:.2f} of bare")
        print(f"    driven here beside the null hubs: {rate:.0f} a second; {memory:.0f} MB each")


if __name__ == "__main__":
    main()

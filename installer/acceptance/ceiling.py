"""The driver's own ceiling: what it can do against a hub that does nothing, before it judges one.

The null hubs take their part of this machine's cores as well, so the ceiling is told rather too low
than too high.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Final

from foundation.wording import counted
from installer.acceptance.cast import Bounds
from installer.acceptance.driver.fleet import Fleet, Process
from installer.acceptance.driver.histograms import Histogram
from installer.acceptance.driver.spec import Spec
from installer.acceptance.driver.tally import LAG, LATE, Column
from installer.acceptance.profile import Profile
from installer.acceptance.result import Ceiling

_HERE: Final = "127.0.0.1"
_WARM: Final = 1.0
_ABOVE: Final = 1.2
"""The rate is tried with a fifth more, so that it does not stand at the very edge."""
_TRIES: Final = 5
_COMMITTED: Final = 0.999


async def ceiling(
    specs: Sequence[Spec], profile: Profile, bounds: Bounds, say: Callable[[str], None]
) -> Ceiling:
    """Try the rate with a fifth more; where it is not held, look downwards for what is.

    The rate of what it gives is 0 where an eighth is not held either.
    """
    rate = profile.rate * _ABOVE
    cpu, first = 0.0, ""
    for number in range(_TRIES):
        why_not, cpu = await _tried(specs, rate, bounds)
        if not why_not:
            break
        say(f"Not held: {rate:.0f} a second ({why_not}).")
        first = first or why_not
        if number:  # one hiccup of the machine is no ceiling, so the whole rate has two tries
            rate /= 2
    else:
        rate = 0.0
    return Ceiling(rate, cpu, held=rate >= profile.rate, why_not=first)


async def _tried(specs: Sequence[Spec], rate: float, bounds: Bounds) -> tuple[str, float]:
    """Why a rate is not held against null hubs, one for each process; and CPU for a journey."""
    async with AsyncExitStack() as stack:
        hubs = [Process(f"null hub {spec.worker + 1}") for spec in specs]
        for hub in hubs:
            stack.push_async_callback(hub.end)
        await asyncio.gather(*(
            hub.begin("installer.acceptance.driver.null_hub", None, lambda _: None)
            for hub in hubs
        ))  # fmt: skip
        here = [
            replace(
                spec, listen=_HERE, port=0, authority="", certificate="", certificate_key="",
                lookup=at, terms=at, clearing=at,
            )
            for spec, at in (
                (spec, f"http://{_HERE}:{hub.port}") for spec, hub in zip(specs, hubs, strict=True)
            )
        ]  # fmt: skip
        fleet = await stack.enter_async_context(Fleet(here))
        for spec, hub, process in zip(here, hubs, fleet.processes, strict=True):
            dfsps = spec.dfsps
            doors = {one.name: f"http://{_HERE}:{process.port}/{one.name}" for one in dfsps}
            ranges = [(one.name, one.first_party, one.parties) for one in dfsps]
            hub.write(json.dumps({"doors": doors, "ranges": ranges, "version": spec.version}))
            await hub.answer()
        await fleet.do("smoke")
        before = fleet.measured.sum("cpu")
        await fleet.run(Profile(rate, steady=bounds.ceiling, warm_up=_WARM, ramp=_WARM))
        await fleet.do("drain")
        measured = fleet.measured
    started, committed = measured.total(Column.STARTED), measured.total(Column.COMMITTED)
    histograms = [measured.histograms.get(name, Histogram()) for name in (LATE, LAG)]
    late = max(one.percentile(99.9) or 0.0 for one in histograms)
    spent = (measured.sum("cpu") - before) / max(1.0, measured.sum("started"))
    if late > bounds.late:
        load, cores = os.getloadavg()[0], os.cpu_count() or 1
        return (
            f"late by {late * 1000:.0f} ms, allowed {bounds.late * 1000:.0f};"
            f" load {load:.1f} on {counted(cores, 'core')}"
        ), spent
    if dropped := measured.total(Column.DROPPED):
        return f"{counted(dropped, 'start')} fell away", spent
    if full := int(measured.sum("full")):
        return f"{counted(full, 'message')} found no free connection", spent
    if committed < _COMMITTED * started or not started:
        return f"{committed} of {started} journeys came to their end", spent
    return "", spent

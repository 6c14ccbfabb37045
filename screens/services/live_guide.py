"""Live guide: the map and its advice, with this machine looked at through its own connection."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from foundation.hosts.connection import Become
from foundation.hosts.model import LOCAL_ADDRESS, Host, Inventory

if TYPE_CHECKING:
    from datetime import datetime

    from installer.guide.advice import Advice, Measured, Wishes
    from installer.guide.guide import Map
    from preflight.assessment import Seen


def this_host() -> Host:
    """This machine under its own name."""
    return Host(name=os.uname().nodename or "this-machine", address=LOCAL_ADDRESS)


class LiveGuide:
    """The questions of the goal step."""

    _measured: tuple[tuple[Seen, ...], bool, dict[tuple[str, str], Measured]] | None = None
    """The machines that were measured last, whether they were named, and how they measure."""

    def now(self) -> datetime:
        """The time here, with its zone."""
        raise NotImplementedError

    async def guide(self) -> Map:
        """The map, read off the event loop."""

        def read() -> Map:
            from installer.guide.guide import load_map

            return load_map()

        return await asyncio.to_thread(read)

    async def advise(self, wishes: Wishes, seen: Sequence[Seen], *, named: bool) -> Advice:
        """The advice, off the event loop."""

        def work() -> Advice:
            from installer.guide.advice import advise, measure_all
            from installer.guide.guide import load_map

            chart, today, machines = load_map(), self.now().date(), tuple(seen)
            known = self._measured
            if known is None or known[1] is not named or not _same(known[0], machines):
                found = measure_all(chart, machines, named=named, today=today)
                known = self._measured = (machines, named, found)
            return advise(chart, wishes, seen, named=named, today=today, measured=known[2])

        return await asyncio.to_thread(work)

    async def look_here(self) -> Seen:
        """This machine, through a pool of its own, so that the site's stays as it is."""
        pool_module, survey = await asyncio.gather(
            asyncio.to_thread(_module, "foundation.hosts.pool"),
            asyncio.to_thread(_module, "preflight.survey"),
        )
        host = this_host()
        async with pool_module.Pool(Inventory(hosts=(host,), source="this machine")) as pool:
            seen: Seen = await survey.look(
                pool, host, survey.SurveyOptions(become=Become.IF_ALLOWED)
            )
        return seen


def _same(one: Sequence[Seen], other: Sequence[Seen]) -> bool:
    """Whether both are the very same looks at the same machines."""
    return len(one) == len(other) and all(a is b for a, b in zip(one, other, strict=True))


def _module(name: str) -> Any:
    from importlib import import_module

    return import_module(name)

"""Held machines: the locks of a site and of its machines, for a command that is no run.

What brings a bundle's packages to a machine would else work beside a run of somebody else.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from foundation.hosts.connection import Connection
from foundation.hosts.jobs import jobs
from foundation.hosts.model import Host
from foundation.problems import Refused
from installer.record.machine_locks import MachineLocks
from installer.record.other_hands import OtherHands
from installer.record.site_lock import TAKE_OVER, Lock, Locked

_REMEDY: Final = "Speak with them, and do it again when theirs has ended."
_TAKE_OVER: Final = (
    "Speak with them, and do it again when theirs has ended. If they cannot end it, take the site "
    "over knowingly: the same command with --take-over. Theirs then stops before its next step."
)
_INSTEAD: Final = "To wait for it no longer: Ctrl-C."
"""A command that is no run ends nothing of others."""


@dataclass(frozen=True, slots=True)
class Held:
    """Opens connections to machines that are held: one that was away is held first."""

    locks: MachineLocks
    reach: Callable[[Host], Awaitable[Connection]]

    async def connect(self, host: Host) -> Connection:
        """A connection to a machine; raises Locked too."""
        connection = await self.reach(host)
        with _own_remedy():
            await self.locks.take(host, connection)
        return connection


@contextlib.contextmanager
def _own_remedy() -> Iterator[None]:
    """A site is taken over by the command that wants it: there may be no run to go on with."""
    try:
        yield
    except Locked as problem:
        if problem.remedy == TAKE_OVER:
            problem.remedy = _TAKE_OVER
        raise


@contextlib.asynccontextmanager
async def held(
    hosts: Sequence[Host],
    connect: Callable[[Host], Awaitable[Connection]],
    site_key: str,
    say: Callable[[str], None],
    *,
    take_over: bool = False,
) -> AsyncIterator[Held]:
    """Hold a site and its machines for the time of the block, once nobody else works there.

    With `take_over` they are taken from whoever holds them: a computer that is gone gives no lock
    back. Raises Locked where somebody else holds one, and Refused where one is taken over
    meanwhile.
    """
    with contextlib.ExitStack() as whole:
        with _own_remedy():
            lock = whole.enter_context(Lock(site_key, take_over=take_over))
        locks = MachineLocks(hosts, connect, lock, told_apart=True)
        body = asyncio.current_task()

        async def watch() -> None:
            await locks.watch()
            if body is not None:
                body.cancel()

        with _own_remedy():
            await locks.acquire()
        before = locks.taken_from or lock.taken_from
        watching = asyncio.create_task(watch())
        try:
            others = [host for host in hosts if not host.local]
            await OtherHands(
                others, connect, "", jobs.status, jobs.stop, lambda _, text: say(text),
                taken_over=before is not None, held_before=before, instead=_INSTEAD,
            ).alone()  # fmt: skip
            yield Held(locks, connect)
        except asyncio.CancelledError:
            if body is None or not locks.lost:
                raise
            body.uncancel()
            taker = locks.taker()
            who = taker.sentence() if taker is not None else "nobody says by whom"
            raise Refused(f"the site was taken over: {who}", remedy=_REMEDY) from None
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
            await locks.release()

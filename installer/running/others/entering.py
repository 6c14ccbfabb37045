"""Entering: machines that were away in the beginning are held and asked before their first step.

Who was away holds no lock of ours and told nothing of others: that is said, and made good once the
machine answers. What stands against it then ends the step before it begins anything there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final

from foundation.hosts import machine_lock
from foundation.hosts.connection import Connection
from foundation.hosts.machine_lock import Around
from foundation.hosts.model import Host
from foundation.problems import ConnectionProblem
from installer.record.machine_locks import MachineLocks

AWAY: Final = (
    "{names} did not answer, so nobody could ask who works there. It is held and asked before "
    "anything is begun there."
)


class Entering:
    """The machines that are still to be entered; the others were held and asked already."""

    def __init__(
        self,
        locks: MachineLocks,
        connect: Callable[[Host, float], Awaitable[Connection]],
        judge: Callable[[Sequence[tuple[Host, Around]]], Awaitable[Sequence[str]]],
        alone: Callable[[Sequence[Host]], Awaitable[Sequence[Host]]],
        say: Callable[[Host, str], None],
        leaving: Callable[[], bool] = lambda: False,
    ) -> None:
        self._locks = locks
        self._connect = connect
        """Opens a connection, waiting for the machine until a moment (monotonic; 0 for not)."""
        self._judge = judge
        """Judges what machines tell of those who worked there: notes; Refused, BrokenJournal."""
        self._alone = alone
        """Waits until nobody else works on machines; those that did not answer."""
        self._say = say
        self._leaving = leaving
        """Whether a person ended the run by now."""
        self._late: dict[str, Host] = {host.name: host for host in locks.away}

    def still(self, hosts: Iterable[Host]) -> None:
        """Take machines that did not say whether others work there."""
        self._late.update((host.name, host) for host in hosts if not host.local)

    @property
    def late(self) -> tuple[str, ...]:
        """The names of the machines that are still to be entered."""
        return tuple(sorted(self._late))

    async def enter(self, hosts: Sequence[Host], until: float) -> None:
        """Return once each of these that answers is held by this run, and by nobody else worked on.

        One machine alone is waited for; of several, one that is still away is told again, and its
        part of the step will say so. Raises Locked, ConnectionProblem and what `judge` raises.
        """
        alone = len(hosts) == 1
        away = {} if alone else await self._away([h for h in hosts if h.name in self._late])
        for host in hosts:
            try:
                if host.name in away:
                    raise away[host.name]
                # One that is lost again before it told of others is waited for again.
                while host.name in self._late and not await self._entered(host, until, wait=alone):
                    if self._leaving():
                        break  # nothing is begun, and so nobody is waited for
                    if not alone:
                        self._say(host, f"{host.name} is away again, and told nothing of others.")
                        break
            except ConnectionProblem as problem:
                if alone:
                    raise
                self._say(host, f"{host.name} is not held, for it is away ({problem.cause}).")

    async def _away(self, hosts: Sequence[Host]) -> dict[str, ConnectionProblem]:
        """Those of several that do not answer, asked side by side: each takes its time to tell."""

        async def asked(host: Host) -> ConnectionProblem | None:
            try:
                await self._connect(host, 0.0)
            except ConnectionProblem as problem:
                return problem
            return None

        found = await asyncio.gather(*map(asked, hosts))
        return {h.name: one for h, one in zip(hosts, found, strict=True) if one is not None}

    async def _entered(self, host: Host, until: float, *, wait: bool) -> bool:
        """Hold a machine and ask it; False where it did not say that nobody else works there."""
        connection = await self._connect(host, until if wait else 0.0)
        await self._locks.take(host, connection)
        for text in await self._judge([(host, await machine_lock.around(connection))]):
            self._say(host, text)
        if await self._alone([host]):
            return False
        self._late.pop(host.name, None)
        self._say(host, f"{host.name} answers now; it is held, and nobody else works there.")
        return True

"""The lock of a site on its machines: two laptops are kept apart as two processes on one are.

Every machine of the plan keeps a lock file that names the holder. The machine with the lowest
address comes first, so that of two who begin at the same moment one gets all of them. A machine
that does not answer then is told, and held before anything is begun on it (see `entering`). Each
machine gets its own signs of life, and a lock that was removed there is put back: whoever comes
reads on any of them who is at work.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import secrets
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import asdict, replace
from typing import Final

from foundation.hosts import machine_lock
from foundation.hosts.connection import Connection
from foundation.hosts.machine_lock import HeldBy
from foundation.hosts.model import Host
from foundation.problems import (
    ConnectionProblem,
    HostKeyProblem,
    KeyProblem,
    LoginRefused,
    SudoRefused,
)
from installer.record.site_lock import Holder, Lock, Locked, holder_from_json, laptop, this_holder

log = logging.getLogger(__name__)

SIGN_OF_LIFE: Final = 20.0
"""Seconds between two signs of life, and between two looks at whether they are still ours."""
QUIET: Final = 3 * SIGN_OF_LIFE
"""Seconds without one after which a holder is said to be silent; it may be asleep all the same."""
_RELEASE_SECONDS: Final = 10.0
_LOOK_SECONDS: Final = 10.0
"""Seconds for which the machines are waited for that are looked at; who answers later is heard."""
_NOT_AGAIN: Final = (HostKeyProblem, KeyProblem, LoginRefused, SudoRefused)
"""What no further try mends; tries of a password end in a locked account."""


class MachineLocks:
    """The locks of some machines for one run. Raises Locked, and ConnectionProblem classes."""

    def __init__(
        self,
        hosts: Iterable[Host],
        connect: Callable[[Host], Awaitable[Connection]],
        lock: Lock,
        *,
        run: str = "",
        told_apart: bool = False,
    ) -> None:
        self.token = secrets.token_hex(16)
        """What tells this hold from every other; jobs carry it."""
        self.lost = False
        """Whether somebody has taken one of the machines over."""
        self.taken_from: Holder | None = None
        self.stale: Holder | None = None
        """Whose locks were found left behind by a process of this laptop that is gone."""
        self._hosts = sorted((h for h in hosts if not h.local), key=lambda h: (h.address, h.port))
        self._connect = connect
        self._lock = lock
        self._held: list[Host] = []
        self._run = run
        """The id of the run, which every login on the machines may know."""
        self._told_apart = told_apart
        """Whether a machine that cannot be locked is passed over, and says so by itself later."""
        self._taker: Holder | None = None
        self._text = ""
        """What the locks say of us."""
        self._looks: dict[Host, asyncio.Task[None]] = {}
        """Looks that are under way; a machine that is away has one, however often it is asked."""
        self._mute: set[Host] = set()
        """Machines that let nobody in any more, and are not asked for signs of life."""
        self._released = False

    def taker(self) -> Holder | None:
        """Who holds the machines now, where they are lost."""
        return self._taker

    async def acquire(self) -> None:
        """Take the lock of every machine that answers, or none; raises Locked."""
        try:
            for lead in self._hosts[:1]:
                await self._take(lead)
            taken = await asyncio.gather(
                *(self._take(host) for host in self._hosts[1:]), return_exceptions=True
            )
            for result in taken:
                if isinstance(result, BaseException):
                    raise result
        except BaseException:
            await self.release()
            raise

    @property
    def away(self) -> tuple[Host, ...]:
        """The machines that did not answer, and are not held."""
        return tuple(host for host in self._hosts if host not in self._held)

    async def take(self, host: Host, connection: Connection) -> None:
        """Take the lock of a machine that was away before and answers now; raises Locked."""
        if host in self.away:
            await self._take_by(connection, host)

    async def _take(self, host: Host) -> None:
        try:
            connection = await self._connect(host)
        except ConnectionProblem:
            return  # it is told, and taken before its first step, which waits for it
        try:
            await self._take_by(connection, host)
        except ConnectionProblem:
            if not self._told_apart:
                raise

    async def _take_by(self, connection: Connection, host: Host) -> None:
        instead = ""
        while True:
            self._text = json.dumps(asdict(self._holder()))
            held = await machine_lock.take(
                connection, self.token, self._text, instead=instead, run=self._run
            )
            if held is None:
                self._held.append(host)
                return
            place = f"{host.name}:{machine_lock.PATH}"
            if not held.token:
                remedy = "The file is none of Sitewright's. Look at it, and remove it there."
                raise Locked(None, place, remedy=remedy)
            holder = holder_from_json(held.text)
            if self._left_behind(holder):
                self.stale = holder
            elif self._lock.take_over:
                self.taken_from = holder or self.taken_from
            else:
                raise Locked(holder, place, silence=silence(held))
            instead = held.token

    def _holder(self) -> Holder:
        said = self.taken_from.sentence() if self.taken_from else ""
        return replace(this_holder(self._lock.by, taken_from=said), site=self._lock.key)

    def _left_behind(self, holder: Holder | None) -> bool:
        """Whether the holder is a process of this very laptop and home that is gone.

        Who holds the site's own lock here knows that no other process of this home does.
        """
        if holder is None or holder.laptop != laptop():
            return False
        return holder.site == self._lock.key or not _lives(holder.pid)

    async def watch(self) -> None:
        """Give signs of life; ends when a machine was taken over."""
        while not self.lost:
            await asyncio.sleep(SIGN_OF_LIFE)
            await self.look()

    async def look(self, host: Host | None = None) -> bool:
        """Give each machine a sign of life, or one; False where some are not ours any more.

        Nobody can be told of by a machine that does not answer.
        """
        hosts = [host] if host is not None else [h for h in self._held if h not in self._mute]
        for one in hosts:
            if one not in self._looks and not self._released:
                task = asyncio.create_task(self._look(one), name=f"sign of life to {one.name}")
                self._looks[one] = task
        waiting = {self._looks[one] for one in hosts if one in self._looks}
        until = asyncio.get_running_loop().time() + _LOOK_SECONDS
        while waiting and not self.lost:
            left = until - asyncio.get_running_loop().time()
            done, waiting = await asyncio.wait(
                waiting, timeout=max(0.0, left), return_when=asyncio.FIRST_COMPLETED
            )
            if not done:
                break
        return not self.lost

    async def _look(self, host: Host) -> None:
        try:
            connection = await self._connect(host)
            if self._released:
                return  # the lock was given back meanwhile, and would be put back
            held = await machine_lock.refresh(connection, self.token, self._text, run=self._run)
        except _NOT_AGAIN:
            self._mute.add(host)
        except ConnectionProblem as problem:
            log.info("%s got no sign of life: %s", host.name, problem.cause)
        else:
            if held is not None:
                self.lost = True
                self._taker = holder_from_json(held.text)
        finally:
            del self._looks[host]

    async def leave_mark(self, text: str) -> frozenset[str]:
        """Leave a mark on each machine that is held and answers; those that keep it now."""
        kept: set[str] = set()

        async def one(host: Host) -> None:
            with contextlib.suppress(ConnectionProblem):
                if await machine_lock.leave_mark(await self._connect(host), self.token, text):
                    kept.add(host.name)

        if self._held and not self.lost:
            leaving = [asyncio.create_task(one(host)) for host in self._held]
            _, late = await asyncio.wait(leaving, timeout=_RELEASE_SECONDS)
            for task in late:  # one that is away must not leave an old mark over a newer one
                task.cancel()
        return frozenset(kept)

    async def release(self) -> None:
        """Give the locks back, where the machines answer; safe to call twice."""
        held, self._held = self._held, []
        self._released = True
        if self._looks:  # one that came after it would put the lock back
            await asyncio.wait(self._looks.values(), timeout=_RELEASE_SECONDS)

        async def one(host: Host) -> None:
            with contextlib.suppress(ConnectionProblem):
                await machine_lock.release(await self._connect(host), self.token)

        if held:
            await asyncio.wait(
                [asyncio.create_task(one(host)) for host in held], timeout=_RELEASE_SECONDS
            )


def silence(held: HeldBy) -> str:
    """What a holder's last sign of life says, in a sentence."""
    if held.silent < 0:
        return (
            "When its last sign of life came cannot be told, since the clock of the machine was "
            "put back: it may be at work."
        )
    ago = f"{held.silent / 60:.0f} minutes" if held.silent >= 120 else f"{held.silent:.0f} seconds"
    if held.silent < QUIET:
        return f"Its last sign of life came {ago} ago: it is at work."
    return (
        f"Its last sign of life came {ago} ago: that laptop may be off, asleep or without a "
        "network. What it began on the machines goes on there."
    )


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


__all__ = ["MachineLocks", "silence"]

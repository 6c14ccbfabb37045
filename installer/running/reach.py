"""Reach: one machine as a run reaches it, again and again, for as long as there is time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from foundation.hosts.connection import Completed, Connection, Connector
from foundation.hosts.model import Host
from foundation.problems import (
    ConnectionLost,
    ConnectionProblem,
    HostKeyProblem,
    KeyProblem,
    LoginRefused,
    SudoRefused,
)

Result = TypeVar("Result")

FIRST_PATIENCE: Final = 30.0
"""Seconds for a machine that this process has not reached yet; then it is somebody's mistake."""
LOGIN_PATIENCE: Final = 180.0
"""Seconds for a machine that was reached and refuses logins: it does while it is starting."""
LONGEST_WAIT: Final = 15.0
_FIRST_WAIT: Final = 0.25


class Reach:
    """The way to one machine. `say` gets a sentence when it is lost and when it is back.

    With `once` a machine that does not answer is not waited for, and not tried again: nothing is
    to be done there.
    """

    def __init__(
        self, connector: Connector, host: Host, say: Callable[[str], None], *, once: bool = False
    ) -> None:
        self._once = once
        self._away: ConnectionProblem | None = None
        self.host = host
        self._connector = connector
        self._say = say
        self._reached = False
        self._last: Connection | None = None
        self.known: dict[str, str] = {}
        """What is known of the machine for the time of this connection."""
        self.seen: dict[tuple[str, ...], tuple[float, Completed]] = {}
        """What commands that only look told, and when (monotonic); until something is begun."""

    async def connect(self, until: float) -> Connection:
        """A live connection; waited for until the monotonic time `until`.

        Raises ConnectionProblem classes when time is up, and at once where waiting is no use.
        """
        began = time.monotonic()
        wait = _FIRST_WAIT
        told = False
        if self._away is not None:
            raise self._away
        while True:
            try:
                connection = await self._connector.connect(self.host)
            except ConnectionProblem as problem:
                if self._once:
                    self._away = problem
                    raise
                now = time.monotonic()
                if now + wait > min(until, began + self._patience(problem)):
                    raise
                if not told:
                    told = True
                    self._say(f"{self.host.name} is out of reach ({problem.cause}); still trying.")
                await asyncio.sleep(wait)
                wait = min(wait * 2, LONGEST_WAIT)
                continue
            if connection is not self._last:
                self._last = connection
                self.known.clear()
                self.seen.clear()
            if told:
                self._say(f"{self.host.name} is reached again.")
            self._reached = True
            return connection

    def _patience(self, problem: ConnectionProblem) -> float:
        if isinstance(problem, (HostKeyProblem, KeyProblem, SudoRefused)):
            return 0.0
        if isinstance(problem, LoginRefused):
            return LOGIN_PATIENCE if self._reached else 0.0
        return float("inf") if self._reached else FIRST_PATIENCE

    async def again(
        self, action: Callable[[Connection], Awaitable[Result]], until: float
    ) -> Result:
        """Do something that may be done twice; done again where the connection broke."""
        wait = _FIRST_WAIT
        while True:
            connection = await self.connect(until)
            try:
                return await action(connection)
            except ConnectionLost as problem:
                if time.monotonic() + wait > until:
                    raise
                self._say(f"The connection to {self.host.name} broke ({problem.cause}).")
                await asyncio.sleep(wait)
                wait = min(wait * 2, LONGEST_WAIT)

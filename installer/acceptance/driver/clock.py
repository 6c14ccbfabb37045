"""The hub's clock against ours, by the Date of its answers: to the second, and finer by many."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Final

import aiohttp

from installer.acceptance.driver.sender import tls_context

ALLOWED: Final = 0.2
"""Seconds by which a fulfilment may lie in the future (ml-api-adapter's
MAX_CALLBACK_TIME_LAG_DILATION_MILLISECONDS)."""
_ASKED: Final = 25
_APART: Final = 0.09
"""Seconds between two questions: no divisor of a second, so that its edges are found."""


@dataclass(frozen=True, slots=True)
class Offset:
    """By how many seconds the hub's clock is ahead of ours, at least and at most."""

    low: float
    high: float

    @property
    def is_off(self) -> bool:
        """Whether it is surely further off than the hub allows for."""
        return self.low > ALLOWED or self.high < -ALLOWED

    @property
    def words(self) -> str:
        """In words: how far, and to which side."""
        if self.low > 0:
            return f"ahead by at least {self.low:.1f} s"
        if self.high < 0:
            return f"behind by at least {-self.high:.1f} s"
        return "the same as far as can be told"


def offset(seen: Iterable[tuple[float, float, float]]) -> Offset | None:
    """What answers tell: (asked, answered, the second of their Date), by our clock and the hub's.

    The hub's clock showed a time from that second to the next while ours went from asking to the
    answer. Each answer narrows it; None where there is none, or the answers contradict.
    """
    low, high = float("-inf"), float("inf")
    for asked, answered, second in seen:
        low = max(low, second - answered)
        high = min(high, second + 1 - asked)
    return Offset(low, high) if float("-inf") < low <= high else None


async def look(
    address: str, *, authority: str = "", certificate: str = "", key: str = ""
) -> Offset | None:
    """Ask a service of the hub for the time, by whatever it answers to GET /health.

    The files are those of mutual TLS with the hub, as for every other message to it.
    """
    seen = []
    connector = aiohttp.TCPConnector(ssl=tls_context(authority, certificate, key) or True)
    timeout = aiohttp.ClientTimeout(total=5)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        for _ in range(_ASKED):
            asked = time.time()
            try:
                async with session.get(f"{address}/health", allow_redirects=False) as answer:
                    date = answer.headers.get("Date", "")
                    answered = time.time()
                seen.append((asked, answered, parsedate_to_datetime(date).timestamp()))
            except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
                return None
            await asyncio.sleep(_APART)
    return offset(seen)

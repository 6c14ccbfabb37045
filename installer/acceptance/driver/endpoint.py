"""Where callbacks arrive: one door for all participants of a process, each by the name in its path.

A hub that gets no good answer here loses a notification for good (ml-api-adapter commits a failed
callback and does not try again), so the answer is given first and the work is done after.
"""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any, Final

from aiohttp import web

from installer.acceptance.driver.bodies import body_of
from installer.acceptance.driver.journeys import Journeys, reason_of

_LARGEST: Final = 64 * 1024
"""Bytes of a message at most; those of the three operations have a tenth of it."""
_SECONDS: Final = 30.0
"""For a message as a whole: whoever reaches the door could else hold it open for ever."""
_LINGERS: Final = 1.0
"""Seconds for which what is left of a refused message is still taken."""
_ACCEPTED: Final = 202
_TAKEN: Final = 200


class Endpoint:
    """The callbacks of FSPIOP, handed to the journeys that wait for them."""

    def __init__(self, journeys: Journeys) -> None:
        self._journeys = journeys
        self.participants: dict[tuple[str, str], asyncio.Future[str]] = {}
        """Registrations of parties that wait for the hub's word, by participant and party."""
        self._runner: web.ServerRunner | None = None

    async def open(self, host: str, port: int) -> int:
        """Listen; the port, which is another than asked for only where 0 was asked."""
        server = web.Server(self._handle, lingering_time=_LINGERS)
        self._runner = web.ServerRunner(server, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port, backlog=4096)
        await site.start()
        return int(self._runner.addresses[0][1])

    async def close(self) -> None:
        """Listen no more."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _handle(self, request: web.BaseRequest) -> web.Response:
        now = time.monotonic()
        words = request.path.split("/")[1:]
        try:
            async with asyncio.timeout(_SECONDS):
                body = await body_of(request.content, _LARGEST)
        except OSError:
            return web.Response(status=400)
        if body is None or len(words) < 2:
            return web.Response(status=404)
        fsp, resource, *rest = words
        error = bool(rest) and rest[-1] == "error"
        rest = rest[:-1] if error else rest
        reason = reason_of(body) if error else ""
        said = {} if error or not body else _object(body)
        if said is None:
            return web.Response(status=400)
        match request.method, resource, rest:
            case "GET", "parties", [_, msisdn]:
                source = request.headers.get("FSPIOP-Source", "")
                self._journeys.party_wanted(fsp, msisdn, source, now)
                return web.Response(status=_ACCEPTED)
            case "PUT", "parties", [_, msisdn]:
                self._journeys.party_told(msisdn, reason, now)
            case "POST", "quotes", []:
                self._journeys.terms_wanted(fsp, said, now)
                return web.Response(status=_ACCEPTED)
            case "PUT", "quotes", [quote]:
                self._journeys.terms_told(quote, said, reason, now)
            case "POST", "transfers", []:
                self._journeys.clearing_wanted(fsp, said, now)
                return web.Response(status=_ACCEPTED)
            case "PUT" | "PATCH", "transfers", [transfer]:
                self._journeys.clearing_told(fsp, transfer, said, reason, now)
            case "PUT", "participants", [_, msisdn]:
                waiting = self.participants.get((fsp, msisdn))
                if waiting is not None and not waiting.done():
                    waiting.set_result(reason)
            case _:
                return web.Response(status=404)
        return web.Response(status=_TAKEN)


def _object(body: bytes) -> dict[str, Any] | None:
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return said if isinstance(said, dict) else None

"""A hub that does nothing: each message goes on at once, so that what is measured is the driver.

`python -m installer.acceptance.driver.null_hub` is started by the fleet beside the driver's own
processes. It keeps no ledger and knows no error; it is held against the driver, never against a
hub.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any, Final

import aiohttp
from aiohttp import web
from yarl import URL

from installer.acceptance.driver import messages
from installer.acceptance.driver.bodies import body_of
from installer.acceptance.driver.worker import lines_of_stdin, run, say

_LARGEST: Final = 64 * 1024


class NullHub:
    """Hands messages on: a lookup by the party's range, everything else by its headers."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._doors: dict[str, str] = {}
        self._ranges: list[tuple[int, int, str]] = []
        self._version = ""
        self._session = session
        self._tasks: set[asyncio.Task[None]] = set()

    def learn(self, said: dict[str, Any]) -> None:
        """Who takes callbacks where, whose each range of parties is, and FSPIOP's version."""
        self._doors = said["doors"]
        self._ranges = [(first, first + count, name) for name, first, count in said["ranges"]]
        self._version = said["version"]

    async def handle(self, request: web.BaseRequest) -> web.Response:
        """Take one message and hand it on."""
        body = await body_of(request.content, _LARGEST) or b""
        source = request.headers.get("FSPIOP-Source", "")
        target = request.headers.get("FSPIOP-Destination", "")
        words = request.path.split("/")[1:]
        match request.method, words:
            case "GET", ["parties", _, msisdn]:
                number = int(msisdn)
                target = next(name for low, end, name in self._ranges if low <= number < end)
                self._hand_on("GET", request.path, source, target, None)
            case "PUT", ["transfers", _]:
                committed = {**json.loads(body), "transferState": "COMMITTED"}
                whole = json.dumps(committed).encode()
                self._hand_on("PUT", request.path, source, target, whole)
                self._hand_on("PATCH", request.path, target, source, whole)
            case _:
                self._hand_on(request.method, request.path, source, target, body)
        return web.Response(status=200 if request.method == "PUT" else 202)

    def _hand_on(
        self, method: str, path: str, source: str, target: str, body: bytes | None
    ) -> None:
        task = asyncio.ensure_future(self._send(method, path, source, target, body))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _send(
        self, method: str, path: str, source: str, target: str, body: bytes | None
    ) -> None:
        resource = path.split("/")[1]
        headers = messages.headers(
            resource, self._version, source, target, asks=method in ("GET", "POST")
        )
        url = URL(self._doors[target] + path, encoded=True)
        try:
            async with self._session.request(method, url, data=body, headers=headers) as answer:
                await body_of(answer.content, _LARGEST)
        except (aiohttp.ClientError, TimeoutError, OSError):
            # The driver finds a callback missing, and says so.
            return


async def _main() -> None:
    lines = await lines_of_stdin()
    connector = aiohttp.TCPConnector(limit=512, keepalive_timeout=4)
    async with aiohttp.ClientSession(connector=connector, auto_decompress=False) as session:
        hub = NullHub(session)
        runner = web.ServerRunner(web.Server(hub.handle), access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, backlog=4096).start()
        say(event="ready", port=int(runner.addresses[0][1]))
        while line := await lines.readline():
            hub.learn(json.loads(line))
            say(event="done", of="doors")
        await runner.cleanup()


if __name__ == "__main__":
    run(_main)

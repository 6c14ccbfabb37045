"""The bare side of `benchmarks.acceptance`: a client and a server of the same library, no more."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Final

import aiohttp
from aiohttp import web

from installer.acceptance.driver.messages import headers, transfer
from installer.acceptance.driver.worker import lines_of_stdin, run, say

_BODY: Final = transfer("0" * 36, "a", "b", "1", "XTS", "p" * 200, "c" * 43, 0)


async def _one(session: aiohttp.ClientSession, url: str) -> None:
    named = headers("quotes", "1.1", "a", "b", asks=True)
    async with session.post(url, data=_BODY, headers=named) as answer:
        await answer.read()


async def _main() -> None:
    """So many messages, so many a second, to a hub that hands each back."""
    lines = await lines_of_stdin()
    taken = asyncio.Semaphore(0)

    async def take(request: web.BaseRequest) -> web.Response:
        await request.read()
        taken.release()
        return web.Response(status=202)

    runner = web.ServerRunner(web.Server(take), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    connector = aiohttp.TCPConnector(limit=512, keepalive_timeout=4)
    async with aiohttp.ClientSession(connector=connector) as session:
        say(event="ready", port=int(runner.addresses[0][1]))
        while line := await lines.readline():
            said = json.loads(line)
            before, began = time.process_time(), time.monotonic()
            sent = []
            for number in range(said["messages"]):
                wait = began + number / said["a_second"] - time.monotonic()
                if wait > 0:
                    await asyncio.sleep(max(0.001, wait))
                sent.append(asyncio.ensure_future(_one(session, said["hub"])))
            await asyncio.gather(*sent)
            for _ in sent:
                await taken.acquire()
            say(event="done", of="messages", cpu=time.process_time() - before)
        await runner.cleanup()


if __name__ == "__main__":
    run(_main)

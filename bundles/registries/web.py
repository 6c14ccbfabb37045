"""HTTP for everything that a bundle is made from: patient, resuming, and on its guard.

A server may ask to wait (429 or 503 with Retry-After), break off in the middle, redirect to a
content network, or send more than it should. Waiting is bounded and told, a download goes on where
it broke off, credentials stay with the server that they belong to, and nothing is read without a
limit. Proxies and certificates come from the environment (HTTPS_PROXY, NO_PROXY, SSL_CERT_FILE).
"""

from __future__ import annotations

import asyncio
import random
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, Protocol

import httpcore
import httpx

from bundles.format.budgets import (
    ANSWER_SECONDS,
    ATTEMPTS,
    BEGIN_SECONDS,
    LONGEST_WAIT,
    RETRY_ROUNDS,
    SHORTEST_WAIT,
    SMALLEST_GAIN,
)
from bundles.format.problems import Limited, NoConnection, SourceProblem, WrongContent
from bundles.read.store import LARGE, Blob, Partial, Store
from bundles.registries.content_coding import codings, unpacked
from bundles.registries.proxies import proxy_for
from bundles.registries.web_answers import (
    announced_size,
    certificates,
    expect,
    goes_on,
    origin,
    packed_of_unknown_size,
    parsed_url,
    read_bounded,
    reason,
    redirected,
    retry_after,
    shown,
    too_slow,
    words_of,
)
from foundation.version import __version__

Authorize = Callable[[httpx.Response | None], Awaitable[str | None]]
"""Gives the Authorization header: asked with None before, and with the 401 that was answered."""

# Bytes that are taken from a connection at once; with its 64 KiB a third of the time is overhead.
httpcore.AsyncHTTP11Connection.READ_NUM_BYTES = 1 << 18

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_PIECE: Final = 1 << 20
"""Bytes that are hashed and written at once."""


class News(Protocol):
    """Whoever is told of bytes: those that came in, and those that were there already."""

    def gained(self, count: int, /) -> None: ...
    def had(self, count: int, /) -> None: ...


class _NoNews:
    def gained(self, count: int, /) -> None:
        """Nobody listens."""

    def had(self, count: int, /) -> None:
        """Nobody listens."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long servers are waited for; seconds."""

    attempts: int = ATTEMPTS
    """Failures in a row without a byte gained, before it is given up."""
    first_pause: float = 0.5
    longest_pause: float = 30.0
    longest_wait: float = LONGEST_WAIT
    """Seconds that one request may be told to wait in all."""
    shortest_wait: float = SHORTEST_WAIT
    """Seconds that a wait takes at least, whatever a server says."""
    connect: float = 15.0
    silence: float = 60.0
    """Seconds without a byte, before a server counts as gone."""
    begin: float = BEGIN_SECONDS
    """Seconds until an answer begins: one that drips, or announces itself for ever, never does."""


def _proxy(address: str | None, verify: ssl.SSLContext | bool) -> httpx.Proxy | None:
    """A proxy; one that is itself spoken to by TLS is judged by the same authorities."""
    if address is None:
        return None
    tls = verify if isinstance(verify, ssl.SSLContext) and address.startswith("https:") else None
    return httpx.Proxy(address, ssl_context=tls)


class Web:
    """A client for many servers at once; use it as an asynchronous context."""

    def __init__(
        self,
        *,
        patience: Patience | None = None,
        parallel: int = 8,
        waiting: Callable[[str, float], None] | None = None,
        may_ask: Callable[[httpx.URL], None] | None = None,
    ) -> None:
        """`may_ask` raises where an address may not be asked, also one that a server leads to."""
        self.patience = patience or Patience()
        self._waiting = waiting
        self._may_ask = may_ask
        self._slots = asyncio.Semaphore(parallel)
        # The pool looks at every connection for every request, so they are no more than are used.
        self._connections = parallel + 2
        # A disk that writes back must not hold up what comes in, so syncing has its own threads.
        self._syncing = ThreadPoolExecutor(4, thread_name_prefix="sync")
        self._clients: dict[tuple[str, str | None], httpx.AsyncClient] = {}

    def _client(self, url: httpx.URL) -> httpx.AsyncClient:
        proxy = proxy_for(url)
        which = (url.scheme, proxy)
        if which not in self._clients:
            self._clients[which] = self._new_client(url.scheme, proxy)
        return self._clients[which]

    def _new_client(self, scheme: str, proxy: str | None) -> httpx.AsyncClient:
        connections = self._connections
        # Certificates take a tenth of a second to load; without https nobody needs them.
        verify = certificates() if scheme == "https" or proxy else False
        return httpx.AsyncClient(
            verify=verify,
            # The library's own reading of the environment knows no networks in NO_PROXY, and
            # fails on IPv6 there; and neither .netrc nor a variable may choose a login.
            trust_env=False,
            proxy=_proxy(proxy, verify),
            follow_redirects=False,
            timeout=httpx.Timeout(self.patience.silence, connect=self.patience.connect, pool=None),
            limits=httpx.Limits(max_connections=connections, max_keepalive_connections=connections),
            headers={"User-Agent": f"sitewright/{__version__}", "Accept-Encoding": "identity"},
        )

    async def __aenter__(self) -> Web:
        return self

    async def __aexit__(self, *details: object) -> None:
        for client in self._clients.values():
            await client.aclose()
        self._syncing.shutdown(wait=True)

    @asynccontextmanager
    async def answer(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        content: Callable[[], AsyncIterator[bytes]] | bytes | None = None,
        authorize: Authorize | None = None,
    ) -> AsyncIterator[httpx.Response]:
        """The answer to one request, after redirects, waits and retries; its body is unread.

        Raises SourceProblem where no answer can be had; any status other than 429 and 5xx is one.
        """
        response = await self._send(method, url, dict(headers or {}), content, authorize)
        try:
            yield response
        finally:
            await response.aclose()

    async def small(
        self,
        url: str,
        *,
        limit: int,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        authorize: Authorize | None = None,
        seconds: float | None = ANSWER_SECONDS,
    ) -> tuple[httpx.Response, bytes]:
        """A GET (a POST where there is content) whose answer of at most `limit` bytes is read.

        It is to be whole within so many seconds; without them it only may not stand still.
        Raises SourceProblem.
        """
        method = "GET" if content is None else "POST"
        failures = 0
        while True:
            try:
                async with (
                    self.answer(
                        method, url, headers=headers, content=content, authorize=authorize
                    ) as response,
                    asyncio.timeout(seconds),
                ):
                    return response, await read_bounded(response, limit)
            except TimeoutError as error:
                raise SourceProblem(
                    f"its answer is not whole after {seconds or 0:.0f} seconds", where=shown(url)
                ) from error
            except httpx.TransportError as error:
                failures += 1
                await self._pause(failures, url, error)

    async def download(
        self,
        url: str,
        store: Store,
        digest: str,
        size: int | None,
        *,
        authorize: Authorize | None = None,
        news: News | None = None,
        tried: Callable[[], str] = str,
    ) -> Blob:
        """A body into the store, going on from what is there.

        `tried` says which login was tried, for whoever is refused. Raises SourceProblem,
        WrongContent.
        """
        news = news or _NoNews()
        small = size is not None and size < LARGE
        async with self._slots:
            # What an earlier run left is hashed again, which takes its time; for what is small,
            # a thread takes longer than the work.
            partial = (
                store.begin(digest, size)
                if small
                else await asyncio.to_thread(store.begin, digest, size)
            )
            try:
                news.had(partial.received)
                labelled = await self._receive(url, partial, size, authorize, news, tried)
            except BaseException:
                partial.close()
                raise
        with partial:
            try:
                if small:
                    return partial.finish()
                loop = asyncio.get_running_loop()
                return await loop.run_in_executor(self._syncing, partial.finish)
            except WrongContent as problem:
                if labelled and size is None:
                    raise packed_of_unknown_size(url) from problem
                raise WrongContent(problem.cause, where=shown(url)) from problem

    async def _receive(
        self,
        url: str,
        partial: Partial,
        size: int | None,
        authorize: Authorize | None,
        news: News,
        tried: Callable[[], str],
    ) -> bool:
        """Take a body in; whether the server calls it packed."""
        failures = 0
        packing = labelled = False
        while size is None or partial.received < size:
            if packing and partial.received:
                # Ranges of a packed body are ranges of other bytes, so it begins anew.
                news.had(-partial.received)
                partial.restart()
            before = partial.received
            headers = {"Range": f"bytes={before}-"} if before else {}
            try:
                async with self.answer(
                    "GET", url, headers=headers, authorize=authorize
                ) as response:
                    labelled = bool(codings(response))
                    packing = packing or (labelled and _is_packed(response, size))
                    if packing and before:
                        continue
                    if not goes_on(response, before):
                        partial.restart()
                        news.had(-before)
                    if response.status_code == 416 and before:
                        continue
                    await expect(response, 200, 206, tried=tried())
                    if size is None:
                        size = announced_size(response, partial.received)
                        partial.expect(size)
                    body = unpacked(response) if packing else response.aiter_raw()
                    await _write_down(body, partial, news)
                if partial.received < size:
                    raise httpx.RemoteProtocolError("the answer ended too early")
            except httpx.TransportError as error:
                # Whoever breaks off after every few bytes would keep this going for ever.
                gained = partial.received - before
                failures = 1 if gained >= min(SMALLEST_GAIN, size or 1) else failures + 1
                await self._pause(failures, url, error)
            except WrongContent as problem:
                raise WrongContent(problem.cause, where=shown(url)) from problem
        return labelled

    async def _send(
        self,
        method: str,
        url: str,
        headers: dict[str, str],
        content: Callable[[], AsyncIterator[bytes]] | bytes | None,
        authorize: Authorize | None,
    ) -> httpx.Response:
        failures = redirects = 0
        waited = 0.0
        rounds = 0
        challenged = False
        here = first = parsed_url(url)
        authorization = await authorize(None) if authorize else None
        while True:
            sent = dict(headers)
            if authorization and origin(here) == origin(first):
                sent["Authorization"] = authorization
            if self._may_ask is not None:
                self._may_ask(here)
            try:
                client = self._client(here)
                async with asyncio.timeout(self.patience.begin) as until:
                    body = self._noted(content(), until) if callable(content) else content
                    request = client.build_request(method, here, headers=sent, content=body)
                    response = await client.send(request, stream=True)
            except (httpx.TransportError, TimeoutError) as error:
                failures += 1
                late = f"its answer does not begin within {self.patience.begin:.0f} seconds"
                why = error if isinstance(error, httpx.TransportError) else late
                await self._pause(failures, str(here), why)
                continue
            status = response.status_code
            if status == 401 and authorize and not challenged and origin(here) == origin(first):
                challenged = True
                await words_of(response, 1 << 16)
                authorization = await authorize(response)
                await response.aclose()
                if authorization:
                    continue
                return await self._send(method, url, headers, content, None)
            if (
                status in _REDIRECTS
                and method in ("GET", "HEAD")
                and "location" in response.headers
            ):
                redirects += 1
                await response.aclose()
                here = redirected(here, response.headers["location"], redirects)
                continue
            if status != 429 and status < 500:
                return response
            await response.aclose()
            asked = retry_after(response)
            if status == 429 or asked is not None:
                wait = asked if asked is not None else self._backoff(failures := failures + 1)
                told = wait
                # A server that says 0 for ever is asked more slowly, and not for ever.
                wait = max(wait, min(self._backoff(rounds + 1), self.patience.shortest_wait))
                waited += wait
                rounds += 1
                if waited > self.patience.longest_wait or rounds > RETRY_ROUNDS:
                    raise Limited(
                        f"the server asks to wait {told:.0f} seconds (too many requests"
                        + (f", {rounds} times so far)" if rounds > 1 else ")"),
                        seconds=told,
                        where=shown(str(here)),
                        remedy="Run the same command later, log in to the registry, or name a "
                        "mirror; what is already there is not fetched twice.",
                    )
                if self._waiting:
                    self._waiting(here.host, told)
                await asyncio.sleep(wait)
                continue
            failures += 1
            await self._pause(failures, str(here), f"the server answers {status}")

    async def _noted(
        self, pieces: AsyncIterator[bytes], until: asyncio.Timeout
    ) -> AsyncIterator[bytes]:
        """What is sent, while it is: the time until an answer begins is counted from its end."""
        async for piece in pieces:
            until.reschedule(asyncio.get_running_loop().time() + self.patience.begin)
            yield piece

    async def _pause(self, failures: int, url: str, why: object) -> None:
        if failures >= self.patience.attempts:
            unreached = isinstance(why, httpx.ConnectError | httpx.ConnectTimeout)
            kind = NoConnection if unreached else SourceProblem
            raise kind(reason(why), where=shown(url))
        await asyncio.sleep(self._backoff(failures))

    def _backoff(self, failures: int) -> float:
        pause: float = self.patience.first_pause * 2 ** (failures - 1)
        # Spread, so that many downloads that broke off together do not come back together.
        spread: float = random.uniform(0.7, 1.3)  # noqa: S311 - no secret depends on it
        return min(pause, self.patience.longest_pause) * spread


def _is_packed(response: httpx.Response, size: int | None) -> bool:
    """Whether what is called packed is so; some servers call a .gz file so that is as it should be.

    Where no size is known the digest tells, at the end.
    """
    return size is not None and response.headers.get("content-length", "") != str(size)


async def _write_down(body: AsyncIterator[bytes], partial: Partial, news: News) -> None:
    """A body into the store: one piece is hashed and written while the next one comes in.

    Whatever came in is written, also when the connection breaks or the task is cancelled.
    """
    writing: asyncio.Future[None] | None = None
    pieces: list[bytes] = []
    held = 0
    total = 0
    began = time.monotonic()
    try:
        # httpx's own chunks of a given size would lose what it holds back when it breaks off.
        async for chunk in body:
            pieces.append(chunk)
            held += len(chunk)
            total += len(chunk)
            news.gained(len(chunk))
            if too_slow(total, time.monotonic() - began):
                raise httpx.ReadTimeout("it sends next to nothing")
            if held >= _PIECE:
                if writing is not None:
                    await writing
                writing = asyncio.ensure_future(asyncio.to_thread(_write_all, partial, pieces))
                pieces, held = [], 0
    finally:
        if writing is not None:
            # A thread cannot be cancelled: the file must be at rest before it is left.
            await asyncio.wait({writing})
        if writing is None or writing.exception() is None:
            _write_all(partial, pieces)
    if writing is not None:
        await writing


def _write_all(partial: Partial, pieces: list[bytes]) -> None:
    for piece in pieces:
        partial.write(piece)

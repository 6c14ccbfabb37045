"""HTTP for everything that a bundle is made from: patient, resuming, and on its guard.

A server may ask to wait (429 or 503 with Retry-After), break off in the middle, redirect to a
content network, or send more than it should. Waiting is bounded and told, a download goes on where
it broke off, credentials stay with the server that they belong to, and nothing is read without a
limit. Proxies and certificates come from the environment (HTTPS_PROXY, NO_PROXY, SSL_CERT_FILE).
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
import random
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

import httpx

from bundles.problems import SourceProblem, WrongContent
from bundles.store import Blob, Partial
from foundation.version import __version__

Authorize = Callable[[httpx.Response | None], Awaitable[str | None]]
"""Gives the Authorization header: asked with None before, and with the 401 that was answered."""

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS: Final = 5
_PIECE: Final = 1 << 20
"""Bytes that are hashed and written at once."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long servers are waited for; seconds."""

    attempts: int = 6
    """Failures in a row without a byte gained, before it is given up."""
    first_pause: float = 0.5
    longest_pause: float = 30.0
    longest_wait: float = 900.0
    """Seconds that one request may be told to wait in all."""
    connect: float = 15.0
    silence: float = 60.0
    """Seconds without a byte, before a server counts as gone."""


class Web:
    """A client for many servers at once; use it as an asynchronous context."""

    def __init__(
        self,
        *,
        patience: Patience | None = None,
        connections: int = 16,
        waiting: Callable[[str, float], None] | None = None,
    ) -> None:
        self.patience = patience or Patience()
        self._waiting = waiting
        self._client = httpx.AsyncClient(
            verify=_certificates(),
            follow_redirects=False,
            timeout=httpx.Timeout(self.patience.silence, connect=self.patience.connect, pool=None),
            limits=httpx.Limits(max_connections=connections, max_keepalive_connections=connections),
            headers={"User-Agent": f"sitewright/{__version__}", "Accept-Encoding": "identity"},
        )

    async def __aenter__(self) -> Web:
        await self._client.__aenter__()
        return self

    async def __aexit__(self, *details: object) -> None:
        await self._client.aclose()

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
        authorize: Authorize | None = None,
    ) -> tuple[httpx.Response, bytes]:
        """A GET whose body of at most `limit` bytes is read; raises SourceProblem."""
        failures = 0
        while True:
            try:
                async with self.answer(
                    "GET", url, headers=headers, authorize=authorize
                ) as response:
                    return response, await read_bounded(response, limit)
            except httpx.TransportError as error:
                failures += 1
                await self._pause(failures, url, error)

    async def download(
        self,
        url: str,
        partial: Partial,
        *,
        size: int | None = None,
        authorize: Authorize | None = None,
        gained: Callable[[int], None] | None = None,
    ) -> Blob:
        """A body into the store, going on from what is there.

        Raises SourceProblem, WrongContent.
        """
        failures = 0
        while size is None or partial.received < size:
            before = partial.received
            headers = {"Range": f"bytes={before}-"} if before else {}
            try:
                async with self.answer(
                    "GET", url, headers=headers, authorize=authorize
                ) as response:
                    if not _goes_on(response, before):
                        partial.restart()
                        if gained and before:
                            gained(-before)
                    if response.status_code == 416 and before:
                        continue
                    await expect(response, 200, 206)
                    await _write_down(response, partial, gained)
                if size is None:
                    break
                if partial.received < size:
                    raise httpx.RemoteProtocolError("the answer ended too early")
            except httpx.TransportError as error:
                failures = 1 if partial.received > before else failures + 1
                await self._pause(failures, url, error)
            except WrongContent as problem:
                raise WrongContent(problem.cause, where=shown(url)) from problem
        try:
            return await asyncio.to_thread(partial.finish)
        except WrongContent as problem:
            raise WrongContent(problem.cause, where=shown(url)) from problem

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
        challenged = False
        here = first = _url(url)
        authorization = await authorize(None) if authorize else None
        while True:
            sent = dict(headers)
            if authorization and _origin(here) == _origin(first):
                sent["Authorization"] = authorization
            body = content() if callable(content) else content
            try:
                request = self._client.build_request(method, here, headers=sent, content=body)
                response = await self._client.send(request, stream=True)
            except httpx.TransportError as error:
                failures += 1
                await self._pause(failures, str(here), error)
                continue
            status = response.status_code
            if status == 401 and authorize and not challenged and _origin(here) == _origin(first):
                challenged = True
                await read_bounded(response, 1 << 16, whole=False)
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
                here = _redirected(here, response.headers["location"], redirects)
                continue
            if status != 429 and status < 500:
                return response
            await response.aclose()
            asked = _retry_after(response)
            if status == 429 or asked is not None:
                wait = asked if asked is not None else self._backoff(failures := failures + 1)
                waited += wait
                if waited > self.patience.longest_wait:
                    raise SourceProblem(
                        f"the server asks to wait {wait:.0f} seconds (too many requests)",
                        where=shown(str(here)),
                        remedy="Run the same command later, log in to the registry, or name a "
                        "mirror; what is already there is not fetched twice.",
                    )
                if self._waiting:
                    self._waiting(here.host, wait)
                await asyncio.sleep(wait)
                continue
            failures += 1
            await self._pause(failures, str(here), f"the server answers {status}")

    async def _pause(self, failures: int, url: str, why: object) -> None:
        if failures >= self.patience.attempts:
            raise SourceProblem(_reason(why), where=shown(url))
        await asyncio.sleep(self._backoff(failures))

    def _backoff(self, failures: int) -> float:
        pause: float = self.patience.first_pause * 2 ** (failures - 1)
        # Spread, so that many downloads that broke off together do not come back together.
        spread: float = random.uniform(0.7, 1.3)  # noqa: S311 - no secret depends on it
        return min(pause, self.patience.longest_pause) * spread


async def read_bounded(response: httpx.Response, limit: int, *, whole: bool = True) -> bytes:
    """A body of at most `limit` bytes; raises SourceProblem beyond, or cuts it if not `whole`."""
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > limit:
            if not whole:
                break
            raise SourceProblem(
                f"the server sends more than {limit} bytes where less is due",
                where=shown(str(response.request.url)),
                remedy="Check the address; somebody else may be answering there.",
            )
    return bytes(body[:limit])


async def _write_down(
    response: httpx.Response, partial: Partial, gained: Callable[[int], None] | None
) -> None:
    """A body into the store: one piece is hashed and written while the next one comes in.

    Whatever came in is written, also when the connection breaks or the task is cancelled.
    """
    writing: asyncio.Future[None] | None = None
    piece = bytearray()
    try:
        # httpx's own chunks of a given size would lose what it holds back when it breaks off.
        async for chunk in response.aiter_raw():
            piece += chunk
            if gained:
                gained(len(chunk))
            if len(piece) >= _PIECE:
                if writing is not None:
                    await writing
                writing = asyncio.ensure_future(asyncio.to_thread(partial.write, piece))
                piece = bytearray()
    finally:
        if writing is not None:
            # A thread cannot be cancelled: the file must be at rest before it is left.
            await asyncio.wait({writing})
        if writing is None or writing.exception() is None:
            partial.write(piece)
    if writing is not None:
        await writing


async def expect(response: httpx.Response, *statuses: int) -> None:
    """Raise SourceProblem with the server's own words if the status is not one of these."""
    if response.status_code in statuses:
        return
    body = (await read_bounded(response, 2000, whole=False)).decode("utf-8", "replace")
    said = "".join(sign if sign.isprintable() else " " for sign in body).strip()[:300]
    meaning = {
        401: "a login is needed, or it was refused",
        403: "this login may not have it",
        404: "there is no such thing there",
    }.get(response.status_code, "it cannot be had")
    raise SourceProblem(
        f"the server answers {response.status_code}: {meaning}" + (f" ({said})" if said else ""),
        where=shown(str(response.request.url)),
        remedy="Check the name; log in with `podman login` or `docker login` where it is private."
        if response.status_code in (401, 403, 404)
        else None,
    )


def shown(url: str) -> str:
    """An address as it may be shown: without login and query, which may hold secrets."""
    try:
        parsed = httpx.URL(url)
        return str(parsed.copy_with(username=None, password=None, query=None, fragment=None))
    except httpx.InvalidURL:
        return "(no address)"


def is_loopback(host: str) -> bool:
    """Whether a host name is this machine itself, where HTTP needs no encryption."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def _certificates() -> ssl.SSLContext:
    if os.environ.get("SSL_CERT_FILE") or os.environ.get("SSL_CERT_DIR"):
        return httpx.create_ssl_context()
    # The system's own store, since sites add their own authorities there and not to a package.
    context = ssl.create_default_context()
    if not context.cert_store_stats()["x509_ca"]:
        return httpx.create_ssl_context()
    return context


def _url(text: str) -> httpx.URL:
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL as error:
        raise SourceProblem(f"this is no address: {error}", where=text[:200]) from error
    if url.scheme not in ("http", "https") or not url.host:
        raise SourceProblem("only http and https addresses can be fetched", where=shown(text))
    return url


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return (url.scheme, url.host, url.port)


def _redirected(here: httpx.URL, location: str, redirects: int) -> httpx.URL:
    try:
        there = _url(str(here.join(location)))
    except (httpx.InvalidURL, ValueError) as error:
        raise SourceProblem("it redirects to no address", where=shown(str(here))) from error
    if redirects > _MOST_REDIRECTS:
        raise SourceProblem(
            f"it redirects more than {_MOST_REDIRECTS} times", where=shown(str(here))
        )
    if here.scheme == "https" and there.scheme != "https":
        raise SourceProblem(
            f"it redirects from https to {shown(str(there))}, which is not encrypted",
            where=shown(str(here)),
        )
    return there


def _goes_on(response: httpx.Response, offset: int) -> bool:
    if not offset:
        return True
    stated = response.headers.get("content-range", "")
    return response.status_code == 206 and stated.startswith(f"bytes {offset}-")


def _retry_after(response: httpx.Response) -> float | None:
    text: str = response.headers.get("retry-after", "")
    if text.isdecimal():
        return float(text[:9])
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())


def _reason(why: object) -> str:
    if isinstance(why, httpx.ConnectTimeout):
        return "the server does not answer"
    if isinstance(why, httpx.ReadTimeout):
        return "the server fell silent"
    if isinstance(why, httpx.ConnectError):
        return f"no connection: {why}"
    return f"the connection broke: {why}" if isinstance(why, Exception) else str(why)

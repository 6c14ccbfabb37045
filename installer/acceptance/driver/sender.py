"""The way to the hub: a bounded pool of connections of our own, kept alive and never stale."""

from __future__ import annotations

import ssl
from types import TracebackType
from typing import Final, Self

import aiohttp
from yarl import URL

from installer.acceptance.driver.bodies import body_of
from installer.acceptance.driver.spec import Spec
from installer.acceptance.driver.tally import Tally

_KEPT: Final = 4.0
"""Seconds for which an idle connection is kept. Node closes its own after five (its
keepAliveTimeout); one that is used as it closes would be the generator's failure, not the hub's."""
_LARGEST: Final = 64 * 1024
"""Bytes of an answer that are read; one that is longer costs its connection."""
_SILENT: Final = ("Accept", "Accept-Encoding", "User-Agent", "Content-Type")
"""Headers that the library adds by itself; FSPIOP forbids the first on a callback."""


def tls_context(authority: str, certificate: str, key: str) -> ssl.SSLContext | None:
    """How the hub is believed and we name ourselves; None where no file is named."""
    if not (authority or certificate):
        return None
    context = ssl.create_default_context(cafile=authority or None)
    if certificate:
        context.load_cert_chain(certificate, key or None)
    return context


class Sender:
    """Sends messages to the hub; each answer is a status, and a reason where there was none."""

    def __init__(self, spec: Spec, tally: Tally) -> None:
        self._limit = spec.connections
        self._tally = tally
        self._sending = 0
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=spec.connections,
                keepalive_timeout=_KEPT,
                ttl_dns_cache=10,
                ssl=tls_context(spec.authority, spec.certificate, spec.certificate_key) or True,
            ),
            timeout=aiohttp.ClientTimeout(total=spec.timeout),
            skip_auto_headers=_SILENT,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        await self._session.close()

    async def send(
        self, method: str, url: str, headers: dict[str, str], body: bytes | None = None
    ) -> int:
        """Send one message; the status of its answer, and 0 where none came.

        A connection that died before it answered is replaced once: an identifier that comes
        again with the same body means the same (API Definition 1.1, section 3.2.5).
        """
        self._sending += 1
        if self._sending > self._limit:
            self._tally.full += 1
        try:
            for again in (False, True):
                try:
                    async with self._session.request(
                        method, URL(url, encoded=True), data=body, headers=headers
                    ) as answer:
                        await body_of(answer.content, _LARGEST)
                        return answer.status
                except (aiohttp.ServerDisconnectedError, ConnectionResetError):
                    if again:
                        return 0
                    self._tally.resent += 1
                except (aiohttp.ClientError, TimeoutError, OSError):
                    return 0
            return 0
        finally:
            self._sending -= 1

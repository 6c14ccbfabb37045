"""Answers of HTTP servers, judged: bounded bodies, redirects, statuses, waits."""

from __future__ import annotations

import ipaddress
import os
import ssl
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from bundles.format.budgets import REDIRECTS, SAID_BYTES, SLOWEST
from bundles.format.problems import SourceProblem
from bundles.registries.content_coding import unpacked


def too_slow(received: int, seconds: float) -> bool:
    """Whether so many bytes in so many seconds are not worth waiting for."""
    return received < (seconds - SLOWEST.seconds) * SLOWEST.rate


async def read_bounded(response: httpx.Response, limit: int, *, whole: bool = True) -> bytes:
    """A body of at most `limit` bytes; raises SourceProblem beyond, or cuts it if not `whole`.

    What a server packed although it was asked not to is unpacked; the bound counts after that.
    One that sends next to nothing is waited for no longer than a download: httpx.ReadTimeout.
    """
    body = bytearray()
    began = time.monotonic()
    async for chunk in unpacked(response, lenient=not whole):
        body += chunk
        if too_slow(len(body), time.monotonic() - began):
            raise httpx.ReadTimeout("it sends next to nothing")
        if len(body) > limit:
            if not whole:
                break
            raise SourceProblem(
                f"the server sends more than {limit} bytes where less is due",
                where=shown(str(response.request.url)),
                remedy="Check the address; somebody else may be answering there.",
            )
    return bytes(body[:limit])


async def expect(response: httpx.Response, *statuses: int, tried: str = "") -> None:
    """Raise SourceProblem with the server's own words if the status is not one of these.

    `tried` says which login was looked for, or used, where it asked for one.
    """
    if response.status_code not in statuses:
        expect_of(response, await words_of(response, SAID_BYTES), *statuses, tried=tried)


async def words_of(response: httpx.Response, limit: int) -> bytes:
    """What came of a body that only says more of an answer: nothing depends on its being whole."""
    try:
        return await read_bounded(response, limit, whole=False)
    except httpx.TransportError:
        return b""  # it broke off, or drips: the status says what there is to say


def expect_of(response: httpx.Response, raw: bytes, *statuses: int, tried: str = "") -> None:
    """The same for an answer whose body was read."""
    if response.status_code in statuses:
        return
    body = raw[:SAID_BYTES].decode("utf-8", "replace")
    said = "".join(sign if sign.isprintable() else " " for sign in body).strip()[:300]
    meaning = {
        401: "a login is needed, or it was refused",
        403: "this login may not have it",
        404: "there is no such thing there",
    }.get(response.status_code, "it cannot be had")
    raise SourceProblem(
        f"the server answers {response.status_code}: {meaning}"
        + (f" ({said})" if said else "")
        + (f"; tried: {tried}" if tried and response.status_code in (401, 403) else ""),
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


def certificates() -> ssl.SSLContext:
    """The authorities that servers are checked with."""
    if os.environ.get("SSL_CERT_FILE") or os.environ.get("SSL_CERT_DIR"):
        return httpx.create_ssl_context()
    # The system's own store, since sites add their own authorities there and not to a package.
    context = ssl.create_default_context()
    if not context.cert_store_stats()["x509_ca"]:
        return httpx.create_ssl_context()
    return context


def parsed_url(text: str) -> httpx.URL:
    """An address that can be fetched; raises SourceProblem."""
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL as error:
        raise SourceProblem(f"this is no address: {error}", where=text[:200]) from error
    if url.scheme not in ("http", "https") or not url.host:
        raise SourceProblem("only http and https addresses can be fetched", where=shown(text))
    return url


def origin(url: httpx.URL) -> tuple[str, str, int | None]:
    """Scheme, host and port: what credentials belong to."""
    return (url.scheme, url.host, url.port)


def redirected(here: httpx.URL, location: str, redirects: int) -> httpx.URL:
    """The address that a redirect leads to; raises SourceProblem where it may not be followed."""
    try:
        there = parsed_url(str(here.join(location)))
    except (httpx.InvalidURL, ValueError) as error:
        raise SourceProblem("it redirects to no address", where=shown(str(here))) from error
    if redirects > REDIRECTS:
        raise SourceProblem(f"it redirects more than {REDIRECTS} times", where=shown(str(here)))
    if here.scheme == "https" and there.scheme != "https":
        raise SourceProblem(
            f"it redirects from https to {shown(str(there))}, which is not encrypted",
            where=shown(str(here)),
        )
    return there


def announced_size(response: httpx.Response, received: int) -> int:
    """The size that a body will have; one of which nothing is known does not fill the medium."""
    length: str = response.headers.get("content-length", "")
    if length.isdecimal() and len(length) < 15:
        return received + int(length)
    raise SourceProblem(
        "the server does not say how large it is",
        where=shown(str(response.request.url)),
        remedy="State its size in the recipe (size: BYTES).",
    )


def packed_of_unknown_size(url: str) -> SourceProblem:
    """The problem of a file that came packed, where nothing says how large it is unpacked."""
    return SourceProblem(
        "the server packs the file although it was asked not to, and its size is not known",
        where=shown(url),
        remedy="State its size in the recipe (size: BYTES), or ask for it without the proxy that "
        "packs it (NO_PROXY).",
    )


def goes_on(response: httpx.Response, offset: int) -> bool:
    """Whether an answer continues at the offset that was asked for, in bytes."""
    if not offset:
        return True
    stated = response.headers.get("content-range", "")
    return response.status_code == 206 and stated.startswith(f"bytes {offset}-")


def retry_after(response: httpx.Response) -> float | None:
    """Seconds that a server asks to wait; None where it does not say."""
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


def reason(why: object) -> str:
    """Why a request failed, in words."""
    if isinstance(why, httpx.ConnectTimeout):
        return "the server does not answer"
    if isinstance(why, httpx.ReadTimeout):
        return "the server fell silent"
    if isinstance(why, httpx.ConnectError):
        return f"no connection: {why}"
    return f"the connection broke: {why}" if isinstance(why, Exception) else str(why)

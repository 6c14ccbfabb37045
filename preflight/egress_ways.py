"""Egress tried: from each machine by a channel of its own connection, and from this one.

The machine resolves and connects; TLS and HTTP are spoken from here over that channel, so that no
tool is needed on the machine, and nothing is changed on it. Every attempt is bounded in time.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final
from urllib.parse import urlsplit

from foundation.hosts.connection import Connection, Connector, Dialled, PortState
from foundation.hosts.dialling import directly
from foundation.hosts.forwarding import forwarded
from foundation.hosts.model import Host
from foundation.problems import Problem
from preflight.egress import HERE, Attempt, Destination, Egress, Met, is_loopback
from preflight.parse.text import plain
from preflight.proxies import Proxy, Way

DIAL_SECONDS: Final = 5.0
ATTEMPT_SECONDS: Final = 15.0
"""For one destination from one machine, all of it."""
WHOLE_SECONDS: Final = 90.0
"""For all of it; what was not asked by then is told so."""
PER_MACHINE: Final = 4
IN_ALL: Final = 64
_HEAD_LIMIT: Final = 65536
_GREETING_LINES: Final = 50
_SPOKEN: Final = frozenset({"https", "http", "ssh"})
_OTHERS: Final = (
    "it answers with a certificate, and whom the machine believes could not be read there"
)
_UNREAD: Final = (
    "no_proxy has it by a network or a port, which Git and apt do not read: name it there itself"
)

_Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def measure(
    pool: Connector,
    hosts: Sequence[Host],
    places: Sequence[Destination],
    *,
    roles: Mapping[str, tuple[str, ...]] | None = None,
    ways: Mapping[str, Way] | None = None,
    trust: ssl.SSLContext | None = None,
    stores: Mapping[str, ssl.SSLContext | None] | None = None,
    apt: Mapping[str, Way] | None = None,
    here: bool = True,
    whole: float = WHOLE_SECONDS,
    count: Callable[[int, int], None] = lambda _done, _all: None,
) -> Egress:
    """Try every destination from every machine, side by side; a machine's problem is its result.

    `ways` are by the machine's name, "here" among them; `trust` is whom to believe certificates,
    this machine's authorities where it is left out, and `stores` whom each machine itself believes,
    by its name, None where it has no authorities at all; of one that is left out of them it is not
    told whether it believes a certificate. `apt` are the ways of package sources, where a machine's
    apt has one of its own. `roles` say which machine fetches what, and `count` hears how far it is.
    After `whole` seconds it ends, whatever is still open.
    """
    context = trust or ssl.create_default_context()
    at_once = asyncio.Semaphore(IN_ALL)
    bounds = {host.name: asyncio.Semaphore(PER_MACHINE) for host in hosts}
    bounds[HERE] = asyncio.Semaphore(PER_MACHINE)

    async def attempt(host: Host | None, place: Destination) -> Attempt:
        name = host.name if host is not None else HERE
        way = (ways or {}).get(name, Way())
        if place.kind == "packages":
            way = (apt or {}).get(name, way)
        proxy = way.by(place)
        trusted = (stores or {}).get(name, context)
        async with bounds[name], at_once:
            try:
                connection = None
                if host is not None and not host.local:
                    connection = await pool.connect(host)
                async with asyncio.timeout(ATTEMPT_SECONDS):
                    met, detail = await _tried(connection, place, proxy, trusted or context)
            except TimeoutError:
                met, detail = Met.SILENT, f"no answer in {ATTEMPT_SECONDS:g} s"
            except Problem as problem:
                met, detail = Met.NOT_TOLD, problem.cause
        if trusted is None and place.tls and met is Met.ANSWERED:
            met = Met.NO_AUTHORITIES
        unread = stores is not None and host is not None and not host.local and name not in stores
        if unread and place.tls and met in {Met.ANSWERED, Met.ISSUER}:
            # Whom this machine believes says nothing of whom that one does.
            how = "believed" if met is Met.ANSWERED else "not believed"
            met, detail = Met.NOT_TOLD, f"{_OTHERS}; here it is {how} ({detail})"
        if met is not Met.ANSWERED and way.unread(place):
            detail = "; ".join(filter(None, (detail, _UNREAD)))
        return Attempt(name, place, met, detail, proxy.at if proxy is not None else "")

    everyone: list[Host | None] = [*hosts]
    if here and not any(host.local for host in hosts):
        everyone.append(None)
    # Machines take turns, so that one which hangs does not hold all places.
    work = {
        asyncio.create_task(attempt(host, place)): (host, place)
        for place in places
        for host in everyone
        if (_fetches(host, place, roles or {}) if host is not None else _from_here(place, hosts))
    }
    await _in_time(work, whole, count)
    return Egress(
        tuple(
            task.result()
            if task.done() and not task.cancelled()
            else Attempt(
                host.name if host is not None else HERE,
                place,
                Met.NOT_TOLD,
                f"all of it took longer than {whole:g} s, and this was not asked to its end",
            )
            for task, (host, place) in work.items()
        )
    )


def _from_here(place: Destination, hosts: Sequence[Host]) -> bool:
    """Whether this machine asks too: what is a machine's own, or means itself, is not here."""
    return not place.machines and (not hosts or not is_loopback(place.host))


def _fetches(host: Host, place: Destination, roles: Mapping[str, tuple[str, ...]]) -> bool:
    """Whether a machine fetches from a place; one without a known role may."""
    if place.machines:
        return host.name in place.machines
    own = roles.get(host.name) or host.roles
    return not place.roles or not own or bool(set(own) & set(place.roles))


async def _in_time(
    tasks: Collection[asyncio.Task[Attempt]], seconds: float, count: Callable[[int, int], None]
) -> None:
    """Wait for tasks, counting how far they are, and end what is left after some seconds."""
    until = asyncio.get_running_loop().time() + seconds
    left = set(tasks)
    try:
        while left:
            time = until - asyncio.get_running_loop().time()
            done, left = await asyncio.wait(
                left, timeout=max(time, 0.0), return_when=asyncio.FIRST_COMPLETED
            )
            if not done:
                return
            count(len(tasks) - len(left), len(tasks))
    finally:
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)


async def _tried(
    connection: Connection | None,
    place: Destination,
    proxy: Proxy | None,
    context: ssl.SSLContext,
) -> tuple[Met, str]:
    host, port = place.host, place.port
    if place.scheme not in _SPOKEN:
        return Met.NOT_TOLD, f"it is fetched by {place.scheme}, which is not tried"
    if not host or not port:
        return Met.NOT_TOLD, "its address names no machine and port that there can be"
    if proxy is not None:
        if proxy.socks:
            return Met.NOT_TOLD, f"its proxy {proxy.at} speaks {proxy.scheme}, which is not tried"
        host, _, text = proxy.at.rpartition(":")
        host, port = host.strip("[]"), int(text)
    dialled = await _dialled(connection, host, port)
    if dialled.state is not PortState.OPEN:
        met, detail = _met(dialled)
        return met, f"the proxy {proxy.at}: {detail or met}" if proxy is not None else detail
    if dialled.via not in ("channel", "local"):
        # Without channels there is no TLS from here; that TCP opens is not yet an answer.
        return Met.NOT_TOLD, "TCP opens; its sshd forbids forwarding, so no more was tried"
    try:
        if place.scheme == "ssh":
            return await _greeted(connection, (host, port))
        return await _spoken(connection, (host, port), place, proxy, context)
    except ssl.SSLCertVerificationError as error:
        try:
            return await _whose(connection, (host, port), place, proxy, context, error)
        except (OSError, EOFError):
            return Met.NO_TLS, plain(error.verify_message)
    except ssl.SSLError as error:
        return Met.NO_TLS, plain((error.reason or str(error)).replace("_", " ").lower())
    except (OSError, EOFError) as error:
        kind = Met.NO_TLS if place.tls else Met.HTTP
        return kind, plain(f"the connection was cut: {error}" if str(error) else "it was cut")


async def _dialled(connection: Connection | None, host: str, port: int) -> Dialled:
    if connection is None:
        return await directly(host, port, DIAL_SECONDS)
    return await connection.dial(host, port, timeout=DIAL_SECONDS)


def _met(dialled: Dialled) -> tuple[Met, str]:
    words = dialled.detail.lower()
    if any(one in words for one in ("resol", "not known", "nodename", "no address associated")):
        return Met.NO_NAME, ""
    states = {
        PortState.REFUSED: Met.REFUSED,
        PortState.FILTERED: Met.SILENT,
        PortState.UNREACHABLE: Met.UNREACHABLE,
    }
    met = states.get(dialled.state, Met.NOT_TOLD)
    return met, "" if met is not Met.NOT_TOLD else plain(dialled.detail)


@asynccontextmanager
async def _streams(connection: Connection | None, at: tuple[str, int]) -> AsyncIterator[_Streams]:
    if connection is None:
        async with _opened(*at) as streams:
            yield streams
        return
    async with forwarded(connection, *at) as local, _opened("127.0.0.1", local) as streams:
        yield streams


@asynccontextmanager
async def _opened(host: str, port: int) -> AsyncIterator[_Streams]:
    reader, writer = await asyncio.open_connection(host, port)
    # TLS laid over it cannot always be ended after it failed (Python 3.11.2); the socket can.
    plain = writer.transport
    try:
        yield reader, writer
    except TypeError as error:
        # Python 3.11 ends TLS within TLS that fails by an error of its own; what came before is
        # the cause.
        if isinstance(error.__context__, OSError):
            raise error.__context__ from None
        raise
    finally:
        plain.abort()


async def _spoken(
    connection: Connection | None,
    at: tuple[str, int],
    place: Destination,
    proxy: Proxy | None,
    context: ssl.SSLContext,
) -> tuple[Met, str]:
    """TLS and one question of HTTP over a connection that stands."""
    async with _streams(connection, at) as (reader, writer):
        authorization = _authorization(proxy)
        if proxy is not None:
            try:
                await _to_proxy(writer, proxy, context)
            except ssl.SSLError as error:
                return (
                    Met.PROXY,
                    f"TLS to the proxy itself does not come about: {_tls_words(error)}",
                )
        if proxy is not None and place.tls:
            status, said, head = await _through(reader, writer, place, authorization)
            if status != 200:
                return _refused_by(proxy, status, said, head)
        if place.tls:
            await writer.start_tls(context, server_hostname=place.host)
        parts = urlsplit(place.url)
        path = f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"
        plainly = proxy is not None and not place.tls
        target = place.url if plainly else path
        writer.write(
            f"HEAD {target} HTTP/1.1\r\nHost: {place.shown}\r\nUser-Agent: sitewright\r\n"
            f"{authorization if plainly else ''}Connection: close\r\n\r\n".encode()
        )
        await writer.drain()
        status, said, head = await _answer(reader)
        if status == 407 and proxy is not None:
            return _refused_by(proxy, status, said, head)
        if status >= 500 or status < 100:
            return Met.HTTP, f"HTTP {status} {said}".strip()
        if not place.tls and status in (302, 303, 307) and _elsewhere(head, place):
            return Met.HTTP, f"HTTP {status}, and it leads to {_elsewhere(head, place)}"
        issuer = ""
        if place.tls:
            peer = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
            issuer = f", certificate by {issuer_of(peer)}" if peer else ""
        return Met.ANSWERED, f"HTTP {status}{issuer}"


async def _greeted(connection: Connection | None, at: tuple[str, int]) -> tuple[Met, str]:
    """Whether an SSH server says its name; it may say other lines before it (RFC 4253, 4.2)."""
    async with _streams(connection, at) as (reader, _):
        first = ""
        for _line in range(_GREETING_LINES):
            try:
                line = (await reader.readline()).decode("latin-1").strip()
            except ValueError:
                return Met.HTTP, "no SSH server: it says a line without an end"
            if line.startswith("SSH-"):
                return Met.ANSWERED, plain(line, 60)
            first = first or line
            if reader.at_eof():
                break
    return Met.HTTP, f"no SSH server: {plain(first, 60)}" if first else "it ended without a word"


async def _through(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    place: Destination,
    authorization: str,
) -> tuple[int, str, str]:
    at = f"{place.host}:{place.port}"
    writer.write(f"CONNECT {at} HTTP/1.1\r\nHost: {at}\r\n{authorization}\r\n".encode())
    await writer.drain()
    return await _answer(reader)


async def _answer(reader: asyncio.StreamReader) -> tuple[int, str, str]:
    """The status, its words and the head of an answer; status 0 where it is none of HTTP."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        head = error.partial
        if not head:
            raise
    except asyncio.LimitOverrunError:
        head = await reader.read(_HEAD_LIMIT)
    text = head.decode("latin-1")
    words = text.split("\r\n", 1)[0].split(" ", 2)
    if len(words) < 2 or not words[0].startswith("HTTP/") or not words[1].isdecimal():
        return 0, plain(words[0], 40), text
    return int(words[1]), plain(words[2], 60) if len(words) > 2 else "", text


def _elsewhere(head: str, place: Destination) -> str:
    """Where a plain redirect leads, when it is another host without TLS, as a portal's is."""
    for line in head.split("\r\n")[1:]:
        name, _, value = line.partition(":")
        if name.strip().lower() == "location":
            parts = urlsplit(value.strip())
            if parts.hostname and parts.hostname != place.host and parts.scheme == "http":
                return plain(parts.hostname, 100)
    return ""


def _authorization(proxy: Proxy | None) -> str:
    login = proxy.login if proxy is not None else ""
    return f"Proxy-Authorization: {login}\r\n" if login else ""


async def _to_proxy(writer: asyncio.StreamWriter, proxy: Proxy, context: ssl.SSLContext) -> None:
    """TLS to the proxy itself, where that is how it is spoken to."""
    if proxy.scheme == "https":
        await writer.start_tls(context, server_hostname=proxy.at.rpartition(":")[0].strip("[]"))


def _tls_words(error: ssl.SSLError) -> str:
    said = getattr(error, "verify_message", "") or error.reason or str(error)
    return plain(str(said).replace("_", " ").lower())


def _refused_by(proxy: Proxy, status: int, said: str, head: str) -> tuple[Met, str]:
    """What a proxy that does not let it through has said, with the logins that it takes."""
    if status != 407:
        return Met.PROXY, f"HTTP {status} {said}".strip()
    if proxy.has_login:
        return (
            Met.NOT_TOLD,
            "its proxy wants a login; the machine has one, which Sitewright does not read",
        )
    schemes = [
        value.strip().split(" ", 1)[0]
        for name, _, value in (line.partition(":") for line in head.split("\r\n")[1:])
        if name.strip().lower() == "proxy-authenticate" and value.strip()
    ]
    takes = f" ({plain(', '.join(dict.fromkeys(schemes)), 60)})" if schemes else ""
    other = ", or another one" if proxy.login else ""
    return Met.PROXY, f"it wants a login{other}: HTTP 407{takes}"


async def _whose(
    connection: Connection | None,
    at: tuple[str, int],
    place: Destination,
    proxy: Proxy | None,
    context: ssl.SSLContext,
    error: ssl.SSLCertVerificationError,
) -> tuple[Met, str]:
    """Who issued a certificate that was not believed, asked once more and believing nobody."""
    async with _streams(connection, at) as (reader, writer):
        if proxy is not None:
            await _to_proxy(writer, proxy, context)
            await _through(reader, writer, place, _authorization(proxy))
        # Only to read the certificate: nothing is sent over this connection.
        blind = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        blind.check_hostname = False
        blind.verify_mode = ssl.CERT_NONE
        await writer.start_tls(blind, server_hostname=place.host)
        peer = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    issuer = issuer_of(peer) if peer else "nobody"
    return Met.ISSUER, f"issued by {issuer}: {plain(error.verify_message, 100)}"


def issuer_of(certificate: bytes) -> str:
    """Who issued a certificate, in short: its organisation and common name."""
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    try:
        issuer = x509.load_der_x509_certificate(certificate).issuer
    except ValueError:
        return "somebody who cannot be read"
    parts = [
        str(one.value)
        for oid in (NameOID.ORGANIZATION_NAME, NameOID.COMMON_NAME)
        for one in issuer.get_attributes_for_oid(oid)
    ]
    return plain(", ".join(parts), 120) or "somebody without a name"

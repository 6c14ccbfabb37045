"""Whom a machine believes certificates: its own authorities, read there and used from here."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from foundation.problems import Problem

if TYPE_CHECKING:
    from foundation.hosts.connection import Connection, Connector
    from foundation.hosts.model import Host

_SECONDS: Final = 20.0
_LIMIT: Final = 2 * 1024 * 1024
"""Bytes of a store; all public authorities together have 220 kB."""
_ASKED: Final = 5
"""Machines that are asked for a store that they share, one after the other."""
_NONE: Final = 3
# Where Debian, Red Hat, SUSE and Alpine keep all authorities in one file.
_SCRIPT: Final = (
    "for f in /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt"
    " /etc/ssl/ca-bundle.pem /etc/ssl/cert.pem; do"
    ' [ -s "$f" ] || continue; [ -r "$f" ] || exit 1;'
    ' if [ "$1" = sum ]; then sha256sum <"$f"; else cat "$f"; fi; exit; done; exit 3'
)
_PEM: Final = re.compile(
    rb"-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]{1,20000}-----END CERTIFICATE-----"
)


class _Untrusting(Exception):
    """A machine has no authorities at all."""


async def stores_of(
    pool: Connector, hosts: Sequence[Host], more: str
) -> Mapping[str, ssl.SSLContext | None]:
    """Whom each machine will believe, by its name; `more` are the site's authorities in PEM.

    None where a machine has no authorities. A machine that cannot be asked is left out.
    """
    stamps = await asyncio.gather(*(_stamp(pool, host) for host in hosts))
    # Machines of one release share a store, which is read once.
    sharing: dict[str, list[Host]] = {}
    for stamp, host in zip(stamps, hosts, strict=True):
        if stamp:
            sharing.setdefault(stamp, []).append(host)
    contexts = await asyncio.gather(*(_first(pool, some, more) for some in sharing.values()))
    known = {stamp: one for stamp, one in zip(sharing, contexts, strict=True) if one is not None}
    found: dict[str, ssl.SSLContext | None] = {}
    for stamp, host in zip(stamps, hosts, strict=True):
        if stamp == "":
            found[host.name] = None
        elif stamp in known:
            found[host.name] = known[stamp]
    return found


async def _stamp(pool: Connector, host: Host) -> str | None:
    """The hash of a machine's store; empty where it has none, None where it cannot be asked."""
    try:
        words = (await _asked(await pool.connect(host), "sum")).split()
    except _Untrusting:
        return ""
    except (Problem, OSError, ValueError):
        return None
    return words[0].decode("latin-1") if words else None


async def _first(pool: Connector, hosts: Sequence[Host], more: str) -> ssl.SSLContext | None:
    """The store that some machines share, of the first of them from which it can be read."""
    for host in hosts[:_ASKED]:
        context = await _context(pool, host, more)
        if context is not None:
            return context
    return None


async def _context(pool: Connector, host: Host, more: str) -> ssl.SSLContext | None:
    try:
        store = await _asked(await pool.connect(host), "all")
        return await asyncio.to_thread(context_of, store, more)
    except (_Untrusting, Problem, OSError, ValueError):
        return None


async def _asked(connection: Connection, what: str) -> bytes:
    done = await connection.run(["sh", "-c", _SCRIPT, "sh", what], timeout=_SECONDS, limit=_LIMIT)
    if done.status == _NONE:
        raise _Untrusting
    if done.status != 0 or done.truncated:
        raise ValueError("the store cannot be read")
    return done.stdout


def context_of(store: bytes, more: str) -> ssl.SSLContext:
    """A context that believes these authorities and no other; raises ValueError for none."""
    found = [*_PEM.findall(store), *_PEM.findall(more.encode())]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    loaded = 0
    for pem in dict.fromkeys(found):
        try:
            context.load_verify_locations(cadata=pem.decode("ascii"))
        except ssl.SSLError:
            continue  # one that this library does not read, among a hundred that it does
        loaded += 1
    if not loaded:
        raise ValueError("there is no certificate in it that can be read")
    return context

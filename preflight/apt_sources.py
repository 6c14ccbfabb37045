"""From where a machine's apt fetches packages, and by which proxy, as apt itself says there."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit, urlunsplit

from foundation.problems import Problem
from foundation.terminal import visible
from preflight.egress import Attempt, Met
from preflight.proxies import Proxy, Way, proxy_of

if TYPE_CHECKING:
    from foundation.hosts.connection import Connector
    from foundation.hosts.model import Host

_SECONDS: Final = 20.0
_LIMIT: Final = 256 * 1024
_MOST: Final = 40
"""Sources of one machine; more are a mistake, and each costs a try."""
# Neither asks the network, needs root, or changes anything. `indextargets` would leave out what was
# never downloaded, which on a new machine is everything.
_SCRIPT: Final = r"""
command -v apt-get >/dev/null || exit 3
LC_ALL=C apt-get update --print-uris || exit 1
apt-config dump --format 'proxy %f %v%n' Acquire::http::Proxy Acquire::https::Proxy || exit 1
for how in http https; do
  apt-config dump --format 'program %v%n' "Acquire::$how::Proxy-Auto-Detect" \
    "Acquire::$how::ProxyAutoDetect" || exit 1
done
"""
_LIST: Final = re.compile(r"'(\S+?)/(?:dists/\S+|InRelease)' \S+ \d+")
"""A file of a repository that apt would fetch; a flat one has no `dists`."""
_AT_HAND: Final = frozenset({"file", "copy", "cdrom"})
"""Ways of apt that need no network."""
_PROGRAM: Final = re.compile(r"program (.+)")
_PROXY: Final = re.compile(r"proxy Acquire::(https?)::Proxy(?:::(\S+))? (.*)")


@dataclass(frozen=True, slots=True)
class AptSources:
    """What one machine's apt goes by."""

    urls: tuple[str, ...]
    """Repositories that are fetched over a network, each once, without logins."""
    way: Way | None = None
    """The way that its own configuration says; None where it says nothing."""
    program: str = ""
    """The program that its apt asks for a proxy (Proxy-Auto-Detect), which nobody else runs."""


async def sources_of(pool: Connector, hosts: Sequence[Host]) -> Mapping[str, AptSources]:
    """Of each machine by its name; one that has no apt, or cannot be asked, is left out."""

    async def one(host: Host) -> AptSources | None:
        try:
            connection = await pool.connect(host)
            done = await connection.run(["sh", "-c", _SCRIPT], timeout=_SECONDS, limit=_LIMIT)
        except (Problem, OSError):
            return None
        if done.status != 0 or done.truncated:
            return None
        text = done.stdout.decode("utf-8", "replace")
        # An apt that names nothing at all is one whose words are not understood.
        return told_sources(text) if any(map(_LIST.match, text.splitlines())) else None

    found = await asyncio.gather(*(one(host) for host in hosts))
    named = zip(hosts, found, strict=True)
    return {host.name: sources for host, sources in named if sources is not None}


def told_sources(text: str) -> AptSources:
    """The sources and the proxies that apt printed."""
    urls: dict[str, None] = {}
    proxies: dict[str, str] = {}
    past: list[str] = []
    named: list[tuple[str, Proxy]] = []
    program = ""
    for line in text.splitlines():
        if list_file := _LIST.match(line):
            if url := _repository(list_file[1]):
                urls.setdefault(url)
        elif proxy := _PROXY.fullmatch(line.strip()):
            kind, name, value = proxy.groups()
            if name is None:
                proxies[kind] = value.strip()
            elif value.strip().upper() == "DIRECT":
                past.append(name)
            elif own := proxy_of(value):
                named.append((name, own))
        elif asked := _PROGRAM.fullmatch(line.strip()):
            program = program or asked[1].strip()
    return AptSources(tuple(urls)[:_MOST], _way(proxies, past, named), program)


def with_programs(attempts: Sequence[Attempt], own: Mapping[str, AptSources]) -> list[Attempt]:
    """Attempts; what failed cannot be told where apt asks a program for its proxy."""
    return [
        replace(one, met=Met.NOT_TOLD, detail=_asks(own[one.machine].program))
        if one.destination.own
        and one.met is not Met.ANSWERED
        and one.machine in own
        and own[one.machine].program
        else one
        for one in attempts
    ]


def _asks(program: str) -> str:
    return (
        f"its apt asks {visible(program[:80])} for a proxy (Proxy-Auto-Detect), which only apt "
        "runs: sudo apt-get update tells"
    )


def _repository(text: str) -> str:
    """A repository's address without the login that may stand in it; empty for one at hand."""
    if text.partition(":")[0] in _AT_HAND:
        return ""  # the name of a disc may have anything in it
    try:
        parts = urlsplit(text)
    except ValueError:
        return ""  # apt fetches from no such address either
    if parts.scheme == "mirror+file":
        # The list lies there, and the mirrors in it do not.
        return f"mirror+file://{parts.path.rpartition('/')[2]}/"
    # `mirror+http` fetches a list of mirrors by http, and so does `mirror`.
    scheme = parts.scheme.removeprefix("mirror+")
    scheme = "http" if scheme == "mirror" else scheme
    if not parts.netloc:
        return ""
    netloc = parts.netloc.rpartition("@")[2]
    return urlunsplit((scheme, netloc, f"{parts.path.rstrip('/')}/", "", ""))


def _way(
    proxies: Mapping[str, str], past: Sequence[str], named: Sequence[tuple[str, Proxy]]
) -> Way | None:
    """Without one for https, apt takes that of http for both."""
    if not any(proxies.values()) and not past and not named:
        return None
    plain = _proxy(proxies.get("http", ""))
    tls = _proxy(proxies["https"]) if proxies.get("https") else plain
    return Way(tls, plain, tuple(past), plain_direct=plain is None, named=tuple(named))


def _proxy(text: str) -> Proxy | None:
    return None if text.upper() == "DIRECT" else proxy_of(text)

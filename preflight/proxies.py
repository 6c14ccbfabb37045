"""Proxies: how a machine gets out, as its own environment or the site says, logins kept apart."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

from foundation.no_proxy import bypasses

if TYPE_CHECKING:
    from preflight.egress import Destination

_HIDDEN: Final = "***"
"""What stands in a machine's facts for the login of its proxy."""
_SCHEME: Final = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]{0,20})://")
_BY_NAME: Final = frozenset({"git", "packages"})
"""What is fetched by Git and apt, for which of no_proxy only names and addresses hold."""


@dataclass(frozen=True, slots=True)
class Proxy:
    """One proxy. Its login is never part of what is shown of it."""

    at: str
    """host:port."""
    login: str = field(default="", repr=False)
    """The value of Proxy-Authorization; empty where it has none, or none that is known here."""
    has_login: bool = False
    """Whether the machine has a login for it that Sitewright does not read."""
    scheme: str = "http"
    """How it is spoken to: http, https (TLS to the proxy itself), socks5 and kin."""

    @property
    def socks(self) -> bool:
        """Whether it is none of HTTP."""
        return self.scheme.startswith("socks")


@dataclass(frozen=True, slots=True)
class Way:
    """How a machine gets out: by a proxy or directly."""

    proxy: Proxy | None = None
    """For https, and for everything where nothing else is said; None goes directly."""
    plain: Proxy | None = None
    """For http, where another is named for it."""
    no_proxy: tuple[str, ...] = ()
    plain_direct: bool = False
    """Whether http goes directly although https has a proxy."""
    named: tuple[tuple[str, Proxy], ...] = ()
    """Proxies of single hosts, which go before all else, as apt has them."""

    def by(self, destination: Destination) -> Proxy | None:
        """The proxy for a destination; None where there is none to go through."""
        if destination.scheme == "ssh":
            return None  # Git goes straight there: these are proxies of the web
        if own := dict(self.named).get(destination.host):
            return own
        by_name = destination.kind in _BY_NAME
        if bypasses(destination.host, self.no_proxy, destination.port, by_name=by_name):
            return None
        if destination.tls:
            return self.proxy
        return self.plain or (None if self.plain_direct else self.proxy)

    def unread(self, destination: Destination) -> bool:
        """Whether no_proxy names a destination, and in a way that its own tools do not read."""
        return self.by(destination) is not None and bypasses(
            destination.host, self.no_proxy, destination.port
        )


def way_by(url: str, no_proxy: Iterable[str] = ()) -> Way:
    """The way by one proxy for everything."""
    return Way(proxy_of(url), no_proxy=tuple(no_proxy))


def way_of(proxies: Mapping[str, str]) -> Way:
    """The way out that an environment names: https_proxy holds for https alone, as curl has it."""
    lower = {name.lower(): value for name, value in proxies.items()}
    every = lower.get("all_proxy") or ""
    tls = proxy_of(lower.get("https_proxy") or every)
    plain = proxy_of(lower.get("http_proxy") or every)
    past = tuple(one.strip() for one in lower.get("no_proxy", "").split(",") if one.strip())
    return Way(tls, plain, past, plain_direct=plain is None)


def proxy_of(url: str) -> Proxy | None:
    """A proxy by its address; None where it names none."""
    text = url.strip()
    if not text:
        return None
    scheme = _SCHEME.match(text)
    rest = text[scheme.end() :] if scheme else text
    # A password may have any character in it that somebody forgot to escape.
    userinfo, at, address = rest.rpartition("@")
    kind = scheme[1].lower() if scheme else "http"
    try:
        parts = urlsplit(f"http://{address}")
        port = parts.port
    except ValueError:
        return None
    host = parts.hostname or ""
    if not host:
        return None
    usual = 443 if kind == "https" else 1080 if kind.startswith("socks") else 3128
    shown = f"[{host}]" if ":" in host else host
    hidden = userinfo == _HIDDEN
    login = ""
    if at and not hidden:
        user, _, password = userinfo.partition(":")
        pair = f"{unquote(user)}:{unquote(password)}".encode()
        login = f"Basic {base64.b64encode(pair).decode()}"
    return Proxy(f"{shown}:{port or usual}", login, hidden, kind)

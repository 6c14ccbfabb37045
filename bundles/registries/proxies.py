"""The proxy by which a server is asked, as the environment of whoever makes a bundle names it."""

from __future__ import annotations

import os
import urllib.request
from typing import Final

import httpx

from bundles.registries.web_answers import is_loopback, shown
from foundation.no_proxy import bypasses
from foundation.problems import InputProblem

_SPOKEN: Final = frozenset({"http", "https"})
_USUAL: Final = {"http": 80, "https": 443}
_WAY_OUT: Final = (
    "Put the address of a proxy for HTTP there (http://proxy.example.org:3128); where this server "
    "is reached without one, name it in NO_PROXY or take the variable away."
)


def proxy_for(url: httpx.URL) -> str | None:
    """The proxy for an address; None where there is none. Raises InputProblem where it is unfit.

    As skopeo and docker take it (Go's golang.org/x/net/http/httpproxy): nothing of this machine
    itself goes through a proxy, and no_proxy may hold networks and ports. Beyond them ALL_PROXY
    counts, as curl and Git have it.
    """
    named = urllib.request.getproxies()
    kind = next((kind for kind in (url.scheme, "all") if named.get(kind)), "")
    if not kind or is_loopback(url.host):
        return None
    past = named.get("no", "").split(",")
    if bypasses(url.host, past, url.port or _USUAL.get(url.scheme)):
        return None
    text = named[kind].strip()
    if "://" not in text:
        text = f"http://{text}"
    try:
        address = httpx.URL(text)
    except httpx.InvalidURL:
        address = httpx.URL()
    if not address.host:
        raise InputProblem("it names no address of a proxy", where=_variable(kind), remedy=_WAY_OUT)
    if address.scheme not in _SPOKEN:
        raise InputProblem(
            f"{shown(text)} is a proxy that is spoken to by {address.scheme}, which Sitewright "
            f"does not speak: {url.host} cannot be asked through it",
            where=_variable(kind),
            remedy=_WAY_OUT,
        )
    return text


def _variable(kind: str) -> str:
    """The variable that names it, as it is spelt there."""
    names = (f"{kind}_proxy", f"{kind.upper()}_PROXY")
    return next((name for name in names if os.environ.get(name)), "the system's settings")

"""Who is at fault where a program that helps with a source failed: by what it said at last."""

from __future__ import annotations

import os
import urllib.request
from typing import Final
from urllib.parse import urlsplit

from foundation.sentences import understood

_SPEAKERS: Final = frozenset({"git", "pip", "proxy", "tls", "dns"})
"""Whose sentences mean here what they mean on a machine; apt's speak of a machine's own sources."""


def culprit(program: str, said: str) -> tuple[str, str | None]:
    """The cause in words, with what the program said, and a remedy where there is one."""
    cause = f"{program} failed: {said[:600]}"
    proxy = _proxy_in(said)
    if proxy:
        return (
            f"the proxy that {proxy} names does not answer: {cause}",
            f"See what is set, and try it: echo ${proxy}; or name this server in NO_PROXY.",
        )
    meant = understood(said, programs=_SPEAKERS)
    if meant is None:
        return cause, None
    return f"{meant.meaning}: {cause}", meant.remedy


def _proxy_in(said: str) -> str | None:
    """The variable whose proxy is what could not be reached, as libcurl tells it."""
    for kind, address in urllib.request.getproxies_environment().items():
        if kind == "no":
            continue
        try:
            parts = urlsplit(address if "://" in address else f"http://{address}")
            host, port = parts.hostname, parts.port or 1080
        except ValueError:
            continue
        if host and f"Failed to connect to {host} port {port} " in said:
            names = (f"{kind}_proxy", f"{kind.upper()}_PROXY")
            return next((name for name in names if os.environ.get(name)), None)
    return None

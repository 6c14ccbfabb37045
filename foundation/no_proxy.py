"""no_proxy: which names, addresses, networks and ports are reached without the proxy."""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Final

_PORT: Final = re.compile(r"(\[[0-9a-f:.]+\]|[^\[\]:]+):([0-9]{1,5})")
"""An entry of no_proxy that holds for one port."""


def bypasses(
    host: str, no_proxy: Iterable[str], port: int | None = None, *, by_name: bool = False
) -> bool:
    """Whether a name or an address is reached without the proxy, as curl and Go read no_proxy.

    An address is matched by itself and by networks; an entry with a port holds for that port. With
    `by_name` neither networks nor ports count, as Git and apt have it.
    """
    name = host.lower().rstrip(".")
    address = _address(name)
    for entry in map(str.strip, no_proxy):
        text = entry.lower()
        with_port = _PORT.fullmatch(text)
        if by_name and (with_port or "/" in text):
            continue
        if with_port:
            if int(with_port[2]) != port:
                continue
            text = with_port[1]
        if text == "*":
            return True
        if address is not None:
            network = _network(text)
            if network is not None and address in network:
                return True
            continue
        one = text.lstrip("*").lstrip(".").rstrip(".")
        if one and (name == one or name.endswith(f".{one}")):
            return True
    return False


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None


def _network(text: str) -> IPv4Network | IPv6Network | None:
    """An address or a network in CIDR form; None for what is neither."""
    try:
        return ip_network(text.replace("[", "").replace("]", ""), strict=False)
    except ValueError:
        return None

"""Interfaces of this machine: the address that a connection leaves from, for BindInterface."""

from __future__ import annotations

import fcntl
import ipaddress
import socket
import struct
import sys
from pathlib import Path
from typing import Final

_SIOCGIFADDR: Final = 0x8915
"""Linux's request for the IPv4 address of an interface (netdevice(7))."""
_IF_INET6: Final = Path("/proc/net/if_inet6")
_GLOBAL: Final = "00"


class NoAddress(Exception):
    """An interface that is not there, or has no address of that kind; why is the text."""


def address_of(interface: str, *, ipv6: bool) -> str:
    """An address of an interface, as OpenSSH takes one for BindInterface. Raises NoAddress."""
    if sys.platform != "linux":
        raise NoAddress("the addresses of an interface can be asked for on Linux alone")
    try:
        socket.if_nametoindex(interface)
    except (OSError, ValueError) as error:
        raise NoAddress(f'this machine has no interface "{interface[:40]}"') from error
    found = _ipv6(interface) if ipv6 else _ipv4(interface)
    if found is None:
        raise NoAddress(f'"{interface}" has no IPv{6 if ipv6 else 4} address')
    return found


def _ipv4(interface: str) -> str | None:
    request = struct.pack("256s", interface.encode()[:15])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        try:
            answer = fcntl.ioctl(asking.fileno(), _SIOCGIFADDR, request)
        except OSError:
            return None
    return socket.inet_ntoa(answer[20:24])


def _ipv6(interface: str) -> str | None:
    try:
        lines = _IF_INET6.read_text().splitlines()
    except OSError:
        return None
    # Each line: address, index, prefix, scope, flags, name.
    rows = [words for words in map(str.split, lines) if len(words) == 6 and words[5] == interface]
    for row in sorted(rows, key=lambda words: words[3] != _GLOBAL):
        return str(ipaddress.IPv6Address(bytes.fromhex(row[0])))
    return None

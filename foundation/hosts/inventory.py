"""Inventory: machines as people name them, in arguments, in lists and in Ansible's files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from foundation.documents import read_text
from foundation.hosts.model import LOCAL_ADDRESS, Host
from foundation.problems import InputProblem

HOST_LIMIT: Final = 5000
"""Machines in one site; more are a mistake in a range, or another tool's job."""

_NAME = re.compile(r"(?!-)[^\s,;\x00-\x1f\x7f]{1,253}")
_ADDRESS = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._%:-]{0,252}|::[A-Fa-f0-9:.]*")
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@$+-]{0,127}")


@dataclass(frozen=True, slots=True)
class Named:
    """A machine and the line on which it was named, 0 where there are no lines."""

    host: Host
    line: int = 0


def _wrong(cause: str, *, where: str | None, line: int = 0, remedy: str = "") -> InputProblem:
    return InputProblem(
        f"line {line}: {cause}" if line else cause,
        where=where,
        remedy=remedy
        or "Write machines as user@address:port, [IPv6 address]:port or name=user@address.",
    )


def port_from(text: str, *, where: str | None = None, line: int = 0) -> int:
    """A port number from text; raises InputProblem unless it is 1 to 65535."""
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and 1 <= int(text) <= 65535):
        raise _wrong(
            f'"{text[:40]}" is not a port',
            where=where,
            line=line,
            remedy="A port is a number from 1 to 65535; SSH's own is 22.",
        )
    return int(text)


def checked_address(text: str, *, where: str | None = None, line: int = 0) -> str:
    """An address or DNS name that is safe to hand on; raises InputProblem."""
    if not _ADDRESS.fullmatch(text):
        raise _wrong(
            f'"{text[:80]}" is not an address or a host name',
            where=where,
            line=line,
            remedy="Use an IPv4 or IPv6 address, a DNS name or a name from your ssh config.",
        )
    return text


def split_endpoint(
    text: str, *, where: str | None = None, line: int = 0
) -> tuple[str | None, str, int | None]:
    """User, address and port of `user@address:port`; raises InputProblem.

    The port is None where none is written. An IPv6 address may stand alone, or in brackets
    where a port follows.
    """
    user, at, rest = text.rpartition("@")
    if at and not _USER.fullmatch(user):
        raise _wrong(f'"{user[:80]}" is not a user name', where=where, line=line)
    port: int | None = None
    if rest.startswith("["):
        address, closed, tail = rest[1:].partition("]")
        if not closed or (tail and not tail.startswith(":")) or ":" not in address:
            raise _wrong(f'"{text[:80]}" has brackets that hold no IPv6 address', where=where,
                         line=line)  # fmt: skip
        if tail:
            port = port_from(tail[1:], where=where, line=line)
    elif rest.count(":") == 1:
        address, _, digits = rest.partition(":")
        port = port_from(digits, where=where, line=line)
    else:
        address = rest
    if not address:
        raise _wrong(f'"{text[:80]}" names no machine', where=where, line=line)
    return user or None, checked_address(address, where=where, line=line), port


def host_from_text(text: str, *, where: str | None = None, line: int = 0) -> Host:
    """One machine from `name=user@address:port`, any part but the address left out."""
    name, equals, rest = text.partition("=")
    endpoint = rest if equals else text
    if equals and not _NAME.fullmatch(name):
        raise _wrong(f'"{text[:80]}" has no name before the sign "="', where=where, line=line)
    user, address, port = split_endpoint(endpoint, where=where, line=line)
    if address in (LOCAL_ADDRESS, "localhost") and user is None and port is None:
        # Without a user and a port nobody means an SSH login to the machine they sit at.
        return Host(name=name if equals else LOCAL_ADDRESS, address=LOCAL_ADDRESS)
    return Host(
        name=name if equals else address,
        address=address,
        port=22 if port is None else port,
        user=user,
    )


def checked(named: Sequence[Named], *, where: str | None) -> tuple[Host, ...]:
    """The machines, after looking for too many of them and for two that are one."""
    if not named:
        raise _wrong("it names no machine", where=where)
    if len(named) > HOST_LIMIT:
        raise _wrong(
            f"it names {len(named)} machines, and {HOST_LIMIT} are the most",
            where=where,
            line=named[HOST_LIMIT].line,
            remedy="Check the ranges; split a larger site into several.",
        )
    names: dict[str, Named] = {}
    endpoints: dict[tuple[str, int, str | None], Named] = {}
    for item in named:
        host = item.host
        first = names.setdefault(host.name, item)
        if first is not item:
            raise _wrong(
                f'two machines are called "{host.name}"' + _first(first),
                where=where,
                line=item.line,
                remedy="Give each machine a name of its own.",
            )
        # Behind different bastions the same private address is another machine.
        first = endpoints.setdefault((host.address.lower(), host.port, host.bastion), item)
        if first is not item:
            raise _wrong(
                f'"{first.host.name}" and "{host.name}" have the same address, {host.endpoint}'
                + _first(first),
                where=where,
                line=item.line,
                remedy="Name each machine once; give it several roles instead.",
            )
    return tuple(item.host for item in named)


def _first(item: Named) -> str:
    return f" (the first in line {item.line})" if item.line else ""


def hosts_from_arguments(arguments: list[str]) -> tuple[Host, ...]:
    """Machines from the command line: `user@host:port`, `[v6]:port`, `name=user@host`, `local`."""
    words = [word for argument in arguments for word in argument.split(",") if word.strip()]
    return checked(
        [Named(host_from_text(word.strip(), where=word.strip())) for word in words],
        where="the command line",
    )


def hosts_from_text(text: str, *, where: str = "the list of machines") -> tuple[Host, ...]:
    """Machines from a plain list, parted by lines, commas or spaces; # begins a comment."""
    return checked(list(_listed(text.splitlines(), where=where)), where=where)


def _listed(lines: Iterable[str], *, where: str) -> Iterable[Named]:
    for number, line in enumerate(lines, start=1):
        bare = re.sub(r"(^|\s)#.*", "", line)
        for word in re.split(r"[,;\s]+", bare):
            if word:
                yield Named(host_from_text(word, where=where, line=number), number)


def read_inventory(path: Path) -> tuple[Host, ...]:
    """Machines from a file: an Ansible inventory in INI or YAML, or a plain list."""
    text = read_text(path)
    where = str(path)
    from foundation.hosts import ansible

    if path.suffix.lower() in (".yml", ".yaml") or ansible.looks_like_yaml(text):
        return checked(ansible.from_yaml(text, where=where), where=where)
    if ansible.looks_like_ini(text):
        return checked(ansible.from_ini(text, where=where), where=where)
    return hosts_from_text(text, where=where)

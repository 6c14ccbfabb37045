"""Listening and bound sockets, with the programs that hold them where they may be seen."""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping
from typing import Final

from preflight.facts import BY_NO_PROGRAM, Fact, Socket, Unknown
from preflight.parse.frames import Answer
from preflight.parse.identity import is_root
from preflight.parse.text import ITEM_LIMIT, plain

_OWNER: Final = re.compile(r'users:\(\("([^"]{1,64})",pid=(\d{1,10})')
_INODE: Final = re.compile(r"\bino:(\d{1,20})\b")


def parse_sockets(answer: Answer) -> Fact[tuple[Socket, ...]]:
    """The sockets of /proc/net/{tcp,tcp6,udp,udp6}, their owners by inode from ss or /proc."""
    if "sockets" not in answer.sections:
        return answer.why_not("sockets", "/proc/net")
    owners = _owners(answer)
    root = is_root(answer)
    if not root:
        stranger = Unknown("needs root")
    elif answer.status("owners") not in {"0", ""}:
        stranger = answer.why_not("owners", "ss")
    else:
        stranger = Unknown(BY_NO_PROGRAM)
    found: dict[tuple[str, str, int, int], Socket] = {}
    for line in answer.lines("sockets")[:ITEM_LIMIT]:
        path, colon, row = line.partition(":")
        words = row.split()
        table = path.rpartition("/")[2]
        if not colon or len(words) < 10 or table not in {"tcp", "tcp6", "udp", "udp6"}:
            continue
        local, remote, state = words[1], words[2], words[3]
        if state != ("0A" if table.startswith("tcp") else "07") or not remote.endswith(":0000"):
            continue
        place = _endpoint(local)
        if place is None or place[1] == 0:
            continue
        process, pid = owners.get(words[9], (None, None))
        one = Socket(
            protocol=table[:3],
            address=place[0],
            port=place[1],
            process=process if process else stranger,
            pid=pid if pid is not None else stranger,
        )
        found.setdefault((one.protocol, one.address, one.port, pid or 0), one)
    return tuple(sorted(found.values(), key=lambda one: (one.port, one.protocol, one.address)))


def _endpoint(text: str) -> tuple[str, int] | None:
    """The address and port of "0100007F:0016": words of 32 bits in the machine's byte order.

    All architectures that are asked about are little-endian.
    """
    host, _, port = text.partition(":")
    try:
        number = int(port, 16)
        raw = bytes.fromhex(host)
    except ValueError:
        return None
    if len(port) != 4:
        return None
    if len(raw) == 4:
        return socket.inet_ntop(socket.AF_INET, raw[::-1]), number
    if len(raw) == 16:
        words = b"".join(raw[index : index + 4][::-1] for index in range(0, 16, 4))
        return socket.inet_ntop(socket.AF_INET6, words), number
    return None


def _owners(answer: Answer) -> dict[str, tuple[str, int]]:
    """The program and process id of each socket's inode."""
    found: dict[str, tuple[str, int]] = {}
    for line in answer.lines("owners"):
        owner, inode = _OWNER.search(line), _INODE.search(line)
        if owner and inode:
            found[inode.group(1)] = (plain(owner.group(1), 64), int(owner.group(2)))
    if "descriptors" in answer.sections:
        names = process_names(answer)
        pid = 0
        for line in answer.lines("descriptors"):
            if line.startswith("/proc/"):
                number = line.split("/")[2]
                pid = int(number) if number.isdigit() and len(number) < 11 else 0
                continue
            match = re.search(r"socket:\[(\d{1,20})\]", line)
            if match and pid:
                found.setdefault(match.group(1), (names.get(pid, ""), pid))
    return found


def process_names(answer: Answer) -> Mapping[int, str]:
    """The names of the processes that could be seen, by process id."""
    return answer.once(_process_names)


def _process_names(answer: Answer) -> Mapping[int, str]:
    found: dict[int, str] = {}
    for line in answer.lines("processes"):
        path, colon, name = line.partition(":")
        number = path[6:-5]
        if colon and number.isdigit() and number.isascii() and len(number) < 11:
            found[int(number)] = plain(name, 64)
    return found

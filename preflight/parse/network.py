"""Interfaces, addresses, routes and names."""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping
from typing import Final

from preflight.facts import (
    ABSENT,
    Address,
    Fact,
    NetworkFacts,
    Nic,
    NicKind,
    Route,
    Unknown,
)
from preflight.parse.cpu import is_virtual_machine
from preflight.parse.frames import Answer
from preflight.parse.port_evidence import VIRTUAL_DRIVERS, one_a_port, port_kind
from preflight.parse.sockets import parse_sockets
from preflight.parse.text import ITEM_LIMIT, hexadecimal, plain, told, unique, whole

_SCOPES: Final = {0x00: "global", 0x10: "host", 0x20: "link", 0x40: "site", 0x80: "compat"}


def parse_network(answer: Answer) -> NetworkFacts:
    """The network facts from the sections nicnames, nics, addresses, system, own_name, sockets."""
    if "nicnames" not in answer.sections:
        return NetworkFacts()
    files = answer.files("system")
    servers, search = _resolver(files)
    own = _own_address(answer, files)
    resolves: Fact[bool] = isinstance(own, str)
    if isinstance(own, Unknown):
        resolves = own
    return NetworkFacts(
        nics=_nics(answer),
        routes=_routes(answer),
        nameservers=servers,
        search_domains=search,
        resolves_itself=resolves,
        own_address=own,
        sockets=parse_sockets(answer),
    )


def _nics(answer: Answer) -> Fact[tuple[Nic, ...]]:
    values: dict[str, dict[str, str]] = {}
    for path, value in answer.files("nics").items():
        if path.startswith("/sys/class/net/"):
            name, _, key = path[15:].partition("/")
            values.setdefault(name, {})[key] = value.strip()
    addresses = _addresses(answer)
    virtual_machine = is_virtual_machine(answer)
    paths = dict(
        re.findall(
            r" (\S{1,40}) -> \.\./\.\.(/devices/\S{1,400})$", answer.text("links"), re.MULTILINE
        )
    )
    found = []
    for line in answer.lines("nicnames")[:ITEM_LIMIT]:
        name, *marks = line.split(" ")
        found.append(
            _nic(
                name,
                marks,
                values.get(name, {}),
                addresses.get(name, ()),
                paths.get(name, ""),
                virtual_machine=virtual_machine,
            )
        )
    if not found and answer.status("nicnames") != "0":
        return answer.why_not("nicnames", "/sys/class/net")
    return one_a_port(found, values)


def _nic(
    name: str,
    marks: list[str],
    values: Mapping[str, str],
    addresses: tuple[Address, ...],
    path: str,
    *,
    virtual_machine: bool,
) -> Nic:
    lines = values.get("uevent", "").split("\n")
    kind_told = next((line[8:] for line in lines if line.startswith("DEVTYPE=")), "")
    driver = next(
        (
            plain(line[7:], 40)
            for line in values.get("device/uevent", "").split("\n")
            if line.startswith("DRIVER=")
        ),
        "",
    )
    kind, reason = port_kind(
        kind_told, driver, marks, values, path, virtual_machine=virtual_machine
    )
    state = values.get("operstate", "")
    members = [mark[6:] for mark in marks if mark.startswith("lower_")]
    members += values.get("bonding/slaves", "").split()[:100]
    return Nic(
        name=plain(name, 40),
        kind=kind,
        kind_reason=reason,
        speed_mbps=_speed(values.get("speed"), kind, state, driver, wireless="wireless" in marks),
        duplex=_duplex(values.get("duplex")),
        mtu=_mtu(values.get("mtu")),
        state=told(state, Unknown("/sys does not tell")),
        driver=told(driver, ABSENT),
        mac=told(values.get("address"), ABSENT),
        addresses=addresses,
        members=unique(plain(one, 40) for one in members)
        if kind in {NicKind.BOND, NicKind.BRIDGE}
        else (),
        master=next((plain(mark[6:], 40) for mark in marks if mark.startswith("upper_")), None),
    )


def _speed(
    text: str | None, kind: NicKind, state: str, driver: str, *, wireless: bool
) -> Fact[int]:
    speed = whole(text)
    # A driver that does not know says -1, which some kernels print as 2^32 - 1.
    if speed is not None and 0 < speed < 10_000_000:
        return speed
    if wireless:
        return Unknown("a wireless interface has no fixed speed")
    if driver in VIRTUAL_DRIVERS:
        return Unknown(f"the driver {driver} does not tell")
    if state == "down":
        return Unknown("the link is down")
    if kind in {NicKind.BRIDGE, NicKind.VIRTUAL}:
        return Unknown("a software interface has no speed of its own")
    return Unknown("the driver does not tell")


def _duplex(text: str | None) -> Fact[str]:
    return text if text in {"full", "half"} else Unknown("the driver does not tell")


def _mtu(text: str | None) -> Fact[int]:
    mtu = whole(text)
    return mtu if mtu is not None and 0 < mtu < 1 << 32 else Unknown("/sys does not tell")


def _addresses(answer: Answer) -> dict[str, tuple[Address, ...]]:
    """The addresses by interface, from `ip -o addr`, else from what /proc/net shows."""
    found: dict[str, list[Address]] = {}
    for line in answer.lines("addresses")[:ITEM_LIMIT]:
        match = re.match(
            r"\d+:\s+(\S{1,40}?)(?:@\S+)?\s+inet6?\s+([0-9a-fA-F.:]{2,45})(?:\s+peer\s+[^\s/]+)?"
            r"(?:/(\d{1,3}))?\s.*?\bscope\s+(\S{1,20})",
            line,
        )
        if match:
            name, address, prefix, scope = match.groups()
            length = int(prefix) if prefix else (128 if ":" in address else 32)
            found.setdefault(name, []).append(Address(address, min(length, 128), scope))
    if not found:
        found = _addresses_of_proc(answer)
    return {name: tuple(dict.fromkeys(ones)) for name, ones in found.items()}


def _addresses_of_proc(answer: Answer) -> dict[str, list[Address]]:
    files = answer.files("nics")
    found: dict[str, list[Address]] = {}
    text = answer.text("fib_trie").replace("/proc/net/fib_trie:", "")
    local = unique(
        re.findall(r"\|-- (\d{1,3}(?:\.\d{1,3}){3})\n\s*/32 host LOCAL", text)[:ITEM_LIMIT]
    )
    networks = []
    for words in _rows(files.get("/proc/net/route", "")):
        numbers = [hexadecimal(words[1]), hexadecimal(words[2]), hexadecimal(words[7])]
        if None not in numbers and numbers[1] == 0 and numbers[2]:
            networks.append((words[0], _swapped(words[1]), _swapped(words[7])))
    for address in local:
        try:
            number = int.from_bytes(socket.inet_aton(address))
        except OSError:
            continue
        for name, network, mask in sorted(networks, key=lambda one: -one[2]):
            if number & mask == network:
                found.setdefault(name, []).append(Address(address, mask.bit_count()))
                break
    for line in files.get("/proc/net/if_inet6", "").split("\n"):
        words = line.split()
        if len(words) < 6 or len(words[0]) != 32:
            continue
        text6 = _v6(words[0])
        length, scope = hexadecimal(words[2]), hexadecimal(words[3])
        if text6 and length is not None and length <= 128 and scope is not None:
            one = Address(text6, length, _SCOPES.get(scope & 0xF0, "global"))
            found.setdefault(words[5], []).append(one)
    return found


def _rows(text: str) -> list[list[str]]:
    """The rows of /proc/net/route without its heading."""
    return [words for line in text.split("\n")[1:] if len(words := line.split()) >= 8][:ITEM_LIMIT]


def _swapped(text: str) -> int:
    """A number that /proc/net/route writes in little-endian byte order."""
    number = hexadecimal(text) or 0
    return int.from_bytes((number & 0xFFFFFFFF).to_bytes(4, "little"))


def _v4(number: int) -> str:
    return socket.inet_ntoa(number.to_bytes(4))


def _v6(text: str) -> str:
    try:
        raw = bytes.fromhex(text)
        return socket.inet_ntop(socket.AF_INET6, raw) if len(raw) == 16 else ""
    except ValueError:
        return ""


def _routes(answer: Answer) -> Fact[tuple[Route, ...]]:
    """The routes that lead somewhere, from /proc/net/route and ipv6_route."""
    files = answer.files("nics")
    found = []
    for words in _rows(files.get("/proc/net/route", "")):
        flags, gateway, metric = hexadecimal(words[3]), hexadecimal(words[2]), whole(words[6])
        if flags is None or not flags & 0x1 or flags & 0x200:  # up, and not "reject"
            continue
        network, mask = _swapped(words[1]), _swapped(words[7])
        found.append(
            Route(
                destination="default"
                if mask == 0 and network == 0
                else f"{_v4(network)}/{mask.bit_count()}",
                gateway=_v4(_swapped(words[2])) if gateway else None,
                device=plain(words[0], 40),
                family=4,
                metric=metric or 0,
            )
        )
    for line in files.get("/proc/net/ipv6_route", "").split("\n")[:ITEM_LIMIT]:
        words = line.split()
        if len(words) < 10 or words[9] == "lo":
            continue
        flags = hexadecimal(words[8])
        # RTF_LOCAL marks the machine's own addresses, RTF_REJECT what goes nowhere.
        if flags is None or flags & 0x80000000 or flags & 0x200 or words[0].startswith("ff"):
            continue
        network6, length = _v6(words[0]), hexadecimal(words[1])
        if not network6 or length is None or length > 128:
            continue
        gateway6 = _v6(words[4])
        found.append(
            Route(
                destination="default" if length == 0 else f"{network6}/{length}",
                gateway=gateway6 if gateway6 not in {"::", ""} else None,
                device=plain(words[9], 40),
                family=6,
                metric=hexadecimal(words[5]) or 0,
            )
        )
    if not found and "routes" not in answer.lines("nics"):
        return Unknown("/proc/net/route cannot be read")
    return tuple(found)


def _resolver(
    files: Mapping[str, str],
) -> tuple[Fact[tuple[str, ...]], Fact[tuple[str, ...]]]:
    """The name servers and search domains; behind systemd's stub those that it asks itself."""
    text = files.get("/etc/resolv.conf")
    if text is None:
        return ABSENT, ABSENT
    servers, search = _resolv_conf(text)
    if servers == ("127.0.0.53",) and "/run/systemd/resolve/resolv.conf" in files:
        behind, domains = _resolv_conf(files["/run/systemd/resolve/resolv.conf"])
        servers, search = behind, search or domains
    return servers, search


def _resolv_conf(text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    servers: list[str] = []
    search: list[str] = []
    for line in text.split("\n")[:1000]:
        words = line.split()
        if len(words) >= 2 and words[0] == "nameserver":
            servers.append(plain(words[1], 60))
        elif len(words) >= 2 and words[0] in {"search", "domain"}:
            search = [plain(word) for word in words[1:20] if word != "."]
    return unique(servers), unique(search)


def _own_address(answer: Answer, files: Mapping[str, str]) -> Fact[str]:
    """What the machine's own name resolves to on itself."""
    if answer.succeeded("own_name"):
        for line in answer.lines("own_name"):
            word = line.split()[0] if line.split() else ""
            if re.fullmatch("[0-9a-fA-F.:]{2,45}", word):
                return word
        return ABSENT
    # getent ends with 2 where the name is not found.
    if answer.status("own_name") == "2":
        return ABSENT
    own = files.get("/proc/sys/kernel/hostname", "").strip()
    for line in files.get("/etc/hosts", "").split("\n")[:ITEM_LIMIT]:
        words = line.partition("#")[0].split()
        if own and own in words[1:] and re.fullmatch("[0-9a-fA-F.:]{2,45}", words[0]):
            return words[0]
    return answer.why_not("own_name", "getent")

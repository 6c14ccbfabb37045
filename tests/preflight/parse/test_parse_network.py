"""Interfaces, addresses, routes, names and sockets from text."""

from __future__ import annotations

import pytest

from preflight.facts import ABSENT, Nic, NicKind, Route, Unknown, known
from preflight.parse.network import parse_network
from preflight.parse.sockets import parse_sockets
from tests.preflight.probe_answers import answer_of

NONE = "0" * 32
"""No address, as /proc/net writes it."""

NO_ANSWER = Unknown("getent did not answer in 2 s")

ROUTE6 = "/proc/net/ipv6_route"

NETWORK = {
    "login": "uid=0",
    "system": """
        /proc/sys/kernel/hostname:st1
        /etc/resolv.conf:# made by hand
        /etc/resolv.conf:nameserver 127.0.0.53
        /etc/resolv.conf:search example.org
        /run/systemd/resolve/resolv.conf:nameserver 10.0.0.1
        /run/systemd/resolve/resolv.conf:nameserver 2001:db8::53
        /etc/hosts:127.0.1.1 st1.example.org st1
    """,
    "nicnames": """
        bond0 lower_eno1 lower_eno2
        br0 lower_vnet0
        eno1 upper_bond0 device
        eno2 upper_bond0 device
        eno3 device
        eth9 device
        vlan7 lower_bond0
        wlan0 device wireless
        wg0
    """,
    "nics": f"""
        /sys/class/net/bond0/uevent:DEVTYPE=bond
        /sys/class/net/bond0/bonding/slaves:eno1 eno2
        /sys/class/net/bond0/bonding/mode:802.3ad 4
        /sys/class/net/bond0/speed:20000
        /sys/class/net/bond0/duplex:full
        /sys/class/net/bond0/mtu:9000
        /sys/class/net/bond0/operstate:up
        /sys/class/net/bond0/address:aa:bb:cc:00:00:01
        /sys/class/net/br0/uevent:DEVTYPE=bridge
        /sys/class/net/eno1/speed:10000
        /sys/class/net/eno1/operstate:up
        /sys/class/net/eno1/device/uevent:DRIVER=ixgbe
        /sys/class/net/eno3/speed:-1
        /sys/class/net/eno3/operstate:down
        /sys/class/net/eno3/device/uevent:DRIVER=igb
        /sys/class/net/eth9/speed:4294967295
        /sys/class/net/eth9/operstate:up
        /sys/class/net/eth9/device/uevent:DRIVER=virtio_net
        /sys/class/net/vlan7/uevent:DEVTYPE=vlan
        /sys/class/net/vlan7/speed:20000
        /sys/class/net/wlan0/operstate:up
        /sys/class/net/wlan0/uevent:DEVTYPE=wlan
        routes
        /proc/net/route:Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT
        /proc/net/route:bond0 00000000 0100000A 0003 0 0 100 00000000 0 0 0
        /proc/net/route:bond0 0000000A 00000000 0001 0 0 100 00FFFFFF 0 0 0
        /proc/net/route:bond0 0000630A 00000000 0205 0 0 0 00FFFFFF 0 0 0
        {ROUTE6}:{NONE} 00 {NONE} 00 fe800000000000000000000000000001 00000400 1 0 00000003 bond0
        {ROUTE6}:20010db8000000000000000000000000 40 {NONE} 00 {NONE} 00000100 1 0 00000001 bond0
        {ROUTE6}:20010db8000000000000000000000005 80 {NONE} 00 {NONE} 00000000 1 0 80200001 bond0
        /proc/net/if_inet6:20010db8000000000000000000000005 02 40 00 80 bond0
    """,
    "addresses": """
        1: lo    inet 127.0.0.1/8 scope host lo\\ valid_lft forever
        2: bond0    inet 10.0.0.31/24 brd 10.0.0.255 scope global bond0\\ valid_lft forever
        2: bond0    inet6 2001:db8::5/64 scope global \\ valid_lft forever
        7: vlan7@bond0    inet 10.7.0.31 peer 10.7.0.1/32 scope global vlan7\\ valid_lft forever
    """,
    "links": "\n".join(
        f"lrwxrwxrwx 1 root 0 Nov 1 00:00 {name} -> ../../devices/pci0000:00/0000:{at}/net/{name}"
        for name, at in [("eno1", "01:00.0"), ("eno2", "01:00.1"), ("eno3", "02:00.0"),
                         ("wlan0", "03:00.0")]
    ),
    "own_name": "10.0.0.31 STREAM st1.example.org\n10.0.0.31 DGRAM",
    "sockets": f"""
        /proc/net/tcp:   0: 00000000:0016 00000000:0000 0A 0:0 00:0 0 0 0 501 1 0
        /proc/net/tcp6:   0: {NONE}:0016 {NONE}:0000 0A 0:0 00:0 0 0 0 502 1
        /proc/net/tcp:   1: 0100007F:1F90 0100007F:C000 01 0:0 00:0 0 0 0 503 1 0
        /proc/net/udp:   0: 3500007F:0035 00000000:0000 07 0:0 00:0 0 101 0 504 2 0 0
        /proc/net/udp6:   0: 000080FE00000000FF565002A0B1C2FE:0222 {NONE}:0000 07 0:0 0:0 0 0 0 505
    """,
    "owners": """
        Netid State Recv-Q Send-Q Local Address:Port Peer Address:PortProcess
        tcp LISTEN 0 128 0.0.0.0:22 0.0.0.0:* users:(("sshd",pid=777,fd=3)) ino:501 sk:1 <->
        tcp LISTEN 0 128 [::]:22 [::]:* users:(("sshd",pid=777,fd=4)) ino:502 sk:2 v6only:1 <->
    """,
}  # fmt: skip


def nics_of(**sections: str) -> dict[str, Nic]:
    """The interfaces by name where some sections differ."""
    facts = parse_network(answer_of({**NETWORK, **sections}))
    return {nic.name: nic for nic in known(facts.nics) or ()}


def test_every_interface_is_told_for_what_it_is() -> None:
    assert {name: nic.kind for name, nic in nics_of().items()} == {
        "bond0": NicKind.BOND,
        "br0": NicKind.BRIDGE,
        "eno1": NicKind.PHYSICAL,
        "eno2": NicKind.PHYSICAL,
        "eno3": NicKind.PHYSICAL,
        "eth9": NicKind.VIRTUAL,
        "vlan7": NicKind.VLAN,
        "wlan0": NicKind.PHYSICAL,
        "wg0": NicKind.VIRTUAL,
    }


def test_a_speed_that_is_not_told_is_unknown_with_its_reason() -> None:
    found = nics_of()
    assert found["bond0"].speed_mbps == 20000
    assert found["eno1"].speed_mbps == 10000
    assert found["eno3"].speed_mbps == Unknown("the link is down")
    assert found["eth9"].speed_mbps == Unknown("the driver virtio_net does not tell")
    assert isinstance(found["wlan0"].speed_mbps, Unknown)


def test_members_and_masters() -> None:
    found = nics_of()
    assert found["bond0"].members == ("eno1", "eno2")
    assert found["eno1"].master == "bond0"
    assert found["br0"].members == ("vnet0",)
    assert (found["bond0"].mtu, found["bond0"].mac) == (9000, "aa:bb:cc:00:00:01")


def test_addresses_come_from_ip() -> None:
    found = nics_of()
    assert [str(one) for one in found["bond0"].addresses] == ["10.0.0.31/24", "2001:db8::5/64"]
    assert [str(one) for one in found["vlan7"].addresses] == ["10.7.0.31/32"]


def test_addresses_come_from_proc_where_there_is_no_ip() -> None:
    found = nics_of(
        addresses="",
        fib_trie="""
            Main:
                    |-- 10.0.0.31
                       /32 host LOCAL
                    |-- 10.0.0.255
                       /32 link BROADCAST
        """,
    )
    assert {str(one) for one in found["bond0"].addresses} == {"10.0.0.31/24", "2001:db8::5/64"}


def test_routes_of_both_families_without_own_addresses_and_rejects() -> None:
    assert parse_network(answer_of(NETWORK)).routes == (
        Route("default", "10.0.0.1", "bond0", 4, 100),
        Route("10.0.0.0/24", None, "bond0", 4, 100),
        Route("default", "fe80::1", "bond0", 6, 1024),
        Route("2001:db8::/64", None, "bond0", 6, 256),
    )


def test_the_servers_behind_the_stub_resolver_are_told() -> None:
    facts = parse_network(answer_of(NETWORK))
    assert facts.nameservers == ("10.0.0.1", "2001:db8::53")
    assert facts.search_domains == ("example.org",)


@pytest.mark.parametrize(
    ("status", "text", "own", "resolves"),
    [
        ("0", "10.0.0.31 STREAM st1", "10.0.0.31", True),
        ("137", "", NO_ANSWER, NO_ANSWER),
        ("2", "", ABSENT, False),
        ("missing", "", "127.0.1.1", True),
    ],
)
def test_what_its_own_name_resolves_to(
    status: str, text: str, own: object, resolves: object
) -> None:
    sections = {**NETWORK, "own_name": text}
    if status == "137":
        sections["system"] = "/proc/sys/kernel/hostname:st1"
    facts = parse_network(answer_of(sections, statuses={"own_name": status}))
    assert facts.own_address == own
    assert facts.resolves_itself == resolves


def test_sockets_that_listen_or_are_bound_with_their_programs() -> None:
    found = known(parse_sockets(answer_of(NETWORK))) or ()
    assert [(one.protocol, one.address, one.port) for one in found] == [
        ("tcp", "0.0.0.0", 22),
        ("tcp", "::", 22),
        ("udp", "127.0.0.53", 53),
        ("udp", "fe80::250:56ff:fec2:b1a0", 546),
    ]
    assert [(one.process, one.pid) for one in found[:2]] == [("sshd", 777), ("sshd", 777)]
    assert isinstance(found[2].process, Unknown)


def test_programs_are_found_through_proc_where_there_is_no_ss() -> None:
    sections = {**NETWORK, "processes": "/proc/777/comm:sshd\n/proc/101/comm:systemd-resolve"}
    del sections["owners"]
    sections["descriptors"] = """
        /proc/101/fd:
        lrwx------ 1 root root 64 Nov  1 00:00 12 -> socket:[504]
        /proc/777/fd:
        lrwx------ 1 root root 64 Nov  1 00:00 3 -> 'socket:[501]'
    """
    found = known(parse_sockets(answer_of(sections))) or ()
    assert [(one.port, one.process) for one in found if isinstance(one.process, str)] == [
        (22, "sshd"),
        (53, "systemd-resolve"),
    ]


def test_without_root_the_programs_of_others_need_root() -> None:
    found = parse_sockets(answer_of({**NETWORK, "login": "uid=1000", "owners": ""}))
    assert {one.process for one in known(found) or ()} == {Unknown("needs root")}

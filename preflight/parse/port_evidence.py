"""Whether a network interface is a physical port, by what the kernel shows behind it.

A port is physical only on evidence: a card's function of its own on a bus of this machine. A part
of a port (a virtual function, a representor, a sub-function), what a hypervisor makes, and a second
function of a port that is there already are virtual; where nothing decides, it is unknown.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from preflight.facts import Nic, NicKind, known
from preflight.parse.disk_evidence import VIRTUAL_MAKERS
from preflight.parse.text import plain, whole

VIRTUAL_DRIVERS: Final = frozenset({
    "virtio_net", "vmxnet3", "vif", "xen-netfront", "xen_netfront", "hv_netvsc", "veth", "tun",
    "ena", "gve", "mana", "efa", "idpf", "ibmveth", "ibmvnic", "enic", "octep_vf", "igbvf",
    "ixgbevf", "i40evf", "iavf", "fm10kvf", "cxgb4vf", "rvu_nicvf", "nicvf", "thunder-nicvf",
    "hclgevf", "hinicvf", "nfp_netvf", "vxge", "pcnet32",
})  # fmt: skip
"""Drivers of interfaces that a hypervisor, a cloud's card or a part of a card presents."""

_PART: Final = re.compile(r"(c\d+)?pf\d+(vf\d+|sf\d+|hpf)?|vf\d+|vnic", re.IGNORECASE)
"""Names that a switch of a card (switchdev) gives to the representors of its functions."""

_MADE_BY: Final[Mapping[str, str]] = {
    "bond": "a bond", "team": "a team", "bridge": "a bridge", "vlan": "a VLAN",
    "macvlan": "a MACVLAN", "ipvlan": "an IPVLAN", "vxlan": "a tunnel", "gre": "a tunnel",
    "geneve": "a tunnel", "wireguard": "a tunnel", "veth": "a pair of a container",
}  # fmt: skip


def port_kind(
    device_type: str,
    driver: str,
    marks: Sequence[str],
    values: Mapping[str, str],
    path: str,
    *,
    virtual_machine: bool,
) -> tuple[NicKind, str]:
    """What an interface is, and why one may say so.

    `marks` are the probe's words about it, `values` its files by their names under
    /sys/class/net/NAME, `path` its place below /sys/devices, empty where that was not told.
    """
    if device_type in {"bond", "team"} or "bonding/mode" in values:
        return NicKind.BOND, "it is made of other interfaces"
    if device_type in {"bridge", "vlan"}:
        return NicKind(device_type), f"it is {_MADE_BY[device_type]}"
    part = _part_of(device_type, driver, marks, values, path)
    if part:
        return NicKind.VIRTUAL, part
    if "device" not in marks:
        return NicKind.VIRTUAL, f"it is {_MADE_BY.get(device_type, 'made by software')}"
    if not path:
        return NicKind.UNKNOWN, "the kernel does not show what it hangs on"
    if "/usb" in path:
        return NicKind.UNKNOWN, "a USB adapter, as a management controller or a phone shows too"
    if not re.search(r"/(pci[0-9a-f]{4,8}:|platform/|soc[@/0-9:]|amba|fsl-mc)", path):
        return NicKind.UNKNOWN, "it hangs on a bus that tells nothing about a port"
    if virtual_machine and not whole(values.get("device/sriov_totalvfs")):
        # A function that was passed on looks like the whole card, and so does an emulated one.
        return NicKind.UNKNOWN, "in a virtual machine a card may be a part of one, or emulated"
    return NicKind.PHYSICAL, "a card of this machine"


def _part_of(
    device_type: str,
    driver: str,
    marks: Sequence[str],
    values: Mapping[str, str],
    path: str,
) -> str:
    """Why an interface with a device is no port of its own; empty where nothing says so."""
    whose = next((mark[7:] for mark in marks if mark.startswith("physfn:")), None)
    if whose is not None:
        port = f" of {plain(whose, 40)}" if whose not in {"", "*"} else ""
        return f"a virtual function{port} (SR-IOV)"
    if driver in VIRTUAL_DRIVERS:
        return f"the driver {driver} shows no port"
    if device_type == "dsa":
        return "a port of a switch behind another interface"
    if _PART.fullmatch(values.get("phys_port_name", "")):
        return "a representor of a card's function"
    if re.search(r"\.sf\.\d|/mdev|/virtio\d|/vif-|/vmbus|/VMBUS", path):
        return "a part of a card, or made by a hypervisor"
    if "/devices/virtual/" in path:
        return "it is made by software"
    for key in ("device/subsystem_vendor", "device/vendor"):
        maker = VIRTUAL_MAKERS.get(values.get(key, "").removeprefix("0x"))
        if maker and (key, maker) not in _CARDS:
            return f"a card made by {maker}'s hypervisor"
    return ""


_CARDS: Final = frozenset(
    (key, maker)
    for key in ("device/subsystem_vendor", "device/vendor")
    for maker in VIRTUAL_MAKERS.values()
    if maker.startswith("a network card")
)
"""Makers that stand in the table for their disks, and whose network cards are real."""


def one_a_port(nics: Sequence[Nic], values: Mapping[str, Mapping[str, str]]) -> tuple[Nic, ...]:
    """The interfaces, the second function of a physical port told as virtual."""
    first: dict[tuple[str, ...], str] = {}
    kept: list[Nic] = []
    # Where one function of a port has the link, that one stands for it.
    order = sorted(nics, key=lambda nic: known(nic.state) != "up")
    doubled: dict[str, str] = {}
    for nic in order:
        if nic.kind not in (NicKind.PHYSICAL, NicKind.UNKNOWN):
            continue
        for key in _port_ids(values.get(nic.name, {})):
            other = first.setdefault(key, nic.name)
            if other != nic.name:
                doubled[nic.name] = other
    for nic in nics:
        other = doubled.get(nic.name, "")
        kept.append(
            replace(
                nic,
                kind=NicKind.VIRTUAL,
                kind_reason=f"a second function of the port that {other} has",
            )
            if other
            else nic
        )
    return tuple(kept)


def _port_ids(values: Mapping[str, str]) -> list[tuple[str, ...]]:
    """What the kernel calls the port behind an interface: two with the same are one."""
    found: list[tuple[str, ...]] = []
    if port := values.get("phys_port_id", ""):
        found.append(("id", port))
    switch, name = values.get("phys_switch_id", ""), values.get("phys_port_name", "")
    if switch and name:
        found.append(("switch", switch, name))
    return found

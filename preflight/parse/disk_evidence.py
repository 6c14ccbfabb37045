"""What a disk is made of, by what the kernel shows of the thing behind it, never by its name.

A kind is told only on evidence: a PCI function with a flash maker's controller, an ATA or SAS link
with a disk at its end. What a hypervisor, a fabric or a RAID controller stands before is virtual or
unknown, and neither passes for a disk of a kind.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from preflight.facts import DiskKind
from preflight.parse.text import plain

_VIRTUAL_MODEL: Final = re.compile(
    r"qemu|vbox|virtual|vmware|^msft|microsoft|xen|nutanix|vdisk|parallels|persistent ?disk"
    r"|nvme_card-pd|amazon|elastic block|alibaba|google|lio-org|bochs|bhyve|ovirt|openstack"
    r"|orcldisk|oracle ?cloud|spdk|snap controller|bluefield|linstor|^linux\b|kvm|do_volume"
    r"|\bvolume\b|hyperdisk|nimble|pure ?storage|flasharray|netapp|ontap|lightos|powerflex",
    re.IGNORECASE,
)
"""Models of controllers that are programs or stand before a storage system. Sources: QEMU, SPDK
and Linux' nvmet say so in their code, the clouds in their documentation of NVMe devices."""

_INSTANCE_LOCAL: Final = re.compile(
    r"amazon ec2 nvme instance storage|microsoft nvme direct disk( v\d+)?|nvme_card\d{0,3}",
    re.IGNORECASE,
)
"""Models with which the clouds hand a local flash device of the host to a machine."""

_ARRAY: Final = re.compile(
    r"^(HPE?|COMPAQ) +(MSA|HSV|P2000|OPEN-|A6189A)|^DELL(EMC)? +(MD3|ME[45]|PowerStore|PowerVault)"
    r"|^(3PARdata|DGC|EMC|COMPELNT|XtremIO|LEFTHAND|TEGILE|DDN|EQLOGIC|INFINIDAT|DotHill|IFT|NEXENTA)\b"
    r"|^HITACHI +(OPEN-|DF)|^FUJITSU +(ETERNUS|E[23468]000)|^IBM +(1[78]\d\d|210[57]|2145|2810)"
    r"|^LENOVO +DE_Series|^HUAWEI +XSG|^SGI +(TP9|IS)|^NEC +DISK ARRAY|^SUN +(StorEdge|STK|CSM)"
    r"|^(LSI|NETAPP) +INF-01|Universal Xport",
    re.IGNORECASE,
)
"""Makers and volumes of storage systems, which show a SAS link as a disk does. Source:
multipath-tools, libmultipath/hwtable.c."""

_RAID_VOLUME: Final = re.compile(
    r"PERC|MegaRAID|LOGICAL|Smart.?Array|RAID|AVAGO|\bMR9|\bBOSS\b|ServeRAID|VROC", re.IGNORECASE
)

_DISK_MODEL: Final = re.compile(
    r"(^|\s)(ST\d{2,5}[A-Z]|WDC?\b|WD\d|WUS|HGST|HU[HSC]\d|HITACHI|SAMSUNG|MZ[A-Z0-9-]{3}|TOSHIBA"
    r"|MG\d{2}|KPM|KIOXIA|KXD|INTEL|SSDSC|MICRON|MTFD|CRUCIAL|CT\d{3}|SANDISK|SOLIDIGM|KINGSTON"
    r"|SEAGATE|XS\d{3})",
    re.IGNORECASE,
)
"""Models by which makers of disks name them. A controller that passes a disk on, and shows no link
to it, gives the disk's own model; to a volume of its own it gives another."""

VIRTUAL_MAKERS: Final[Mapping[str, str]] = {
    "1af4": "QEMU", "1b36": "QEMU", "15ad": "VMware", "80ee": "VirtualBox", "1414": "Microsoft",
    "5853": "Xen", "1ab8": "Parallels", "fb5d": "bhyve", "1d0f": "Amazon", "1ae0": "Google",
    "1ded": "Alibaba", "4e58": "Nutanix", "15b3": "a network card of NVIDIA",
    "1dd8": "a network card of AMD Pensando", "177d": "a network card of Marvell",
}  # fmt: skip
"""PCI makers, by their number, whose disks are made by a program or a network card."""

_FLASH_MAKERS: Final = frozenset({
    "144d", "8086", "025e", "1344", "15b7", "1c58", "1e0f", "1179", "1c5c", "1bb1", "c0a9", "2646",
    "1cc1", "1987", "126f", "10ec", "1c5f", "1cc4", "1e49", "1e4b", "1dee", "1d97", "1d79", "1e95",
    "14a4", "19e5", "1e3b", "1d78", "1e81", "1f40", "1fa0", "1b1c", "1b96", "101c", "1ed0", "1d49",
})  # fmt: skip
"""PCI makers of flash devices. In a virtual machine only these are a device that was passed on."""

_PCI: Final = re.compile(r"/([0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7])(?=/)")


@dataclass(frozen=True, slots=True)
class Behind:
    """What the kernel shows of the thing behind a disk."""

    path: str = ""
    """Its place below /sys/devices; empty where that was not told."""
    maker: str = ""
    """The PCI maker of its controller, four hexadecimal digits."""
    board: str = ""
    """The PCI maker of the board, which tells an emulated controller from a real one."""
    virtual_machine: bool = False
    """Whether this system runs on a hypervisor."""
    function_of: str = ""
    """Where its controller is a virtual function (SR-IOV), the one that it is a part of."""


def pci_address(path: str) -> str:
    """The PCI function that a device hangs below; empty where it hangs below none."""
    found = _PCI.findall(path)
    return found[-1] if found else ""


def is_instance_local(model: str) -> bool:
    """Whether a cloud hands a local flash device of the host to the machine under this model."""
    return bool(_INSTANCE_LOCAL.fullmatch(model.strip()))


def is_raid_model(model: str) -> bool:
    """Whether a RAID controller shows it, with real disks hidden beneath."""
    return bool(_RAID_VOLUME.search(model))


def disk_kind(
    name: str,
    transport: str,
    model: str,
    driver: str,
    rotational: str | None,
    behind: Behind = Behind(),
) -> tuple[DiskKind, str]:
    """What a disk is made of, and why one may say so."""
    for found in (_hypervisor(name, transport, driver), _network(name, transport)):
        if found:
            return DiskKind.VIRTUAL, found
    if transport == "usb":
        return DiskKind.UNKNOWN, "a USB bridge hides what is beneath"
    if name.startswith("mmcblk"):
        return DiskKind.UNKNOWN, "an SD card or eMMC, flash without an SSD's endurance"
    if name.startswith("nvme"):
        return _nvme(transport, model, behind)
    if model and _VIRTUAL_MODEL.search(model):
        return DiskKind.VIRTUAL, f'the model "{plain(model, 60)}" is a virtual disk'
    if not name.startswith("nvme") and _ARRAY.search(model):
        return DiskKind.VIRTUAL, f'"{plain(model, 60)}" is a volume of a storage system'
    if "/devices/virtual/" in behind.path:
        return DiskKind.VIRTUAL, "a program makes it, and no hardware is shown behind it"
    if not re.match(r"sd[a-z]", name):
        return DiskKind.UNKNOWN, "a driver that does not show what is beneath"
    if behind.board in VIRTUAL_MAKERS or behind.maker in VIRTUAL_MAKERS:
        by = VIRTUAL_MAKERS.get(behind.board) or VIRTUAL_MAKERS[behind.maker]
        return DiskKind.VIRTUAL, f"its controller is made by {by}, which hides what is beneath"
    if is_raid_model(model):
        return DiskKind.UNKNOWN, f'a RAID controller shows a volume, "{plain(model, 60)}"'
    if transport not in {"sata", "sas"} and not pci_address(behind.path):
        return DiskKind.UNKNOWN, "the kernel does not show what it hangs on"
    if transport not in {"sata", "sas"} and not _DISK_MODEL.search(model):
        # A RAID controller gives its volumes any name, and shows no link with a disk at its end.
        return DiskKind.UNKNOWN, "its controller shows no link to a disk, as one of RAID does"
    if behind.virtual_machine:
        # A disk that is passed on and one that is emulated show the same link, model and flag.
        return DiskKind.UNKNOWN, "in a virtual machine link and flags are the hypervisor's word"
    if rotational == "1":
        return DiskKind.HDD, "rotational flag is 1"
    if rotational == "0":
        return DiskKind.SSD, "rotational flag is 0"
    return DiskKind.UNKNOWN, "the kernel does not tell whether it turns"


def _hypervisor(name: str, transport: str, driver: str) -> str:
    if name.startswith("vd") or transport == "virtio" or driver.startswith("virtio"):
        return "virtio hides what is beneath"
    if name.startswith("xvd") or transport == "xen":
        return "Xen hides what is beneath"
    return "Hyper-V hides what is beneath" if transport == "hyper-v" else ""


def _network(name: str, transport: str) -> str:
    if transport in {"iscsi", "fc", "srp"}:
        return f"a volume of a storage system, reached over {transport}"
    if name.startswith("nvme") and transport.startswith("nvme-"):
        return f"an NVMe namespace reached over {transport.removeprefix('nvme-')}"
    return ""


def _nvme(transport: str, model: str, behind: Behind) -> tuple[DiskKind, str]:
    if transport != "nvme":
        return DiskKind.UNKNOWN, "the kernel does not show over which paths it is reached"
    if is_instance_local(model):
        return DiskKind.NVME, f'"{plain(model, 60)}" is a local device of the host'
    if model and _VIRTUAL_MODEL.search(model):
        return DiskKind.VIRTUAL, f'the model "{plain(model, 60)}" is a virtual disk'
    by = VIRTUAL_MAKERS.get(behind.board) or VIRTUAL_MAKERS.get(behind.maker)
    if by:
        return DiskKind.VIRTUAL, f"its controller is made by {by}, which hides what is beneath"
    if is_raid_model(model):
        return DiskKind.UNKNOWN, f'a RAID controller shows a volume, "{plain(model, 60)}"'
    if behind.virtual_machine and behind.maker and behind.maker not in _FLASH_MAKERS:
        return DiskKind.UNKNOWN, "in a virtual machine, and its controller's maker is not known"
    return DiskKind.NVME, "an NVMe device"

"""Disks: real block devices, what they are made of, and who holds them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from preflight.facts import ABSENT, Array, Disk, DiskKind, Fact, Unknown
from preflight.parse.cpu import is_virtual_machine
from preflight.parse.disk_evidence import Behind, disk_kind, is_instance_local, pci_address
from preflight.parse.filesystems import Mount, mounts_of
from preflight.parse.frames import Answer
from preflight.parse.identity import is_root
from preflight.parse.text import ITEM_LIMIT, plain, told, unique, whole

_NOT_A_DISK: Final = re.compile(
    r"(loop|ram|zram|sr|fd|nbd|mtd|md|dm-|rbd|drbd|zd|bcache)\d|mmcblk\d+(boot|rpmb|gp)|nvme\d+c\d+n"
)
_HOLDING: Final[Mapping[str, str]] = {
    "LVM2_member": "lvm", "ceph_bluestore": "ceph", "zfs_member": "zfs",
    "crypto_LUKS": "encrypted volume", "linux_raid_member": "raid member",
    "drbd": "drbd", "bcache": "bcache", "ddf_raid_member": "raid member",
    "isw_raid_member": "raid member", "VMFS_volume_member": "vmfs",
}  # fmt: skip
"""What udev's ID_FS_TYPE says about who holds a device, where that is not a filesystem."""


@dataclass(slots=True)
class _Device:
    """A block device as /sys and udev show it, a partition too."""

    name: str
    values: dict[str, str] = field(default_factory=dict)
    udev: dict[str, str] = field(default_factory=dict)
    partitions: list[str] = field(default_factory=list)
    holders: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Surroundings:
    """What disks hang on: their places in /sys/devices, and the PCI functions there."""

    paths: Mapping[str, str]
    functions: Mapping[str, str]
    """What is told of PCI functions, by "address/key"."""
    parents: Mapping[str, str]
    """Of a virtual function, the function that it is a part of."""
    virtual_machine: bool

    @classmethod
    def of(cls, answer: Answer) -> _Surroundings:
        """From the sections links, pci, cpuinfo and system."""
        links = answer.text("links")
        # The names of PCI functions have colons in them, as what parts a path from its text.
        functions = dict(
            re.findall(
                r"^/sys/bus/pci/devices/([^\s/]{7,20}/\w{1,30}):(\S{1,20})$",
                answer.text("pci"),
                re.MULTILINE,
            )
        )
        parents = dict(
            re.findall(
                r"/sys/bus/pci/devices/(\S{7,20})/physfn -> \S{0,200}?([^\s/]{7,20})$",
                answer.text("pci"),
                re.MULTILINE,
            )
        )
        return cls(_paths(links), functions, parents, is_virtual_machine(answer))

    def behind(self, path: str) -> Behind:
        """What the kernel shows behind a device at this place."""
        address = pci_address(path)
        tell = self.functions.get
        return Behind(
            path=path,
            maker=tell(f"{address}/vendor", "").removeprefix("0x"),
            board=tell(f"{address}/subsystem_vendor", "").removeprefix("0x"),
            virtual_machine=self.virtual_machine,
            function_of=self.parents.get(address, ""),
        )


def parse_disks(answer: Answer) -> Fact[tuple[Disk, ...]]:
    """The disks from the sections blocknames, block, udev, blkid, links, mounts and wear."""
    if "blocknames" not in answer.sections:
        return answer.why_not("blocknames", "/sys/block")
    devices = _devices(answer)
    surroundings = _Surroundings.of(answer)
    by_id = _by_id(answer.text("links"))
    by_number: dict[str, list[Mount]] = {}
    by_source: dict[str, list[Mount]] = {}
    for mount in mounts_of(answer):
        by_number.setdefault(mount.number, []).append(mount)
        by_source.setdefault(mount.source, []).append(mount)
    swaps = {
        line.split()[0]
        for line in answer.files("system").get("/proc/swaps", "").split("\n")
        if line
    }
    found = []
    for line in answer.lines("blocknames")[:ITEM_LIMIT]:
        name = line.split(" ", 1)[0]
        device = devices.get(name)
        if device is None or _NOT_A_DISK.match(name) or device.values.get("hidden") == "1":
            continue
        if device.values.get("device/type", "0").strip() not in {"0", "14", "20"}:
            continue  # SCSI types: 0 disk, 14 simplified disk, 20 zoned disk; the rest are no disks
        sectors = whole(device.values.get("size"))
        if sectors == 0:
            continue  # a card reader without a card
        disk = _disk(device, devices, surroundings, by_id.get(name, ()), sectors)
        uses, mounts, raid = _uses(device, devices, by_number, by_source, swaps)
        found.append(
            replace(
                disk,
                in_use_by=uses,
                mounts=mounts,
                raid=raid,
                wear_percent=_wear(answer, disk),
            )
        )
    return _one_of_many_paths(found)


def parse_arrays(answer: Answer) -> Fact[tuple[Array, ...]]:
    """The software RAID arrays of /proc/mdstat; none where the kernel has no such driver."""
    if "block" not in answer.sections:
        return answer.why_not("block", "/proc/mdstat")
    files = answer.files("block")
    arrays = []
    lines = files.get("/proc/mdstat", "").split("\n")
    for index, line in enumerate(lines[:ITEM_LIMIT]):
        match = re.match(r"(md\w{1,40}) : (?:active|inactive)(?: \([a-z-]+\))?(.{0,4000})$", line)
        if not match:
            continue
        words = match.group(2).split()
        members = tuple(
            plain(word.partition("[")[0], 40) for word in words if "[" in word and word[0].isalnum()
        )
        level = next((word for word in words if "[" not in word), "")
        follow = lines[index + 1] if index + 1 < len(lines) else ""
        health = re.search(r"\[([U_]{1,200})\]", follow)
        sectors = whole(files.get(f"/sys/block/{match.group(1)}/size"))
        arrays.append(
            Array(
                name=match.group(1),
                level=plain(level, 20),
                members=unique(members),
                size_bytes=sectors * 512 if sectors else Unknown("/sys does not tell"),
                degraded="_" in health.group(1) if health else "(F)" in line,
            )
        )
    return tuple(arrays)


def _devices(answer: Answer) -> dict[str, _Device]:
    devices: dict[str, _Device] = {}
    for line in answer.lines("blocknames")[:ITEM_LIMIT]:
        name, *rest = line.split(" ")
        device = devices.setdefault(name, _Device(name))
        for word in rest:
            if word.startswith("part:"):
                part = word[5:]
                devices.setdefault(part, _Device(part))
                device.partitions.append(part)
            else:
                held, arrow, holder = word.partition(">")
                if arrow:
                    devices.setdefault(held, _Device(held)).holders.append(holder)
    numbers: dict[str, _Device] = {}
    for path, value in answer.files("block").items():
        name, _, key = path.removeprefix("/sys/block/").partition("/")
        if not key:
            continue
        if key.endswith("/dev") and key != "dev" and name in devices:
            name, key = key[: -len("/dev")], "dev"
        holder_of_value = devices.get(name)
        if holder_of_value is not None:
            holder_of_value.values[key] = value.strip()
            if key == "dev":
                numbers[value.strip()] = holder_of_value
    for line in answer.lines("udev"):
        match = re.match(r"/run/udev/data/b(\d+:\d+):E:([A-Z_]+)=(.*)$", line)
        if match and match.group(1) in numbers:
            numbers[match.group(1)].udev[match.group(2)] = match.group(3)
    name = ""
    for line in answer.lines("blkid"):
        key, _, value = line.partition("=")
        if key == "DEVNAME":
            name = value.rpartition("/")[2]
        elif name in devices and key in {"TYPE", "PTTYPE"}:
            key = "ID_FS_TYPE" if key == "TYPE" else "ID_PART_TABLE_TYPE"
            devices[name].udev.setdefault(key, value)
    return devices


def _paths(links: str) -> dict[str, str]:
    """The place of each device in the tree of /sys/devices."""
    return {
        match.group(1): match.group(2)
        for match in re.finditer(r" (\S{1,60}) -> (\.\./devices/\S{1,400})$", links, re.MULTILINE)
    }


def _by_id(links: str) -> dict[str, tuple[str, ...]]:
    """The names that /dev/disk/by-id gives each device."""
    found: dict[str, list[str]] = {}
    for match in re.finditer(r" (\S{1,200}) -> \.\./\.\./(\S{1,60})$", links, re.MULTILINE):
        found.setdefault(match.group(2), []).append(match.group(1))
    return {name: tuple(ids) for name, ids in found.items()}


def _transport(device: _Device, path: str, driver: str, ways: Sequence[str]) -> str:
    """How a disk is reached; of an NVMe namespace by each of its paths, `ways`."""
    name = device.name
    if name.startswith("nvme"):
        return _nvme_transport(device, path, ways)
    if re.search(r"/port-\d", path) and "/end_device-" not in path:
        return "srp"
    for mark, transport in (
        ("/usb", "usb"), ("/virtio", "virtio"), ("/ata", "sata"), ("/session", "iscsi"),
        ("/rport-", "fc"), ("/end_device-", "sas"), ("/VMBUS:", "hyper-v"), ("/vmbus", "hyper-v"),
        ("/vbd-", "xen"), ("/mmc", "mmc"),
    ):  # fmt: skip
        if mark in path:
            return transport
    if name.startswith("mmcblk"):
        return "mmc"
    if driver == "virtio_blk" or name.startswith("vd"):
        return "virtio"
    if name.startswith("xvd"):
        return "xen"
    return {"ata": "sata", "usb": "usb", "scsi": "scsi"}.get(device.udev.get("ID_BUS", ""), "")


def _nvme_transport(device: _Device, path: str, ways: Sequence[str]) -> str:
    """The transport of an NVMe namespace: its controller's, or that of the paths behind it.

    With native multipath the namespace hangs below a subsystem and has no transport of its own;
    its hidden paths have. Local only where every path says so; "" where none tells.
    """
    own = device.values.get("device/transport", "")
    told_ways = {plain(way, 20) for way in (own, *ways) if way}
    if not told_ways and "/nvme-subsystem/" not in path and pci_address(path):
        told_ways = {"pcie"}
    far = sorted(told_ways - {"pcie"})
    if far:
        return f"nvme-{far[0]}"
    return "nvme" if told_ways else ""


def _nvme_paths(devices: Mapping[str, _Device], name: str) -> tuple[_Device, ...]:
    """The hidden paths of an NVMe namespace: nvme0c1n1 is one of nvme0n1's."""
    match = re.fullmatch(r"nvme(\d+)n(\d+)", name)
    if not match:
        return ()
    hidden = re.compile(rf"nvme{match.group(1)}c\d+n{match.group(2)}")
    return tuple(device for other, device in devices.items() if hidden.fullmatch(other))


def _disk(
    device: _Device,
    devices: Mapping[str, _Device],
    surroundings: _Surroundings,
    by_id: tuple[str, ...],
    sectors: int | None,
) -> Disk:
    values, udev = device.values, device.udev
    paths = surroundings.paths
    path = paths.get(device.name, "")
    hidden = _nvme_paths(devices, device.name)
    ways = [one.values["device/transport"] for one in hidden if "device/transport" in one.values]
    # The subsystem of a namespace names its controllers too, each with its transport.
    ways += [
        way
        for key, way in values.items()
        if re.fullmatch(r"device/nvme\d{1,6}/transport", key) and way
    ]
    driver = ""
    for line in values.get("device/uevent", "").split("\n"):
        if line.startswith("DRIVER="):
            driver = plain(line[7:], 40)
    transport = _transport(device, path, driver, ways)
    maker = values.get("device/vendor", "").strip()
    model = values.get("device/model") or values.get("device/name") or ""
    # A SCSI maker of "ATA" is the translation layer's, and a number is a PCI vendor's.
    if maker and maker != "ATA" and not maker.startswith("0x") and maker not in model:
        model = f"{maker} {model}"
    model = plain(model or udev.get("ID_MODEL", "").replace("_", " "))
    place = path
    if hidden and not pci_address(path):
        place = next((paths[one.name] for one in hidden if one.name in paths), path)
    behind = surroundings.behind(place)
    kind, reason = disk_kind(
        device.name, transport, model, driver, values.get("queue/rotational"), behind
    )
    serial = (
        values.get("serial")
        or values.get("device/serial")
        or udev.get("ID_SERIAL_SHORT")
        or udev.get("ID_SCSI_SERIAL")
        or next((one.rpartition("_")[2] for one in by_id if one.startswith(("ata-", "mmc-"))), "")
    )
    wwid = (
        values.get("wwid")
        or values.get("device/wwid")
        or udev.get("ID_WWN_WITH_EXTENSION")
        or udev.get("ID_WWN")
        or next((one for one in by_id if one.startswith(("wwn-", "nvme-eui."))), "")
    )
    return Disk(
        name=plain(device.name, 60),
        size_bytes=sectors * 512 if sectors and sectors > 0 else Unknown("/sys does not tell"),
        kind=kind,
        kind_reason=reason,
        transport=told(transport, Unknown("its place in /sys does not tell")),
        model=told(model, ABSENT),
        serial=told(serial, ABSENT),
        wwid=told(wwid, ABSENT),
        controller=_controller(device.name, kind, behind, model),
        removable=values.get("removable") == "1",
        read_only=values.get("ro") == "1",
    )


def _controller(name: str, kind: DiskKind, behind: Behind, model: str) -> Fact[str]:
    """The one device that several NVMe namespaces are parts of; absent where each is its own."""
    match = re.match(r"(nvme\d+)n\d+$", name)
    if not match or kind is not DiskKind.NVME or is_instance_local(model):
        return ABSENT
    return behind.function_of or match.group(1)


def _uses(
    disk: _Device,
    devices: Mapping[str, _Device],
    by_number: Mapping[str, list[Mount]],
    by_source: Mapping[str, list[Mount]],
    swaps: set[str],
) -> tuple[tuple[str, ...], tuple[str, ...], Fact[str]]:
    """Who uses a disk, its partitions and all that is built on them; where they are mounted."""
    uses: list[str] = []
    mounted: list[str] = []
    raid: Fact[str] = ABSENT
    if disk.partitions or disk.udev.get("ID_PART_TABLE_TYPE"):
        uses.append("partition table")
    queue = [disk.name, *disk.partitions]
    seen: set[str] = set()
    while queue and len(seen) < ITEM_LIMIT:
        name = queue.pop(0)
        if name in seen:
            continue
        seen.add(name)
        device = devices.get(name) or _Device(name)
        alias = device.values.get("dm/name", "")
        here = by_number.get(device.values.get("dev", "-"), [])
        if not here:
            here = by_source.get(f"/dev/{name}", []) + by_source.get(f"/dev/mapper/{alias}", [])
        for mount in here[:50]:
            uses.append(plain(f"{mount.kind} {mount.point}"))
            mounted.append(plain(mount.point))
        if f"/dev/{name}" in swaps:
            uses.append("swap")
        kind = device.udev.get("ID_FS_TYPE", "")
        if kind in _HOLDING:
            if not (kind == "LVM2_member" and device.holders):
                uses.append(_HOLDING[kind])
        elif kind and not here and kind not in {"swap", "mpath_member"}:
            uses.append(plain(f"{kind}, not mounted", 60))
        for holder in device.holders:
            above = devices.get(holder) or _Device(holder)
            if holder.startswith("md"):
                uses.append(f"raid {plain(holder, 40)}")
                raid = plain(f"{holder} {above.values.get('md/level', '')}", 60)
            elif holder.startswith("dm-"):
                uses.append(_mapped(above))
            else:
                uses.append(plain(holder, 60))
            queue.append(holder)
            queue.extend(above.partitions)
    return unique(use for use in uses if use), unique(mounted), raid


def _mapped(device: _Device) -> str:
    """What a device-mapper device is: a volume group, an encrypted volume, a multipath device."""
    name, uuid = device.values.get("dm/name", ""), device.values.get("dm/uuid", "")
    if uuid.startswith("LVM-"):
        # Device-mapper doubles the dashes that belong to a name.
        group = re.split(r"(?<!-)-(?!-)", name[:200], maxsplit=1)[0].replace("--", "-")
        return "ceph" if group.startswith("ceph-") else plain(f"lvm {group}", 80)
    if uuid.startswith("CRYPT-"):
        return "encrypted volume"
    if uuid.startswith("mpath-"):
        return plain(f"multipath {name}", 80)
    return plain(f"device mapper {name or device.name}", 80)


def _one_of_many_paths(disks: list[Disk]) -> tuple[Disk, ...]:
    """The disks, those that are several paths to one device counted once."""
    kept: list[Disk] = []
    first: dict[tuple[str, Fact[int], Fact[str]], int] = {}
    for disk in disks:
        # What the multipath daemon has joined is one, whatever the paths call themselves.
        joined = next((u for u in disk.in_use_by if re.match("multipath (?!with )", u)), "")
        wwid = disk.wwid
        telling = isinstance(wwid, str) and bool(
            re.search("[1-9a-f]", wwid.partition(".")[2] or wwid)
        )
        key = (wwid if isinstance(wwid, str) else "", disk.size_bytes, disk.serial)
        if joined:
            telling, key = True, (joined, disk.size_bytes, ABSENT)
        if telling and key in first:
            index = first[key]
            one = kept[index]
            kept[index] = replace(
                one,
                in_use_by=unique((*one.in_use_by, *disk.in_use_by, f"multipath with {disk.name}")),
                mounts=unique((*one.mounts, *disk.mounts)),
            )
            continue
        first[key] = len(kept)
        kept.append(disk)
    return tuple(kept)


def _wear(answer: Answer, disk: Disk) -> Fact[int]:
    """The used part of a disk's life, from nvme smart-log or smartctl."""
    if disk.kind in {DiskKind.HDD, DiskKind.VIRTUAL}:
        return ABSENT
    if disk.kind is DiskKind.UNKNOWN:
        return Unknown("only SSD and NVMe devices are asked")
    if not is_root(answer):
        return Unknown("needs root")
    name = f"wear {disk.name}"
    if name not in answer.sections:
        return Unknown(
            f"/dev/{disk.name} is not here" if answer.complete else "the probe was cut short"
        )
    text = answer.text(name)
    match = re.search(r"percentage[_ ]used\s*:\s*(\d{1,3})\s*%", text, re.IGNORECASE)
    if match:
        return int(match.group(1))
    match = re.search(
        r"^\s*\d+\s+(?:Wear_Leveling_Count|Media_Wearout_Indicator|SSD_Life_Left"
        r"|Percent_Lifetime_Remain|Remaining_Lifetime_Perc)\s+\S+\s+(\d{1,3})\s",
        text,
        re.MULTILINE,
    )
    if match:
        return max(0, 100 - int(match.group(1)))
    return answer.why_not(name, "nvme-cli" if disk.kind is DiskKind.NVME else "smartctl")

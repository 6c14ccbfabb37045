"""Disks from text as physical and virtual machines write it."""

from __future__ import annotations

import pytest

from preflight.facts import ABSENT, Array, Disk, DiskKind, Unknown, known
from preflight.parse.disk_evidence import disk_kind
from preflight.parse.disks import parse_arrays, parse_disks
from preflight.parse.filesystems import parse_filesystems
from tests.preflight.probe_answers import answer_of

SERVER = {
    "login": "uid=0",
    "blocknames": """
        sda part:sda1 part:sda2 sda2>md0
        sdb part:sdb1 part:sdb2 sdb2>md0
        sdc sdc>dm-1
        sdd
        sde
        sdf sdf>dm-2
        sdg
        nvme0n1 part:nvme0n1p1
        nvme1c1n1
        mmcblk0boot0
        md0 md0>dm-0
        dm-0
        dm-1
        dm-2
    """,
    "block": """
        /sys/block/sda/dev:8:0
        /sys/block/sda/size:976773168
        /sys/block/sda/queue/rotational:0
        /sys/block/sda/device/vendor:ATA
        /sys/block/sda/device/model:Samsung SSD 870
        /sys/block/sda/device/wwid:naa.5002538f00000001
        /sys/block/sda/device/type:0
        /sys/block/sda/sda1/dev:8:1
        /sys/block/sda/sda2/dev:8:2
        /sys/block/sdb/dev:8:16
        /sys/block/sdb/size:976773168
        /sys/block/sdb/queue/rotational:0
        /sys/block/sdb/device/model:Samsung SSD 870
        /sys/block/sdb/device/wwid:naa.5002538f00000002
        /sys/block/sdb/sdb1/dev:8:17
        /sys/block/sdb/sdb2/dev:8:18
        /sys/block/sdc/dev:8:32
        /sys/block/sdc/size:15628053168
        /sys/block/sdc/queue/rotational:1
        /sys/block/sdc/device/vendor:SEAGATE
        /sys/block/sdc/device/model:ST8000NM001A
        /sys/block/sdc/device/wwid:naa.5000c50000000003
        /sys/block/sdd/dev:8:48
        /sys/block/sdd/size:15628053168
        /sys/block/sdd/queue/rotational:1
        /sys/block/sdd/device/model:ST8000NM001A
        /sys/block/sdd/device/wwid:naa.5000c50000000003
        /sys/block/sde/dev:8:64
        /sys/block/sde/size:0
        /sys/block/sde/removable:1
        /sys/block/sdf/dev:8:80
        /sys/block/sdf/size:15628053168
        /sys/block/sdf/queue/rotational:1
        /sys/block/sdf/device/wwid:naa.5000c50000000004
        /sys/block/sdg/dev:8:96
        /sys/block/sdg/size:15628053168
        /sys/block/sdg/device/type:5
        /sys/block/nvme0n1/dev:259:0
        /sys/block/nvme0n1/size:937703088
        /sys/block/nvme0n1/queue/rotational:0
        /sys/block/nvme0n1/device/model:Micron_7450_MTFDKBA480TFR
        /sys/block/nvme0n1/device/serial:22143A5B0001
        /sys/block/nvme0n1/device/transport:pcie
        /sys/block/nvme0n1/wwid:eui.000000000000000100a07522143a5b01
        /sys/block/nvme0n1/nvme0n1p1/dev:259:1
        /sys/block/nvme1c1n1/hidden:1
        /sys/block/nvme1c1n1/size:937703088
        /sys/block/md0/dev:9:0
        /sys/block/md0/size:974674944
        /sys/block/md0/md/level:raid1
        /sys/block/dm-0/dev:253:0
        /sys/block/dm-0/dm/name:ubuntu--vg-ubuntu--lv
        /sys/block/dm-0/dm/uuid:LVM-abcdef
        /sys/block/dm-1/dm/name:ceph--3f2a-osd--block--1
        /sys/block/dm-1/dm/uuid:LVM-012345
        /sys/block/dm-2/dm/name:secret
        /sys/block/dm-2/dm/uuid:CRYPT-LUKS2-77
        /proc/mdstat:Personalities : [raid1]
        /proc/mdstat:md0 : active raid1 sdb2[1] sda2[0]
        /proc/mdstat:      487337472 blocks super 1.2 [2/2] [UU]
        /proc/mdstat:unused devices: <none>
    """,
    "udev": """
        /run/udev/data/b8:0:E:ID_SERIAL_SHORT=S62ANX0T100001
        /run/udev/data/b8:0:E:ID_PART_TABLE_TYPE=gpt
        /run/udev/data/b8:32:E:ID_FS_TYPE=LVM2_member
        /run/udev/data/b259:1:E:ID_FS_TYPE=zfs_member
    """,
    "links": """
        lrwxrwxrwx 1 root root 0 Nov 1 00:00 sda -> ../devices/pci0000:00/ata1/host0/block/sda
        lrwxrwxrwx 1 root root 0 Nov 1 00:00 sdb -> ../devices/pci0000:00/ata2/host1/block/sdb
        lrwxrwxrwx 1 root root 0 Nov 1 00:00 sdc -> ../devices/pci0000:00/end_device-2:0/block/sdc
        lrwxrwxrwx 1 root root 9 Nov  1 00:00 ata-Samsung_SSD_870_S62ANX0T100002 -> ../../sdb
    """,
    "mounts": """
        27 1 253:0 / / rw,relatime shared:1 - ext4 /dev/mapper/ubuntu--vg-ubuntu--lv rw
        28 27 8:1 / /boot/efi rw,relatime - vfat /dev/sda1 rw
        30 27 0:50 / /mnt/share\\040one rw,relatime - nfs4 nas:/share rw
    """,
    "room": """
        Filesystem 1024-blocks Used Available Capacity Mounted on
        /dev/mapper/ubuntu--vg-ubuntu--lv 478612345 9876543 444332211 3% /
        /dev/sda1 1046512 6220 1040292 1% /boot/efi
    """,
    "wear nvme0n1": "percentage_used : 4%",
    "wear sda": "177 Wear_Leveling_Count 0x0013 097 097 000 Pre-fail Always - 41",
}  # fmt: skip  # lines as the machine writes them


def disks_of(**sections: str) -> dict[str, Disk]:
    """The disks by name of a server whose sections differ in some."""
    answer = answer_of({**SERVER, **sections})
    return {disk.name: disk for disk in known(parse_disks(answer)) or ()}


def test_only_real_disks_are_told_and_two_paths_to_one_are_one() -> None:
    assert sorted(disks_of()) == ["nvme0n1", "sda", "sdb", "sdc", "sdf"]
    assert "multipath with sdd" in disks_of()["sdc"].in_use_by


def test_sizes_kinds_models_and_serials() -> None:
    found = disks_of()
    sda, sdb, sdc, nvme = found["sda"], found["sdb"], found["sdc"], found["nvme0n1"]
    assert sda.size_bytes == 500107862016
    assert (sda.kind, sda.kind_reason) == (DiskKind.SSD, "rotational flag is 0")
    assert (sda.model, sda.serial, sda.transport) == ("Samsung SSD 870", "S62ANX0T100001", "sata")
    assert sdb.serial == "S62ANX0T100002"
    assert (sdc.kind, sdc.model, sdc.transport) == (DiskKind.HDD, "SEAGATE ST8000NM001A", "sas")
    assert (nvme.kind, nvme.serial) == (DiskKind.NVME, "22143A5B0001")


def test_who_uses_a_disk_is_followed_through_raid_and_volumes() -> None:
    found = disks_of()
    assert found["sda"].in_use_by == (
        "partition table", "vfat /boot/efi", "raid md0", "lvm ubuntu-vg", "ext4 /",
    )  # fmt: skip
    assert found["sda"].mounts == ("/boot/efi", "/")
    assert found["sda"].raid == "md0 raid1"
    assert found["sdb"].mounts == ("/",)
    assert found["sdc"].in_use_by[0] == "ceph"
    assert found["sdc"].raid is ABSENT
    assert found["sdf"].in_use_by == ("encrypted volume",)
    assert found["nvme0n1"].in_use_by == ("partition table", "zfs")


def test_wear_is_told_where_it_can_be_and_explained_where_not() -> None:
    found = disks_of()
    assert found["nvme0n1"].wear_percent == 4
    assert found["sda"].wear_percent == 3
    assert found["sdb"].wear_percent == Unknown("/dev/sdb is not here")
    assert found["sdc"].wear_percent is ABSENT
    assert disks_of(login="uid=1000")["sda"].wear_percent == Unknown("needs root")


def test_a_shared_identifier_of_different_disks_does_not_make_them_one() -> None:
    block = SERVER["block"].replace(
        "/sys/block/sdd/dev", "/sys/block/sdd/device/serial:OTHER\n        /sys/block/sdd/dev"
    )
    assert "sdd" in disks_of(block=block)


def test_arrays_with_their_members_and_a_lost_one() -> None:
    answer = answer_of(SERVER)
    whole = Array("md0", "raid1", ("sdb2", "sda2"), 974674944 * 512, degraded=False)
    assert parse_arrays(answer) == (whole,)
    broken = answer_of({**SERVER, "block": SERVER["block"].replace("[UU]", "[U_]")})
    (array,) = known(parse_arrays(broken)) or ()
    assert array.degraded


def test_filesystems_have_their_device_and_kind_from_the_mounts() -> None:
    root, efi = known(parse_filesystems(answer_of(SERVER))) or ()
    assert (root.mount, root.kind, root.available_bytes) == ("/", "ext4", 444332211 * 1024)
    assert root.device == "/dev/mapper/ubuntu--vg-ubuntu--lv"
    assert (efi.mount, efi.kind) == ("/boot/efi", "vfat")


@pytest.mark.parametrize(
    ("disk", "kind"),
    [
        (("vda", "virtio", "", "virtio_blk", "1"), DiskKind.VIRTUAL),
        (("sda", "virtio", "QEMU HARDDISK", "sd", "1"), DiskKind.VIRTUAL),
        (("sda", "sas", "VMware Virtual disk", "sd", "0"), DiskKind.VIRTUAL),
        (("sda", "", "NUTANIX VDISK", "sd", "0"), DiskKind.VIRTUAL),
        (("sda", "hyper-v", "", "sd", "0"), DiskKind.VIRTUAL),
        (("xvda", "xen", "", "vbd", "0"), DiskKind.VIRTUAL),
        (("nvme0n1", "nvme", "Amazon Elastic Block Store", "nvme", "0"), DiskKind.VIRTUAL),
        (("nvme0n1", "nvme", "QEMU NVMe Ctrl", "nvme", "0"), DiskKind.VIRTUAL),
        (("nvme0n1", "nvme-tcp", "Linux", "nvme", "0"), DiskKind.VIRTUAL),
        (("nvme0n1", "nvme", "Amazon EC2 NVMe Instance Storage", "nvme", "0"), DiskKind.NVME),
        (("nvme0n1", "nvme", "SAMSUNG MZQL2960HCJR-00A07", "nvme", "0"), DiskKind.NVME),
        (("sda", "iscsi", "STORAGE LUN", "sd", "0"), DiskKind.VIRTUAL),
        (("sda", "sas", "HPE MSA 2050 SAS", "sd", "0"), DiskKind.VIRTUAL),
        (("sda", "sas", "DELL MD3460", "sd", "1"), DiskKind.VIRTUAL),
        (("sda", "sas", "DellEMC ME5", "sd", "0"), DiskKind.VIRTUAL),
        (("sda", "sas", "HITACHI OPEN-V", "sd", "0"), DiskKind.VIRTUAL),
        (("sda", "sas", "LENOVO DE_Series", "sd", "1"), DiskKind.VIRTUAL),
        (("sda", "sas", "HP EG0300FBDBR", "sd", "1"), DiskKind.HDD),
        (("sda", "sas", "SEAGATE ST600MP0006", "sd", "1"), DiskKind.HDD),
        (("sda", "sata", "TOSHIBA MD04ACA400", "sd", "1"), DiskKind.HDD),
        (("sda", "sas", "HITACHI HUC156060CSS200", "sd", "1"), DiskKind.HDD),
        (("ublkb0", "", "", "", "0"), DiskKind.UNKNOWN),
        (("pmem0", "", "", "nd_pmem", "0"), DiskKind.UNKNOWN),
        (("rnbd0", "", "", "", "0"), DiskKind.UNKNOWN),
        (("dasda", "", "", "dasd-eckd", "1"), DiskKind.UNKNOWN),
        (("sda", "usb", "Ultra Fit", "sd", "1"), DiskKind.UNKNOWN),
        (("mmcblk0", "mmc", "SD64G", "mmcblk", "0"), DiskKind.UNKNOWN),
        (("sda", "sata", "WDC WD40EFRX", "sd", "1"), DiskKind.HDD),
        (("sda", "", "", "", None), DiskKind.UNKNOWN),
    ],
)  # fmt: skip  # one disk a line
def test_what_a_disk_is_made_of(
    disk: tuple[str, str, str, str, str | None], kind: DiskKind
) -> None:
    found, reason = disk_kind(*disk)
    assert found is kind
    assert reason

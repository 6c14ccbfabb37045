"""What stands behind a disk: paths, controllers, hypervisors, fabrics, as the kernel shows it."""

from __future__ import annotations

import pytest

from preflight.checks.disk_matching import Fit, distinct, match_disks
from preflight.facts import ABSENT, Disk, DiskKind, known
from preflight.needs import DiskNeed
from preflight.parse.disk_evidence import Behind, disk_kind
from preflight.parse.disks import parse_disks
from tests.preflight.probe_answers import answer_of

BARE = "processor : 0\nflags : fpu sse2"
VIRTUAL_MACHINE = "processor : 0\nflags : fpu sse2 hypervisor"
PCI = "../devices/pci0000:00/0000:00:1d.0/0000:03:00.0"


def link(name: str, place: str) -> str:
    """A line of `ls -l /sys/block`."""
    return f"lrwxrwxrwx 1 root root 0 Jan  1 00:00 {name} -> {place}"


def values(name: str, **more: str) -> str:
    """The files of a block device of 500 GB, flash unless something else is said."""
    files = {"size": "976773168", "ro": "0", "queue__rotational": "0", **more}
    return "\n".join(
        f"/sys/block/{name}/{key.replace('__', '/')}:{value}" for key, value in files.items()
    )


def disks(
    names: list[str], block: list[str], links: list[str], *, cpu: str = BARE, pci: str = ""
) -> dict[str, Disk]:
    """The disks of a machine that shows these devices."""
    answer = answer_of(
        {
            "login": "uid=0",
            "blocknames": "\n".join(names),
            "block": "\n".join(block),
            "links": "\n".join(links),
            "cpuinfo": cpu,
            "pci": pci,
        }
    )
    return {disk.name: disk for disk in known(parse_disks(answer)) or ()}


def one_nvme(
    model: str, *, transport: str = "pcie", cpu: str = BARE, maker: str = "", board: str = ""
) -> Disk:
    """The one NVMe namespace of a machine, with its controller on PCI."""
    at = "/sys/bus/pci/devices/0000:03:00.0"
    pci = "\n".join(
        f"{at}/{key}:0x{value}"
        for key, value in (("vendor", maker), ("subsystem_vendor", board))
        if value
    )
    return disks(
        ["nvme0n1"],
        [values("nvme0n1", device__transport=transport, device__model=model)],
        [link("nvme0n1", f"{PCI}/nvme/nvme0/nvme0n1")],
        cpu=cpu,
        pci=pci,
    )["nvme0n1"]


def multipath(*transports: str, path_place: str = "{n}") -> Disk:
    """A namespace below a subsystem whose hidden paths have these transports."""
    hidden = [f"nvme0c{n}n1" for n, _ in enumerate(transports)]
    return disks(
        ["nvme0n1", *hidden],
        [
            values("nvme0n1", hidden="0", device__model="ACME Array", wwid="eui.0000000000000001"),
            *(
                values(name, hidden="1", **({"device__transport": way} if way else {}))
                for name, way in zip(hidden, transports, strict=True)
            ),
        ],
        [
            link("nvme0n1", "../devices/virtual/nvme-subsystem/nvme-subsys0/nvme0n1"),
            *(link(name, path_place.format(n=name)) for name in hidden),
        ],
    )["nvme0n1"]


@pytest.mark.parametrize("way", ["tcp", "rdma", "fc", "loop", "apple-unheard-of"])
def test_a_namespace_is_as_far_away_as_its_hidden_paths(way: str) -> None:
    disk = multipath(way, way)
    assert (disk.kind, disk.transport) == (DiskKind.VIRTUAL, f"nvme-{way}")
    assert way in disk.kind_reason


def test_one_far_path_among_local_ones_is_enough() -> None:
    assert multipath("pcie", "tcp").kind is DiskKind.VIRTUAL


def test_a_local_disk_with_two_ports_is_local_under_multipath() -> None:
    disk = multipath("pcie", "pcie", path_place=f"{PCI}/nvme/nvme0/{{n}}")
    assert (disk.kind, disk.transport) == (DiskKind.NVME, "nvme")


@pytest.mark.parametrize("transports", [(), ("",)])
def test_a_namespace_whose_paths_tell_nothing_is_unknown(transports: tuple[str, ...]) -> None:
    disk = multipath(*transports)
    assert disk.kind is DiskKind.UNKNOWN
    assert "paths" in disk.kind_reason


def test_the_controllers_of_the_subsystem_tell_where_the_paths_are_not_shown() -> None:
    place = "../devices/virtual/nvme-subsystem/nvme-subsys0/nvme0n1"
    block = values("nvme0n1", device__nvme0__transport="rdma")
    assert disks(["nvme0n1"], [block], [link("nvme0n1", place)])["nvme0n1"].kind is DiskKind.VIRTUAL


@pytest.mark.parametrize(
    ("model", "maker", "board", "cpu", "kind"),
    [
        ("KIOXIA KCD6XLUL960G", "1e0f", "1028", BARE, DiskKind.NVME),
        ("SAMSUNG MZQL2960HCJR-00A07", "144d", "144d", VIRTUAL_MACHINE, DiskKind.NVME),
        ("QEMU NVMe Ctrl", "1b36", "1af4", VIRTUAL_MACHINE, DiskKind.VIRTUAL),
        ("Renamed by its owner", "8086", "1af4", VIRTUAL_MACHINE, DiskKind.VIRTUAL),
        ("Renamed by its owner", "1d0f", "1d0f", VIRTUAL_MACHINE, DiskKind.VIRTUAL),
        ("Nobody has heard of it", "abcd", "abcd", VIRTUAL_MACHINE, DiskKind.UNKNOWN),
        ("Nobody has heard of it", "abcd", "abcd", BARE, DiskKind.NVME),
        ("Amazon Elastic Block Store", "1d0f", "1d0f", VIRTUAL_MACHINE, DiskKind.VIRTUAL),
        ("Amazon EC2 NVMe Instance Storage", "1d0f", "1d0f", VIRTUAL_MACHINE, DiskKind.NVME),
        ("Microsoft NVMe Direct Disk v2", "1414", "1414", VIRTUAL_MACHINE, DiskKind.NVME),
        ("MSFT NVMe Accelerator v1.0", "1414", "1414", VIRTUAL_MACHINE, DiskKind.VIRTUAL),
        ("nvme_card-pd", "1ae0", "1ae0", VIRTUAL_MACHINE, DiskKind.VIRTUAL),
        ("nvme_card", "1ae0", "1ae0", VIRTUAL_MACHINE, DiskKind.NVME),
        ("VMware Virtual NVMe Disk", "15ad", "15ad", VIRTUAL_MACHINE, DiskKind.VIRTUAL),
        ("ORCL-VBOX-NVME-VER12", "80ee", "80ee", VIRTUAL_MACHINE, DiskKind.VIRTUAL),
        ("SPDK bdev Controller", "4e58", "4e58", VIRTUAL_MACHINE, DiskKind.VIRTUAL),
        ("Mellanox NVMe SNAP Controller", "15b3", "15b3", BARE, DiskKind.VIRTUAL),
        ("Linux", "", "", BARE, DiskKind.VIRTUAL),
        ("Dell BOSS-N1", "1b4b", "1028", BARE, DiskKind.UNKNOWN),
    ],
)
def test_an_nvme_controller_is_judged_by_who_makes_it(
    model: str, maker: str, board: str, cpu: str, kind: DiskKind
) -> None:
    disk = one_nvme(model, maker=maker, board=board, cpu=cpu)
    assert disk.kind is kind
    assert disk.kind_reason


SATA = "../devices/pci0000:00/0000:00:17.0/ata1/host0/target0:0:0/0:0:0:0/block/{}"
SCSI = "../devices/pci0000:00/0000:02:00.0/host0/target0:2:0/0:2:0:0/block/{}"


@pytest.mark.parametrize(
    ("name", "place", "files", "kind"),
    [
        ("sda", SATA, {"device__model": "WDC WDS500G1R0A"}, DiskKind.SSD),
        ("sda", SATA, {"device__model": "WDC", "queue__rotational": "1"}, DiskKind.HDD),
        ("sda", SCSI, {"device__model": "ST8000NM001A", "queue__rotational": "1"}, DiskKind.HDD),
        ("sda", SCSI, {"device__model": "PERC H755 Front"}, DiskKind.UNKNOWN),
        ("sda", "", {"device__model": "ACME"}, DiskKind.UNKNOWN),
        ("sda", "../devices/pseudo_0/adapter0/host7/block/{}", {}, DiskKind.UNKNOWN),
        ("sda", "../devices/platform/host3/session1/target/block/{}", {}, DiskKind.VIRTUAL),
        ("sda", "../devices/pci0000:00/0000:05:00.0/host9/port-9:1/target/block/{}", {},
         DiskKind.VIRTUAL),
        ("sda", "../devices/pci0000:00/0000:05:00.0/host9/rport-9:0-1/target/block/{}", {},
         DiskKind.VIRTUAL),
        ("sda", "../devices/pci0000:00/0000:00:14.0/usb2/2-1/host6/target/block/{}", {},
         DiskKind.UNKNOWN),
        ("sda", "../devices/LNXSYSTM:00/VMBUS:01/1234/host0/block/{}", {}, DiskKind.VIRTUAL),
        ("ublkb0", "../devices/virtual/block/{}", {}, DiskKind.VIRTUAL),
        ("scinia", "../devices/virtual/block/{}", {}, DiskKind.VIRTUAL),
        ("emcpowera", "../devices/virtual/block/{}", {}, DiskKind.VIRTUAL),
        ("pmem0", "../devices/LNXSYSTM:00/ndbus0/region0/block/{}", {}, DiskKind.UNKNOWN),
        ("cciss!c0d0", "../devices/pci0000:00/0000:02:00.0/cciss0/block/{}", {}, DiskKind.UNKNOWN),
    ],
)  # fmt: skip  # one disk a line
def test_other_disks_are_of_a_kind_only_on_evidence(
    name: str, place: str, files: dict[str, str], kind: DiskKind
) -> None:
    links = [link(name, place.format(name))] if place else []
    disk = disks([name], [values(name, **files)], links)[name]
    assert disk.kind is kind
    assert disk.kind_reason


def test_a_disk_behind_an_emulated_controller_is_virtual_whatever_its_model() -> None:
    at = "/sys/bus/pci/devices/0000:00:17.0"
    found = disks(
        ["sda"],
        [values("sda", device__model="Renamed by its owner")],
        [link("sda", SATA.format("sda"))],
        cpu=VIRTUAL_MACHINE,
        pci=f"{at}/vendor:0x8086\n{at}/subsystem_vendor:0x1af4",
    )
    assert found["sda"].kind is DiskKind.VIRTUAL


TWO = DiskNeed(count=2, size_gb=200, kinds=(DiskKind.NVME,), purpose="data")


def test_two_namespaces_of_one_device_are_one_device() -> None:
    names = ["nvme3n1", "nvme3n2"]
    found = disks(
        names,
        [values(name, device__transport="pcie", device__model="ACME") for name in names],
        [link(name, f"{PCI}/nvme/nvme3/{name}") for name in names],
    )
    assert {disk.kind for disk in found.values()} == {DiskKind.NVME}
    assert len(distinct(found.values())) == 1
    assert match_disks(found.values(), [TWO])[0].fit is Fit.NO


def test_two_virtual_functions_of_one_device_are_one_device() -> None:
    names = ["nvme1n1", "nvme2n1"]
    found = disks(
        names,
        [values(name, device__transport="pcie", device__model="ACME") for name in names],
        [
            link(name, f"../devices/pci0000:00/0000:03:00.{n + 1}/nvme/{name[:5]}/{name}")
            for n, name in enumerate(names)
        ],
        pci="\n".join(
            f"lrwxrwxrwx 1 root root 0 Jan 1 00:00 /sys/bus/pci/devices/0000:03:00.{n}/physfn"
            " -> ../0000:03:00.0"
            for n in (1, 2)
        ),
    )
    assert len(distinct(found.values())) == 1


def test_paths_that_the_multipath_daemon_has_joined_are_one_disk() -> None:
    found = disks(
        ["sda sda>dm-0", "sdb sdb>dm-0", "dm-0"],
        [
            values("sda", device__wwid="naa.1"),
            values("sdb"),
            "/sys/block/dm-0/dm/name:mpatha\n/sys/block/dm-0/dm/uuid:mpath-3600",
        ],
        [link(name, SCSI.format(name)) for name in ("sda", "sdb")],
    )
    assert list(found) == ["sda"]
    assert found["sda"].controller is ABSENT


@pytest.mark.parametrize("model", ["INSPUR", "ARC-1882-VOL#00", "9750-4i    DISK", "STORE VOL"])
def test_a_controller_that_shows_no_link_to_a_disk_is_no_evidence_of_one(model: str) -> None:
    """Volumes of RAID have any name; by none of them may one pass for a disk of a kind."""
    path = "/devices/pci0000:00/0000:00:14.0/0000:03:00.0/host0/target0:2:0/0:2:0:0/block/sda"
    found = {
        transport: disk_kind("sda", transport, model, "sd", "0", Behind(path, "1000"))[0]
        for transport in ("", "sas", "sata")
    }
    assert found == {"": DiskKind.UNKNOWN, "sas": DiskKind.SSD, "sata": DiskKind.SSD}
    # One that is passed on has its own maker's name.
    passed_on = disk_kind("sda", "", "ATA SAMSUNG MZ7LH960", "sd", "0", Behind(path, "1000"))
    assert passed_on[0] is DiskKind.SSD


@pytest.mark.parametrize("rotational", ["0", "1"])
@pytest.mark.parametrize(
    ("transport", "maker"),
    [
        ("sata", "8086"),  # an AHCI controller of VirtualBox says no more than Intel's own
        ("sas", "1000"),  # and so does an emulated HBA of LSI
        ("", "1000"),
    ],
)
def test_a_disk_passed_on_by_a_hypervisor_is_of_no_kind_that_counts(
    transport: str, maker: str, rotational: str
) -> None:
    """With the maker's model and a link: an emulated one shows the very same."""
    model, path = "ATA SAMSUNG MZ7LH960", "/devices/pci0000:00/0000:00:1f.2/ata1/host0"
    there = Behind(path, maker, maker, virtual_machine=True)
    kind, why = disk_kind("sda", transport, model, "sd", rotational, there)
    assert (kind, why) == (
        DiskKind.UNKNOWN, "in a virtual machine link and flags are the hypervisor's word",
    )  # fmt: skip
    bare = disk_kind("sda", transport, model, "sd", rotational, Behind(path, maker, maker))
    assert bare[0] is (DiskKind.SSD if rotational == "0" else DiskKind.HDD)

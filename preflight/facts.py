"""Facts: what one machine told about itself, typed.

Every leaf is a value, `ABSENT` (the machine was asked and has none), or `Unknown` with the reason
why it could not be told. An unknown never passes a check. Sizes are bytes, times seconds, link
speeds megabits per second; each field says so where its name does not.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import Final, TypeAlias, TypeVar


class Absent(Enum):
    """The machine was asked, and has no such thing."""

    ABSENT = "absent"

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final = Absent.ABSENT


@dataclass(frozen=True, slots=True)
class Unknown:
    """It could not be told; the reason is a phrase for a person ("needs root", "no lsblk")."""

    reason: str


T = TypeVar("T")
Fact: TypeAlias = T | Absent | Unknown

NOT_ASKED: Final = Unknown("the probe did not report it")


def known(fact: Fact[T]) -> T | None:
    """The value of a fact, or None where it is absent or unknown."""
    return None if isinstance(fact, (Absent, Unknown)) else fact


def why_unknown(fact: Fact[T]) -> str:
    """The reason why a fact has no value, as a phrase."""
    if isinstance(fact, Unknown):
        return fact.reason
    return "there is none" if isinstance(fact, Absent) else ""


@dataclass(frozen=True, slots=True)
class OsFacts:
    """The operating system, from /etc/os-release, uname and /proc."""

    id: Fact[str] = NOT_ASKED
    """`ID` of os-release: ubuntu, debian…"""
    id_like: tuple[str, ...] = ()
    version: Fact[str] = NOT_ASKED
    """`VERSION_ID` of os-release: 24.04, 12…"""
    pretty_name: Fact[str] = NOT_ASKED
    kernel: Fact[str] = NOT_ASKED
    """The release that uname tells: 6.8.0-45-generic."""
    architecture: Fact[str] = NOT_ASKED
    """As uname tells it: x86_64, aarch64…"""
    init: Fact[str] = NOT_ASKED
    """The name of process 1: systemd, init, busybox…"""
    boot_id: Fact[str] = NOT_ASKED
    uptime_seconds: Fact[float] = NOT_ASKED
    newest_kernel: Fact[str] = NOT_ASKED
    """The newest kernel that is installed, of the kind that runs; absent where none lies there."""
    restart_for: Fact[tuple[str, ...]] = NOT_ASKED
    """The packages that asked for a restart since it was started; empty where none did."""
    locale: Fact[str] = NOT_ASKED
    timezone: Fact[str] = NOT_ASKED


@dataclass(frozen=True, slots=True)
class CpuFacts:
    """Processors, from /proc/cpuinfo and /sys."""

    logical: Fact[int] = NOT_ASKED
    """CPUs that this system may use, hyper-threads and cgroup or affinity limits counted."""
    cores: Fact[int] = NOT_ASKED
    sockets: Fact[int] = NOT_ASKED
    model: Fact[str] = NOT_ASKED
    flags: Fact[frozenset[str]] = NOT_ASKED
    level: Fact[int] = NOT_ASKED
    """The x86-64 micro-architecture level, 1 to 4, worked out from the flags; absent elsewhere."""
    virtualization: Fact[str] = NOT_ASKED
    """What virtualises this machine: kvm, vmware, podman…; absent on bare metal."""
    is_container: Fact[bool] = NOT_ASKED
    vendor: Fact[str] = NOT_ASKED
    """The system's maker and product from DMI, as far as an ordinary user may read it."""


class SwapSource(StrEnum):
    """What switches swap on when a machine starts."""

    FSTAB = "fstab"
    ZRAM_GENERATOR = "zram-generator"
    GPT = "gpt"
    """A partition whose type says swap, which systemd takes up by itself."""
    UNIT = "unit"
    """A .swap unit of systemd."""
    SERVICE = "service"
    """A service that makes swap itself: zramswap, dphys-swapfile, swapspace…"""
    AZURE = "azure-agent"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class SwapArea:
    """One swap area: active, or one that the next start would bring."""

    name: str
    """Its device or file, empty where a service makes it up; "/dev/zram0"."""
    source: SwapSource
    by: str = ""
    """The unit or service behind it: "dev-zram0.swap", "zramswap.service"."""
    active: bool = True
    size_bytes: int = 0


@dataclass(frozen=True, slots=True)
class MemoryFacts:
    """Memory in bytes."""

    installed_bytes: Fact[int] = NOT_ASKED
    """What is plugged in: online memory blocks, or DMI type 17 as root."""
    total_bytes: Fact[int] = NOT_ASKED
    """MemTotal, after the kernel took its share; the cgroup limit where that is lower."""
    available_bytes: Fact[int] = NOT_ASKED
    swap_bytes: Fact[int] = NOT_ASKED
    """Active swap; 0 is a value."""
    swap_areas: Fact[tuple[SwapArea, ...]] = NOT_ASKED
    """The active ones, and those that the next start would bring, with what brings them."""


class DiskKind(StrEnum):
    """What a disk is made of."""

    NVME = "nvme"
    SSD = "ssd"
    HDD = "hdd"
    VIRTUAL = "virtual"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Disk:
    """One real block device, never a partition, a loop device or a RAID array."""

    name: str
    """As the kernel names it: nvme0n1, sda, vdb."""
    size_bytes: Fact[int] = NOT_ASKED
    kind: DiskKind = DiskKind.UNKNOWN
    kind_reason: str = ""
    """Why the kind is what it is: "virtio hides what is beneath", "rotational flag is 0"."""
    transport: Fact[str] = NOT_ASKED
    """nvme, sata, sas, virtio, usb, iscsi…"""
    model: Fact[str] = NOT_ASKED
    serial: Fact[str] = NOT_ASKED
    wwid: Fact[str] = NOT_ASKED
    """The world-wide identifier, which tells two paths to one disk from two disks."""
    controller: Fact[str] = ABSENT
    """Of an NVMe namespace, the device that it is a part of; two with the same are one device."""
    removable: bool = False
    read_only: bool = False
    in_use_by: tuple[str, ...] = ()
    """Who holds it: "partition table", "ext4 /", "lvm vg0", "raid md0", "swap", "ceph", "zfs"…"""
    mounts: tuple[str, ...] = ()
    """Mount points of the disk, its partitions and what is built on them."""
    raid: Fact[str] = ABSENT
    """The array it is a member of, with its level: "md0 raid1"."""
    wear_percent: Fact[int] = NOT_ASKED
    """Of an NVMe or SSD, the part of its life that is used, 0 to 100 and beyond."""


@dataclass(frozen=True, slots=True)
class Array:
    """A software RAID array, as /proc/mdstat tells it."""

    name: str
    level: str
    members: tuple[str, ...]
    size_bytes: Fact[int] = NOT_ASKED
    degraded: bool = False


@dataclass(frozen=True, slots=True)
class Filesystem:
    """A mounted filesystem with room of its own, in bytes."""

    mount: str
    device: str
    kind: str
    size_bytes: int
    available_bytes: int
    """What an ordinary user may still write."""
    read_only: bool = False
    options: tuple[str, ...] = ()


class NicKind(StrEnum):
    """What a network interface is."""

    PHYSICAL = "physical"
    BOND = "bond"
    BRIDGE = "bridge"
    VLAN = "vlan"
    VIRTUAL = "virtual"
    UNKNOWN = "unknown"
    """It has a device, and nothing shows whether that is a port."""


@dataclass(frozen=True, slots=True)
class Address:
    """An address on an interface, with the length of its network prefix."""

    address: str
    prefix: int
    scope: str = "global"

    def __str__(self) -> str:
        return f"{self.address}/{self.prefix}"


@dataclass(frozen=True, slots=True)
class Nic:
    """One network interface other than the loopback."""

    name: str
    kind: NicKind = NicKind.VIRTUAL
    kind_reason: str = ""
    """Why the kind is what it is: "a virtual function of eno1 (SR-IOV)"."""
    speed_mbps: Fact[int] = NOT_ASKED
    """Unknown where the driver does not tell, as virtio does not."""
    duplex: Fact[str] = NOT_ASKED
    mtu: Fact[int] = NOT_ASKED
    state: Fact[str] = NOT_ASKED
    """operstate: up, down, unknown."""
    driver: Fact[str] = NOT_ASKED
    mac: Fact[str] = NOT_ASKED
    addresses: tuple[Address, ...] = ()
    members: tuple[str, ...] = ()
    """Of a bond or bridge, the interfaces in it."""
    master: str | None = None


@dataclass(frozen=True, slots=True)
class Route:
    """A route of the main table."""

    destination: str
    """A network in CIDR form, or "default"."""
    gateway: str | None
    device: str | None
    family: int = 4
    metric: int = 0


BY_NO_PROGRAM: Final = "the kernel itself, or a program outside this container"
"""Why root sees no program behind a socket; VXLAN and WireGuard are the kernel's own."""


@dataclass(frozen=True, slots=True)
class Socket:
    """A listening socket (TCP) or a bound one (UDP)."""

    protocol: str
    """tcp or udp; both families."""
    address: str
    """The address it is bound to; 0.0.0.0, :: or * for all."""
    port: int
    process: Fact[str] = NOT_ASKED
    """The program that holds it, which only root may see of others' programs."""
    pid: Fact[int] = NOT_ASKED


@dataclass(frozen=True, slots=True)
class NetworkFacts:
    """Interfaces, routes, names and listening sockets."""

    nics: Fact[tuple[Nic, ...]] = NOT_ASKED
    routes: Fact[tuple[Route, ...]] = NOT_ASKED
    nameservers: Fact[tuple[str, ...]] = NOT_ASKED
    """From /etc/resolv.conf, and where that is a stub the servers behind it if they can be seen."""
    search_domains: Fact[tuple[str, ...]] = NOT_ASKED
    resolves_itself: Fact[bool] = NOT_ASKED
    """Whether the machine's own name resolves on the machine."""
    own_address: Fact[str] = NOT_ASKED
    """What its own name resolves to."""
    sockets: Fact[tuple[Socket, ...]] = NOT_ASKED


@dataclass(frozen=True, slots=True)
class KernelFacts:
    """What Kubernetes needs of the kernel."""

    modules: Fact[frozenset[str]] = NOT_ASKED
    """Loaded or built in."""
    loadable: Fact[frozenset[str]] = NOT_ASKED
    """Of the modules asked for, those that are not loaded but could be."""
    sysctls: dict[str, Fact[str]] = field(default_factory=dict)
    """By dotted name: net.ipv4.ip_forward, fs.inotify.max_user_watches…"""
    cgroup_version: Fact[int] = NOT_ASKED
    """1, 2; a hybrid counts as 1."""
    cgroup_controllers: Fact[frozenset[str]] = NOT_ASKED
    lsm: Fact[tuple[str, ...]] = NOT_ASKED
    """Active security modules: apparmor, selinux…"""
    selinux: Fact[str] = NOT_ASKED
    """enforcing, permissive or disabled; absent where the kernel has none."""
    apparmor: Fact[bool] = NOT_ASKED


@dataclass(frozen=True, slots=True)
class FirewallFacts:
    """Packet filters, as far as the probe's rights show them."""

    ufw: Fact[str] = NOT_ASKED
    """active, inactive; absent where it is not installed."""
    ufw_rules: Fact[tuple[str, ...]] = NOT_ASKED
    firewalld: Fact[str] = NOT_ASKED
    nftables: Fact[int] = NOT_ASKED
    """The number of nftables rules, those that iptables-nft made included."""
    iptables: Fact[int] = NOT_ASKED
    """The number of iptables rules."""
    policies: dict[str, Fact[str]] = field(default_factory=dict)
    """INPUT, FORWARD, OUTPUT -> ACCEPT or DROP, the strictest base chain of each hook."""


@dataclass(frozen=True, slots=True)
class TimeSource:
    """One time server, or clock, that a time service asks."""

    name: str
    answers: bool | None = None
    """Whether it answered lately; None where the time service does not tell."""
    chosen: bool = False
    """Whether the clock follows it."""


@dataclass(frozen=True, slots=True)
class TimeFacts:
    """The machine's clock against ours."""

    offset_seconds: Fact[float] = NOT_ASKED
    """Theirs less ours at the same moment, corrected by half the round trip."""
    uncertainty_seconds: Fact[float] = NOT_ASKED
    """The true offset lies within offset plus or minus this."""
    daemon: Fact[str] = NOT_ASKED
    """chrony, systemd-timesyncd, ntpd…; absent where none runs."""
    synchronized: Fact[bool] = NOT_ASKED
    servers: Fact[tuple[str, ...]] = NOT_ASKED
    """Those of the configuration."""
    sources: Fact[tuple[TimeSource, ...]] = NOT_ASKED
    """Those that the time service asks, as it tells itself."""
    kept_offset_seconds: Fact[float] = NOT_ASKED
    """How far the time service says that the clock is from its sources."""


@dataclass(frozen=True, slots=True)
class IdentityFacts:
    """Who the machine is and what the login may do."""

    hostname: Fact[str] = NOT_ASKED
    fqdn: Fact[str] = NOT_ASKED
    machine_id: Fact[str] = NOT_ASKED
    product_uuid: Fact[str] = NOT_ASKED
    user: Fact[str] = NOT_ASKED
    """Who logged in."""
    uid: Fact[int] = NOT_ASKED
    groups: Fact[tuple[str, ...]] = NOT_ASKED
    root: Fact[bool] = NOT_ASKED
    """Whether the probe itself ran with root's rights."""
    sudo: Fact[str] = NOT_ASKED
    """passwordless, password (a password was accepted), asks (one is needed), none; root needs
    none and says passwordless."""
    home: Fact[str] = NOT_ASKED
    login_users: Fact[int] = NOT_ASKED
    """How many accounts have a login shell."""
    limits: dict[str, Fact[str]] = field(default_factory=dict)
    """ulimit by name: open_files, processes, locked_memory."""
    proxies: dict[str, str] = field(default_factory=dict)
    """http_proxy, https_proxy, no_proxy… of the login and /etc/environment, passwords removed."""


@dataclass(frozen=True, slots=True)
class Software:
    """A program that matters here: whether it is there, its version, whether it runs."""

    name: str
    """docker, containerd, podman, snapd, microk8s, k3s, rke2, kubelet, haproxy, nginx, ceph…"""
    version: Fact[str] = NOT_ASKED
    path: Fact[str] = NOT_ASKED
    active: Fact[bool] = NOT_ASKED
    """Whether its service runs."""


@dataclass(frozen=True, slots=True)
class DockerFacts:
    """Docker Engine and Compose, where there is a `docker` command; else all of it is absent."""

    engine: Fact[str] = NOT_ASKED
    """The running daemon's version; absent where none runs."""
    compose: Fact[str] = NOT_ASKED
    """The version of `docker compose`; absent where the command has no such plugin."""
    driver: Fact[str] = NOT_ASKED
    """The storage driver: overlay2, vfs…"""
    root_folder: Fact[str] = NOT_ASKED
    """Where images and containers lie."""
    rootless: Fact[bool] = NOT_ASKED
    """Whether the only daemon runs with the rights of a user."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate that lies on the machine."""

    path: str
    ends: Fact[str] = NOT_ASKED
    """Its last moment, ISO 8601 in UTC."""
    days: Fact[int] = NOT_ASKED
    """Whole days until then, by the machine's own clock; below 0 where it is past."""


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything one machine told, in one value."""

    identity: IdentityFacts = IdentityFacts()
    os: OsFacts = OsFacts()
    cpu: CpuFacts = CpuFacts()
    memory: MemoryFacts = MemoryFacts()
    disks: Fact[tuple[Disk, ...]] = NOT_ASKED
    arrays: Fact[tuple[Array, ...]] = NOT_ASKED
    filesystems: Fact[tuple[Filesystem, ...]] = NOT_ASKED
    network: NetworkFacts = NetworkFacts()
    kernel: KernelFacts = KernelFacts()
    firewall: FirewallFacts = FirewallFacts()
    time: TimeFacts = TimeFacts()
    software: Fact[tuple[Software, ...]] = NOT_ASKED
    """Only those that are there."""
    commands: Fact[frozenset[str]] = NOT_ASKED
    """Of the tools asked for (curl, git, python3, conntrack…), those on the path."""
    docker: DockerFacts = DockerFacts()
    certificates: Fact[tuple[Certificate, ...]] = NOT_ASKED
    """Those by which programs of a site live: MicroK8s', MicroCeph's, the site registry's."""
    notes: tuple[str, ...] = ()
    """What the probe could not see and why, one phrase each, for the person."""
    probe_seconds: float = 0.0
    """How long the probe ran on the machine."""

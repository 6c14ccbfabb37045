"""Facts for tests: a documented worker that passes everything, and what it is judged against."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from foundation.hosts.model import Host
from foundation.problems import ConnectTimeout
from preflight.assessment import Seen
from preflight.checks.case import Case, demands_for
from preflight.facts import (
    ABSENT,
    Address,
    Array,
    Certificate,
    CpuFacts,
    Disk,
    DiskKind,
    Facts,
    Filesystem,
    FirewallFacts,
    IdentityFacts,
    KernelFacts,
    MemoryFacts,
    NetworkFacts,
    Nic,
    NicKind,
    OsFacts,
    Route,
    Socket,
    Software,
    TimeFacts,
    TimeSource,
)
from preflight.findings import Finding, Severity
from preflight.needs import (
    ConflictNeed,
    Correction,
    Count,
    DiskNeed,
    MachineKind,
    ModuleNeed,
    NicNeed,
    OsNeed,
    PlatformNeeds,
    PortNeed,
    PortTable,
    RoleNeed,
    Shape,
    SizingTable,
    SkewNeed,
    SolutionNeeds,
    SpaceNeed,
    SysctlNeed,
)

TODAY = date(2026, 11, 21)
GIB = 2**30
GB = 10**9
NVME, SSD, HDD = DiskKind.NVME, DiskKind.SSD, DiskKind.HDD


def disk(name: str, size_gb: float = 500, kind: DiskKind = NVME, **more: Any) -> Disk:
    """A disk that says all of itself."""
    return replace(
        Disk(name=name, size_bytes=int(size_gb * GB), kind=kind, serial=f"S-{name}", model="M"),
        **more,
    )


def nic(name: str = "eth0", speed: int = 10_000, address: str = "10.10.0.14", **more: Any) -> Nic:
    """A physical interface that is up."""
    return replace(
        Nic(
            name=name,
            kind=NicKind.PHYSICAL,
            speed_mbps=speed,
            duplex="full",
            mtu=1500,
            state="up",
            driver="ixgbe",
            mac="52:54:00:00:00:14",
            addresses=(Address(address, 24),),
        ),
        **more,
    )


def worker_facts() -> Facts:
    """The documented worker, in every respect as it should be."""
    return Facts(
        identity=IdentityFacts(
            hostname="w1",
            fqdn="w1.example.org",
            machine_id="0123456789abcdef0123456789abcdef",
            product_uuid="aaaaaaaa-0000-0000-0000-000000000001",
            user="ubuntu",
            uid=1000,
            groups=("ubuntu", "sudo"),
            root=True,
            sudo="passwordless",
            limits={"open_files": "1048576", "processes": "256000"},
        ),
        os=OsFacts(
            id="ubuntu",
            version="24.04",
            pretty_name="Ubuntu 24.04.3 LTS",
            kernel="6.8.0-45-generic",
            newest_kernel="6.8.0-45-generic",
            restart_for=(),
            architecture="x86_64",
            init="systemd",
            timezone="Etc/UTC",
        ),
        cpu=CpuFacts(
            logical=16,
            flags=frozenset({"avx", "avx2", "sse4_2"}),
            level=3,
            virtualization="kvm",
            is_container=False,
            vendor="QEMU",
        ),
        memory=MemoryFacts(installed_bytes=64 * GIB, total_bytes=int(62.8 * GIB), swap_bytes=0),
        disks=(
            disk("nvme0n1", mounts=("/",), in_use_by=("ext4 /",), wear_percent=3),
            disk("nvme1n1"),
        ),
        arrays=(),
        filesystems=(Filesystem("/", "/dev/nvme0n1p2", "ext4", 490 * GB, 450 * GB),),
        network=NetworkFacts(
            nics=(nic(),),
            routes=(
                Route("default", "10.10.0.1", "eth0"),
                Route("10.10.0.0/24", None, "eth0"),
            ),
            nameservers=("10.10.0.5",),
            resolves_itself=True,
            own_address="10.10.0.14",
            sockets=(Socket("tcp", "0.0.0.0", 22, "sshd", 812),),
        ),
        kernel=KernelFacts(
            modules=frozenset({"overlay", "nf_conntrack"}),
            loadable=frozenset({"br_netfilter"}),
            sysctls={
                "fs.inotify.max_user_watches": "1048576",
                "net.ipv4.ip_forward": "1",
                "net.bridge.bridge-nf-call-iptables": "1",
                "fs.aio-nr": "0",
                "fs.aio-max-nr": "1048576",
            },
            cgroup_version=2,
            cgroup_controllers=frozenset({"cpu", "cpuset", "memory", "pids"}),
            lsm=("apparmor",),
            selinux=ABSENT,
            apparmor=True,
        ),
        firewall=FirewallFacts(
            ufw="inactive",
            ufw_rules=(),
            firewalld=ABSENT,
            policies={"INPUT": "ACCEPT", "FORWARD": "ACCEPT", "OUTPUT": "ACCEPT"},
        ),
        time=TimeFacts(
            offset_seconds=0.003,
            uncertainty_seconds=0.012,
            daemon="chrony",
            synchronized=True,
            servers=("10.10.0.5",),
            sources=(TimeSource("10.10.0.5", True, True), TimeSource("10.10.0.6", False)),
            kept_offset_seconds=0.0004,
        ),
        software=(Software("snapd", "2.63", "/usr/bin/snap", active=True),),
        commands=frozenset({"snap", "python3", "docker"}),
        certificates=(certificate("kubelet.crt", 3000), certificate("ca.crt", 3000)),
    )


def certificate(name: str, days: int) -> Certificate:
    """A certificate of MicroK8s that has so many days left."""
    last = datetime.combine(TODAY, time(), UTC) + timedelta(days=days)
    return Certificate(f"/var/snap/microk8s/current/certs/{name}", last.isoformat(), days)


WORKER_SHAPE = Shape(
    cpu=16,
    memory_gb=64,
    disks=(DiskNeed(count=2, size_gb=500, kinds=(NVME,)),),
    nics=(NicNeed(count=1, speed_mbps=10_000),),
    machine=MachineKind.VM,
)


def role(
    name: str, shape: Shape = WORKER_SHAPE, *more: Shape, count: int = 1, **rest: Any
) -> RoleNeed:
    """A row of a sizing table."""
    return RoleNeed(role=name, count=Count(min=count), shapes=(shape, *more), **rest)


def needs(*rows: RoleNeed, **more: Any) -> SolutionNeeds:
    """A solution like the documented one, of workers alone unless rows are given."""
    table = SizingTable(
        id="production",
        environment="production",
        title="Production",
        source="the guide, §4.1",
        version="1",
        roles=rows
        or (
            role(
                "worker",
                space=(
                    SpaceNeed(path="/var/snap", free_gb=20, source="the guide"),
                    SpaceNeed(path="/var/snap", free_gb=40, severity="warn", source="the guide"),
                ),
            ),
        ),
        combined=more.pop("combined", ()),
        risk_acceptance=more.pop("risk_acceptance", ()),
    )
    basics: dict[str, Any] = {
        "solution": "pm4ml",
        "title": "Payment Manager",
        "environment": "production",
        "sizing": table,
        "ports": PortTable(ports=ports()),
        "platform": platform(),
    }
    return SolutionNeeds(**{**basics, **more})


def ports() -> tuple[PortNeed, ...]:
    """A right line, a range, UDP, a wrong line with its correction, and SSH."""
    return (
        PortNeed(port="10250", purpose="Kubelet", on=("worker",), reached_from=("cluster",),
                 closed_to=("load-balancer",), source="§1.3"),
        PortNeed(port="6443", purpose="API server", on=("worker",), reached_from=("cluster",),
                 source="§1.3", correction=Correction(ports=("16443",), source="MicroK8s",
                                                      reason="MicroK8s listens on 16443.")),
        PortNeed(port="16443", purpose="API server", on=("worker",), source="MicroK8s",
                 corrects="6443"),
        PortNeed(port="4789", protocol="udp", purpose="VXLAN", on=("worker",),
                 reached_from=("cluster",), source="Calico"),
        PortNeed(port="80", purpose="HTTP by HAProxy", on=("load-balancer",),
                 reached_from=("cluster", "internet"), source="§1.3"),
        PortNeed(port="6800-7300", purpose="Ceph OSDs", on=("storage",),
                 reached_from=("storage", "cluster"), source="§1.3"),
        PortNeed(port="8404", purpose="statistics", on=("load-balancer",), when="statistics",
                 source="§1.3"),
        PortNeed(port="22", purpose="SSH", on=("worker",), reached_from=("operator",),
                 source="§1.3"),
    )  # fmt: skip


def platform(**more: Any) -> PlatformNeeds:
    """What the solution asks of a system."""
    basics: dict[str, Any] = {
        "os": (OsNeed(id="ubuntu", versions=("24.04",)),),
        "os_source": "§2",
        "cpu_level": 2,
        "cpu_flags": ("avx",),
        "kernel_min": "5.15",
        "swap": "warn",
        "cgroup_controllers": ("cpu", "memory"),
        "kubernetes_roles": ("master", "worker"),
        "modules": (
            ModuleNeed(name="br_netfilter", source="MicroK8s"),
            ModuleNeed(name="overlay", severity="warn", source="containerd"),
        ),
        "sysctls": (
            SysctlNeed(name="fs.inotify.max_user_watches", at_least=65536, source="MicroK8s"),
            SysctlNeed(name="net.ipv4.ip_forward", equals=("1",), severity="fail", source="K8s"),
            SysctlNeed(name="net.bridge.bridge-nf-call-iptables", equals=("1",), source="K8s"),
        ),
        "conflicts": (
            ConflictNeed(software="k3s", source="us", reason="It is another Kubernetes."),
            ConflictNeed(software="docker", severity="warn", source="us", reason="FORWARD DROP."),
        ),
        "commands": ("snap", "python3"),
        "cluster_networks": ("10.1.0.0/16",),
        "skews": (SkewNeed(roles=("storage",), seconds=0.05, source="Ceph"),),
        "default_route_source": "MicroK8s",
        "hostname_source": "MicroK8s",
    }
    return PlatformNeeds(**{**basics, **more})


def seen(name: str = "w1", facts: Facts | None = None, **host: Any) -> Seen:
    """A machine that was looked at."""
    address = host.pop("address", "10.10.0.14")
    host.setdefault("roles", ("worker",))
    return Seen(host=Host(name, address, **host), facts=facts or worker_facts())


def unseen(name: str = "w9") -> Seen:
    """A machine that did not answer."""
    return Seen(
        host=Host(name, "10.10.0.99"),
        problem=ConnectTimeout("10.10.0.99 port 22 does not answer", remedy="Check the firewall."),
    )


def case(
    facts: Facts | None = None,
    roles: tuple[str, ...] = ("worker",),
    wanted: SolutionNeeds | None = None,
    **host: Any,
) -> Case:
    """A machine before the checks, judged by the first alternative of its roles."""
    wanted = wanted or needs()
    one = seen(facts=facts, **host)
    assert one.facts is not None
    return Case(one.host, one.facts, roles, wanted, demands_for(roles, wanted.sizing)[0])


def changed(facts: Facts, **parts: dict[str, Any] | Any) -> Facts:
    """Facts with some fields of some parts replaced: changed(f, cpu={"logical": 8})."""
    return replace(
        facts,
        **{
            part: replace(getattr(facts, part), **value) if isinstance(value, dict) else value
            for part, value in parts.items()
        },
    )


def severities(findings: Iterable[Finding]) -> dict[str, Severity]:
    """The worst severity of each id."""
    order = (Severity.PASS, Severity.WARN, Severity.UNKNOWN, Severity.FAIL)
    worst: dict[str, Severity] = {}
    for one in findings:
        worst[one.id] = max(worst.get(one.id, Severity.PASS), one.severity, key=order.index)
    return worst


__all__ = ["ABSENT", "Array", "Socket", "Software", "disk", "nic"]

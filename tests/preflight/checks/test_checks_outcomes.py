"""Every check in each of its outcomes."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import Any

import pytest

from preflight.checks.registry import CHECKS, find_check
from preflight.facts import (
    ABSENT,
    BY_NO_PROGRAM,
    Array,
    Certificate,
    DiskKind,
    DockerFacts,
    Facts,
    Filesystem,
    Route,
    Socket,
    Software,
    TimeSource,
    Unknown,
)
from preflight.findings import Finding, Severity
from preflight.needs import (
    DiskNeed,
    DockerNeed,
    MachineKind,
    OsNeed,
    SolutionNeeds,
)
from tests.preflight.facts_factory import (
    GB,
    GIB,
    HDD,
    SSD,
    WORKER_SHAPE,
    case,
    certificate,
    changed,
    disk,
    needs,
    nic,
    platform,
    role,
    worker_facts,
)
from tests.preflight.whole_finding import whole

PASS, WARN, FAIL, UNKNOWN = Severity.PASS, Severity.WARN, Severity.FAIL, Severity.UNKNOWN
WHY = Unknown("needs root")


@dataclass(frozen=True)
class Outcome:
    """A change of the documented worker and how one check must answer it."""

    id: str
    severity: Severity
    change: dict[str, Any]
    says: str = ""
    shape: dict[str, Any] | None = None
    platform: dict[str, Any] | None = None
    roles: tuple[str, ...] = ("worker",)
    host: dict[str, Any] | None = None


def sockets(*held: Socket) -> dict[str, Any]:
    return {"network": {"sockets": held}}


def sysctl(**values: Any) -> dict[str, Any]:
    settings = dict(worker_facts().kernel.sysctls)
    settings.update({name.replace("__", "."): value for name, value in values.items()})
    return {"kernel": {"sysctls": settings}}


def policy(**values: Any) -> dict[str, Any]:
    return {"firewall": {"policies": values}}


def room(size: float, free: float, **more: Any) -> dict[str, Any]:
    one = Filesystem("/", "/dev/vg/root", "ext4", int(size * GB), int(free * GB))
    return {"filesystems": (replace(one, **more),)}


CEPH = {"disks": (DiskNeed(count=1, size_gb=500, purpose="ceph data"),)}
RAID = {"disks": (DiskNeed(count=2, size_gb=500, kinds=(SSD,), purpose="operating system",
                           raid1=True),)}  # fmt: skip
UBUNTU = (OsNeed(id="ubuntu", versions=("24.04",)),)
DOCKER = {
    "docker": DockerNeed(engine_min="20.10", compose_min="2.20", source="us", installed_on=UBUNTU)
}
DOCKER_ALONE = {
    "docker": DockerNeed(engine_min="20.10", compose_min="2.20", source="us", suffices=True)
}
NO_DOCKER = {"docker": DockerFacts(ABSENT, ABSENT, ABSENT, ABSENT, ABSENT)}


def docker(engine: Any = "20.10.24", compose: Any = "2.26.1", driver: Any = "overlay2",
           *, rootless: Any = False) -> dict[str, Any]:  # fmt: skip
    return {"docker": DockerFacts(engine, compose, driver, "/var/lib/docker", rootless)}


OUTCOMES = (
    Outcome("role.known", PASS, {}, "w1 is meant to be a worker."),
    Outcome("role.known", WARN, {}, "w1 has no role", roles=()),
    Outcome("role.known", FAIL, {}, "has the role boss", roles=("boss",)),
    Outcome("machine.kind", PASS, {}),
    Outcome("machine.kind", WARN, {"cpu": {"virtualization": ABSENT}}, "a physical machine;"),
    Outcome("machine.kind", FAIL, {}, shape={"machine": MachineKind.PHYSICAL}),
    Outcome("machine.kind", UNKNOWN, {"cpu": {"virtualization": WHY}}),
    Outcome("machine.kind", PASS, {"cpu": {"virtualization": WHY}}, host={"machine": "vm"}),
    Outcome("machine.container", PASS, {}),
    Outcome("machine.container", FAIL, {"cpu": {"is_container": True}}, "is a container"),
    Outcome("machine.container", WARN, {"cpu": {"is_container": True}},
            shape={"machine": MachineKind.ANY}),
    Outcome("machine.conditions", WARN, {}, "1 conditions",
            shape={"conditions": ("It is fast.",)}),
    Outcome("cpu.count", PASS, {}, "w1 has 16 CPUs; a worker needs 16."),
    Outcome("cpu.count", FAIL, {"cpu": {"logical": 8}}, "w1 has 8 CPUs; a worker needs 16."),
    Outcome("cpu.count", UNKNOWN, {"cpu": {"logical": WHY}}),
    Outcome("cpu.level", PASS, {}),
    Outcome("cpu.level", FAIL, {"cpu": {"level": 1}}, "x86-64-v1"),
    Outcome("cpu.level", UNKNOWN, {"cpu": {"level": WHY}}),
    Outcome("cpu.flags", PASS, {}),
    Outcome("cpu.flags", FAIL, {"cpu": {"flags": frozenset({"sse"})}}, "lacks avx"),
    Outcome("cpu.flags", UNKNOWN, {"cpu": {"flags": WHY}}),
    Outcome("cpu.virtualization", PASS, {}, "virtualised by kvm"),
    Outcome("memory.size", PASS, {}, "w1 has 64 GB of memory; a worker needs 64 GB."),
    Outcome("memory.size", FAIL, {"memory": {"installed_bytes": 48 * GIB,
                                             "total_bytes": 47 * GIB}},
            "w1 has 48 GB of memory; a worker needs 64 GB."),
    Outcome("memory.size", WARN, {}, "128 GB is recommended",
            shape={"memory_recommended_gb": 128}),
    Outcome("memory.size", UNKNOWN, {"memory": {"installed_bytes": WHY, "total_bytes": WHY}}),
    Outcome("memory.swap", PASS, {}),
    Outcome("memory.swap", WARN, {"memory": {"swap_bytes": 2 * GIB}}, "2 GiB of swap"),
    Outcome("memory.swap", FAIL, {"memory": {"swap_bytes": 2 * GIB}}, platform={"swap": "fail"}),
    Outcome("memory.swap", UNKNOWN, {"memory": {"swap_bytes": WHY}}),
    Outcome("disk.nvme", PASS, {}, "w1 has 2 NVMe disks of at least 500 GB; a worker needs 2."),
    Outcome("disk.nvme", FAIL, {"disks": (disk("nvme0n1"),)},
            "w1 has 1 NVMe disk of at least 500 GB; a worker needs 2."),
    Outcome("disk.nvme", FAIL, {"disks": (disk("nvme0n1"), disk("nvme1n1", 480))},
            "(nvme1n1 has only 480 GB)"),
    Outcome("disk.nvme", FAIL, {"disks": ()}, "w1 has no NVMe disks"),
    Outcome("disk.nvme", UNKNOWN, {"disks": WHY}),
    Outcome("disk.nvme", UNKNOWN, {"disks": (disk("vda", kind=DiskKind.VIRTUAL),
                                             disk("vdb", kind=DiskKind.VIRTUAL))},
            "what vda and vdb are made of cannot be seen"),
    Outcome("disk.ssd", FAIL, {}, "SSD", shape=RAID),
    Outcome("disk.hdd", FAIL, {}, shape={"disks": (DiskNeed(count=1, size_gb=8000,
                                                            kinds=(HDD, SSD)),)}),
    Outcome("disk.any", PASS, {}, shape=CEPH),
    Outcome("disk.in-use", PASS, {}, "empty", shape=CEPH),
    Outcome("disk.in-use", FAIL, {"disks": (disk("sdb", mounts=("/data",)),)},
            "mounted at /data", shape=CEPH),
    Outcome("disk.in-use", WARN, {"disks": (disk("sdb", in_use_by=("ceph",)),)},
            "installed already", shape=CEPH),
    Outcome("disk.raid1", PASS, {"disks": (disk("sda", kind=SSD, raid="md0 raid1"),
                                           disk("sdb", kind=SSD, raid="md0 raid1"))},
            "mirror each other", shape=RAID),
    Outcome("disk.raid1", WARN, {"disks": (disk("sda", kind=SSD), disk("sdb", kind=SSD))},
            "not mirrored", shape=RAID),
    Outcome("disk.raid1", UNKNOWN, {"disks": (disk("sda", kind=SSD, model="PERC H730"),)},
            "RAID controller", shape=RAID),
    Outcome("disk.ssd", UNKNOWN, {"disks": (disk("sda", kind=SSD, model="PERC H730"),)},
            shape=RAID),
    Outcome("disk.array", PASS, {"arrays": (Array("md0", "raid1", ("sda", "sdb")),)}),
    Outcome("disk.array", FAIL, {"arrays": (Array("md0", "raid1", ("sda",), degraded=True),)}),
    Outcome("disk.wear", PASS, {}),
    Outcome("disk.wear", WARN, {"disks": (disk("nvme0n1", wear_percent=80),)}, "80 %"),
    Outcome("disk.wear", FAIL, {"disks": (disk("nvme0n1", wear_percent=100),)}),
    Outcome("disk.space", PASS, {}),
    Outcome("disk.space", WARN, room(100, 30), "w1 has 30 GB free on / for /var/snap; 40 GB"),
    Outcome("disk.space", FAIL, room(100, 12), "w1 has 12 GB free on / for /var/snap; 20 GB"),
    Outcome("disk.space", UNKNOWN, {"filesystems": WHY}),
    Outcome("disk.usage", PASS, {}),
    Outcome("disk.usage", WARN, room(1000, 150), "85 % full"),
    Outcome("disk.usage", FAIL, room(1000, 50)),
    Outcome("disk.read-only", PASS, {}),
    Outcome("disk.read-only", FAIL, room(500, 400, read_only=True)),
    Outcome("disk.ftype", PASS, room(500, 400, kind="xfs", options=("ftype=1",))),
    Outcome("disk.ftype", FAIL, room(500, 400, kind="xfs", options=("rw", "ftype=0"))),
    Outcome("nic.count", PASS, {}),
    Outcome("nic.count", FAIL, {"network": {"nics": (nic(state="down"),)}}, "(eth0 is down)"),
    Outcome("nic.count", UNKNOWN, {"network": {"nics": WHY}}),
    Outcome("nic.speed", PASS, {}),
    Outcome("nic.speed", FAIL, {"network": {"nics": (nic(speed=1000),)}},
            "no network interfaces of 10 Gbit/s"),
    Outcome("nic.speed", UNKNOWN, {"network": {"nics": (nic(speed_mbps=WHY),)}},
            "eth0 on w1 does not tell a speed"),
    Outcome("nic.mtu", PASS, {}),
    Outcome("nic.mtu", WARN, {"network": {"nics": (nic(mtu=1400),)}}),
    Outcome("nic.mtu", UNKNOWN, {"network": {"nics": (nic(mtu=WHY),)}}),
    Outcome("nic.duplex", PASS, {}),
    Outcome("nic.duplex", WARN, {"network": {"nics": (nic(duplex="half"),)}}),
    Outcome("port.free", PASS, {}),
    Outcome("port.free", FAIL, sockets(Socket("tcp", "127.0.0.1", 10250, "nginx", 7)),
            "Port 10250 on w1 is taken by nginx."),
    Outcome("port.free", FAIL, sockets(Socket("tcp", "::", 10250, WHY)), "only root can see"),
    Outcome("port.free", WARN, sockets(Socket("tcp", "*", 10250, "kubelite", 7)),
            "installed already"),
    Outcome("port.free", WARN, sockets(Socket("tcp", "*", 6443, "nginx", 7)),
            "the document names it and 16443 is used"),
    Outcome("port.free", UNKNOWN, {"network": {"sockets": WHY}}),
    # A tunnel is the kernel's own: no program holds its port, and its interface tells whose it is.
    Outcome("port.free", WARN, {"network": {
        "nics": (nic(), nic("vxlan.calico")),
        "sockets": (Socket("udp", "0.0.0.0", 4789, Unknown(BY_NO_PROGRAM)),)}},
        "taken by the kernel (vxlan.calico): it may be installed already"),
    Outcome("port.free", FAIL, sockets(Socket("udp", "0.0.0.0", 4789, Unknown(BY_NO_PROGRAM))),
            "taken by the kernel or a program outside this container"),
    Outcome("port.free", FAIL, {"network": {
        "nics": (nic(), nic("vxlan.calico")),
        "sockets": (Socket("tcp", "::", 10250, Unknown(BY_NO_PROGRAM)),)}}, "Port 10250"),
    # A container's port may be the installation's own; Docker is asked whose it is later.
    Outcome("port.free", WARN, {**sockets(Socket("tcp", "::", 10250, "docker-proxy", 7)),
                                **docker()}, "installed already", platform=DOCKER),
    Outcome("port.free", WARN, {**sockets(Socket("tcp", "::", 10250, WHY)), **docker()},
            "only root can see", platform=DOCKER),
    Outcome("port.free", FAIL, {**sockets(Socket("tcp", "::", 10250, "nginx", 7)), **docker()},
            platform=DOCKER),
    Outcome("port.free", FAIL, {**sockets(Socket("tcp", "::", 10250, "docker-proxy", 7)),
                                **NO_DOCKER}, platform=DOCKER),
    Outcome("os.release", PASS, {}),
    Outcome("os.release", FAIL, {"os": {"version": "22.04", "pretty_name": "Ubuntu 22.04"}},
            "w1 runs Ubuntu 22.04; Ubuntu 24.04 is needed."),
    Outcome("os.release", WARN, {"os": {"id": "debian"}}, platform={"os_severity": "warn"}),
    Outcome("os.release", UNKNOWN, {"os": {"id": WHY}}),
    Outcome("os.architecture", PASS, {}),
    Outcome("os.architecture", FAIL, {"os": {"architecture": "aarch64"}}),
    Outcome("os.architecture", UNKNOWN, {"os": {"architecture": WHY}}),
    Outcome("os.kernel", PASS, {}),
    Outcome("os.kernel", FAIL, {"os": {"kernel": "5.4.0-200-generic"}}),
    Outcome("os.kernel", UNKNOWN, {"os": {"kernel": WHY}}),
    Outcome("os.init", PASS, {}),
    Outcome("os.init", FAIL, {"os": {"init": "busybox"}}),
    Outcome("os.init", UNKNOWN, {"os": {"init": WHY}}),
    Outcome("kernel.module.br_netfilter", PASS, {}, "not loaded, and can be"),
    Outcome("kernel.module.br_netfilter", FAIL, {"kernel": {"loadable": frozenset()}}),
    Outcome("kernel.module.overlay", WARN, {"kernel": {"modules": frozenset({"x"})}}),
    Outcome("kernel.module.overlay", UNKNOWN, {"kernel": {"modules": WHY}}),
    Outcome("kernel.sysctl.net.ipv4.ip_forward", PASS, {}),
    Outcome("kernel.sysctl.net.ipv4.ip_forward", FAIL, sysctl(net__ipv4__ip_forward="0")),
    Outcome("kernel.sysctl.net.ipv4.ip_forward", UNKNOWN, sysctl(net__ipv4__ip_forward=WHY)),
    Outcome("kernel.sysctl.fs.inotify.max_user_watches", WARN,
            sysctl(fs__inotify__max_user_watches="8192"), "8192"),
    Outcome("kernel.sysctl.net.bridge.bridge-nf-call-iptables", WARN,
            {"kernel": {"sysctls": {"net.bridge.bridge-nf-call-iptables": ABSENT}}},
            "once br_netfilter is loaded"),
    Outcome("kernel.cgroup", PASS, {}),
    Outcome("kernel.cgroup", WARN, {"kernel": {"cgroup_version": 1}}),
    Outcome("kernel.cgroup", FAIL, {"kernel": {"cgroup_controllers": frozenset({"cpu"})}},
            "lacks the control group memory"),
    Outcome("kernel.cgroup", UNKNOWN, {"kernel": {"cgroup_controllers": WHY}}),
    Outcome("kernel.lsm", PASS, {}),
    Outcome("kernel.lsm", WARN, {"kernel": {"selinux": "enforcing"}}),
    Outcome("kernel.lsm", UNKNOWN, {"kernel": {"selinux": WHY}}),
    Outcome("limits.aio", PASS, {}),
    Outcome("limits.aio", WARN, {"kernel": {"sysctls": {"fs.aio-nr": "65000",
                                                        "fs.aio-max-nr": "65536"}}}),
    Outcome("limits.login", PASS, {}),
    Outcome("limits.login", WARN, {"identity": {"limits": {"open_files": "256"}}}),
    Outcome("network.default-route", PASS, {}),
    Outcome("network.default-route", FAIL, {"network": {"routes": ()}}),
    Outcome("network.default-route", WARN, {"network": {"routes": ()}},
            platform={"default_route_source": ""}),
    Outcome("network.default-route", UNKNOWN, {"network": {"routes": WHY}}),
    Outcome("network.resolver", PASS, {}),
    Outcome("network.resolver", FAIL, {"network": {"nameservers": ABSENT}}),
    Outcome("network.resolver", WARN, {"network": {"nameservers": ("127.0.0.53",)}}),
    Outcome("network.resolver", UNKNOWN, {"network": {"nameservers": WHY}}),
    Outcome("network.own-name", PASS, {}),
    Outcome("network.own-name", WARN, {"network": {"own_address": "127.0.1.1"}}),
    Outcome("network.own-name", FAIL, {"network": {"own_address": "10.9.9.9"}}, "not an address"),
    Outcome("network.own-name", FAIL, {"network": {"resolves_itself": False}}),
    Outcome("network.own-name", UNKNOWN, {"network": {"resolves_itself": WHY}}),
    Outcome("network.cluster-networks", PASS, {}),
    Outcome("network.cluster-networks", FAIL, {"network": {"nics": (nic(address="10.1.2.3"),)}},
            "10.1.2.3"),
    Outcome("network.cluster-networks", FAIL,
            {"network": {"routes": (Route("10.1.8.0/24", "10.10.0.1", "eth0"),)}}, "10.1.8.0/24"),
    Outcome("network.cluster-networks", PASS,
            {"network": {"routes": (Route("10.0.0.0/8", "10.10.0.1", "eth0"),)}}),
    Outcome("network.cluster-networks", UNKNOWN, {"network": {"routes": WHY}}),
    Outcome("network.cluster-networks", PASS,
            {"network": {"routes": (Route("10.1.5.0/26", None, "vxlan.calico"),)}}),
    Outcome("host.name", PASS, {}),
    Outcome("host.name", FAIL, {"identity": {"hostname": "Worker_1"}}, "capital letters"),
    Outcome("host.name", FAIL, {"identity": {"hostname": "worker_1"}}, "underscore"),
    Outcome("host.name", UNKNOWN, {"identity": {"hostname": WHY}}),
    Outcome("host.name", WARN, {"identity": {"hostname": "Worker"}},
            platform={"hostname_source": "", "kubernetes_roles": ()}),
    Outcome("host.machine-id", PASS, {}),
    Outcome("host.machine-id", FAIL, {"identity": {"machine_id": ABSENT}}),
    Outcome("host.machine-id", UNKNOWN, {"identity": {"machine_id": WHY}}),
    Outcome("time.synchronized", PASS, {}),
    Outcome("time.synchronized", FAIL, {"time": {"synchronized": False}}),
    Outcome("time.synchronized", WARN, {"time": {"synchronized": False},
                                        "cpu": {"is_container": True}}),
    Outcome("time.synchronized", UNKNOWN, {"time": {"synchronized": WHY}}),
    Outcome("time.daemon", PASS, {}),
    Outcome("time.daemon", PASS, {"time": {"daemon": ABSENT}}, "yet its clock is synchronised"),
    Outcome("time.daemon", WARN, {"time": {"daemon": ABSENT, "synchronized": False}}),
    Outcome("time.daemon", UNKNOWN, {"time": {"daemon": WHY}}),
    Outcome("time.sources", PASS, {}, "1 answers"),
    Outcome("time.sources", WARN, {"time": {"sources": ()}}, "no time server"),
    Outcome("time.sources", WARN,
            {"time": {"sources": (TimeSource("192.0.2.1", False),)}}, "192.0.2.1"),
    Outcome("time.offset", PASS, {}, "3 ms ahead of ours (± 12 ms)"),
    Outcome("time.offset", WARN, {"time": {"offset_seconds": -9.0}}, "9 s behind ours"),
    Outcome("time.offset", UNKNOWN, {"time": {"offset_seconds": 5.2,
                                              "uncertainty_seconds": 1.0}}),
    Outcome("time.offset", UNKNOWN, {"time": {"uncertainty_seconds": WHY}}),
    Outcome("os.restart", PASS, {}),
    Outcome("os.restart", PASS, {"os": {"newest_kernel": ABSENT}}),
    Outcome("os.restart", WARN, {"os": {"newest_kernel": "6.8.0-90-generic"}},
            "kernel 6.8.0-90-generic is installed and 6.8.0-45-generic runs."),
    Outcome("os.restart", WARN, {"os": {"restart_for": ("libc6",)}}, "asked for by libc6."),
    Outcome("time.zone", PASS, {}),
    Outcome("certificate.ends", PASS, {}, "2 certificates on w1: the first to end is"),
    Outcome("certificate.ends", WARN, {"certificates": (certificate("server.crt", 30),)},
            "server.crt on w1 ends on 2026-12-21, 30 days from now."),
    Outcome("certificate.ends", FAIL, {"certificates": (certificate("ca.crt", 7),)}),
    Outcome("certificate.ends", FAIL, {"certificates": (certificate("kubelet.crt", -1),)},
            "kubelet.crt on w1 ended on 2026-11-20."),
    Outcome("certificate.ends", FAIL,
            {"certificates": (Certificate("/etc/docker/registry/tls/ca.crt", "2026-11-22", 1),)}),
    Outcome("certificate.ends", WARN,
            {"certificates": (Certificate("/var/snap/microceph/common/state/server.crt",
                                          "2026-12-20", 29),)}),
    Outcome("certificate.ends", UNKNOWN, {"certificates": WHY}),
    Outcome("certificate.ends", UNKNOWN, {"certificates": (Certificate("/c.crt", WHY, WHY),)}),
    Outcome("software.conflict.k3s", PASS, {}),
    Outcome("software.conflict.k3s", FAIL, {"software": (Software("k3s", active=True),)},
            "k3s is installed on w1 and runs."),
    Outcome("software.conflict.docker", WARN, {"software": (Software("docker", active=False),)},
            "and does not run"),
    Outcome("software.conflict.k3s", UNKNOWN, {"software": WHY}),
    Outcome("software.commands", PASS, {}),
    Outcome("software.commands", FAIL, {"commands": frozenset({"python3"})}, "lacks snap"),
    Outcome("software.commands", UNKNOWN, {"commands": WHY}),
    Outcome("software.unattended-upgrades", PASS, {}),
    Outcome("software.unattended-upgrades", WARN, {"software": (Software("unattended-upgrades",
                                                                         active=True),)}),
    Outcome("software.setting-up", PASS, {}),
    Outcome("software.setting-up", WARN, {"software": (Software("cloud-init", active=True),
                                                       Software("apt-daily", active=True))},
            "w1 still sets itself up: cloud-init gives it its settings and it brings"),
    Outcome("software.multipath", PASS, {}),
    Outcome("software.multipath", WARN, {"software": (Software("multipathd", active=True),)}),
    Outcome("software.docker-snap", PASS,
            {"software": (Software("docker", path="/usr/bin/docker"),)},
            platform={"commands": ("docker",)}),
    Outcome("docker.engine", PASS, docker(), "w1 is 20.10.24.", platform=DOCKER),
    Outcome("docker.engine", PASS, docker("26.1.5+dfsg1"), platform=DOCKER),
    Outcome("docker.engine", FAIL, docker("19.03.8"), "20.10 is needed", platform=DOCKER),
    Outcome("docker.engine", FAIL, docker(ABSENT, rootless=True), "without root", platform=DOCKER),
    Outcome("docker.engine", UNKNOWN, docker(Unknown("no right to Docker's socket")),
            platform=DOCKER),
    Outcome("docker.engine", PASS, docker(ABSENT), "the installation starts it", platform=DOCKER),
    Outcome("docker.engine", PASS, NO_DOCKER, "the installation brings it", platform=DOCKER),
    Outcome("docker.engine", FAIL, {**NO_DOCKER, "os": {"id": "arch"}}, "cannot be brought",
            platform=DOCKER),
    Outcome("docker.compose", PASS, docker(), "w1 is 2.26.1.", platform=DOCKER),
    Outcome("docker.compose", FAIL, docker(compose="2.2.3"), "2.20 is needed", platform=DOCKER),
    Outcome("docker.compose", PASS, docker(compose=ABSENT), "brings it", platform=DOCKER),
    Outcome("docker.compose", FAIL, {**docker(compose=ABSENT), "os": {"id": "arch"}},
            "Docker Compose 2 is not on w1, and cannot", platform=DOCKER),
    Outcome("docker.compose", UNKNOWN, docker(compose=WHY), platform=DOCKER),
    Outcome("docker.storage", PASS, docker(), platform=DOCKER),
    Outcome("docker.storage", WARN, docker(driver="vfs"), "copies each image", platform=DOCKER),
    Outcome("software.docker-snap", WARN,
            {"software": (Software("docker", path="/snap/bin/docker"),)},
            platform={"commands": ("docker",)}),
    Outcome("access.sudo", PASS, {}),
    Outcome("access.sudo", WARN, {"identity": {"sudo": "asks"}}),
    Outcome("access.sudo", FAIL, {"identity": {"sudo": "none"}}, "ubuntu may not become root"),
    Outcome("access.sudo", UNKNOWN, {"identity": {"sudo": WHY}}),
    Outcome("access.sudo", PASS, {"identity": {"sudo": "none"}, **docker()}, "which will do",
            platform=DOCKER_ALONE, host={"address": "local"}),
    Outcome("access.sudo", FAIL, {"identity": {"sudo": "none"}, **docker()},
            platform=DOCKER_ALONE),  # another machine: what is kept there is root's
    Outcome("access.sudo", FAIL, {"identity": {"sudo": "none"}, **NO_DOCKER},
            platform=DOCKER_ALONE, host={"address": "local"}),
    Outcome("firewall.forward", PASS, {}),
    Outcome("firewall.forward", FAIL, policy(INPUT="ACCEPT", FORWARD="DROP")),
    Outcome("firewall.forward", UNKNOWN, policy(FORWARD=WHY)),
    Outcome("firewall.input", PASS, {}),
    Outcome("firewall.input", WARN, {"firewall": {
        "ufw": "active", "policies": {"INPUT": "DROP"},
        "ufw_rules": ("allow tcp 10250 0.0.0.0/0 any 10.10.0.0/24 in",)}}, "4789/udp"),
    Outcome("firewall.input", PASS, {"firewall": {
        "ufw": "active", "policies": {"INPUT": "DROP"},
        "ufw_rules": ("allow any any 0.0.0.0/0 any 10.10.0.0/24 in",)}}),
    Outcome("firewall.input", UNKNOWN, policy(INPUT=WHY)),
    Outcome("firewall.pods", WARN, {"firewall": {"ufw": "active", "ufw_rules": ()}}),
    Outcome("firewall.pods", PASS, {"firewall": {"ufw": "active", "ufw_rules": (
        "allow any any 0.0.0.0/0 any 0.0.0.0/0 in_vxlan.calico",
        "allow any any 0.0.0.0/0 any 0.0.0.0/0 in_cali+")}}),
)  # fmt: skip


def answered(outcome: Outcome) -> list[Finding]:
    """The findings of the outcome's check on the changed machine."""
    wanted: SolutionNeeds = needs()
    if outcome.shape is not None:
        shape = WORKER_SHAPE.model_copy(update=outcome.shape)
        wanted = needs(role("worker", shape))
    if outcome.platform is not None:
        wanted = wanted.model_copy(update={"platform": platform(**outcome.platform)})
    facts = changed(worker_facts(), **outcome.change)
    one = case(facts, outcome.roles, wanted, **(outcome.host or {}))
    found = find_check(outcome.id)
    assert found is not None
    checks = [check for check in CHECKS if check is found]
    return [f for check in checks for f in check.run(one) if f.id == outcome.id]


@pytest.mark.parametrize(
    "outcome", OUTCOMES, ids=lambda o: f"{o.id}-{o.severity}-{OUTCOMES.index(o)}"
)
def test_a_check_answers_a_machine_as_it_should(outcome: Outcome) -> None:
    """One changed thing gives the severity and the words expected, in a finding that is whole."""
    findings = answered(outcome)
    assert outcome.severity in {f.severity for f in findings}, findings
    worst = [f for f in findings if f.severity is outcome.severity]
    assert any(outcome.says in f.title for f in worst), [f.title for f in worst]
    for one in findings:
        whole(one)


def test_the_documented_worker_passes_everything() -> None:
    """No check has anything to say against the machine that the document describes."""
    one = case()
    findings = [f for check in CHECKS for f in check.run(one)]
    assert [f.title for f in findings if f.severity is not PASS] == []
    for finding in findings:
        whole(finding)


def test_facts_that_nobody_told_pass_nothing_but_what_is_for_the_record() -> None:
    """A machine whose probe said nothing passes no check that judges it."""
    findings = [f for check in CHECKS for f in check.run(case(Facts()))]
    passed = {f.id for f in findings if f.severity is PASS}
    assert passed == {"role.known"}, "it judges what the site file says, not the machine"
    assert {f.severity for f in findings} <= {PASS, UNKNOWN}
    for finding in findings:
        whole(finding)


def test_every_check_is_shown_in_each_severity_that_it_claims() -> None:
    """The table above leaves no claimed severity untested, and none appears unclaimed."""
    shown: dict[str, set[Severity]] = defaultdict(set)
    for outcome in OUTCOMES:
        check = find_check(outcome.id)
        assert check is not None
        shown[check.id] |= {f.severity for f in answered(outcome)}
    tested_elsewhere = {"role.combined"}
    for check in CHECKS:
        if check.id not in tested_elsewhere:
            assert shown[check.id] == check.severities, check.id

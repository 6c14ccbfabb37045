"""A sample assessment: twelve machines for PM4ML production with one of everything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime

from foundation.hosts.model import Host
from foundation.problems import ChangedHostKey, ConnectTimeout
from preflight.assessment import Assessment, Carries, HostResult, Seen
from preflight.facts import (
    ABSENT,
    Address,
    CpuFacts,
    Disk,
    DiskKind,
    Facts,
    Filesystem,
    IdentityFacts,
    MemoryFacts,
    NetworkFacts,
    Nic,
    NicKind,
    OsFacts,
    Socket,
    TimeFacts,
    Unknown,
)
from preflight.findings import Finding, Severity, Verdict, Waiver
from preflight.needs import (
    Count,
    DiskNeed,
    MachineKind,
    RoleNeed,
    Shape,
    SizingTable,
    SolutionNeeds,
)

MADE_AT = datetime(2026, 11, 21, 12, 30, tzinfo=UTC)
SOURCE = "PM4ML On-Premises Deployment Guide, section 4.1 (1.0)"
PORTS = "PM4ML On-Premises Deployment Guide, section 1.3"

PASS, WARN, FAIL, UNKNOWN = Severity.PASS, Severity.WARN, Severity.FAIL, Severity.UNKNOWN


def row(role: str, number: int, cpu: int, memory: int, *, optional: bool = False) -> RoleNeed:
    """A row of the sizing table."""
    shape = Shape(
        cpu=cpu,
        memory_gb=memory,
        disks=(DiskNeed(count=2, size_gb=500, kinds=(DiskKind.NVME,), purpose="data"),),
    )
    return RoleNeed(
        role=role,
        title=role.replace("-", " ").capitalize(),
        count=Count(min=number, max=number),
        optional=optional,
        shapes=(shape,),
    )


NEEDS = SolutionNeeds(
    solution="pm4ml",
    title="Payment Manager for Mojaloop",
    environment="production",
    sizing=SizingTable(
        id="pm4ml-production",
        environment="production",
        title="Recommended production sizing",
        source="PM4ML On-Premises Deployment Guide, section 4.1",
        version="1.0",
        default=True,
        roles=(
            row("master", 3, 8, 32),
            row("worker", 3, 16, 64),
            row("load-balancer", 2, 4, 16),
            row("storage", 3, 16, 64),
            row("bastion", 0, 2, 8, optional=True),
            RoleNeed(
                role="backup", count=Count(min=1), shapes=(Shape(machine=MachineKind.EXTERNAL),)
            ),
        ),
        risk_acceptance=(frozenset({"master", "worker"}),),
    ),
    other_sizings=(
        SizingTable(
            id="pm4ml-iac",
            environment="production",
            title="PM4ML by Infrastructure as Code",
            source="Mojaloop IaC, default cluster configuration",
            version="5.3",
            roles=(row("node", 3, 16, 32),),
        ),
    ),
)

DISK_WAIVER = Waiver(
    check="disk.nvme",
    host="w2",
    by="Daw Khin Myo",
    reason="The SSDs are enterprise grade; NVMe arrives in December",
    until=date(2027, 1, 31),
)
RISK_WAIVER = Waiver(
    check="role.combined",
    host="w3",
    by="U Thant Zin, Head of Operations",
    reason="Two of three masters until the fourth server is delivered",
    until=date(2026, 12, 24),
)
WAIVERS = (
    DISK_WAIVER,
    RISK_WAIVER,
    Waiver(check="time.*", by="A. Name", reason="The air gap has no clock", until=date(2026, 1, 1)),
    Waiver(check="os.release", by="A. Name", reason="Not needed so far", until=date(2027, 1, 1)),
)


def finding(
    host: str | None,
    check: str,
    severity: Severity,
    title: str,
    *wording: str,
    source: str = SOURCE,
    evidence: str = "",
    remedy: str = "",
    undo: str = "",
    subject: str = "",
) -> Finding:
    """A finding; `wording` is what was expected and found, the source that of the sizing table."""
    return Finding(
        id=check,
        severity=severity,
        title=title,
        expected=wording[0],
        actual=wording[1],
        source=source,
        host=host,
        evidence=evidence,
        remedy=remedy,
        undo=undo,
        subject=subject,
    )


def facts(name: str, address: str, *, cpu: int = 16, memory: int = 64) -> Facts:
    """A virtual machine on a documented host, with what a login without root cannot see."""
    return Facts(
        identity=IdentityFacts(hostname=name, fqdn=f"{name}.pm4ml.example.org", user="ubuntu"),
        os=OsFacts(
            id="ubuntu",
            version="24.04",
            pretty_name="Ubuntu 24.04.1 LTS",
            kernel="6.8.0-45-generic",
            architecture="x86_64",
        ),
        cpu=CpuFacts(
            logical=cpu,
            cores=cpu,
            sockets=2,
            model="Intel(R) Xeon(R) Gold 6338",
            virtualization="kvm",
        ),
        memory=MemoryFacts(
            installed_bytes=memory * 2**30, total_bytes=int(memory * 0.981 * 2**30), swap_bytes=0
        ),
        disks=(
            Disk(
                name="nvme0n1",
                size_bytes=512_110_190_592,
                kind=DiskKind.NVME,
                model="SAMSUNG MZQL2512HDJD",
                serial="S64HNE0T512034",
                in_use_by=("partition table", "ext4 /"),
                mounts=("/", "/boot"),
            ),
            Disk(name="nvme1n1", size_bytes=512_110_190_592, kind=DiskKind.NVME, model=ABSENT),
        ),
        filesystems=(Filesystem("/", "/dev/nvme0n1p2", "ext4", 500_000_000_000, 470_000_000_000),),
        network=NetworkFacts(
            nics=(
                Nic(
                    name="eth0",
                    kind=NicKind.PHYSICAL,
                    speed_mbps=10_000,
                    mtu=1500,
                    state="up",
                    mac="52:54:00:aa:bb:01",
                    addresses=(Address(address, 24),),
                ),
                Nic(name="eth1", speed_mbps=Unknown("virtio tells no speed"), mtu=1500),
            ),
            sockets=(Socket("tcp", "0.0.0.0", 22, process=Unknown("needs root")),),
        ),
        time=TimeFacts(offset_seconds=0.012, uncertainty_seconds=0.004, synchronized=True),
        notes=("Programs behind sockets of other users: needs root",),
    )


def passes(name: str, role: str) -> list[Finding]:
    """What a good machine passes."""
    cpu, memory = (4, 16) if role == "load-balancer" else (16, 64)
    return [
        finding(name, "cpu.count", PASS, f"{name} has {cpu} CPUs; a {role} needs {cpu}.",
                str(cpu), str(cpu), evidence="nproc"),
        finding(name, "cpu.level", PASS, f"The CPU of {name} offers x86-64-v4.",
                "x86-64-v2", "x86-64-v4"),
        finding(name, "memory.size", PASS, f"{name} has {memory} GB of memory.",
                f"{memory} GB", f"{memory} GB ({memory * 0.981:.1f} GiB usable)"),
        finding(name, "disk.nvme", PASS, f"{name} has 2 NVMe disks of 512 GB.",
                "2 NVMe disks of 500 GB", "nvme0n1 512 GB, nvme1n1 512 GB"),
        finding(name, "nic.speed", PASS, f"eth0 of {name} runs at 10 Gbit/s.", "10 Gbit/s",
                "10 Gbit/s"),
        finding(name, "port.free", PASS, f"Nothing on {name} holds a port that is needed.",
                "free", "free", source=PORTS),
        finding(name, "os.release", PASS, f"{name} runs Ubuntu 24.04.", "Ubuntu 24.04",
                "Ubuntu 24.04.1 LTS"),
        finding(name, "kernel.module", PASS, f"overlay is loaded on {name}.", "loaded", "loaded",
                subject="overlay"),
        finding(name, "network.route", PASS, f"{name} has one default route.", "one", "10.10.0.1"),
        finding(name, "time.sync", PASS, f"The clock of {name} is synchronised.", "yes", "chrony"),
        finding(name, "software.conflict", PASS, f"No software on {name} is in the way.", "none",
                "none"),
        finding(name, "access.root", PASS, f"The login on {name} may use sudo.", "root or sudo",
                "sudo without a password"),
    ]  # fmt: skip


def _replaced(findings: Sequence[Finding], *others: Finding) -> tuple[Finding, ...]:
    said = {other.id for other in others}
    return (*(f for f in findings if f.id not in said), *others)


def cpu_fails(name: str, have: int) -> Finding:
    """Too few CPUs."""
    return finding(
        name, "cpu.count", FAIL, f"{name} has {have} CPUs; a worker needs 16.", "16", str(have),
        evidence="nproc; lscpu | grep -E '^(CPU|Socket|Core|Thread|Model name)'",
        remedy="Shut the machine down and give it 16 CPUs: vCPUs in the hypervisor, or processors"
        " with more cores.",
        undo="Take the added CPUs away again in the hypervisor while the machine is off.",
    )  # fmt: skip


def nvme_fails(name: str, waiver: Waiver | None = None) -> Finding:
    """One NVMe too few."""
    made = finding(
        name, "disk.nvme", FAIL,
        f"{name} has 1 NVMe disk of 500 GB or more; a worker needs 2 distinct ones.",
        "2 NVMe disks of 500 GB", "nvme0n1 512 GB; sda 480 GB is an SSD behind SATA",
        evidence="lsblk -d -o NAME,SIZE,ROTA,TRAN,MODEL,SERIAL",
        remedy="Add a second NVMe disk of at least 500 GB (465 GiB), then look again.",
        undo="Take the disk out again; nothing was written to it.",
    )  # fmt: skip
    return replace(made, waiver=waiver)


def port_fails(name: str) -> Finding:
    """A port that is taken."""
    return finding(
        name, "port.free", FAIL, f"nginx on {name} holds port 443, which HAProxy needs.",
        "443/tcp free", "443/tcp held by nginx (pid 812) on 0.0.0.0", subject="443/tcp",
        source=PORTS, evidence="sudo ss -Hltnp 'sport = :443'",
        remedy="Stop it and keep it from starting: `sudo systemctl disable --now nginx`.",
        undo="sudo systemctl enable --now nginx",
    )  # fmt: skip


def swap_warns(name: str) -> Finding:
    """Swap is on."""
    return finding(
        name, "memory.swap", WARN, f"{name} has 4 GiB of swap switched on; a worker needs it off.",
        "no swap", "4 GiB", source="Kubernetes documentation, kubeadm installation",
        evidence="swapon --show; grep -E '\\sswap\\s' /etc/fstab",
        remedy="Switch it off now and for the next start: `sudo swapoff -a` and"
        " `sudo sed -i.before-sitewright -E '/\\sswap\\s/s/^/#/' /etc/fstab`.",
        undo="sudo mv /etc/fstab.before-sitewright /etc/fstab && sudo swapon -a",
    )  # fmt: skip


def speed_unknown(name: str) -> Finding:
    """A virtual NIC without a speed."""
    return finding(
        name, "nic.speed", UNKNOWN, f"It could not be told how fast the network of {name} is.",
        "10 Gbit/s", "unknown: virtio tells no speed",
        evidence="cat /sys/class/net/eth1/speed",
        remedy="Ask who runs the hypervisor for the speed of its uplink, and say so with a waiver.",
    )  # fmt: skip


def combined(name: str, waiver: Waiver | None) -> Finding:
    """Master and worker on one machine."""
    made = finding(
        name, "role.combined", FAIL,
        f"{name} is master and worker at once, which production allows only with a formal risk"
        " acceptance.",
        "dedicated masters", "master and worker", source="PM4ML Guide, section 4.4 (1.0)",
        remedy="Give one of the roles to another machine, or have the risk accepted in writing.",
    )  # fmt: skip
    return replace(made, waiver=waiver)


def host(name: str, number: int, *roles: str) -> Host:
    """A machine of the site."""
    return Host(name=name, address=f"10.10.0.{number}", user="ubuntu", roles=roles)


def seen(machine: Host, **sizes: int) -> Seen:
    """A machine that was seen a moment before the judgement."""
    return Seen(
        host=machine,
        facts=facts(machine.name, machine.address, **sizes),
        seen_at=datetime(2026, 11, 21, 12, 29, 41, tzinfo=UTC),
        seconds=0.734,
    )


def unreachable(entry: Seen) -> Finding:
    """What the judge says of a machine that could not be seen."""
    assert entry.problem is not None
    return finding(
        entry.host.name,
        "host.reachable",
        UNKNOWN,
        f"{entry.host.name} could not be looked at: {entry.problem.cause}.",
        "the machine answers and lets Sitewright in",
        entry.problem.title,
        remedy=entry.problem.remedy,
    )


def waiver_warns(waiver: Waiver, what: str, title: str) -> Finding:
    """What the judge says of a waiver that covers nothing."""
    return finding(
        None, f"waiver.{what}", WARN, title, "a waiver that counts", waiver.check,
        subject=waiver.check, source="Sitewright: a waiver has a name, a reason and a last day",
        remedy="Take it out of the site file.",
    )  # fmt: skip


def _good(name: str, number: int, *roles: str) -> HostResult:
    machine = host(name, number, *roles)
    return HostResult(seen(machine), roles, tuple(passes(name, roles[0])))


def _bad(result: HostResult, *others: Finding) -> HostResult:
    return replace(result, findings=_replaced(result.findings, *others))


def site() -> Assessment:
    """Twelve machines: failures, warnings, unknowns, waivers, two that could not be seen."""
    silent = Seen(
        host=host("st2", 32, "storage"),
        problem=ConnectTimeout(
            "nothing answered on 10.10.0.32:22 within 15 s",
            where="st2",
            remedy="See whether the machine is on and whether a firewall swallows port 22:"
            " `ping -c 3 10.10.0.32`.",
        ),
        seen_at=MADE_AT,
        seconds=15.0,
    )
    changed = Seen(
        host=host("st3", 33, "storage"),
        problem=ChangedHostKey(
            "st3 shows SHA256:Kp0vJ3yE8xq1 where SHA256:b2mQwT7hLz4c was trusted",
            where="st3",
            remedy="Find out who changed the key, or whether another machine answers in its place."
            " If it was reinstalled, take the old key out with `ssh-keygen -R 10.10.0.33`.",
            fingerprint="SHA256:Kp0vJ3yE8xq1",
        ),
        seen_at=MADE_AT,
        seconds=0.21,
    )
    hosts = (
        _good("m1", 11, "master"),
        _good("m2", 12, "master"),
        _bad(_good("w1", 14, "worker"), cpu_fails("w1", 8), nvme_fails("w1"), swap_warns("w1")),
        _bad(
            _good("w2", 15, "worker"),
            cpu_fails("w2", 8),
            nvme_fails("w2", DISK_WAIVER),
            swap_warns("w2"),
        ),
        _bad(
            _good("w3", 16, "worker", "master"),
            cpu_fails("w3", 12),
            combined("w3", RISK_WAIVER),
            speed_unknown("w3"),
        ),
        _bad(_good("lb1", 20, "load-balancer"), port_fails("lb1")),
        _bad(_good("lb2", 21, "load-balancer"), port_fails("lb2")),
        _good("st1", 31, "storage"),
        HostResult(silent, ("storage",), (unreachable(silent),)),
        HostResult(changed, ("storage",), (unreachable(changed),)),
        _bad(_good("bastion", 5, "bastion"), speed_unknown("bastion")),
        HostResult(seen(host("spare", 40)), ()),
    )
    between = (
        finding(
            None, "identity.machine-id", FAIL, "w1 and w2 have the same machine-id.",
            "a machine-id of its own for each machine", "w1, w2: 4c1e7a9b…",
            source="MicroK8s documentation, clustering", evidence="cat /etc/machine-id",
            remedy="On w2:\n  sudo rm /etc/machine-id && sudo systemd-machine-id-setup\n"
            "Then start it anew.",
            undo="Write the old id back to /etc/machine-id.",
        ),
        finding(None, "os.consistent", WARN, "st1 runs another kernel than its role's majority.",
                "6.8.0-45-generic", "6.8.0-31-generic"),
        finding(None, "time.skew", PASS, "All clocks agree within 20 ms.", "1 s", "0.02 s"),
        waiver_warns(WAIVERS[2], "expired", "The waiver of time.* by A. Name ended on 2026-01-01."),
        waiver_warns(WAIVERS[3], "unused", "The waiver of os.release by A. Name covers nothing."),
    )  # fmt: skip
    return Assessment(
        needs=NEEDS,
        hosts=hosts,
        findings=between,
        waivers=WAIVERS,
        made_at=MADE_AT,
        extra={"site": "site.yaml", "version": "0.1.0"},
    )


def one_machine() -> Assessment:
    """This machine alone, with what it can carry."""
    machine = Host(name="ivory", address="local")
    name = machine.name
    result = HostResult(
        seen(machine, cpu=8, memory=16),
        ("all",),
        _replaced(passes(name, "worker"), swap_warns(name)),
    )
    return Assessment(
        needs=NEEDS.model_copy(
            update={
                "solution": "core-test-harness",
                "title": "Mojaloop Core Test Harness",
                "environment": "single-box",
                "single_machine": True,
                "other_sizings": (),
            }
        ),
        hosts=(result,),
        carries=(
            Carries("core-test-harness", "single-box", "Mojaloop Core Test Harness",
                    Verdict.READY_WITH_WARNINGS, "Switch the swap off first."),
            Carries("miniloop", "single-box", "Miniloop", Verdict.READY,
                    "Nothing stands against it."),
            Carries("mosip", "sandbox", "MOSIP V3", Verdict.NOT_READY,
                    "Not enough memory: 16 GB, 128 GB needed. And 3 more problems."),
        ),
        made_at=MADE_AT,
        extra={"version": "0.1.0"},
    )  # fmt: skip


def good_site() -> Assessment:
    """Three machines that pass everything."""
    return Assessment(
        needs=NEEDS.model_copy(update={"other_sizings": ()}),
        hosts=tuple(_good(f"m{n}", 10 + n, "master") for n in (1, 2, 3)),
        made_at=MADE_AT,
        extra={"site": "site.yaml", "version": "0.1.0"},
    )


def many(number: int) -> Assessment:
    """A site of any number of machines with a failure on every seventh."""
    hosts = []
    for n in range(number):
        result = _good(f"node{n:04}", 11, "worker")
        machine = replace(result.seen.host, address=f"10.{n // 65536}.{n // 256}.{n % 256}")
        result = replace(result, seen=replace(result.seen, host=machine))
        if n % 7 == 0:
            result = _bad(result, cpu_fails(machine.name, 8), nvme_fails(machine.name))
        hosts.append(result)
    return Assessment(needs=NEEDS, hosts=tuple(hosts), made_at=MADE_AT, extra={"version": "0.1.0"})

"""This machine's facts where there is no /proc: what psutil and Python themselves can tell.

A laptop with macOS is where Sitewright may run from, never where a solution is installed, so what
matters is told and the rest says why it is not.
"""

from __future__ import annotations

import os
import platform
import socket
import time
from typing import Final

import psutil

from foundation.hosts.logins import person_here
from preflight.facts import (
    ABSENT,
    Address,
    CpuFacts,
    Fact,
    Facts,
    Filesystem,
    IdentityFacts,
    KernelFacts,
    MemoryFacts,
    NetworkFacts,
    Nic,
    NicKind,
    OsFacts,
    TimeFacts,
    Unknown,
)
from preflight.parse.text import plain

_NOT_LINUX: Final = Unknown("this system is not Linux")


def local_facts() -> Facts:
    """The facts of the machine that this program runs on, by psutil; no subprocess, no rights."""
    memory, swap = psutil.virtual_memory(), psutil.swap_memory()
    return Facts(
        identity=_identity(),
        os=OsFacts(
            id=platform.system().lower() or _NOT_LINUX,
            version=platform.mac_ver()[0] or platform.release() or ABSENT,
            pretty_name=plain(platform.platform()),
            kernel=platform.release() or ABSENT,
            architecture=platform.machine() or _NOT_LINUX,
            init=_NOT_LINUX,
            boot_id=_NOT_LINUX,
            uptime_seconds=max(0.0, time.time() - psutil.boot_time()),
            locale=os.environ.get("LANG") or ABSENT,
            timezone=time.tzname[0],
        ),
        cpu=CpuFacts(
            logical=psutil.cpu_count() or _NOT_LINUX,
            cores=psutil.cpu_count(logical=False) or _NOT_LINUX,
            sockets=_NOT_LINUX,
            model=platform.processor() or _NOT_LINUX,
            flags=_NOT_LINUX,
            level=_NOT_LINUX,
            virtualization=_NOT_LINUX,
            is_container=False,
            vendor=_NOT_LINUX,
        ),
        memory=MemoryFacts(
            installed_bytes=memory.total,
            total_bytes=memory.total,
            available_bytes=memory.available,
            swap_bytes=swap.total,
        ),
        disks=_NOT_LINUX,
        arrays=_NOT_LINUX,
        filesystems=_filesystems(),
        network=NetworkFacts(
            nics=_nics(),
            routes=_NOT_LINUX,
            nameservers=_NOT_LINUX,
            search_domains=_NOT_LINUX,
            resolves_itself=_NOT_LINUX,
            own_address=_NOT_LINUX,
            sockets=_NOT_LINUX,
        ),
        kernel=KernelFacts(
            modules=_NOT_LINUX,
            loadable=_NOT_LINUX,
            cgroup_version=ABSENT,
            cgroup_controllers=ABSENT,
            lsm=_NOT_LINUX,
            selinux=ABSENT,
            apparmor=False,
        ),
        # It is our own clock that all others are compared with.
        time=TimeFacts(offset_seconds=0.0, uncertainty_seconds=0.0),
        software=_NOT_LINUX,
        commands=_NOT_LINUX,
        certificates=(),
        notes=("this system is not Linux: only what Python itself can see is told",),
    )


def _identity() -> IdentityFacts:
    return IdentityFacts(
        hostname=plain(socket.gethostname()) or _NOT_LINUX,
        fqdn=_NOT_LINUX,
        machine_id=ABSENT,
        product_uuid=_NOT_LINUX,
        user=person_here(),
        uid=os.getuid(),
        groups=_NOT_LINUX,
        root=os.getuid() == 0,
        sudo="passwordless" if os.getuid() == 0 else _NOT_LINUX,
        home=os.path.expanduser("~"),  # noqa: PTH111 - a missing home must not raise
        login_users=_NOT_LINUX,
    )


def _filesystems() -> Fact[tuple[Filesystem, ...]]:
    found = []
    for partition in psutil.disk_partitions():
        try:
            room = psutil.disk_usage(partition.mountpoint)
        except OSError:
            continue
        options = tuple(partition.opts.split(","))
        found.append(
            Filesystem(
                mount=plain(partition.mountpoint),
                device=plain(partition.device),
                kind=plain(partition.fstype),
                size_bytes=room.total,
                available_bytes=room.free,
                read_only="ro" in options,
                options=options,
            )
        )
    return tuple(found)


def _nics() -> Fact[tuple[Nic, ...]]:
    states, addresses = psutil.net_if_stats(), psutil.net_if_addrs()
    found = []
    for name, state in states.items():
        if name in {"lo", "lo0"}:
            continue
        own = []
        mac: Fact[str] = ABSENT
        for one in addresses.get(name, ()):
            if one.family == psutil.AF_LINK:
                mac = one.address
            elif one.family == socket.AF_INET:
                own.append(Address(one.address, _prefix(one.netmask)))
            elif one.family == socket.AF_INET6:
                scope = "link" if one.address.startswith("fe80") else "global"
                own.append(Address(one.address.partition("%")[0], 64, scope))
        found.append(
            Nic(
                name=name,
                kind=NicKind.PHYSICAL if name.startswith("en") else NicKind.VIRTUAL,
                speed_mbps=state.speed or Unknown("the driver does not tell"),
                duplex=_duplex(state.duplex),
                mtu=state.mtu,
                state="up" if state.isup else "down",
                driver=_NOT_LINUX,
                mac=mac,
                addresses=tuple(own),
            )
        )
    return tuple(found)


def _duplex(told: int) -> Fact[str]:
    if told == psutil.NIC_DUPLEX_FULL:
        return "full"
    return "half" if told == psutil.NIC_DUPLEX_HALF else Unknown("the driver does not tell")


def _prefix(netmask: str | None) -> int:
    try:
        return int.from_bytes(socket.inet_aton(netmask or "255.255.255.255")).bit_count()
    except OSError:
        return 32

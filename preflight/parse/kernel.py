"""What Kubernetes needs of the kernel: modules, settings, control groups, security modules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from preflight.facts import ABSENT, Fact, KernelFacts, Unknown
from preflight.parse.frames import Answer
from preflight.parse.text import plain, told

_PROOF: Final[Mapping[str, str]] = {
    "/proc/sys/net/bridge/bridge-nf-call-iptables": "br_netfilter",
    "/proc/sys/net/netfilter/nf_conntrack_max": "nf_conntrack",
}
"""Settings that exist only where a module is in the kernel."""

_FILESYSTEMS: Final = frozenset(
    {"overlay", "ext4", "xfs", "btrfs", "zfs", "ceph", "nfs", "nfsd", "fuse"}
)
"""Filesystems whose module has the same name, listed by the kernel while it has them."""

_SYSCTLS: Final = (
    "net.ipv4.ip_forward", "net.bridge.bridge-nf-call-iptables",
    "net.bridge.bridge-nf-call-ip6tables", "net.ipv4.conf.all.forwarding",
    "net.ipv4.conf.default.forwarding", "net.ipv4.conf.all.rp_filter",
    "net.ipv4.conf.default.rp_filter", "net.ipv4.conf.all.arp_ignore",
    "net.ipv4.conf.all.arp_announce", "net.ipv4.conf.all.arp_filter",
    "net.ipv4.ip_local_port_range", "net.ipv4.ip_nonlocal_bind",
    "net.ipv4.neigh.default.gc_thresh3", "net.ipv4.tcp_keepalive_time",
    "net.ipv6.conf.all.disable_ipv6", "net.ipv6.conf.all.forwarding", "net.core.somaxconn",
    "net.core.rmem_max", "net.core.wmem_max", "net.netfilter.nf_conntrack_max",
    "fs.inotify.max_user_watches", "fs.inotify.max_user_instances", "fs.aio-nr", "fs.aio-max-nr",
    "fs.file-max", "fs.nr_open", "vm.max_map_count", "vm.swappiness", "vm.overcommit_memory",
    "vm.panic_on_oom", "vm.nr_hugepages", "kernel.pid_max", "kernel.threads-max", "kernel.panic",
    "kernel.panic_on_oops", "kernel.keys.root_maxkeys", "kernel.keys.root_maxbytes",
    "kernel.unprivileged_userns_clone", "kernel.apparmor_restrict_unprivileged_userns",
    "user.max_user_namespaces", "kernel.randomize_va_space",
)  # fmt: skip
"""The settings that the probe asks for; one that has no file is absent."""


def parse_kernel(answer: Answer) -> KernelFacts:
    """The kernel facts from the sections modules, known_modules, filesystems and kernel."""
    if "kernel" not in answer.sections:
        return KernelFacts()
    files = answer.files("kernel")
    modules, loadable = _modules(answer, files)
    lsm = _lsm(files)
    version, controllers = _cgroups(answer)
    return KernelFacts(
        modules=modules,
        loadable=loadable,
        sysctls=_sysctls(files),
        cgroup_version=version,
        cgroup_controllers=controllers,
        lsm=lsm,
        selinux=_selinux(files, lsm),
        apparmor=_apparmor(files, lsm),
    )


def _modules(
    answer: Answer, files: Mapping[str, str]
) -> tuple[Fact[frozenset[str]], Fact[frozenset[str]]]:
    present: set[str] = set()
    for line in answer.files("modules").get("/proc/modules", "").split("\n"):
        words = line.split(" ", 1)
        if words[0]:
            present.add(plain(words[0], 80))
    can_load: set[str] = set()
    folder = False
    for line in answer.lines("known_modules"):
        word, _, name = line.partition(" ")
        if word == "folder":
            folder = True
        elif word in {"present", "builtin"}:
            present.add(plain(name, 80))
        elif word == "file":
            can_load.add(plain(name, 80))
    for line in answer.files("filesystems").get("/proc/filesystems", "").split("\n"):
        kind = line.split()[-1] if line.strip() else ""
        if kind in _FILESYSTEMS:
            present.add(kind)
    present.update(name for path, name in _PROOF.items() if path in files)
    modules: Fact[frozenset[str]] = frozenset(present)
    if not present:
        modules = Unknown("/proc/modules cannot be read")
    if not folder:
        return modules, Unknown("this kernel's folder of /lib/modules is not on the machine")
    return modules, frozenset(can_load - present)


def _sysctls(files: Mapping[str, str]) -> dict[str, Fact[str]]:
    found: dict[str, Fact[str]] = dict.fromkeys(_SYSCTLS, ABSENT)
    for path, value in files.items():
        if path.startswith("/proc/sys/"):
            found[plain(path[10:].replace("/", "."), 100)] = told(value, ABSENT)
    return found


def _cgroups(answer: Answer) -> tuple[Fact[int], Fact[frozenset[str]]]:
    """The version in force, and the controllers that it offers."""
    files = answer.files("system")
    kinds = answer.text("hierarchies").split()
    unified = files.get("/sys/fs/cgroup/cgroup.controllers")
    if unified is not None or "v2" in kinds:
        return 2, frozenset(plain(word, 40) for word in (unified or "").split()[:50])
    table = files.get("/proc/cgroups")
    if table is None:
        unknown = Unknown("neither /sys/fs/cgroup nor /proc/cgroups can be read")
        return unknown, unknown
    rows = [line.split() for line in table.split("\n") if not line.startswith("#")]
    # Hierarchy 0 is the unified one: a controller there is mounted nowhere in version 1.
    controllers = frozenset(
        plain(row[0], 40) for row in rows if len(row) == 4 and row[3] == "1" and row[1] != "0"
    )
    return (1, controllers) if controllers else (ABSENT, controllers)


def _lsm(files: Mapping[str, str]) -> Fact[tuple[str, ...]]:
    text = files.get("/sys/kernel/security/lsm")
    if text is None:
        return Unknown("/sys/kernel/security is not mounted or cannot be read")
    return tuple(plain(word, 40) for word in text.strip().split(",")[:20] if word)


def _selinux(files: Mapping[str, str], lsm: Fact[tuple[str, ...]]) -> Fact[str]:
    enforce = files.get("/sys/fs/selinux/enforce", "").strip()
    if enforce in {"0", "1"}:
        return "enforcing" if enforce == "1" else "permissive"
    if isinstance(lsm, tuple) and "selinux" in lsm:
        return Unknown("/sys/fs/selinux cannot be read")
    if "/etc/selinux/config" in files:
        return "disabled"
    return ABSENT


def _apparmor(files: Mapping[str, str], lsm: Fact[tuple[str, ...]]) -> Fact[bool]:
    enabled = files.get("/sys/module/apparmor/parameters/enabled", "").strip()
    if enabled:
        return enabled == "Y"
    return isinstance(lsm, tuple) and "apparmor" in lsm

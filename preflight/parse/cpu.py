"""Processors, and what virtualises the machine."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from preflight.facts import ABSENT, CpuFacts, Fact, Unknown
from preflight.parse.frames import Answer
from preflight.parse.text import plain, span, told, whole

_LEVELS: Final[tuple[frozenset[str], ...]] = (
    frozenset({"lm", "cmov", "cx8", "fpu", "fxsr", "mmx", "syscall", "sse2"}),
    frozenset({"cx16", "lahf_lm", "popcnt", "sse4_1", "sse4_2", "ssse3"}),
    frozenset({"avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "abm", "movbe", "xsave"}),
    frozenset({"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"}),
)
"""The flags of each x86-64 level as /proc/cpuinfo names them (x86-64 psABI, 3.1.1; LZCNT is "abm",
OSXSAVE shows as "xsave")."""

_CONTAINERS: Final = frozenset(
    {
        "openvz", "lxc", "lxc-libvirt", "systemd-nspawn", "docker", "podman", "rkt", "wsl",
        "proot", "pouch", "container-other",
    }
)  # fmt: skip

_ARM_PARTS: Final[Mapping[str, str]] = {
    "0xd03": "Cortex-A53", "0xd07": "Cortex-A57", "0xd08": "Cortex-A72", "0xd0b": "Cortex-A76",
    "0xd0c": "Neoverse-N1", "0xd40": "Neoverse-V1", "0xd49": "Neoverse-N2", "0xd4f": "Neoverse-V2",
}  # fmt: skip

_MAKERS: Final[tuple[tuple[str, str], ...]] = (
    ("vmware", "vmware"), ("qemu", "qemu"), ("bochs", "qemu"), ("kvm", "kvm"), ("xen", "xen"),
    ("virtualbox", "oracle"), ("innotek", "oracle"), ("microsoft corporation virtual machine",
    "microsoft"), ("amazon ec2", "amazon"), ("google compute engine", "google"), ("nutanix ahv",
    "kvm"), ("openstack", "kvm"), ("parallels", "parallels"), ("bhyve", "bhyve"),
)  # fmt: skip
"""Words in DMI's maker and product that betray a hypervisor, and what systemd would call it."""


def x86_level(flags: frozenset[str]) -> int:
    """The x86-64 level that the flags reach, 1 to 4; 0 where not even the first."""
    level = 0
    for wanted in _LEVELS:
        if not wanted <= flags:
            break
        level += 1
    return level


def parse_cpu(answer: Answer) -> CpuFacts:
    """The processor facts from the sections system, cpuinfo, virt, board and init_environment."""
    if "system" not in answer.sections:
        return CpuFacts()
    files = answer.files("system")
    info = answer.once(_first_block)
    sockets, cores = _topology(answer, files)
    flags, level = _flags(answer, files, info)
    virtualization, is_container = _virtualization(answer, files, flags)
    return CpuFacts(
        logical=_logical(files, answer.text("cpuinfo")),
        cores=cores,
        sockets=sockets,
        model=_model(answer, info),
        flags=flags,
        level=level,
        virtualization=virtualization,
        is_container=is_container,
        vendor=told(_vendor(files) or answer.text("board"), ABSENT),
    )


def is_virtual_machine(answer: Answer) -> bool:
    """Whether a hypervisor stands below this system, a container's host included."""
    flags = answer.once(_first_block).get("flags", "")
    files = answer.files("system")
    return "hypervisor" in flags.split() or bool(_hypervisor(files))


def _first_block(answer: Answer) -> dict[str, str]:
    """The fields of the first processor of /proc/cpuinfo."""
    found: dict[str, str] = {}
    for row in answer.text("cpuinfo").split("\n"):
        line = row.removeprefix("/proc/cpuinfo:")
        if not line.strip():
            if found:
                break
            continue
        name, _, value = line.partition(":")
        found[name.strip()] = value.strip()
    return found


def _logical(files: Mapping[str, str], cpuinfo: str) -> Fact[int]:
    """The smallest of what is online, what the scheduler allows and what the control group pays."""
    status = files.get("/proc/self/status", "")
    allowed = re.search(r"^Cpus_allowed_list:\s*([0-9,-]{1,4000})$", status, re.MULTILINE)
    counts = [
        span(files.get("/sys/devices/system/cpu/online", "")),
        span(allowed.group(1)) if allowed else None,
        _quota(files),
    ]
    known = [count for count in counts if count]
    if not known:
        listed = len(re.findall(r"^(?:/proc/cpuinfo:)?processor\s*:", cpuinfo, re.MULTILINE))
        return listed or Unknown("neither /sys nor /proc tells how many processors are online")
    return min(known)


def _quota(files: Mapping[str, str]) -> int | None:
    """Whole processors' worth of time that the control group of this system may use."""
    if "/sys/fs/cgroup/cpu.max" in files:
        quota, _, period = files["/sys/fs/cgroup/cpu.max"].partition(" ")
    else:
        quota = files.get("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "")
        period = files.get("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "")
    paid, every = whole(quota), whole(period)
    if paid is None or every is None or paid <= 0 or every <= 0:
        return None
    return max(1, paid // every)


def _topology(answer: Answer, files: Mapping[str, str]) -> tuple[Fact[int], Fact[int]]:
    """Sockets and cores: distinct packages, and distinct cores within them."""
    ids: dict[str, dict[str, str]] = {}
    for path, value in files.items():
        if path.startswith("/sys/devices/system/cpu/cpu") and "/topology/" in path:
            cpu, _, name = path[len("/sys/devices/system/cpu/") :].partition("/topology/")
            ids.setdefault(cpu, {})[name] = value.strip()
    packages: set[str] = set()
    cores: set[tuple[str, str, str]] = set()
    for one in ids.values():
        package, core = one.get("physical_package_id", "-1"), one.get("core_id", "-1")
        if package != "-1":
            packages.add(package)
        if core != "-1":
            cores.add((package, one.get("die_id", ""), core))
    if not ids:
        package = "0"
        for line in answer.lines("cpuinfo"):
            name, _, value = line.removeprefix("/proc/cpuinfo:").partition(":")
            if name.strip() == "physical id":
                package = value.strip()
                packages.add(package)
            elif name.strip() == "core id":
                cores.add((package, "", value.strip()))
    unknown = Unknown("the kernel does not tell the processors' topology")
    return len(packages) or unknown, len(cores) or unknown


def _flags(
    answer: Answer, files: Mapping[str, str], info: Mapping[str, str]
) -> tuple[Fact[frozenset[str]], Fact[int]]:
    text = info.get("flags") or info.get("Features")
    architecture = (files.get("/proc/sys/kernel/arch") or answer.text("machine")).strip()
    if not text:
        unknown = Unknown("/proc/cpuinfo does not tell")
        return unknown, unknown if architecture in {"x86_64", ""} else ABSENT
    flags = frozenset(word for word in text.split()[:1000] if len(word) <= 40)
    if architecture in {"x86_64", ""} and "flags" in info:
        return flags, x86_level(flags) or ABSENT
    return flags, ABSENT


def _model(answer: Answer, info: Mapping[str, str]) -> Fact[str]:
    name = info.get("model name") or info.get("Model") or info.get("cpu model")
    if not name and "CPU part" in info:
        name = _ARM_PARTS.get(info["CPU part"], f"Arm part {info['CPU part']}")
    return told(name, answer.why_not("cpuinfo", "/proc/cpuinfo"))


def _vendor(files: Mapping[str, str]) -> str:
    """The maker and product that DMI tells."""
    words = [
        files.get("/sys/class/dmi/id/sys_vendor") or files.get("/sys/class/dmi/id/board_vendor"),
        files.get("/sys/class/dmi/id/product_name"),
    ]
    return plain(" ".join(word.strip() for word in words if word))


def _virtualization(
    answer: Answer, files: Mapping[str, str], flags: Fact[frozenset[str]]
) -> tuple[Fact[str], Fact[bool]]:
    """By systemd-detect-virt, and where there is none by the marks that hypervisors leave."""
    found = plain(answer.text("virt"), 40)
    # It ends with 1 where it finds none, and says so.
    if answer.status("virt") in {"0", "1"} and re.fullmatch("[a-z][a-z0-9-]{1,30}", found):
        return (ABSENT if found == "none" else found), found in _CONTAINERS
    container = _container(answer, files)
    if container:
        return container, True
    if isinstance(flags, frozenset) and ("hypervisor" in flags or "/sys/hypervisor/type" in files):
        return _hypervisor(files) or "vm-other", False
    maker = _hypervisor(files)
    if maker:
        return maker, False
    if _vendor(files) or answer.text("board"):
        return ABSENT, False
    return answer.why_not("virt", "systemd-detect-virt"), Unknown(
        "nothing on the machine tells whether it is a container"
    )


def _hypervisor(files: Mapping[str, str]) -> str:
    words = " ".join((_vendor(files), files.get("/sys/class/dmi/id/bios_vendor", ""))).lower()
    for word, name in _MAKERS:
        if word in words:
            return name
    return plain(files.get("/sys/hypervisor/type", ""), 40)


def _container(answer: Answer, files: Mapping[str, str]) -> str:
    named = plain(files.get("/run/systemd/container", ""), 40)
    if named:
        return named
    match = re.search(r"^container=([a-z-]{1,30})$", answer.text("init_environment"), re.MULTILINE)
    if match:
        return match.group(1)
    login = answer.lines("login")
    if "marker=/run/.containerenv" in login:
        return "podman"
    if "marker=/.dockerenv" in login:
        return "docker"
    groups = files.get("/proc/1/cgroup", "")
    match = re.search(r"/(docker|lxc|kubepods|libpod|machine\.slice/libpod)[/-]", groups)
    return "container-other" if match else ""

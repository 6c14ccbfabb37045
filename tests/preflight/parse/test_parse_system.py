"""Frames, the system, processors and memory from text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preflight.facts import ABSENT, Unknown
from preflight.parse.cpu import parse_cpu, x86_level
from preflight.parse.filesystems import mounts_of
from preflight.parse.frames import split_frames
from preflight.parse.memory import parse_memory
from preflight.parse.sockets import process_names
from preflight.parse.system import parse_system
from preflight.parse.text import decoded, plain, span
from tests.preflight.probe_answers import answer_of

GIB = 1 << 30
V1 = frozenset(["lm", "cmov", "cx8", "fpu", "fxsr", "mmx", "syscall", "sse2"])
V2 = V1 | frozenset(["cx16", "lahf_lm", "popcnt", "sse4_1", "sse4_2", "ssse3"])
V3 = V2 | frozenset(["avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "abm", "movbe", "xsave"])
V4 = V3 | frozenset(["avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"])


# ---- frames and text


def test_what_several_areas_ask_for_is_read_once_of_each_answer() -> None:
    text = b"n begin processes\n/proc/1/comm:init\nn end processes 0\nn done\n"
    answer, other = split_frames(text, "n"), split_frames(text, "n")
    for read in (process_names, mounts_of):
        assert read(answer) is read(answer)
        assert read(answer) is not read(other)
    assert process_names(answer) == process_names(other) == {1: "init"}
    assert answer == other


def test_frames_of_another_nonce_are_noise() -> None:
    output = b"x begin a\n1\nx end a 0\nn begin a\n2\nn end a 0\nn done\n"
    assert split_frames(output, "n").text("a") == "2\n"


def test_a_frame_that_another_cuts_short_is_known_to_be_cut() -> None:
    answer = split_frames(b"n begin a\n1\nn begin b\n2\nn end b 0\n", "n")
    assert answer.status("a") == "cut"
    assert answer.status("b") == "0"
    assert not answer.complete


def test_empty_frames_and_neighbours_are_told_apart() -> None:
    answer = split_frames(b"n begin a\nn end a 0\nn begin b\nn end b missing\nn done", "n")
    assert (answer.text("a"), answer.status("b")) == ("", "missing")
    assert answer.complete


@given(st.text(max_size=60))
def test_no_control_or_invisible_character_survives(text: str) -> None:
    shown = plain(decoded(text.encode("utf-8", "replace")))
    assert shown.isprintable()
    assert not set(shown) & set("\u200b\u200e\u202a\u202e\u2066\u2069\ufeff\xad")


@pytest.mark.parametrize(
    ("text", "count"),
    [("0", 1), ("0-3", 4), ("0-3,8,10-11", 7), ("", None), ("3-1", None), ("0-99999999999", None)],
)
def test_lists_of_processors(text: str, count: int | None) -> None:
    assert span(text) == count


# ---- system


def test_the_system_with_its_zone_from_the_link() -> None:
    facts = parse_system(
        answer_of(
            {
                "login": "locale=C.UTF-8",
                "system": """
                    /etc/os-release:ID=ubuntu
                    /etc/os-release:ID_LIKE="debian"
                    /etc/os-release:VERSION_ID="24.04"
                    /etc/os-release:PRETTY_NAME="Ubuntu 24.04.3 LTS"
                    /proc/sys/kernel/osrelease:6.8.0-85-generic
                    /proc/uptime:12.5 99.0
                    /proc/1/comm:systemd
                """,
                "machine": "x86_64",
                "links": "lrwxrwxrwx 1 r r 3 May 9 2026 /etc/localtime -> /usr/share/zoneinfo/UTC",
            }
        )
    )
    assert (facts.id, facts.version, facts.id_like) == ("ubuntu", "24.04", ("debian",))
    assert (facts.architecture, facts.init, facts.timezone) == ("x86_64", "systemd", "UTC")
    assert (facts.uptime_seconds, facts.locale) == (12.5, "C.UTF-8")


# ---- processors


@pytest.mark.parametrize(
    ("flags", "level"), [(V4, 4), (V3, 3), (V2, 2), (V2 - {"popcnt"}, 1), (frozenset[str](), 0)]
)
def test_the_level_follows_from_the_flags(flags: frozenset[str], level: int) -> None:
    assert x86_level(flags) == level
    assert x86_level(V4 - {"avx2"}) == 2, "a level counts only if those below it are there"


def cpu_system(*lines: str, arch: str = "x86_64") -> str:
    """The system section of two sockets with two cores of two threads each."""
    rows = [f"/proc/sys/kernel/arch:{arch}", "/sys/devices/system/cpu/online:0-7", *lines]
    for cpu in range(8):
        folder = f"/sys/devices/system/cpu/cpu{cpu}/topology"
        rows += [f"{folder}/physical_package_id:{cpu % 2}", f"{folder}/core_id:{cpu // 4}"]
    return "\n".join(rows)


def test_sockets_cores_and_threads_are_told_apart() -> None:
    facts = parse_cpu(answer_of({"system": cpu_system(), "cpuinfo": "model name\t: Xeon"}))
    assert (facts.logical, facts.cores, facts.sockets, facts.model) == (8, 4, 2, "Xeon")


@pytest.mark.parametrize(
    ("line", "count"),
    [
        ("/proc/self/status:Cpus_allowed_list:\t0-2", 3),
        ("/sys/fs/cgroup/cpu.max:200000 100000", 2),
        ("/sys/fs/cgroup/cpu.max:50000 100000", 1),
        ("/sys/fs/cgroup/cpu.max:max 100000", 8),
        ("/sys/fs/cgroup/cpu/cpu.cfs_quota_us:-1", 8),
    ],
)
def test_affinity_and_quota_bound_the_processors(line: str, count: int) -> None:
    assert parse_cpu(answer_of({"system": cpu_system(line)})).logical == count


def test_an_arm_processor_has_no_x86_level() -> None:
    info = "processor\t: 0\nFeatures\t: fp asimd\nCPU implementer\t: 0x41\nCPU part\t: 0xd0b"
    facts = parse_cpu(
        answer_of(
            {
                "system": cpu_system(arch="aarch64"),
                "cpuinfo": info,
                "board": "Raspberry Pi 5 Model B",
            }
        )
    )
    assert facts.level is ABSENT
    assert (facts.model, facts.vendor) == ("Cortex-A76", "Raspberry Pi 5 Model B")
    assert facts.virtualization is ABSENT


@pytest.mark.parametrize(
    ("sections", "virtualization", "container"),
    [
        ({"virt": "kvm"}, "kvm", False),
        ({"virt": "none"}, ABSENT, False),
        ({"virt": "podman"}, "podman", True),
        ({"login": "marker=/.dockerenv"}, "docker", True),
        ({"init_environment": "container=lxc"}, "lxc", True),
        ({"more": "/sys/class/dmi/id/sys_vendor:VMware, Inc."}, "vmware", False),
        ({"more": "/sys/class/dmi/id/sys_vendor:Dell Inc."}, ABSENT, False),
        ({"cpuinfo": "flags\t: lm hypervisor"}, "vm-other", False),
    ],
)
def test_what_virtualises_the_machine(
    sections: dict[str, str], virtualization: object, container: bool
) -> None:
    more = sections.pop("more", "") if "more" in sections else ""
    given = {"system": cpu_system(more), **sections}
    statuses = {"virt": "1"} if sections.get("virt") == "none" else {}
    facts = parse_cpu(answer_of(given, statuses=statuses))
    assert facts.virtualization == virtualization
    assert facts.is_container is container


# ---- memory


def memory_system(*lines: str) -> str:
    """A machine of 64 GB with blocks of 128 MiB."""
    return "\n".join(
        (
            "/proc/meminfo:MemTotal:       65802440 kB",
            "/proc/meminfo:MemAvailable:   60000000 kB",
            "/proc/meminfo:SwapTotal:       1048576 kB",
            "/sys/devices/system/memory/block_size_bytes:8000000",
            *lines,
        )
    )


def test_installed_memory_is_the_online_blocks() -> None:
    blocks = "count=520\n/sys/devices/system/memory/memory8/state:offline"
    facts = parse_memory(answer_of({"system": memory_system(), "blocks": blocks}))
    assert facts.installed_bytes == 519 * (128 << 20)
    assert facts.total_bytes == 65802440 * 1024
    assert facts.swap_bytes == GIB


@pytest.mark.parametrize(("size", "wanted"), [("32 GB", 64 * GIB), ("64 GB", 512 * (128 << 20))])
def test_modules_are_believed_where_they_are_plausible(size: str, wanted: int) -> None:
    dimms = f"Memory Device\n\tSize: {size}\n\nMemory Device\n\tSize: {size}\n\tSize: No Module"
    sections = {"system": memory_system(), "blocks": "count=512", "dimms": dimms}
    assert parse_memory(answer_of(sections)).installed_bytes == wanted


def test_a_control_group_bounds_the_memory() -> None:
    limited = memory_system("/sys/fs/cgroup/memory.max:4294967296")
    assert parse_memory(answer_of({"system": limited})).total_bytes == 4 * GIB
    unlimited = memory_system("/sys/fs/cgroup/memory.max:max")
    assert parse_memory(answer_of({"system": unlimited})).total_bytes == 65802440 * 1024


# ---- a restart that is due


@pytest.mark.parametrize(
    ("said", "newest", "asked"),
    [
        ("kernel 6.8.0-9-generic\nkernel 6.8.0-45-generic\nkernel 6.9.1-lowlatency",
         "6.8.0-45-generic", ()),
        ("required\n/run/reboot-required.pkgs:libc6\n/run/reboot-required.pkgs:libc6",
         ABSENT, ("libc6",)),
        ("required", ABSENT, ("a package that gave no name",)),
        ("", ABSENT, ()),
    ],
)  # fmt: skip
def test_what_waits_for_a_restart(said: str, newest: object, asked: tuple[str, ...]) -> None:
    running = "/proc/sys/kernel/osrelease:6.8.0-9-generic"
    told = parse_system(answer_of({"system": running, "restart": said}))
    assert (told.newest_kernel, told.restart_for) == (newest, asked)


def test_of_a_restart_nothing_is_known_where_the_probe_was_cut_short() -> None:
    told = parse_system(answer_of({"system": "/proc/uptime:1"}))
    assert isinstance(told.restart_for, Unknown)

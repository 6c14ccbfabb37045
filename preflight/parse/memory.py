"""Memory: what is plugged in, what the kernel has, and what a control group leaves of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from preflight.facts import Fact, MemoryFacts, Unknown
from preflight.parse.frames import Answer
from preflight.parse.swap import parse_swap
from preflight.parse.text import hexadecimal, kilobytes, whole

_UNITS: Final = {"MB": 1 << 20, "GB": 1 << 30, "TB": 1 << 40, "kB": 1 << 10}


def parse_memory(answer: Answer) -> MemoryFacts:
    """The memory facts from the sections system, blocks and dimms."""
    if "system" not in answer.sections:
        return MemoryFacts()
    files = answer.files("system")
    info = kilobytes(files.get("/proc/meminfo", ""))
    unread = Unknown("/proc/meminfo does not tell")
    total: Fact[int] = info.get("MemTotal", unread)
    limit = _limit(files)
    if limit is not None and isinstance(total, int):
        total = min(total, limit)
    # Kernels before 3.14 have no MemAvailable; free and cache together come near it.
    rough = sum(info.get(name, 0) for name in ("MemFree", "Buffers", "Cached"))
    return MemoryFacts(
        installed_bytes=_installed(answer, files, info.get("MemTotal")),
        total_bytes=total,
        available_bytes=info.get("MemAvailable", rough or unread),
        swap_bytes=info.get("SwapTotal", unread),
        swap_areas=parse_swap(answer),
    )


def _limit(files: Mapping[str, str]) -> int | None:
    limit = whole(
        files.get("/sys/fs/cgroup/memory.max")
        or files.get("/sys/fs/cgroup/memory/memory.limit_in_bytes")
    )
    return limit if limit is not None and limit > 0 else None


def _installed(answer: Answer, files: Mapping[str, str], total: int | None) -> Fact[int]:
    """The memory modules as DMI lists them where that is plausible, else the online blocks.

    DMI lists mirrored and reserved modules too, and some hypervisors invent them, so it is
    believed only where it is at most a quarter more than what the kernel has.
    """
    plugged = _modules(answer.text("dimms"))
    if plugged and total and total <= plugged <= total * 1.25:
        return plugged
    size = hexadecimal(files.get("/sys/devices/system/memory/block_size_bytes"))
    lines = answer.lines("blocks")
    count = whole(lines[0].removeprefix("count=")) if lines else None
    if size and count and size < 1 << 44 and 0 < count < 1 << 24:
        offline = sum(line == "offline" or line.endswith(":offline") for line in lines[1:])
        return size * max(count - offline, 0)
    if plugged:
        return plugged
    return Unknown("the kernel tells no memory blocks here, and DMI nothing about modules")


def _modules(text: str) -> int:
    """The sum of the sizes that dmidecode gives for the memory devices, in bytes."""
    total = 0
    for number, unit in re.findall(r"^\s*Size: (\d{1,9}) ([kMGT]B)$", text, re.MULTILINE):
        total += int(number) * _UNITS[unit]
    return total

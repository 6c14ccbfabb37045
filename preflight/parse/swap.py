"""Swap: which is active, what switched it on, and what would at the next start."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass, field
from typing import Final

from preflight.facts import Fact, SwapArea, SwapSource
from preflight.parse.frames import Answer
from preflight.parse.text import assignments, plain, whole

_LIMIT: Final = 64
"""Swap areas that are kept; the kernel takes no more than 32."""

_FILES: Final = {
    "dphys-swapfile.service": "/var/swap",
    "swapspace.service": "/var/lib/swapspace/",
}
"""Where services keep their swap files, unless they are told another place."""


@dataclass(slots=True)
class _Unit:
    """A .swap unit of systemd, as its file tells it."""

    name: str
    folder: str
    values: dict[str, str] = field(default_factory=dict)

    @property
    def source(self) -> SwapSource:
        """Who wrote it."""
        if self.values.get("SourcePath") == "/etc/fstab":
            return SwapSource.FSTAB
        words = " ".join(self.values.values())
        if "zram-generator" in words:
            return SwapSource.ZRAM_GENERATOR
        if self.folder.endswith("generator.late") or "gpt-auto" in words:
            return SwapSource.GPT
        return SwapSource.UNIT


def parse_swap(answer: Answer) -> Fact[tuple[SwapArea, ...]]:
    """The swap areas from the section swap and /proc/swaps."""
    if "swap" not in answer.sections:
        return answer.why_not("swap", "grep")
    brought = _brought(answer)
    areas: list[SwapArea] = []
    taken: set[int] = set()
    active = _active(answer)
    for name, size in active:
        at = next((n for n, one in enumerate(brought) if _names(one, name)), None)
        if at is None and len(active) == 1:
            # A line by UUID or label names no device; where there is one of each, they belong.
            at = next((n for n, one in enumerate(brought) if _may_name(one, name)), None)
        if at is not None:
            taken.add(at)
        one = brought[at] if at is not None else SwapArea(name, SwapSource.UNKNOWN)
        areas.append(SwapArea(name, one.source, one.by, active=True, size_bytes=size))
    areas += [one for n, one in enumerate(brought) if n not in taken]
    return tuple(areas[:_LIMIT])


def _active(answer: Answer) -> list[tuple[str, int]]:
    rows = answer.files("system").get("/proc/swaps", "").split("\n")[1:_LIMIT]
    return [
        (plain(words[0].replace("\\040", " ")), (whole(words[2]) or 0) * 1024)
        for row in rows
        if len(words := row.split()) >= 3
    ]


def _brought(answer: Answer) -> list[SwapArea]:
    """What the next start would bring, each thing once: units, lines of fstab, services."""
    files = answer.files("swap")
    lines = answer.lines("swap")
    masked = "masked swap.target" in lines
    pulled = {line[7:] for line in lines if line.startswith("pulled ")}
    found: list[SwapArea] = []
    if not masked:
        listed = set()
        for unit in _units(answer):
            name = plain(unit.values.get("What", ""))
            listed.add(name)
            # What nothing pulls in (noauto, masked) stays off.
            if unit.name in pulled:
                found.append(SwapArea(name, unit.source, plain(unit.name, 120), active=False))
        for line in files.get("/etc/fstab", "").split("\n"):
            words = line.split()
            if len(words) < 3 or words[2] != "swap" or "noauto" in (words[3:] or [""])[0]:
                continue
            if not any(_same(words[0], name) for name in listed):
                found.append(
                    SwapArea(plain(words[0]), SwapSource.FSTAB, "/etc/fstab", active=False)
                )
    for line in lines:
        if line.startswith("service "):
            service = plain(line[8:], 60)
            place = _FILES.get(service, "")
            told = assignments(files.get("/etc/dphys-swapfile", "")).get("CONF_SWAPFILE", "")
            if service.startswith("dphys"):
                place = told or place
            found.append(SwapArea(place, SwapSource.SERVICE, service, active=False))
    agent = assignments(files.get("/etc/waagent.conf", ""))
    if agent.get("ResourceDisk.EnableSwap", "").lower() == "y":
        at = posixpath.join(agent.get("ResourceDisk.MountPoint", "/mnt/resource"), "swapfile")
        found.append(SwapArea(plain(at), SwapSource.AZURE, "/etc/waagent.conf", active=False))
    return found


def _units(answer: Answer) -> list[_Unit]:
    units: dict[str, _Unit] = {}
    for path, text in answer.files("swap").items():
        folder, name = posixpath.split(path)
        if name.endswith(".swap"):
            unit = units.setdefault(name, _Unit(name, folder))
            for line in text.split("\n"):
                key, _, value = line.partition("=")
                unit.values.setdefault(key.strip(), value.strip())
    return list(units.values())


def _same(fstab: str, what: str) -> bool:
    """Whether a line of fstab and a unit's What= name one thing; fstab has UUID= and kin."""
    kind, equals, value = fstab.partition("=")
    if equals and kind in {"UUID", "LABEL", "PARTUUID", "PARTLABEL"}:
        return what == f"/dev/disk/by-{kind.lower()}/{value.strip(chr(34))}"
    return fstab == what


def _names(one: SwapArea, name: str) -> bool:
    """Whether what the next start brings is this active area, by its name."""
    if one.by.startswith(("zram", "systemd-swap")):
        return name.startswith("/dev/zram")
    return bool(one.name) and (one.name == name or (one.name[-1] == "/" and one.name in name))


def _may_name(one: SwapArea, name: str) -> bool:
    """Whether it may be this area, though its name is another: a link to the same device."""
    by_link = re.match(r"(UUID|LABEL|PARTUUID|PARTLABEL)=|/dev/(disk|mapper|[\w-]+)/", one.name)
    return bool(by_link) and name.startswith("/dev/") and not name.startswith("/dev/zram")

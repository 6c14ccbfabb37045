"""What a machine is, as far as it decides which items suit it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from bundles.format import media
from bundles.format.layout import Item
from foundation.problems import InputProblem

ASK: Final = (
    "sh",
    "-c",
    '. /etc/os-release 2>/dev/null; printf "%s\\n" "${VERSION_CODENAME-}"; uname -m',
)
"""Prints the release's code name and the processor's name."""

_ARCHITECTURES: Final = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "armhf"}


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine's release and architecture, as Debian names them."""

    release: str
    architecture: str


def machine_from(answer: bytes) -> Machine:
    """A machine from what `ASK` printed."""
    lines = [*answer.decode("utf-8", "replace").split("\n"), "", ""]
    processor = lines[1].strip()
    return Machine(lines[0].strip(), _ARCHITECTURES.get(processor, processor))


def suiting(items: Iterable[Item], machine: Machine, *, where: str) -> tuple[Item, ...]:
    """The items that are for this machine; raises InputProblem where none of a kind is."""
    everything = tuple(items)
    fit = tuple(item for item in everything if _suits(item, machine))
    for kind in sorted({item.kind for item in everything}):
        if not any(item.kind == kind for item in fit):
            offered = sorted({_for(item) for item in everything if item.kind == kind})
            raise InputProblem(
                f"the bundle has no {kind} for this machine ({machine.release or 'release unknown'}"
                f", {machine.architecture}); it has them for {', '.join(offered)}",
                where=where,
                remedy="Make the bundle with a recipe that names this release and architecture.",
            )
    return fit


def _for(item: Item) -> str:
    if item.kind == media.IMAGE:
        return item.platform or "an unknown platform"
    return " ".join(filter(None, (item.pins.get("release"), item.pins.get("architecture"))))


def _suits(item: Item, machine: Machine) -> bool:
    if item.kind == media.IMAGE:
        parts = (item.platform or "").split("/")
        return len(parts) < 2 or (parts[0] == "linux" and parts[1] == machine.architecture)
    if item.kind in ("deb", "snap"):
        architecture = item.pins.get("architecture", "all")
        release = item.pins.get("release", machine.release)
        return architecture in ("all", machine.architecture) and release == machine.release
    return True

"""What wheels require where they are meant to run, by their own metadata.

pip judges the markers of requirements by the Python and the machine that it runs on, also when it
is told to solve for others; so they are judged here for the target (PEP 508).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote, urlsplit

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion

Environment = Mapping[str, str]
"""The variables of markers."""
_MACHINE: Final = re.compile(r"(x86_64|amd64|aarch64|arm64|armv7l|i686|ppc64le|s390x|riscv64)$")
_SYSTEMS: Final = {"win": ("nt", "win32", "Windows"), "macosx": ("posix", "darwin", "Darwin")}
_LINUX: Final = ("posix", "linux", "Linux")
_WHEEL: Final = re.compile(r"[^/]+-[^/]+\.whl")
_LAST: Final = 99
"""A patch level that no Python of a kind has reached."""


@dataclass(frozen=True, slots=True)
class Solved:
    """One wheel that pip chose, with what it says that it requires."""

    name: str
    version: str
    requires: tuple[str, ...] = ()


def environments_of(python: str, platforms: Sequence[str]) -> tuple[Environment, ...]:
    """Every target that is meant: a Python such as 3.12 at any patch level, on each platform."""
    found = []
    for platform in platforms:
        machine = _MACHINE.search(platform)
        system = re.match(r"win|macosx", platform)
        os_name, sys_platform, platform_system = _SYSTEMS[system[0]] if system else _LINUX
        for patch in (0, _LAST):
            found.append(
                {
                    "implementation_name": "cpython",
                    "implementation_version": f"{python}.{patch}",
                    "os_name": os_name,
                    "platform_machine": machine[1] if machine else "",
                    "platform_python_implementation": "CPython",
                    "platform_release": "",
                    "platform_system": platform_system,
                    "platform_version": "",
                    "python_full_version": f"{python}.{patch}",
                    "python_version": python,
                    "sys_platform": sys_platform,
                }
            )
    return tuple(found)


def holds(wanted: Requirement, targets: Iterable[Environment], extras: Iterable[str] = ()) -> bool:
    """Whether a requirement counts on any of the targets, with some extras asked for."""
    marker = wanted.marker
    return marker is None or any(
        marker.evaluate({**target, "extra": extra}) for target in targets for extra in ("", *extras)
    )


def parsed(text: str) -> Requirement | None:
    """A requirement from its text; None for what is none by PEP 508."""
    try:
        return Requirement(text)
    except InvalidRequirement:
        return None


def runs_code(text: str) -> bool:
    """Whether pip would have to run what a requirement names, to learn what it is.

    That is whatever it names by a place, a folder or a repository, unless the place is of a wheel:
    `--only-binary` holds for what comes from an index alone.
    """
    one = parsed(text)
    place = one.url if one is not None else text if re.search(r"[/\\:@]", text) else None
    if place is None:
        return False
    try:
        parts = urlsplit(place)
    except ValueError:
        return True
    file = unquote(parts.path).rpartition("/")[2]
    return parts.scheme not in {"http", "https"} or not _WHEEL.fullmatch(file)


def without_marker(wanted: Requirement) -> str:
    """A requirement as it is given to pip, which would judge its marker by another Python."""
    plain = Requirement(str(wanted))
    plain.marker = None
    return str(plain)


def lacking(
    solved: Sequence[Solved], asked: Iterable[Requirement], targets: Sequence[Environment]
) -> dict[str, str]:
    """Requirements that count on the target and that no chosen wheel meets, with who has each."""
    chosen = {canonicalize_name(one.name): one for one in solved}
    extras: dict[str, set[str]] = {name: set() for name in chosen}
    for wanted in asked:
        extras.get(canonicalize_name(wanted.name), set()).update(wanted.extras)
    while True:
        before = sum(map(len, extras.values()))
        found: dict[str, str] = {}
        for name, one in chosen.items():
            for text in one.requires:
                required = parsed(text)
                if required is None:
                    found.setdefault(text, one.name)
                elif holds(required, targets, extras[name]):
                    there = chosen.get(canonicalize_name(required.name))
                    if there is not None:
                        extras[canonicalize_name(required.name)].update(required.extras)
                    if there is None or not _meets(required, there.version):
                        found.setdefault(without_marker(required), one.name)
        if sum(map(len, extras.values())) == before:
            return found


def _meets(required: Requirement, version: str) -> bool:
    try:
        return required.url is not None or required.specifier.contains(version, prereleases=True)
    except InvalidVersion:
        return True

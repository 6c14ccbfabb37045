"""Own bundle: the Sitewright that a bundle brings, whether it may follow this one, what is new."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from packaging.version import InvalidVersion, Version

from foundation import bounded_files
from foundation.problems import InputProblem, Refused
from foundation.terminal import clean_line
from foundation.version import __version__

if TYPE_CHECKING:
    from bundles.read.opened import Bundle
    from bundles.read.structure import Structure

CHANGELOG: Final = "CHANGELOG.md"
_LARGEST: Final = 4 << 20
_MOST: Final = 60
"""Entries of a changelog that are shown; the rest is counted."""
_HEADING: Final = re.compile(r"^## +(.+)$")


class OlderSitewright(Refused):
    """A Sitewright that is older than this one; a person may mean it."""

    code = "older-sitewright"


@dataclass(frozen=True, slots=True)
class Brought:
    """The Sitewright in a bundle."""

    version: str
    changelog: str
    """Its own changelog; "" where the bundle has none."""


def brought(bundle: Bundle, structure: Structure) -> Brought:
    """The Sitewright that a bundle brings; raises InputProblem where it brings none."""
    wheels = [one for one in structure.index.of_kind("wheel") if one.name == "sitewright"]
    if len(wheels) != 1 or not wheels[0].version:
        raise InputProblem(
            "it brings no Sitewright",
            where=str(bundle.path),
            remedy="Name a bundle whose recipe has `sitewright`, as those of the solutions do.",
        )
    records = [one for one in structure.index.of_kind("record") if one.name == CHANGELOG]
    text = ""
    for one in records[:1]:
        with bundle.blob(one.content or "") as reader:
            raw = b"".join(bytes(chunk) for chunk in reader.chunks(bytearray(1 << 16)))
        text = raw[:_LARGEST].decode("utf-8", "replace")
    return Brought(wheels[0].version, text)


def follows(version: str, *, allow_older: bool, where: str) -> bool:
    """Whether a version is another than this one; raises OlderSitewright, InputProblem."""
    try:
        new, own = Version(version), Version(__version__)
    except InvalidVersion as error:
        raise InputProblem(f"{error}, so its order is not known", where=where) from error
    if new < own and not allow_older:
        raise OlderSitewright(
            f"it brings Sitewright {version}, and this is {__version__}, which is newer",
            where=where,
            remedy="Name the newer bundle. If the older one is meant, say so by name: "
            '--allow-older "A. Name".',
        )
    return new != own


def own_changelog(program: Path) -> str:
    """The changelog of the Sitewright whose program that is; "" where it has none."""
    try:
        return bounded_files.read_text(program.parents[1] / CHANGELOG, _LARGEST)
    except (OSError, ValueError):
        return ""


def whats_new(now: str, before: str) -> list[str]:
    """The entries of a changelog that another has not, under their headings; lines to be shown."""
    known = {words for _, words in _entries(before)}
    found = [(under, words) for under, words in _entries(now) if words not in known]
    lines, last = [], ""
    for under, words in found[:_MOST]:
        if under != last:
            lines.append(under)
            last = under
        lines.append(f"  - {words}")
    if len(found) > _MOST:
        lines.append(f"  … and {len(found) - _MOST} more: it is in the environment, {CHANGELOG}.")
    return lines


def _entries(text: str) -> Sequence[tuple[str, str]]:
    """Each entry with the heading of its version, on one line each."""
    found: list[tuple[str, list[str]]] = []
    under = ""
    for raw in text.splitlines():
        line = clean_line(raw)
        if heading := _HEADING.match(line):
            under = heading[1]
        elif line.startswith("- "):
            found.append((under, [line[2:].strip()]))
        elif found and line.startswith("  ") and line.strip() and found[-1][0] == under:
            found[-1][1].append(line.strip())
    return [(heading, " ".join(words)) for heading, words in found]

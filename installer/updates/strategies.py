"""Strategies: how far from the version that runs a newer one may be, and which tags are left then.

The four of document 004, as its image-watcher counts them: `patch` is the same X.Y.Z built again,
`bugfix` the same X.Y, `minor` the same X, `major` any.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from installer.updates.versions import Line, NoVersion, Version, is_newer, read_tag


class Strategy(StrEnum):
    """How far an update may go."""

    PATCH = "patch"
    BUGFIX = "bugfix"
    MINOR = "minor"
    MAJOR = "major"


DEFAULT: Final = Strategy.PATCH
"""As upstream's swagger says ("will use the `patch` strategy"); its code took bugfix."""
_KEPT: Final = {Strategy.PATCH: 3, Strategy.BUGFIX: 2, Strategy.MINOR: 1, Strategy.MAJOR: 0}
"""How many of the first numbers stay as they are."""


@dataclass(frozen=True, slots=True)
class Sorted:
    """The tags of a repository, by line, each line from its newest version on."""

    lines: Mapping[Line, tuple[Version, ...]] = field(default_factory=dict)
    others: int = 0
    """Tags that are no versions."""


def sort_tags(tags: Iterable[str]) -> Sorted:
    """The versions among tags, sorted once so that each question is a short walk."""
    lines: dict[Line, list[Version]] = {}
    others = 0
    for tag in tags:
        version = read_tag(tag)
        if isinstance(version, NoVersion):
            others += 1
        else:
            lines.setdefault(version.line, []).append(version)
    return Sorted(
        {
            line: tuple(sorted(found, key=lambda one: (one.order, one.tag), reverse=True))
            for line, found in lines.items()
        },
        others,
    )


def newer_than(
    current: Version, known: Sorted, strategy: Strategy, *, prereleases: bool = False
) -> list[Version]:
    """Versions that are newer than the current one, the newest first; never an equal one.

    `prereleases` are left out unless asked for, also where the current one is one. Of two spellings
    of one version (1.0.1 and v1.0.1) the one that is spelled as the current one comes first.
    """
    kept = _KEPT[strategy]
    found: list[Version] = []
    for version in known.lines.get(current.line, ()):
        if version.order <= current.order:
            break
        if version.numbers[:kept] != current.numbers[:kept]:
            continue
        if version.prerelease and not prereleases:
            continue
        if is_newer(version, current):
            found.append(version)
    # Stable, so what is equal stays together.
    found.sort(key=lambda one: (one.order, one.has_v == current.has_v), reverse=True)
    return found

"""The machines that a bundle is for, as `bundles.read.completeness` asks after them.

What was seen on the machines counts; before anybody looked, what the solution asks of them does.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePosixPath

from bundles.read.completeness import Target, architecture_name, release_name
from preflight.assessment import Seen
from preflight.facts import Filesystem, known
from preflight.needs import SolutionNeeds

SUPPLIES_FOLDER = PurePosixPath("/var/lib/sitewright/supplies")


def targets_seen(seen: Iterable[Seen]) -> tuple[Target, ...]:
    """Every machine that could be looked at, with the room where supplies are put."""
    found = []
    for one in seen:
        if one.facts is None:
            continue
        system = one.facts.os
        name, version = known(system.id), known(system.version)
        found.append(
            Target(
                one.host.name,
                release=release_name(name, version) if name and version else None,
                architecture=architecture_name(known(system.architecture) or ""),
                free_bytes=_free(known(one.facts.filesystems) or ()),
            )
        )
    return tuple(found)


def targets_asked_for(needs: SolutionNeeds) -> tuple[Target, ...]:
    """One target for each system that a solution is documented to run on.

    Only where it is one system alone: any of several will do, and a site has but one.
    """
    platform = needs.platform
    architectures = [name for one in platform.architectures if (name := architecture_name(one))]
    architecture = architectures[0] if len(architectures) == 1 else None
    systems = [(one.id, version) for one in platform.os for version in one.versions]
    release = release_name(*systems[0]) if len(systems) == 1 else None
    label = f"{systems[0][0].title()} {systems[0][1]}" if len(systems) == 1 else "every machine"
    return (Target(label, release=release, architecture=architecture),)


def _free(filesystems: Iterable[Filesystem]) -> int | None:
    """Bytes free on the filesystem that would hold the folder of supplies."""
    above = [
        (len(PurePosixPath(one.mount).parts), one.available_bytes)
        for one in filesystems
        if SUPPLIES_FOLDER.is_relative_to(one.mount)
    ]
    return max(above)[1] if above else None

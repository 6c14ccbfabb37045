"""Objections: what stands against bringing a Compose project up, from its files and the machine."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Final

from installer.compose.project import Project, Service

_PLACEHOLDER: Final = re.compile(
    r"your/|/path/to/|<[^>]+>|\bchange-?me\b|/Users/|/home/[^/]+/Documents/", re.IGNORECASE
)
_FLOATING: Final = frozenset({"latest", "main", "master", "edge", "nightly", "stable", "dev"})


@dataclass(frozen=True, slots=True)
class Objection:
    """One thing that stands against it, or that a person should know before."""

    cause: str
    remedy: str
    stops: bool = True
    """Whether nothing is started because of it."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A port of the machine that somebody holds."""

    port: int
    protocol: str
    holder: str = ""
    """The program and its process, or the container; "" where it cannot be seen."""
    project: str = ""
    """The Compose project of the container that holds it."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the machine tells of all that could be in the way."""

    profiles: frozenset[str] | None = None
    """Every profile that the files know; None where Compose did not tell."""
    missing: frozenset[str] = frozenset()
    """Paths of the project's files that are not there."""
    containers: Mapping[str, str] = field(default_factory=dict)
    """The project of each container by its name; "" for one of no project."""
    networks: Mapping[str, str] = field(default_factory=dict)
    """The project of each network by its name; "" for one of no project."""
    taken: tuple[Taken, ...] = ()


def objections(
    project: Project,
    around: Surroundings,
    profiles: Collection[str] = (),
    *,
    refuse_floating: bool = False,
) -> tuple[Objection, ...]:
    """Everything that stands against it, what stops first."""
    found = [
        *_profiles(profiles, around.profiles),
        *_nothing(project),
        *(one for service in project.services for one in _files(service, around.missing)),
        *_floating(project, refuse=refuse_floating),
        *_names(project, around),
        *_networks(project, around),
        *_ports(project, around.taken),
    ]
    return tuple(sorted(found, key=lambda one: not one.stops))


def _profiles(wanted: Collection[str], known: frozenset[str] | None) -> list[Objection]:
    if known is None:
        return []
    return [
        Objection(
            f'the project has no profile "{name}"',
            f"Choose among: {', '.join(sorted(known))}.",
        )
        for name in wanted
        if name and name not in known
    ]


def _nothing(project: Project) -> list[Objection]:
    if project.services:
        return []
    return [
        Objection(
            "the chosen profiles have no service at all", "Choose a profile that has services."
        )
    ]


def _files(service: Service, missing: Collection[str]) -> list[Objection]:
    found = []
    if service.build and service.build in missing:
        found.append(
            Objection(
                f"{service.name} is built from {service.build}, which is not there",
                "The release is broken: its author's own folder stands in it. Pin a release that "
                "names an image there.",
            )
        )
    elif service.build:
        found.append(
            Objection(
                f"{service.name} is built from {service.build} and comes from no registry",
                "Build it first (docker compose build), or pin a release that names an image.",
            )
        )
    for bind in service.binds:
        if _PLACEHOLDER.search(bind.source):
            found.append(
                Objection(
                    f"{service.name} is to see {bind.source}, which is a placeholder",
                    "Put the real path into the Compose file, or leave its profile out.",
                )
            )
        elif bind.source in missing and PurePosixPath(bind.target).suffix:
            found.append(
                Objection(
                    f"{service.name} needs the file {bind.source}, which is not there; Docker "
                    "would put an empty folder in its place",
                    "Fetch the release again whole.",
                )
            )
    return found


def tag_of(image: str) -> str:
    """The tag of an image's name; "" where a digest pins it, "latest" where it has neither."""
    if "@sha256:" in image:
        return ""
    _, colon, tag = image.rpartition("/")[2].partition(":")
    return tag if colon else "latest"


def _floating(project: Project, *, refuse: bool) -> list[Objection]:
    found = []
    for service in project.services:
        if service.image and not service.build and tag_of(service.image) in _FLOATING:
            found.append(
                Objection(
                    f"{service.name} takes {service.image}, whose tag moves: another day brings "
                    "another program",
                    "Pin a version, or leave its profile out.",
                    stops=refuse,
                )
            )
    return found


def _names(project: Project, around: Surroundings) -> list[Objection]:
    found = []
    for service in project.services:
        name = service.container_name
        if name and name in around.containers and around.containers[name] != project.name:
            other = around.containers[name]
            whose = f"of the project {other}" if other else "of no project"
            found.append(
                Objection(
                    f"{service.name} must be called {name}, and a container {whose} has that name",
                    _taken_away(other)
                    if other
                    else f"Give it another name: docker rename {name} {name}-old",
                )
            )
    return found


def _networks(project: Project, around: Surroundings) -> list[Objection]:
    found = []
    for name in project.networks:
        if name in around.networks and around.networks[name] != project.name:
            other = around.networks[name]
            found.append(
                Objection(
                    f"the network {name} is there already, "
                    + (f"made by the project {other}" if other else "made by hand"),
                    _taken_away(other)
                    if other
                    else f"If nothing uses it: docker network rm {name}",
                )
            )
    return found


def _taken_away(other: str) -> str:
    """How another project makes room: its own people are asked before it goes."""
    return (
        f"See what it is: docker compose -p {other} ps --all. Two copies cannot run on one "
        f"machine: take another, or, if nobody needs that one, docker compose -p {other} down, "
        "which keeps its volumes."
    )


def _ports(project: Project, taken: Sequence[Taken]) -> list[Objection]:
    by_port = {(one.port, one.protocol): one for one in taken}
    found = []
    for service in project.services:
        for published in service.published:
            one = by_port.get((published.port, published.protocol))
            if one is None or (one.project and one.project == project.name):
                continue
            holder = f"is held by {one.holder}" if one.holder else "is taken"
            found.append(
                Objection(
                    f"{service.name} publishes port {published.port}, which {holder}",
                    f"End it, or move it to another port. See it with: ss -lntp 'sport = "
                    f":{published.port}'",
                )
            )
    return found

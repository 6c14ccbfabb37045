"""Project: a Compose project as `docker compose config --format json` tells it.

The document comes from a machine and from files that somebody else wrote: what is not of the form
that is meant is passed over, never trusted.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

_ENDS: Final = "service_completed_successfully"


@dataclass(frozen=True, slots=True)
class Published:
    """A port of the machine that a service takes."""

    port: int
    protocol: str = "tcp"
    address: str = ""


@dataclass(frozen=True, slots=True)
class Bind:
    """A path of the machine that a service sees."""

    source: str
    target: str


@dataclass(frozen=True, slots=True)
class Service:
    """One service of a project."""

    name: str
    image: str = ""
    build: str = ""
    """The folder that it is built from; "" where it is not built."""
    container_name: str = ""
    published: tuple[Published, ...] = ()
    binds: tuple[Bind, ...] = ()
    waits_for_the_end_of: tuple[str, ...] = ()
    health_check: bool = False
    profiles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Project:
    """The services of a project in the profiles that were asked for."""

    name: str
    services: tuple[Service, ...]
    networks: tuple[str, ...] = ()
    """Names of the networks that it makes, as Docker has them."""

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the services."""
        return tuple(service.name for service in self.services)

    @property
    def ending(self) -> frozenset[str]:
        """Services that are meant to end, since others wait for their end."""
        return frozenset(name for one in self.services for name in one.waits_for_the_end_of)

    @property
    def images(self) -> tuple[str, ...]:
        """Every image once, sorted."""
        return tuple(sorted({one.image for one in self.services if one.image}))


def project_of(text: str) -> Project | None:
    """The project of a JSON text; None where the text is none."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict) or not isinstance(document.get("services"), dict):
        return None
    services = [
        _service(str(name), one)
        for name, one in document["services"].items()
        if isinstance(one, dict)
    ]
    networks = [
        str(one.get("name"))
        for one in _mapping(document.get("networks")).values()
        if isinstance(one, dict) and one.get("name") and not one.get("external")
    ]
    return Project(
        str(document.get("name", "")),
        tuple(sorted(services, key=lambda service: service.name)),
        tuple(sorted(networks)),
    )


def _service(name: str, one: Mapping[str, Any]) -> Service:
    build = one.get("build")
    waits = [
        str(other)
        for other, how in _mapping(one.get("depends_on")).items()
        if isinstance(how, dict) and how.get("condition") == _ENDS
    ]
    check = one.get("healthcheck")
    return Service(
        name=name,
        image=_text(one.get("image")),
        build=_text(build.get("context")) if isinstance(build, dict) else _text(build),
        container_name=_text(one.get("container_name")),
        published=tuple(_published(one.get("ports"))),
        binds=tuple(_binds(one.get("volumes"))),
        waits_for_the_end_of=tuple(waits),
        health_check=isinstance(check, dict) and not check.get("disable"),
        profiles=tuple(str(p) for p in _list(one.get("profiles"))),
    )


def _published(value: Any) -> list[Published]:
    found = []
    for one in _list(value):
        port = _text(one.get("published")) if isinstance(one, dict) else ""
        if port.isdecimal() and 0 < int(port) < 65536:
            found.append(
                Published(int(port), _text(one.get("protocol")) or "tcp", _text(one.get("host_ip")))
            )
    return found


def _binds(value: Any) -> list[Bind]:
    return [
        Bind(_text(one.get("source")), _text(one.get("target")))
        for one in _list(value)
        if isinstance(one, dict) and one.get("type") == "bind"
    ]


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: Any) -> str:
    return str(value) if isinstance(value, (str, int)) else ""

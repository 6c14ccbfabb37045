"""What podman and skopeo are told of registries on this machine (containers-registries.conf(5)).

Mirrors of a bundle's making are named with --mirror, since a bundle does not hang on whose machine
makes it: those that are set for podman here are told at each image, and asked where
--registries-conf says so, by the rules of containers/image (pkg/sysregistriesv2). What is forbidden
here stays forbidden. A short name means the one of Docker Hub, as Docker and Kubernetes have it;
what podman here would take for it is told.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from bundles.format.budgets import REGISTRIES_CONF_BYTES
from bundles.format.reference import Reference, parse_reference
from foundation import bounded_files
from foundation.problems import InputProblem

_SYSTEM: Final = Path("/etc/containers/registries.conf")


@dataclass(slots=True)
class RegistriesConf:
    """What the files of this machine say, all together."""

    entries: list[tuple[Mapping[str, Any], str]] = field(default_factory=list)
    """Each registry with the file that names it."""
    aliases: dict[str, str] = field(default_factory=dict)
    search: tuple[str, ...] = ()
    """Where podman looks for a name without a registry."""
    broken: list[str] = field(default_factory=list)
    """Files that cannot be read."""

    def places_of(self, reference: Reference) -> tuple[Place, ...]:
        """Where podman would look for an image, in order: mirrors, then what stands for its own.

        Empty where no entry leads anywhere else than to its registry.
        """
        name = _as_podman(reference)
        entry, _, end = self._of(name)
        found = [
            place
            for one in _tables(entry.get("mirror"))
            if _may_have(one, entry, by_digest=reference.digest is not None)
            and (place := _place(one, name, end)) is not None
        ]
        own = _place(entry, name, end)
        if own is not None and (found or str(own.reference) != str(reference)):
            found.append(own)
        elif found:
            found.append(Place(reference.registry, reference, insecure=_insecure(entry)))
        return tuple(found)

    def blocked_by(self, reference: Reference) -> str:
        """The file that forbids to pull an image; empty where none does."""
        entry, file, _ = self._of(_as_podman(reference))
        return file if entry.get("blocked") is True else ""

    def taken_for(self, text: str) -> tuple[str, ...]:
        """What podman here takes for an image's name without a registry; empty for any other."""
        name = text.partition("@")[0]
        first, slash, _ = name.partition("/")
        if slash and ("." in first or ":" in first or first == "localhost"):
            return ()
        plain = name if ":" not in name.rpartition("/")[2] else name.rpartition(":")[0]
        alias = self.aliases.get(plain)
        if alias:
            return (alias,)
        path = {one: f"library/{plain}" if one == "docker.io" and not slash else plain
                for one in self.search}  # fmt: skip
        return tuple(f"{one}/{path[one]}" for one in self.search)

    def _of(self, name: str) -> tuple[Mapping[str, Any], str, int]:
        """What counts for an image: the longest prefix, of equals the later one.

        Its entry, the file that it stands in, and how far into the name the prefix reaches.
        """
        best: tuple[int, Mapping[str, Any], str, int] = (-1, {}, "", 0)
        for entry, file in self.entries:
            prefix = str(entry.get("prefix") or entry.get("location") or "").rstrip("/")
            end = _matched(prefix, name)
            if prefix and end >= 0 and len(prefix) >= best[0]:
                best = (len(prefix), entry, file, end)
        return best[1], best[2], best[3]


@dataclass(frozen=True, slots=True)
class Place:
    """One server that podman would ask for an image, and what it would ask it for."""

    location: str
    """As the file has it: mirror.local:5000/hub."""
    reference: Reference
    insecure: bool
    """Whether podman may speak to it without TLS that holds."""


def _as_podman(reference: Reference) -> str:
    """A name in full as podman compares prefixes with it, which may reach into its tag."""
    name = f"{reference.registry}/{reference.repository}"
    if reference.digest:
        return f"{name}@{reference.digest}"
    return f"{name}:{reference.tag or 'latest'}"


def _matched(prefix: str, name: str) -> int:
    """How far into a name a prefix reaches, to the end of a part of it; -1 where it does not."""
    end = len(prefix) if name.startswith(prefix) else -1
    if prefix.startswith("*."):
        at = name.find(prefix[1:])
        end = -1 if at < 0 or "/" in name[:at] else at + len(prefix) - 1
    return end if end >= 0 and name[end : end + 1] in ("", ":", "/", "@") else -1


def _tables(listed: Any) -> list[Mapping[str, Any]]:
    return [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []


def _may_have(mirror: Mapping[str, Any], entry: Mapping[str, Any], *, by_digest: bool) -> bool:
    """Whether a mirror is asked for images that are named so."""
    kinds = mirror.get("pull-from-mirror") or "all"
    if entry.get("mirror-by-digest-only") is True:
        kinds = "digest-only"
    return kinds in ("all", "digest-only" if by_digest else "tag-only")


def _place(table: Mapping[str, Any], name: str, end: int) -> Place | None:
    """The image at a location that stands for the prefix of its name; None for no name."""
    location = str(table.get("location") or "").rstrip("/")
    if not location or not location.isprintable():
        return None
    try:
        there = parse_reference(location + name[end:])
    except InputProblem:
        return None
    return Place(location, there, _insecure(table))


def _insecure(table: Mapping[str, Any]) -> bool:
    return table.get("insecure") is True


def read_here(
    environment: Mapping[str, str] | None = None, *, system: Path = _SYSTEM
) -> RegistriesConf:
    """What this machine's files say; one that cannot be read is named."""
    env = os.environ if environment is None else environment
    config = Path(env.get("XDG_CONFIG_HOME") or Path(env.get("HOME") or "/nonexistent") / ".config")
    own = config / "containers" / "registries.conf"
    named = env.get("CONTAINERS_REGISTRIES_CONF")
    main = Path(named) if named else own if own.is_file() else system
    more = [path for folder in (system, own) for path in sorted(
        Path(f"{folder}.d").glob("*.conf"))]  # fmt: skip
    found = RegistriesConf()
    for path in (main, *more):
        try:
            with bounded_files.opened(path) as file:
                said = tomllib.loads(file.read(REGISTRIES_CONF_BYTES).decode())
            old = _of_version_1(said)
            if old and any(said.get(key) for key in _VERSION_2):
                raise ValueError  # podman refuses a file of both forms
            _take(found, old or said, str(path))
        except FileNotFoundError:
            continue
        except (OSError, ValueError):
            found.broken.append(str(path))
    return found


_VERSION_2: Final = ("registry", "unqualified-search-registries")


def _of_version_1(said: Mapping[str, Any]) -> dict[str, Any]:
    """A file of the first form ([registries.search], .insecure, .block) in words of the second."""
    old = said.get("registries")
    if not isinstance(old, dict):
        return {}

    def named(kind: str) -> list[str]:
        table = old.get(kind)
        listed = table.get("registries") if isinstance(table, dict) else None
        return [str(one).rstrip("/") for one in listed] if isinstance(listed, list) else []

    insecure, blocked = named("insecure"), named("block")
    return {
        "unqualified-search-registries": named("search"),
        "registry": [
            {"location": one, "insecure": one in insecure, "blocked": one in blocked}
            for one in dict.fromkeys((*insecure, *blocked))
        ],
    }


def _take(found: RegistriesConf, said: Mapping[str, Any], file: str) -> None:
    listed, aliases = said.get("registry"), said.get("aliases")
    search = said.get("unqualified-search-registries")
    if isinstance(listed, list):
        found.entries += [(one, file) for one in listed if isinstance(one, dict)]
    if isinstance(aliases, dict):
        found.aliases |= {str(key): str(value) for key, value in aliases.items()}
    if isinstance(search, list):
        found.search = tuple(str(one) for one in search)

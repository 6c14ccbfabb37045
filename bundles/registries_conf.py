"""What podman and skopeo are told of mirrors on this machine, so that it can be told.

Mirrors of a bundle's making are named with --mirror, since a bundle does not hang on whose machine
makes it. Whoever has set them for podman (containers-registries.conf(5)) would look for them to be
asked here too, so they are named.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from bundles.budgets import REGISTRIES_CONF_BYTES

_SYSTEM: Final = Path("/etc/containers/registries.conf")


def mirrors_of(repository: str, entries: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """Where podman would look for a repository (docker.io/library/x) before its registry.

    The longest prefix counts; a `location` that is another place stands for the registry itself.
    """
    best: tuple[int, Mapping[str, Any]] | None = None
    for entry in entries:
        prefix = str(entry.get("prefix") or entry.get("location") or "").rstrip("/")
        if prefix and _stands_for(prefix, repository) and (best is None or len(prefix) >= best[0]):
            best = (len(prefix), entry)
    if best is None:
        return ()
    entry = best[1]
    listed = entry.get("mirror")
    found = [
        str(one.get("location"))
        for one in (listed if isinstance(listed, list) else ())
        if isinstance(one, dict) and one.get("location")
    ]
    location = entry.get("location")
    if location and entry.get("prefix") not in (None, location):
        found.append(str(location))
    return tuple(one for one in found if one.isprintable())


def _stands_for(prefix: str, repository: str) -> bool:
    if prefix.startswith("*."):
        return repository.partition("/")[0].endswith(prefix[1:])
    return repository == prefix or repository.startswith(f"{prefix}/")


def entries_here(
    environment: Mapping[str, str] | None = None, *, system: Path = _SYSTEM
) -> tuple[Mapping[str, Any], ...]:
    """The registries that this machine's files name; what cannot be read names none."""
    env = os.environ if environment is None else environment
    config = Path(env.get("XDG_CONFIG_HOME") or Path(env.get("HOME") or "/nonexistent") / ".config")
    own = config / "containers" / "registries.conf"
    named = env.get("CONTAINERS_REGISTRIES_CONF")
    main = Path(named) if named else own if own.is_file() else system
    more = [path for folder in (system, own) for path in sorted(
        Path(f"{folder}.d").glob("*.conf"))]  # fmt: skip
    found: list[Mapping[str, Any]] = []
    for path in (main, *more):
        try:
            with path.open("rb") as file:
                read = tomllib.loads(file.read(REGISTRIES_CONF_BYTES).decode("utf-8"))
        except (OSError, ValueError):
            continue
        listed = read.get("registry")
        found += (
            [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
        )
    return tuple(found)

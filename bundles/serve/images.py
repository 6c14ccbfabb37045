"""A bundle's images and charts as an OCI registry: names, tags, manifests and blobs.

The registry answers for many others. An image is found by its whole name, with the registry that
it came from as the first part of the path (`/v2/quay.io/a/b/…`); as a mirror by the path and the
registry that containerd names (`/v2/a/b/…?ns=quay.io`); and by the path alone, which means
Docker Hub, or else the one registry that has it. The paths are those of the OCI distribution
specification 1.1.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from bundles.format import media
from bundles.format.layout import Item, Manifest
from bundles.format.reference import DOCKER_HUB, parse_reference
from bundles.serve.resources import OCTETS, Stored

_PATH: Final = re.compile(r"v2/(?P<name>[^?#]+)/(?P<what>manifests|blobs|tags)/(?P<which>[^/]+)")
_MOST_LISTED: Final = 1000
CHARTS: Final = "charts"
"""Helm charts of a bundle are the repositories charts/NAME."""


@dataclass(slots=True)
class Repository:
    """One repository: tags to digests, manifests and blobs by digest."""

    tags: dict[str, str] = field(default_factory=dict)
    manifests: dict[str, Stored] = field(default_factory=dict)
    blobs: dict[str, Stored] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Listing:
    """A list as JSON, and the address of the rest where there is one."""

    body: bytes
    following: str | None = None


@dataclass(frozen=True, slots=True)
class Missing:
    """Something that the registry has not, with the code of the specification for it."""

    code: str
    message: str

    def body(self) -> bytes:
        """The error as JSON, as registries write it."""
        return json.dumps({"errors": [{"code": self.code, "message": self.message}]}).encode()


class ImageRegistry:
    """The repositories of a bundle, by their whole names."""

    def __init__(self, items: Iterable[Item], manifests: Mapping[str, Manifest]) -> None:
        self.repositories: dict[str, Repository] = {}
        for item in items:
            if item.kind in (media.IMAGE, media.IMAGE_INDEX, media.CHART):
                self._add(item, manifests.get(item.digest))

    @property
    def registries(self) -> tuple[str, ...]:
        """The registries that images of the bundle came from, in order."""
        names = {name.partition("/")[0] for name in self.repositories}
        return tuple(sorted(names - {CHARTS}))

    def find(self, name: str, registry: str | None) -> Repository | None:
        """The repository that a client means, or None."""
        if registry:
            place = "docker.io" if registry in _HUB else registry.replace(":", "-")
            if place in self.registries:
                # Another registry's image of the same name is another image.
                return self.repositories.get(f"{place}/{name}")
            return self.repositories.get(name)
        for candidate in (name, f"{DOCKER_HUB}/{name}", f"{DOCKER_HUB}/library/{name}"):
            if candidate in self.repositories:
                return self.repositories[candidate]
        alike = [one for whole, one in self.repositories.items() if whole.partition("/")[2] == name]
        return alike[0] if len(alike) == 1 else None

    def answer(self, path: str, query: Mapping[str, str]) -> Stored | Listing | Missing:
        """The answer to a GET of a path (without the first slash) below /v2/."""
        if path in ("v2/", "v2"):
            return Listing(b"{}")
        if path == "v2/_catalog":
            names = sorted(self.repositories)
            return _page(names, query, "v2/_catalog", lambda some: {"repositories": some})
        found = _PATH.fullmatch(path)
        if found is None:
            return Missing("NAME_INVALID", "there is no such address")
        name, what, which = found["name"], found["what"], found["which"]
        repository = self.find(name, query.get("ns"))
        if repository is None:
            origin = f" of {query['ns']}" if query.get("ns") else ""
            return Missing("NAME_UNKNOWN", f"the bundle has nothing called {name}{origin}")
        if what == "tags":
            if which != "list":
                return Missing("NAME_INVALID", "there is no such address")
            return _page(
                sorted(repository.tags), query, path, lambda some: {"name": name, "tags": some}
            )
        if what == "manifests":
            digest = repository.tags.get(which, which)
            manifest = repository.manifests.get(digest)
            return manifest or Missing("MANIFEST_UNKNOWN", f"the bundle has no {which} of {name}")
        blob = repository.blobs.get(which) or repository.manifests.get(which)
        return blob or Missing("BLOB_UNKNOWN", f"the bundle has no such part of {name}")

    def _add(self, item: Item, manifest: Manifest | None) -> None:
        what = f"{item.kind} {item.name}"
        if item.kind == media.CHART:
            name, tag = f"{CHARTS}/{item.name}", (item.version or "latest").replace("+", "_")
        else:
            reference = parse_reference(item.name)
            tag = reference.tag or ""
            name = f"{reference.registry.replace(':', '-')}/{reference.repository}"
        repository = self.repositories.setdefault(name, Repository())
        stored = Stored(item.digest, item.size, what, item.media_type)
        repository.manifests[item.digest] = stored
        if tag and (tag not in repository.tags or item.kind == media.IMAGE_INDEX):
            # Where the maker published an index, the tag is the index's.
            repository.tags[tag] = item.digest
        for blob in manifest.blobs if manifest else ():
            repository.blobs[blob.digest] = Stored(blob.digest, blob.size, what, OCTETS)


_HUB: Final = frozenset({"docker.io", "index.docker.io", "registry-1.docker.io"})


def _page(
    names: list[str],
    query: Mapping[str, str],
    path: str,
    shape: Callable[[list[str]], dict[str, object]],
) -> Listing:
    last = query.get("last", "")
    wanted = query.get("n", "")
    count = min(int(wanted), _MOST_LISTED) if wanted.isdecimal() and len(wanted) < 9 else len(names)
    rest = [name for name in names if name > last]
    some = rest[:count]
    following = f"/{path}?n={count}&last={some[-1]}" if some and len(rest) > len(some) else None
    return Listing(json.dumps(shape(some)).encode(), following)

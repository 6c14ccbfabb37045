"""Where versions come from: what a registry, a mirror or a bundle has of an image."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bundles.format import media
from bundles.format.layout import MANIFEST_LIMIT, BundleIndex, parse_image_index
from bundles.format.problems import NotGiven
from bundles.format.reference import Reference
from bundles.read.opened import open_bundle, read_small
from bundles.read.signers import Signer
from bundles.read.structure import read_structure
from bundles.read.verify import check_signature
from bundles.serve.catalogue import Catalogue, moment_of
from bundles.serve.images import ImageRegistry
from installer.updates.strategies import Sorted, sort_tags


@dataclass(frozen=True, slots=True)
class Listing:
    """The tags of one image, as they were at a moment (Unix seconds)."""

    tags: frozenset[str]
    versions: Sorted
    asked: float
    note: str = ""
    """What a person should know of it: that it is old, and why."""


@dataclass(frozen=True, slots=True)
class Age:
    """How old an image is: seconds, and by whose word."""

    seconds: float
    by: str


class Origin(Protocol):
    """Something that has images; each question may raise NotGiven, Limited, SourceProblem."""

    @property
    def name(self) -> str:
        """What it is called to people."""

    async def listing(self, image: Reference) -> Listing:
        """The tags of an image's repository."""

    async def digest(self, image: Reference, tag: str) -> str | None:
        """The digest of a tag; None where it is listed and not there."""

    async def includes(self, image: Reference, tag: str, digest: str) -> bool:
        """Whether a digest is one of a tag's platforms, where the tag has an index of them."""

    async def age(self, image: Reference, tag: str) -> Age:
        """How long what a tag leads to has been there."""


class Missing(NotGiven):
    """What is not there by our own look: no registry's words stand in it."""


class BundleOrigin:
    """The images of one bundle, signature first; nothing is asked of anybody."""

    def __init__(
        self, path: Path, index: BundleIndex, registry: ImageRegistry, below: dict[str, set[str]]
    ) -> None:
        self._path = path
        self._registry = registry
        self._below = below
        self.created = moment_of(index.created).timestamp()
        """Unix seconds, by the word of whoever made it."""
        self.index = index

    @property
    def name(self) -> str:
        """The bundle, and what it is of."""
        return f"the bundle {self._path} ({self.index.solution} {self.index.version})"

    def _tags(self, image: Reference) -> dict[str, str]:
        found = self._registry.find(image.repository, image.registry)
        if found is None:
            raise Missing(
                "the bundle has no such image",
                where=f"{image.registry}/{image.repository}",
                remedy=f"See what it has: sitewright bundle inspect {self._path}",
            )
        return found.tags

    async def listing(self, image: Reference) -> Listing:
        """Its tags of an image, of the moment that it was made."""
        tags = self._tags(image)
        return Listing(frozenset(tags), sort_tags(tags), self.created)

    async def digest(self, image: Reference, tag: str) -> str | None:
        """The digest of a tag: the index's, where the maker published one."""
        return self._tags(image).get(tag)

    async def includes(self, image: Reference, tag: str, digest: str) -> bool:
        """Whether a digest is one of a tag's platforms."""
        return digest in self._below.get(self._tags(image).get(tag, ""), set())

    async def age(self, image: Reference, tag: str) -> Age:
        """Since the bundle was made: its images are at least as old."""
        return Age(max(0.0, time.time() - self.created), "the moment that the bundle was made")


def read_bundle_origin(path: Path, signers: tuple[Signer, ...]) -> BundleOrigin:
    """A bundle's images by its signed index and manifests, no layer read; raises BundleProblem."""
    with open_bundle(path) as bundle:
        check_signature(bundle, signers)
        structure = read_structure(bundle)
        registry = Catalogue(bundle, structure).registry()
        below = {
            item.digest: {
                one.digest
                for one in parse_image_index(
                    read_small(bundle, item.digest, item.size, MANIFEST_LIMIT), where=str(path)
                ).manifests
            }
            for item in structure.index.of_kind(media.IMAGE_INDEX)
        }
    return BundleOrigin(path, structure.index, registry, below)

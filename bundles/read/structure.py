"""The structure of a bundle: which blobs its index asks for, with their sizes.

Manifests are small; they are read, compared with their digests and judged here, before a single
large blob is opened. What comes out is the exact list of blobs that the bundle must have.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from bundles.format import budgets, media
from bundles.format.layout import (
    INDEX_NAME,
    LARGEST_BLOB,
    LAYOUT_NAME,
    LAYOUT_TEXT,
    MANIFEST_LIMIT,
    TITLE,
    BundleIndex,
    Descriptor,
    Item,
    Manifest,
    is_file_name,
    parse_image_index,
    parse_index,
    parse_manifest,
)
from bundles.format.problems import HostileBundle
from bundles.format.strict_json import digest_of
from bundles.read.opened import Bundle, read_document, read_small

LARGEST_BUNDLE: Final = budgets.BUNDLE_BYTES
"""Bytes that the blobs of a bundle may have together (128 TiB)."""


@dataclass(frozen=True, slots=True)
class Structure:
    """An index with every blob below it: digest to size in bytes, and who asks for it."""

    index: BundleIndex
    index_digest: str
    blobs: Mapping[str, int]
    wanted_by: Mapping[str, str]
    manifests: frozenset[str]
    """Blobs whose bytes were compared already."""

    @property
    def size(self) -> int:
        """Bytes of all blobs, each counted once."""
        return sum(self.blobs.values())


def read_structure(bundle: Bundle, *, base: Bundle | None = None) -> Structure:
    """The structure of an open bundle; raises HostileBundle at the first thing that is wrong.

    `base` is another bundle that has the blobs which a difference lacks.
    """
    where = str(bundle.path)
    if read_document(bundle, LAYOUT_NAME) != LAYOUT_TEXT:
        raise HostileBundle("it is an OCI layout of another version", where=where)
    raw = read_document(bundle, INDEX_NAME)
    reading = _Reading(bundle, base)
    index = parse_index(raw, where=where)
    for item in index.items:
        reading.item(item)
    if sum(reading.blobs.values()) > LARGEST_BUNDLE:
        raise HostileBundle(f"its blobs have more than {LARGEST_BUNDLE} bytes", where=where)
    return Structure(
        index=index,
        index_digest=digest_of(raw),
        blobs=reading.blobs,
        wanted_by=reading.wanted_by,
        manifests=frozenset(reading.manifests),
    )


class _Reading:
    def __init__(self, bundle: Bundle, base: Bundle | None) -> None:
        self._bundle = bundle
        self._base = base
        self._where = str(bundle.path)
        self.blobs: dict[str, int] = {}
        self.wanted_by: dict[str, str] = {}
        self.manifests: dict[str, bytes] = {}

    def item(self, item: Item) -> None:
        raw = self._manifest(item.digest, item.size, item)
        size = 0
        if item.kind == media.IMAGE_INDEX:
            present = 0
            for child in parse_image_index(raw, where=self._place(item)).manifests:
                # An index stays as its maker wrote it, so it also names what was not asked for.
                present += self._has(child.digest)
            if not present:
                raise self._wrong(item, "none of the manifests that it names is in the bundle")
        else:
            size = self._contents(item, raw)
        if item.content_size != size:
            raise self._wrong(item, f"the index says {item.content_size} bytes, and it has {size}")

    def _contents(self, item: Item, raw: bytes) -> int:
        manifest = parse_manifest(raw, where=self._place(item))
        if manifest.media_type not in (None, item.media_type):
            raise self._wrong(item, f"its manifest says that it is a {manifest.media_type}")
        if manifest.artifact_type != media.ARTIFACTS.get(item.kind, manifest.artifact_type):
            raise self._wrong(item, f"its manifest is of the type {manifest.artifact_type}")
        self._blob(item, manifest.config, media.config_types(item.kind))
        for layer in manifest.layers:
            self._blob(item, layer, media.layer_types(item.kind))
        if item.kind in media.ARTIFACTS:
            self._titles(item, manifest)
        if item.kind != media.IMAGE and not manifest.layers:
            raise self._wrong(item, "it has no content")
        if item.content is not None and item.content != manifest.layers[0].digest:
            raise self._wrong(item, "its content is not the one that the index names")
        return sum(layer.size for layer in manifest.layers)

    def _titles(self, item: Item, manifest: Manifest) -> None:
        seen: set[str] = set()
        for layer in manifest.layers:
            title = (layer.annotations or {}).get(TITLE, "")
            if not is_file_name(title):
                raise self._wrong(item, f"{title[:200]!r} is no name of a file")
            if title in seen:
                raise self._wrong(item, f"{title} stands in it twice")
            seen.add(title)

    def _blob(self, item: Item, blob: Descriptor, allowed: frozenset[str]) -> None:
        if blob.media_type not in allowed:
            raise self._wrong(item, f"it has a part of the media type {blob.media_type}")
        if blob.size > LARGEST_BLOB:
            raise self._wrong(item, f"a part would have {blob.size} bytes")
        self._want(blob.digest, blob.size, item)

    def _manifest(self, digest: str, size: int, item: Item) -> bytes:
        self._want(digest, size, item)
        if digest not in self.manifests:
            here = digest in self._bundle.blobs or self._base is None
            source = self._bundle if here else self._base
            assert source is not None  # noqa: S101 - `here` is true where there is no base
            self.manifests[digest] = read_small(source, digest, size, MANIFEST_LIMIT)
        return self.manifests[digest]

    def _has(self, digest: str) -> bool:
        return digest in self._bundle.blobs or (
            self._base is not None and digest in self._base.blobs
        )

    def _want(self, digest: str, size: int, item: Item) -> None:
        if self.blobs.setdefault(digest, size) != size:
            raise self._wrong(item, f"{digest} is given two sizes, {size} and {self.blobs[digest]}")
        self.wanted_by.setdefault(digest, f"{item.kind} {item.name}")

    def _place(self, item: Item) -> str:
        return f"{self._where}, {item.kind} {item.name}"

    def _wrong(self, item: Item, cause: str) -> HostileBundle:
        return HostileBundle(f"{item.kind} {item.name}: {cause}", where=self._where)

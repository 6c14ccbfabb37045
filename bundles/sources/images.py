"""Container images: tags resolved to digests, platforms chosen, every layer fetched once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from bundles import media
from bundles.layout import Descriptor, Item, Platform, parse_image_index, parse_manifest
from bundles.problems import SourceProblem, WrongContent
from bundles.recipe import ImageWanted
from bundles.reference import Reference, parse_reference
from bundles.registry import Found
from bundles.sources.workshop import Locked, Workshop, only
from bundles.store import Blob
from bundles.strict_json import parse_json

_CONFIG_LIMIT = 8 * 1024 * 1024


async def gather_image(shop: Workshop, wanted: ImageWanted, locked: Locked) -> list[Item]:
    """Fetch one image; raises SourceProblem, WrongContent.

    The index that the maker published is kept as it is, for those who pull by its digest, with
    the manifests of the platforms that were asked for.
    """
    reference = parse_reference(wanted.name)
    pinned = wanted.digest or reference.digest or _locked_digest(locked)
    found = await shop.registries.manifest(reference, pinned)
    tag_digest = found.digest
    single = len(wanted.platforms) == 1
    if found.media_type in media.MANIFESTS:
        platform = await _platform_of(shop, reference, found)
        if platform is not None and not any(_fits(p, platform) for p in wanted.platforms):
            raise SourceProblem(
                f"the image is for {platform} and {', '.join(wanted.platforms)} is wanted",
                where=str(reference),
            )
        return [await _image(shop, reference, found, platform, tag_digest, named=True)]
    chosen = _choose(found, wanted.platforms, reference)
    children = await asyncio.gather(
        *(shop.registries.manifest(reference, child.digest) for child in chosen)
    )
    for child, manifest in zip(chosen, children, strict=True):
        if manifest.media_type not in media.MANIFESTS or len(manifest.raw) != child.size:
            raise WrongContent("the index names something else", where=f"{reference}")
    items = await asyncio.gather(
        *(
            _image(shop, reference, manifest, str(child.platform), tag_digest, named=single)
            for child, manifest in zip(chosen, children, strict=True)
        )
    )
    index = shop.store.add(found.raw)
    return [
        *items,
        Item(
            kind=media.IMAGE_INDEX,
            name=reference.name,
            version=reference.tag,
            origin=str(reference.at(tag_digest)),
            media_type=found.media_type,
            digest=index.digest,
            size=index.size,
            content_size=0,
            platform=", ".join(str(child.platform) for child in chosen),
            ref_name=None if single else reference.name,
            pins={"tag-digest": tag_digest},
        ),
    ]


async def gather_named(
    shop: Workshop,
    names: Sequence[str],
    platforms: tuple[str, ...],
    locked: Locked,
    *,
    by: str,
    remedy: str,
) -> list[Item]:
    """Fetch the images that something else names; whoever lacks one is told who names it.

    Raises SourceProblem, WrongContent.
    """

    async def one(name: str) -> list[Item]:
        reference = parse_reference(name)
        own = [item for item in locked if item.name == reference.name]
        try:
            return await gather_image(shop, ImageWanted(name=name, platforms=platforms), own)
        except SourceProblem as problem:
            raise SourceProblem(
                f"{by} names it: {problem.cause}", where=problem.where or name, remedy=remedy
            ) from problem

    gathered = await asyncio.gather(*(one(name) for name in names))
    return [item for items in gathered for item in items]


async def _image(
    shop: Workshop,
    reference: Reference,
    found: Found,
    platform: str | None,
    tag_digest: str,
    *,
    named: bool,
) -> Item:
    where = str(reference)
    manifest = parse_manifest(found.raw, where=where)
    for blob, allowed in (
        (manifest.config, media.config_types(media.IMAGE)),
        *((layer, media.layer_types(media.IMAGE)) for layer in manifest.layers),
    ):
        if blob.media_type not in allowed:
            raise SourceProblem(
                f"it holds a part of the type {blob.media_type}, so it is no container image",
                where=where,
                remedy="Helm charts are wanted under `charts`.",
            )
    await asyncio.gather(*(_blob(shop, reference, blob) for blob in _distinct(manifest.blobs)))
    shop.store.add(found.raw)
    return Item(
        kind=media.IMAGE,
        name=reference.name,
        version=reference.tag,
        origin=str(reference.at(found.digest)),
        media_type=found.media_type,
        digest=found.digest,
        size=len(found.raw),
        content_size=sum(layer.size for layer in manifest.layers),
        platform=platform,
        licence=_licence(shop, manifest.config, where),
        ref_name=reference.name if named else None,
        pins={"tag-digest": tag_digest},
    )


def _licence(shop: Workshop, config: Descriptor, where: str) -> str | None:
    """What an image says of the licences inside it, by OCI's label."""
    if config.size > _CONFIG_LIMIT:
        return None
    raw = shop.store.read(config.digest)
    try:
        found: Any = parse_json(raw, where=where, limit=_CONFIG_LIMIT, problem=SourceProblem)
    except SourceProblem:
        return None  # the image may run all the same; only its label is not to be had
    for word in ("config", "Labels", "org.opencontainers.image.licenses"):
        found = found.get(word) if isinstance(found, dict) else None
    return found[:120] if isinstance(found, str) and found and found[:120].isprintable() else None


async def _blob(shop: Workshop, reference: Reference, blob: Descriptor) -> None:
    async def fetch() -> Blob:
        return await shop.registries.blob(
            reference, blob.digest, blob.size, shop.store, news=shop.tracker
        )

    await shop.once(blob.digest, blob.size, fetch)


def _distinct(blobs: Sequence[Descriptor]) -> list[Descriptor]:
    return list({blob.digest: blob for blob in blobs}.values())


def _locked_digest(locked: Locked) -> str | None:
    item = only(locked, media.IMAGE)
    return item.pins.get("tag-digest") if item else None


def _choose(found: Found, platforms: Sequence[str], reference: Reference) -> list[Descriptor]:
    offered = [
        child
        for child in parse_image_index(found.raw, where=str(reference)).manifests
        if child.platform is not None and child.media_type in media.MANIFESTS
    ]
    chosen = []
    for wanted in platforms:
        match = next((c for c in offered if c.platform and _fits(wanted, str(c.platform))), None)
        if match is None:
            names = ", ".join(sorted({str(c.platform) for c in offered})) or "none"
            raise SourceProblem(
                f"there is none for {wanted}; there are {names}", where=str(reference)
            )
        if match not in chosen:
            chosen.append(match)
    return chosen


def _fits(wanted: str, offered: str) -> bool:
    # linux/arm64 is linux/arm64/v8: whoever names no variant takes what there is.
    return offered == wanted or offered.startswith(f"{wanted}/")


async def _platform_of(shop: Workshop, reference: Reference, found: Found) -> str | None:
    config = parse_manifest(found.raw, where=str(reference)).config
    if config.size > _CONFIG_LIMIT:
        raise SourceProblem("its configuration is too large", where=str(reference))
    await _blob(shop, reference, config)
    value = parse_json(
        shop.store.read(config.digest),
        where=str(reference),
        limit=_CONFIG_LIMIT,
        problem=SourceProblem,
    )
    try:
        return str(Platform.model_validate(value))
    except ValueError:
        return None

"""Container images: tags resolved to digests, platforms chosen, every layer fetched once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from bundles.format import media
from bundles.format.budgets import IMAGE_CONFIG_BYTES
from bundles.format.layout import Descriptor, Item, parse_manifest
from bundles.format.platforms import in_one_form, kind_of, rank, runs_on
from bundles.format.problems import SourceProblem, WrongContent
from bundles.format.recipe import ImageWanted
from bundles.format.reference import Reference, parse_reference
from bundles.format.strict_json import parse_json
from bundles.format.untold import some_names
from bundles.read.store import Blob
from bundles.registries.referrers import look_beside
from bundles.registries.registry import Found
from bundles.sources.image_index import Look, Offer, Offers, fetch_all, platform_in
from bundles.sources.workshop import Locked, Workshop, address, only


async def gather_image(shop: Workshop, wanted: ImageWanted, locked: Locked) -> list[Item]:
    """Fetch one image; raises SourceProblem, WrongContent.

    The index that the maker published is kept as it is, for those who pull by its digest, with
    the manifests of the platforms that were asked for, and the indexes on the way to them.
    """
    reference = parse_reference(wanted.name)
    pinned = wanted.digest or reference.digest or _locked_digest(locked)
    _judge_registries(shop, wanted, reference, told=not locked)
    found = await shop.registries.manifest(reference, pinned)
    tag_digest = found.digest
    if not locked:
        await _tell_beside(shop, reference, found)
    single = len(wanted.platforms) == 1
    if found.media_type in media.MANIFESTS:
        platform = await _platform_of(shop, reference, found)
        if platform is not None and not any(runs_on(p, platform) for p in wanted.platforms):
            raise SourceProblem(
                f"the image is for {platform} and {', '.join(wanted.platforms)} is wanted",
                where=str(reference),
                remedy="Name a tag that has this platform, or the image's own (platforms: […] "
                "beside the image) where machines of that kind use it.",
            )
        return [await _image(shop, reference, found, platform, tag_digest, named=True)]

    async def fetch(digest: str) -> Found:
        return await shop.registries.manifest(reference, digest)

    async def config_of(config: Descriptor) -> bytes:
        return await _config(shop, reference, config)

    offers = await Look(reference, fetch, config_of, wanted.platforms).offers(found)
    chosen = _choose(shop, offers, wanted.platforms, reference)
    if offers.beside and not locked:
        shop.tell(
            f"the image {reference}",
            f"its index also leads to {some_names(offers.beside)} (provenance, a list of contents, "
            "a signature), which is not brought",
            "note",
        )
    manifests = await fetch_all(fetch, chosen, str(reference))
    items = await asyncio.gather(
        *(
            _image(
                shop,
                reference,
                manifest,
                _named(offer),
                tag_digest,
                named=single,
            )
            for offer, manifest in zip(chosen, manifests, strict=True)
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
            platform=", ".join(_named(offer) for offer in chosen),
            ref_name=None if single else reference.name,
            pins={"tag-digest": tag_digest},
        ),
        *_inner_indexes(shop, chosen, reference, tag_digest),
    ]


async def _tell_beside(shop: Workshop, reference: Reference, found: Found) -> None:
    """Tell what lies beside an image in its registry: a site's policy may ask for it."""
    beside = await look_beside(shop.registries, found.endpoint, reference, found.digest)
    if beside.what:
        shop.tell(
            f"the image {reference}",
            f"beside it in its registry lies {some_names(beside.what)}, which is not "
            "brought; where the site's policy asks for it, that must take the bundle's own "
            "signature instead",
            "note",
        )
    elif beside.problem:
        shop.tell(
            f"the image {reference}",
            f"whether signatures lie beside it could not be asked: {beside.problem}",
            "note",
        )


def _judge_registries(
    shop: Workshop, wanted: ImageWanted, reference: Reference, *, told: bool
) -> None:
    """Refuse what podman's files here forbid, and tell where they lead elsewhere.

    A mirror that somebody named for this bundle is asked whatever they say; that a short name means
    another image to podman is so with a mirror too.
    """
    mirrored = shop.registries.has_mirror(reference.registry)
    podmans, name = shop.registries.podmans, f"{reference.registry}/{reference.repository}"
    if not mirrored and (file := podmans.blocked_by(reference)):
        raise SourceProblem(
            f"this machine forbids to pull it ({file}: blocked = true)",
            where=str(reference),
            remedy=f"Ask who wrote that line. Where a mirror has it: --mirror {reference.registry}="
            "HOST; or make the bundle on a machine that may pull it.",
        )
    if not told:
        return
    of = f"the image {reference}"
    others = podmans.taken_for(wanted.name)
    if others and others[0] != name:
        shop.tell(
            of,
            f"podman here takes {others[0]} for the short name {wanted.name}; taken is Docker "
            "Hub's, as Docker and Kubernetes have it. Write the one that is meant in full",
            "note",
        )
    if mirrored:
        return
    for file in podmans.broken:
        shop.tell("this machine", f"{file}, which podman reads here, cannot be read", "note")
    places = podmans.places_of(reference)
    locations = [one.location for one in places if str(one.reference) != str(reference)]
    if shop.registries.as_podman:
        for one in places:
            if one.insecure:
                shop.tell(
                    one.location,
                    "podman's registries.conf here takes it without TLS that holds (insecure), "
                    "which is not taken over; if it should be: --plain-http "
                    f"{one.reference.registry}",
                    "note",
                )
    elif locations:
        shop.tell(
            of,
            f"podman's registries.conf here leads to {some_names(locations)}, which was not "
            "asked; if it should be: --registries-conf",
            "note",
        )


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
    manifest = parse_manifest(found.raw, where=where, problem=SourceProblem)
    for blob, allowed in (
        (manifest.config, media.config_types(media.IMAGE)),
        *((layer, media.layer_types(media.IMAGE)) for layer in manifest.layers),
    ):
        if blob.media_type.endswith("+encrypted"):
            raise SourceProblem(
                f"a layer of it is encrypted ({blob.media_type}), and nothing at the site could "
                "run it without its key",
                where=where,
                remedy="Decrypt it into a registry of yours (skopeo copy --decryption-key KEY "
                "docker://FROM docker://TO) and name that one.",
            )
        if blob.media_type not in allowed:
            raise SourceProblem(
                f"it is an artefact and no container image: a part of it is of the type "
                f"{manifest.artifact_type or blob.media_type}",
                where=where,
                remedy="Helm charts are wanted under `charts`; leave other artefacts out.",
            )
    urls = _own_places(found.raw)
    await asyncio.gather(
        *(
            _blob(shop, reference, blob, urls.get(blob.digest, ()))
            for blob in _distinct(manifest.blobs)
        )
    )
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
    if config.size > IMAGE_CONFIG_BYTES:
        return None
    raw = shop.store.read(config.digest)
    try:
        found: Any = parse_json(raw, where=where, limit=IMAGE_CONFIG_BYTES, problem=SourceProblem)
    except SourceProblem:
        return None  # the image may run all the same; only its label is not to be had
    for word in ("config", "Labels", "org.opencontainers.image.licenses"):
        found = found.get(word) if isinstance(found, dict) else None
    return found[:120] if isinstance(found, str) and found and found[:120].isprintable() else None


def _own_places(raw: bytes) -> dict[str, tuple[str, ...]]:
    """Where the makers of layers give them out themselves, by the layers' digests."""
    value: Any = parse_json(raw, where="", limit=len(raw), problem=SourceProblem)
    layers = value.get("layers") if isinstance(value, dict) else None
    found = {}
    for layer in layers if isinstance(layers, list) else ():
        urls = layer.get("urls") if isinstance(layer, dict) else None
        if isinstance(urls, list):
            plain = (one for one in urls if isinstance(one, str) and one.isprintable())
            found[str(layer.get("digest"))] = tuple(
                one for one in plain if one.startswith("https://")
            )
    return found


async def _blob(
    shop: Workshop, reference: Reference, blob: Descriptor, own_places: tuple[str, ...] = ()
) -> None:
    is_foreign = any(word in blob.media_type for word in media.FOREIGN)

    async def fetch() -> Blob:
        try:
            return await shop.registries.blob(
                reference, blob.digest, blob.size, shop.store, news=shop.tracker
            )
        except SourceProblem:
            # Within this one fetch: what failed under a digest is not begun a second time.
            found = await _from_its_maker(shop, reference, blob, own_places) if is_foreign else None
            if found is None:
                raise
            return found

    try:
        await shop.once(blob.digest, blob.size, fetch)
    except SourceProblem as problem:
        if not is_foreign:
            raise
        raise SourceProblem(
            f"a layer of it may be given out by its maker alone ({blob.media_type}), and the "
            f"registry has it not: {problem.cause}",
            where=str(reference),
            remedy="Push the image with that layer to a registry of yours (docker's setting "
            "allow-nondistributable-artifacts) and name it there, or take an image without it.",
        ) from problem


async def _from_its_maker(
    shop: Workshop, reference: Reference, blob: Descriptor, places: tuple[str, ...]
) -> Blob | None:
    """A layer that registries need not have, from where its manifest says that it lies; or None."""
    for place in places:
        try:
            found = await shop.web.download(
                place, shop.store, blob.digest, blob.size, news=shop.tracker
            )
        except (SourceProblem, WrongContent):
            continue
        shop.tell(
            f"the image {reference}",
            f"a layer of it ({blob.media_type}) is given out by its maker alone and was fetched "
            f"there ({address(place)}); whether it may be handed on is for its licence to say",
            "note",
        )
        return found
    return None


def _distinct(blobs: Sequence[Descriptor]) -> list[Descriptor]:
    return list({blob.digest: blob for blob in blobs}.values())


def _locked_digest(locked: Locked) -> str | None:
    item = only(locked, media.IMAGE)
    return item.pins.get("tag-digest") if item else None


def _choose(
    shop: Workshop, offers: Offers, platforms: Sequence[str], reference: Reference
) -> list[Offer]:
    chosen: list[Offer] = []
    for wanted in platforms:
        taken, fitting = offers.best(wanted)
        if taken is None:
            raise SourceProblem(
                f"there is none for {wanted}; there are {offers.words()}",
                where=str(reference),
                remedy="Name a platform that there is (platforms: […] beside the image), or an "
                "image that has this one.",
            )
        others = _alike(offers, taken)
        if others:
            shop.tell(
                f"the image {reference}",
                f"for {wanted} the image for {taken.platform} is taken "
                f"({taken.descriptor.digest[7:19]}); there are {', '.join(others)} as well"
                + ("" if len(fitting) < 2 else f", {len(fitting)} that would run"),
                "note",
            )
        elif rank(wanted, str(taken.platform)) != (0, 0):
            shop.tell(
                f"the image {reference}",
                f"for {wanted} the image for {taken.platform} is taken: there is no nearer one",
                "note",
            )
        if all(one.descriptor.digest != taken.descriptor.digest for one in chosen):
            chosen.append(taken)
    return chosen


def _alike(offers: Offers, taken: Offer) -> list[str]:
    """The other images for the same kind of processor, in words."""
    kind = kind_of(str(taken.platform))[:2]
    alike = [one for one in offers.images if kind_of(str(one.platform))[:2] == kind]
    return [
        f"{one.platform} ({one.descriptor.digest[7:19]})"
        for one in alike
        if one.descriptor.digest != taken.descriptor.digest
    ][:5]


def _named(offer: Offer) -> str:
    return in_one_form(str(offer.platform))


def _inner_indexes(
    shop: Workshop, chosen: Sequence[Offer], reference: Reference, tag_digest: str
) -> list[Item]:
    """The indexes between the top and the images, by digest alone: no tag names them."""
    found = {one.digest: (one, offer) for offer in chosen for one in offer.path}
    items = []
    for digest, (index, offer) in found.items():
        by_digest = Reference(reference.registry, reference.repository, digest=digest)
        blob = shop.store.add(index.raw)
        items.append(
            Item(
                kind=media.IMAGE_INDEX,
                name=str(by_digest),
                origin=str(reference.at(digest)),
                media_type=index.media_type,
                digest=blob.digest,
                size=blob.size,
                content_size=0,
                platform=_named(offer),
                pins={"tag-digest": tag_digest},
            )
        )
    return items


async def _platform_of(shop: Workshop, reference: Reference, found: Found) -> str | None:
    where = str(reference)
    config = parse_manifest(found.raw, where=where, problem=SourceProblem).config
    if config.media_type not in media.config_types(media.IMAGE):
        return None  # what it is instead is told where its parts are judged
    platform = platform_in(await _config(shop, reference, config), where)
    return in_one_form(str(platform)) if platform else None


async def _config(shop: Workshop, reference: Reference, config: Descriptor) -> bytes:
    if config.size > IMAGE_CONFIG_BYTES:
        raise SourceProblem("its configuration is too large", where=str(reference))
    await _blob(shop, reference, config)
    return await asyncio.to_thread(shop.store.read, config.digest)

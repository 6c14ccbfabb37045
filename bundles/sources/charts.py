"""Helm charts, of a repository or a registry, with the container images that they name."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Final
from urllib.parse import urljoin, urlsplit

from bundles.format import budgets, media
from bundles.format.layout import Item, parse_manifest
from bundles.format.problems import SourceProblem, WrongContent
from bundles.format.recipe import ChartWanted
from bundles.format.reference import Reference, parse_reference
from bundles.format.strict_json import canonical_json
from bundles.manifests.chart_images import ChartContents, read_chart
from bundles.manifests.gitops import charts_elsewhere
from bundles.manifests.rendering import agree, read_alone
from bundles.manifests.yaml_documents import read_documents
from bundles.read.store import Blob
from bundles.registries.registry import Found
from bundles.registries.web_answers import expect_of, shown
from bundles.sources.naming import Naming, gather_found, gather_locked
from bundles.sources.renderers import RenderFailed
from bundles.sources.workshop import Locked, Workshop, only, pin
from foundation.problems import InputProblem

_INDEX_LIMIT: Final = budgets.CHART_INDEX_BYTES
_INDEX_VALUES: Final = budgets.CHART_INDEX_VALUES
_CHART_LIMIT: Final = budgets.CHART_BYTES


async def gather_chart(shop: Workshop, wanted: ChartWanted, locked: Locked) -> list[Item]:
    """Bring one chart, and its images where that is wanted; raises SourceProblem, WrongContent."""
    if wanted.repository.startswith("oci://"):
        chart, item = await _from_registry(shop, wanted, locked, _reference(wanted))
    else:
        chart, item = await _from_repository(shop, wanted, locked)
    contents = await asyncio.to_thread(_read, shop, chart, wanted)
    if contents.name != wanted.name or contents.version.lstrip("v") != wanted.version.lstrip("v"):
        raise WrongContent(
            f"the chart says that it is {contents.name} {contents.version}",
            where=f"{wanted.name} {wanted.version} of {shown_repository(wanted)}",
        )
    for sentence in () if locked else contents.reaches:
        shop.tell(f"the chart {wanted.name}", sentence)
    images = await _images(shop, wanted, chart, contents, locked) if wanted.images else []
    return [replace(item, licence=_licence(contents)), *images]


def _licence(contents: ChartContents) -> str | None:
    """What a chart says of its licence, by the annotation that Artifact Hub reads."""
    notes = contents.metadata.get("annotations")
    stated = notes.get("artifacthub.io/license") if isinstance(notes, dict) else None
    return stated[:120] if isinstance(stated, str) and stated[:120].isprintable() else None


def shown_repository(wanted: ChartWanted) -> str:
    """The repository as it may be shown."""
    oci = wanted.repository.startswith("oci://")
    return wanted.repository if oci else shown(wanted.repository)


async def _from_repository(
    shop: Workshop, wanted: ChartWanted, locked: Locked
) -> tuple[Blob, Item]:
    pinned = only(locked, media.CHART)
    if pinned is not None and pinned.content:
        url = pin(pinned, "url")
        sha256: str | None = pinned.content.removeprefix("sha256:")
    else:
        url, sha256 = await _find(shop, wanted)
    if url.startswith("oci://"):
        # Bitnami's repository, for one, is a list of what lies in a registry.
        blob, item = await _from_registry(shop, wanted, locked, _listed_reference(url, wanted))
        pins = {**item.pins, "url": url, "repository": shown(wanted.repository)}
        return blob, replace(item, pins=pins)
    if wanted.sha256 and sha256 and wanted.sha256 != sha256:
        raise WrongContent(
            f"the repository now states the hash {sha256}", where=f"{wanted.name} {wanted.version}"
        )
    sha256 = wanted.sha256 or sha256
    if sha256:
        blob = await shop.fetch_file([url], sha256, None)
    else:
        response, raw = await shop.web.small(url, limit=_CHART_LIMIT, seconds=None)
        expect_of(response, raw, 200)
        blob = await asyncio.to_thread(shop.store.add, raw)
        shop.tracker.expect(blob.size)
        shop.tracker.gained(blob.size)
    contents = await asyncio.to_thread(_read, shop, blob, wanted)
    config = shop.store.add(json.dumps(contents.metadata, sort_keys=True).encode())
    manifest = shop.store.add(
        canonical_json(
            {
                "schemaVersion": 2,
                "mediaType": media.OCI_MANIFEST,
                "config": {
                    "mediaType": media.HELM_CONFIG,
                    "digest": config.digest,
                    "size": config.size,
                },
                "layers": [
                    {"mediaType": media.HELM_CHART, "digest": blob.digest, "size": blob.size}
                ],
            }
        )
    )
    return blob, Item(
        kind=media.CHART,
        name=wanted.name,
        version=wanted.version,
        origin=shown(url),
        media_type=media.OCI_MANIFEST,
        digest=manifest.digest,
        size=manifest.size,
        content=blob.digest,
        content_size=blob.size,
        pins={"url": url, "repository": shown(wanted.repository)},
    )


async def _find(shop: Workshop, wanted: ChartWanted) -> tuple[str, str | None]:
    base = wanted.repository.rstrip("/")
    where = shown(base)
    response, raw = await shop.web.small(f"{base}/index.yaml", limit=_INDEX_LIMIT, seconds=None)
    expect_of(response, raw, 200)
    index = await asyncio.to_thread(read_documents, raw, most=_INDEX_VALUES)
    if index.broken:
        broken = index.broken[0]
        raise SourceProblem(
            f"its index.yaml cannot be read: line {broken.line} is no YAML ({broken.why})",
            where=where,
            remedy="Mend it where it is served; a page of a proxy may have come instead.",
        )
    try:
        entries = index.mapping["entries"][wanted.name]
    except (KeyError, TypeError) as error:
        raise SourceProblem(f"there is no chart {wanted.name} in it", where=where) from error
    for entry in entries if isinstance(entries, list) else ():
        if not isinstance(entry, dict) or str(entry.get("version")) != wanted.version:
            continue
        urls = entry.get("urls")
        if isinstance(urls, list) and urls and isinstance(urls[0], str):
            url = _resolved(base, urls[0])
            digest = str(entry.get("digest") or "").removeprefix("sha256:")
            return url, digest if len(digest) == 64 and digest.isalnum() else None
    raise SourceProblem(f"there is no version {wanted.version} of {wanted.name}", where=where)


def _resolved(base: str, url: str) -> str:
    """An address in a repository's index, relative to the index as Helm resolves it."""
    if "://" in url:
        return url
    joined = urljoin(f"{base.partition('?')[0]}/", url)
    return joined if urlsplit(joined).netloc == urlsplit(base).netloc else f"{base}/{url}"


def _tag(version: str) -> str:
    """A version as a tag, which takes no plus sign: Helm writes it as an underscore."""
    return version.replace("+", "_")


def _reference(wanted: ChartWanted) -> Reference:
    base = parse_reference(f"{wanted.repository.removeprefix('oci://').rstrip('/')}/{wanted.name}")
    return Reference(base.registry, base.repository, _tag(wanted.version))


def _listed_reference(url: str, wanted: ChartWanted) -> Reference:
    """Where an index says that a chart lies in a registry; raises SourceProblem."""
    text = url.removeprefix("oci://")
    try:
        named = parse_reference(text)
    except InputProblem as problem:
        raise SourceProblem(
            f"its index names {shown(url)}, where no chart can lie", where=shown_repository(wanted)
        ) from problem
    tagged = ":" in text.rpartition("/")[2]
    return Reference(
        named.registry, named.repository, named.tag if tagged else _tag(wanted.version)
    )


async def _from_registry(
    shop: Workshop, wanted: ChartWanted, locked: Locked, reference: Reference
) -> tuple[Blob, Item]:
    pinned = only(locked, media.CHART)
    found: Found = await shop.registries.manifest(reference, pinned.digest if pinned else None)
    manifest = parse_manifest(found.raw, where=str(reference))
    layers = [layer for layer in manifest.layers if layer.media_type == media.HELM_CHART]
    if manifest.config.media_type != media.HELM_CONFIG or len(layers) != 1:
        raise SourceProblem("this is no Helm chart", where=str(reference))
    if wanted.sha256 and layers[0].digest != f"sha256:{wanted.sha256}":
        raise WrongContent(f"the registry now gives {layers[0].digest}", where=str(reference))
    for blob in manifest.blobs:

        async def fetch(digest: str = blob.digest, size: int = blob.size) -> Blob:
            return await shop.registries.blob(
                reference, digest, size, shop.store, news=shop.tracker
            )

        await shop.once(blob.digest, blob.size, fetch)
    shop.store.add(found.raw)
    return Blob(layers[0].digest, layers[0].size), Item(
        kind=media.CHART,
        name=wanted.name,
        version=wanted.version,
        origin="oci://" + str(reference.at(found.digest)),
        media_type=found.media_type,
        digest=found.digest,
        size=len(found.raw),
        content=manifest.layers[0].digest,
        content_size=sum(layer.size for layer in manifest.layers),
        ref_name=reference.name,
        pins={"tag-digest": found.digest, "repository": wanted.repository},
    )


def _read(shop: Workshop, chart: Blob, wanted: ChartWanted) -> ChartContents:
    return read_chart(
        shop.store.path(chart.digest),
        where=f"chart {wanted.name} {wanted.version}",
        values=wanted.values,
    )


async def _images(
    shop: Workshop, wanted: ChartWanted, chart: Blob, contents: ChartContents, locked: Locked
) -> list[Item]:
    naming = Naming(
        of=f"the chart {wanted.name}",
        platforms=wanted.platforms,
        without=wanted.without,
        operators=wanted.operators,
        remedy="If the site does without it, name it under `without` for the chart; if it sets "
        "another, give its values under `values`.",
    )
    if locked:
        return await gather_locked(shop, naming, locked)
    if contents.is_library:
        return []
    named = read_alone(contents)
    try:
        path = shop.store.path(chart.digest)
        text = await shop.renderers.helm(
            shop,
            path,
            wanted.values,
            lambda said: shop.tell(naming.of, f"Helm says: {said}", "note"),
        )
    except RenderFailed as failed:
        shop.tell(
            naming.of,
            f"`helm template` does not render it, so it was only read: {failed}; give what it asks "
            "for under `values`",
        )
    else:
        if text is None:
            shop.tell(
                naming.of,
                "it was read without rendering it, since there is no Helm here: install helm, or "
                "name it in the recipe under `files`",
                "note",
            )
        else:
            agreed = await asyncio.to_thread(agree, contents, text)
            named = agreed.named
            for sentence in await asyncio.to_thread(charts_elsewhere, text, "what Helm renders"):
                shop.tell(naming.of, sentence)
            for sentence in agreed.differing:
                shop.tell(naming.of, sentence, "note")
    return await gather_found(shop, naming, named)

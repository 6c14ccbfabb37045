"""Plain files, each with a hash that the recipe pins; a Kubernetes manifest with its images."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Final

from bundles.chart_images import images_of_manifest
from bundles.layout import Item
from bundles.problems import SourceProblem
from bundles.recipe import FileWanted
from bundles.sources.images import gather_named
from bundles.sources.workshop import Locked, Workshop, address

_MANIFEST_LIMIT: Final = 64 * 1024 * 1024


async def gather_file(shop: Workshop, wanted: FileWanted, locked: Locked) -> list[Item]:
    """Fetch one file; raises SourceProblem, WrongContent. The pin of the recipe is the lock."""
    blob = await shop.fetch_file(wanted.urls, wanted.sha256, wanted.size)
    item = shop.artifact(
        "file",
        [(wanted.name, blob)],
        name=wanted.name,
        version=wanted.version,
        origin=address(wanted.urls[0]),
        licence=wanted.licence,
    )
    if not wanted.images:
        return [item]
    if blob.size > _MANIFEST_LIMIT:
        raise SourceProblem("it is too large for a Kubernetes manifest", where=wanted.name)
    text = shop.store.read(blob.digest).decode("utf-8", "replace")
    names = [
        name
        for name in images_of_manifest(text)
        if not any(fnmatchcase(name, pattern) for pattern in wanted.without)
    ]
    images = await gather_named(
        shop,
        names,
        wanted.platforms,
        locked,
        by=f"the manifest {wanted.name}",
        remedy="If the site does without it, name it under `without` for the file.",
    )
    return [item, *images]

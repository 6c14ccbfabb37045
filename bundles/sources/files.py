"""Plain files, each with a hash that the recipe pins; a Kubernetes manifest with its images."""

from __future__ import annotations

import asyncio
from typing import Final

from bundles.format import budgets
from bundles.format.layout import Item
from bundles.format.problems import SourceProblem
from bundles.format.recipe import FileWanted
from bundles.manifests.gitops import charts_elsewhere
from bundles.manifests.named_images import images_of_text
from bundles.sources.naming import Naming, gather_found, gather_locked
from bundles.sources.workshop import Locked, Workshop, address

_MANIFEST_LIMIT: Final = budgets.NAMING_BYTES


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
    naming = Naming(
        of=f"the manifest {wanted.name}",
        platforms=wanted.platforms,
        without=wanted.without,
        operators=wanted.operators,
        remedy="If the site does without it, name it under `without` for the file.",
    )
    if locked:
        return [item, *await gather_locked(shop, naming, locked)]
    text = shop.store.read(blob.digest).decode("utf-8-sig", "replace")
    named = await asyncio.to_thread(images_of_text, text, wanted.name)
    for sentence in await asyncio.to_thread(charts_elsewhere, text, wanted.name):
        shop.tell(naming.of, sentence)
    return [item, *await gather_found(shop, naming, named)]

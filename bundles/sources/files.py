"""Plain files, each with a hash that the recipe pins."""

from __future__ import annotations

from bundles.layout import Item
from bundles.recipe import FileWanted
from bundles.sources.workshop import Locked, Workshop, address


async def gather_file(shop: Workshop, wanted: FileWanted, locked: Locked) -> list[Item]:
    """Fetch one file; raises SourceProblem, WrongContent. The pin of the recipe is the lock."""
    blob = await shop.fetch_file(wanted.urls, wanted.sha256, wanted.size)
    return [
        shop.artifact(
            "file",
            [(wanted.name, blob)],
            name=wanted.name,
            version=wanted.version,
            origin=address(wanted.urls[0]),
            licence=wanted.licence,
        )
    ]

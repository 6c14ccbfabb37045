"""Images that something else names: those needed, those perhaps needed, and what cannot be told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from bundles.format import media
from bundles.format.layout import Item
from bundles.format.problems import SourceProblem
from bundles.manifests.named_images import ImagesNamed
from bundles.sources.images import gather_named
from bundles.sources.workshop import Locked, Workshop


@dataclass(frozen=True, slots=True)
class Naming:
    """What names images, and how the site may do without some of them."""

    of: str
    """As it stands in a list: the chart loki 6.1.0."""
    platforms: tuple[str, ...]
    without: tuple[str, ...]
    remedy: str
    operators: tuple[str, ...] = ()
    """Kinds of objects whose images the recipe names by itself: Kafka.kafka.strimzi.io."""
    by: Callable[[str], str] | None = None
    """Who names an image, by the place that does; without: `of`."""

    def lets(self, names: Iterable[str]) -> list[str]:
        """The names that the site does not do without."""
        return [n for n in names if not any(fnmatchcase(n, pattern) for pattern in self.without)]

    def who(self, place: str) -> str:
        """Who names an image."""
        return self.by(place) if self.by else self.of


async def gather_locked(shop: Workshop, naming: Naming, locked: Locked) -> list[Item]:
    """Exactly the images that a lock names, whatever would be found today."""
    names = {
        f"{item.name}@{item.pins['tag-digest']}"
        for item in locked
        if item.kind == media.IMAGE and "tag-digest" in item.pins
    }
    return await gather_named(
        shop, sorted(names), naming.platforms, locked, by=naming.of, remedy=naming.remedy
    )


async def gather_found(shop: Workshop, naming: Naming, named: ImagesNamed) -> list[Item]:
    """The images that were found, and the list of what could not be told.

    Raises SourceProblem, WrongContent for one that is needed.
    """
    for sentence in named.untold:
        shop.tell(naming.of, sentence)
    for kind in named.operated:
        if any(fnmatchcase(kind.kind, pattern) for pattern in naming.operators):
            what = f"the images of {kind.kind} stand under `images`, as the line says"
            shop.tell(naming.of, what, "note")
        else:
            shop.tell(naming.of, str(kind))
    for name in naming.lets(named.off):
        shop.tell(
            naming.of,
            f"{name} stands below {named.off[name]}, which is turned off; it is not brought",
            "perhaps",
            image=name,
        )

    async def needed(name: str, place: str) -> list[Item]:
        return await gather_named(
            shop, [name], naming.platforms, (), by=naming.who(place), remedy=naming.remedy
        )

    async def maybe(name: str, place: str, *, test: bool) -> list[Item]:
        use = "only `helm test` uses" if test else f"{place} leads to"
        try:
            items = await needed(name, place)
        except SourceProblem as problem:
            cause = problem.cause.partition(" names it: ")[2] or problem.cause
            what = f"{use} {name}, which cannot be had: {cause}"
            shop.tell(naming.of, what, "perhaps" if test else "untold", image=name)
            return []
        shop.tell(naming.of, f"{use} {name}; it is in the bundle", "note" if test else "perhaps")
        return items

    gathered = await asyncio.gather(
        *(needed(name, named.images[name]) for name in naming.lets(named.images)),
        *(maybe(name, named.perhaps[name], test=False) for name in naming.lets(named.perhaps)),
        *(maybe(name, named.tests[name], test=True) for name in naming.lets(named.tests)),
    )
    return [item for items in gathered for item in items]

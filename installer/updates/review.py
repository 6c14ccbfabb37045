"""A review: of each image that runs, what is newer, or why that cannot be told."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import Any, Final

from bundles.format.reference import Reference, parse_reference
from foundation.problems import Problem
from installer.catalogue.releases import End
from installer.updates.lookup import PassedOver, Question, Update, look_up
from installer.updates.origins import Origin
from installer.updates.running import Found, Place, Running
from installer.updates.steps import Support, support_of
from installer.updates.watcher import answer_of

SCHEMA: Final = "sitewright.updates/1"
_AT_ONCE: Final = 200


@dataclass(frozen=True, slots=True)
class Judged:
    """An image that runs, with the answer to it: an update, or a problem."""

    running: Running
    update: Update | None = None
    problem: Problem | None = None

    @property
    def newer(self) -> bool:
        """Whether something newer is there."""
        return self.update is not None and self.update.newer

    @property
    def by_name(self) -> bool:
        """Whether it was judged by its tag alone, for nothing says which digest runs."""
        known = "@" in self.running.image or self.running.digest is not None
        return self.update is not None and not self.update.newer and not known

    @property
    def held_back(self) -> tuple[PassedOver, ...]:
        """What is newer and not proposed, where nothing newer is: too young, or not there."""
        if self.update is None or self.update.newer:
            return ()
        return tuple(one for one in self.update.passed_over if not one.same)

    @property
    def target(self) -> str:
        """The image to change to, with its digest where the one that runs is written with one."""
        if self.update is None:
            return self.running.image
        pinned = f"@{self.update.digest}" if "@" in self.running.image else ""
        return self.update.full_image + pinned


@dataclass(frozen=True, slots=True)
class Review:
    """All of them."""

    judged: tuple[Judged, ...]
    untold: tuple[str, ...]
    origin: str
    strategy: str
    today: date = field(default_factory=lambda: datetime.now(UTC).astimezone().date())
    """The day on which it is told what is still mended."""

    @property
    def supports(self) -> tuple[tuple[Judged, Support], ...]:
        """Images whose release line is mended no more, or soon will be; the worst first."""
        found = [(one, support_of(one.running.image, self.today)) for one in self.judged]
        near = [(one, it) for one, it in found if it is not None and it.end in (End.PAST, End.SOON)]
        return tuple(sorted(near, key=lambda each: each[1].end is End.SOON))

    @property
    def newer(self) -> tuple[Judged, ...]:
        """Images of which something newer is there."""
        return tuple(one for one in self.judged if one.newer)

    @property
    def unjudged(self) -> tuple[Judged, ...]:
        """Images of which it cannot be told."""
        return tuple(one for one in self.judged if one.problem is not None)

    @property
    def held_back(self) -> tuple[Judged, ...]:
        """Images of which what is newer is not proposed."""
        return tuple(one for one in self.judged if one.held_back)

    @property
    def old(self) -> tuple[Judged, ...]:
        """Images whose answer stands on an old list."""
        return tuple(one for one in self.judged if one.update is not None and one.update.old)

    @property
    def complete(self) -> bool:
        """Whether nothing is left that could not be told, as it is now."""
        return not self.unjudged and not self.untold and not self.old

    def as_dict(self) -> dict[str, Any]:
        """The review as plain values for JSON."""
        return {
            "schema": SCHEMA,
            "origin": self.origin,
            "strategy": self.strategy,
            "complete": self.complete,
            "images": [_plain(one, self.today) for one in self.judged],
            "untold": list(self.untold),
        }


def _plain(one: Judged, today: date) -> dict[str, Any]:
    value: dict[str, Any] = {
        "image": one.running.image,
        "digest": one.running.digest,
        "places": [_place(place) for place in one.running.places],
        "newer": None if one.update is None else one.update.newer,
        "target": one.target if one.newer else None,
    }
    if (support := support_of(one.running.image, today)) is not None:
        value["support"] = support.as_dict()
    if one.update is not None:
        value["update"] = answer_of(one.update)
    if one.problem is not None:
        value["problem"] = one.problem.as_dict()
    return value


def _place(place: Place) -> dict[str, Any]:
    return {
        "kind": place.kind,
        "namespace": place.namespace or None,
        "name": place.name,
        "container": place.container or None,
        "init": place.init,
        "owner": place.owner or None,
    }


async def review(origin: Origin, found: Found, usual: Question) -> Review:
    """Ask of each image what is newer; a problem with one is its own."""
    running = found.images()
    turns = asyncio.Semaphore(_AT_ONCE)

    async def judge(one: Running) -> Judged:
        async with turns:
            return await _judge(origin, one, usual)

    if not running:
        found.tell("nothing that runs an image was found, so that nothing was asked")
    judged = await asyncio.gather(*(judge(one) for one in running))
    return Review(tuple(judged), tuple(found.untold), origin.name, str(usual.strategy))


async def _judge(origin: Origin, running: Running, usual: Question) -> Judged:
    try:
        image = parse_reference(running.image)
        digest = image.digest or running.digest
        asked = Reference(image.registry, image.repository, image.tag, digest)
        return Judged(running, await look_up(origin, replace(usual, image=asked)))
    except Problem as problem:
        return Judged(running, problem=problem)

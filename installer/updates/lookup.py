"""One question, answered: what is newer than this image, by a strategy, and is it really there?

Never an older or an equal version, never one that is listed and not there, never bytes that run
already under another name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from bundles.format.reference import DOCKER_HUB, Reference
from foundation.problems import InputProblem
from foundation.wording import duration
from installer.updates.origins import Listing, Missing, Origin
from installer.updates.strategies import DEFAULT, Strategy, newer_than
from installer.updates.versions import NoVersion, Version, read_tag

MOST_PASSED_OVER: Final = 20
"""Candidates that are looked at, one after the other, until one can be proposed."""


@dataclass(frozen=True, slots=True)
class Question:
    """An image as it runs, and how far an update may go."""

    image: Reference
    """With its tag; its digest is that of what runs, where that is known."""
    strategy: Strategy = DEFAULT
    prereleases: bool = False
    minimum_age: float = 0.0
    """Seconds that a version must have been there."""


@dataclass(frozen=True, slots=True)
class PassedOver:
    """A newer tag that is not proposed, and why."""

    tag: str
    why: str
    same: bool = False
    """Whether it is what runs already, under a newer name."""


@dataclass(frozen=True, slots=True)
class Update:
    """The answer: the newest tag, which is the current one where none is newer."""

    image: Reference
    tag: str
    newer: bool
    digest: str | None = None
    """What the tag leads to; None where that was not asked for."""
    rebuilt: bool = False
    """Whether it is the same tag, which leads to other bytes than those that run."""
    passed_over: tuple[PassedOver, ...] = ()
    notes: tuple[str, ...] = ()
    asked: float = 0.0
    """When its origin was asked for the tags; Unix seconds."""
    old: bool = False
    """Whether it stands on a list that is old, since its origin gives no other."""

    @property
    def full_image(self) -> str:
        """The image as runtimes take it; Docker Hub's as document 004 writes them."""
        return full_name(self.image, self.tag)


def full_name(image: Reference, tag: str) -> str:
    """`org/name:tag`, with the registry in front where it is another than Docker Hub."""
    repository = image.repository
    if image.registry == DOCKER_HUB:
        return f"{repository.removeprefix('library/')}:{tag}"
    return f"{image.registry}/{repository}:{tag}"


async def look_up(origin: Origin, question: Question) -> Update:
    """What is newer; raises NotGiven, Limited, SourceProblem, and InputProblem for no order."""
    image = question.image
    if image.tag is None:
        raise InputProblem(
            "it is named by its digest alone, so nothing says which version it is",
            where=str(image),
            remedy="Name its tag too: NAME:TAG@sha256:…",
        )
    tag = image.tag
    listing = await origin.listing(image)
    looking = _Looking(origin, question, tag, listing)
    current = read_tag(tag)
    candidates: list[Version] = []
    if isinstance(current, Version):
        candidates = newer_than(
            current, listing.versions, question.strategy, prereleases=question.prereleases
        )
    elif image.digest is None:
        _refuse_unordered(current, listing, image)
    found = await looking.first_of(candidates)
    if found is None:
        found = await looking.same_tag()
    return found


def _refuse_unordered(current: NoVersion, listing: Listing, image: Reference) -> None:
    """Raise for a tag that cannot be compared, or is not there at all."""
    if current.tag not in listing.tags:
        raise _unknown(image, current.tag)
    raise InputProblem(
        f"{current.tag} {current.why}, so nothing can be called newer",
        where=full_name(image, current.tag),
        remedy="Name the digest that runs (digest=sha256:…) to learn whether the tag leads to "
        "other bytes now, or a tag that is a version.",
    )


def _unknown(image: Reference, tag: str) -> Missing:
    return Missing(
        f"there is no tag {tag}",
        where=full_name(image, tag),
        remedy="Check the name and the tag.",
    )


class _Looking:
    """One look-up under way."""

    def __init__(self, origin: Origin, question: Question, tag: str, listing: Listing) -> None:
        self._origin = origin
        self._question = question
        self._image = question.image
        self._tag = tag
        self._listing = listing
        self._passed: list[PassedOver] = []
        self._by_platform = False
        self._notes = [listing.note] if listing.note else []

    async def first_of(self, candidates: list[Version]) -> Update | None:
        """The newest candidate that can be proposed."""
        if not candidates:
            return None
        running = await self._running()
        for version in candidates[:MOST_PASSED_OVER]:
            digest = await self._origin.digest(self._image, version.tag)
            if digest is None:
                self._pass(version.tag, "it is listed and not there")
                continue
            if digest == running or await self._has_running(version.tag):
                # The newest name of what runs: whatever is between has other, older bytes.
                self._pass(version.tag, "it has the very bytes that run already", same=True)
                return None
            young = await self._too_young(version.tag)
            if young:
                self._pass(version.tag, young)
                continue
            return self._update(version.tag, newer=True, digest=digest)
        if len(candidates) > MOST_PASSED_OVER:
            self._notes.append(
                f"only the {MOST_PASSED_OVER} newest of {len(candidates)} newer tags were looked at"
            )
        return None

    async def same_tag(self) -> Update:
        """Nothing has a newer name: the tag itself, and whether it leads to other bytes now."""
        runs = self._image.digest
        if self._tag not in self._listing.tags:
            if not self._passed:
                raise _unknown(self._image, self._tag)
            return self._update(self._tag, newer=False, digest=None)
        if runs is None:
            return self._update(self._tag, newer=False, digest=None)
        digest = await self._origin.digest(self._image, self._tag)
        if digest is None:
            raise _unknown(self._image, self._tag)
        same = digest == runs or await self._origin.includes(self._image, self._tag, runs)
        if not same and (young := await self._too_young(self._tag)):
            self._pass(self._tag, f"it was built again, and {young}")
            same = True
        return self._update(self._tag, newer=not same, digest=digest, rebuilt=not same)

    async def _running(self) -> str | None:
        """The digest of what runs: as it was said, else what the current tag leads to."""
        runs = self._image.digest
        here = self._tag in self._listing.tags
        now = await self._origin.digest(self._image, self._tag) if here else None
        # Runtimes name an image by its index or by its platform; the registry's tag tells which.
        self._by_platform = runs is not None and runs != now
        return runs or now

    async def _has_running(self, tag: str) -> bool:
        runs = self._image.digest
        return bool(
            runs and self._by_platform and await self._origin.includes(self._image, tag, runs)
        )

    async def _too_young(self, tag: str) -> str:
        wanted = self._question.minimum_age
        if not wanted:
            return ""
        age = await self._origin.age(self._image, tag)
        if age.seconds >= wanted:
            return ""
        return (
            f"it is {duration(age.seconds)} old, counted from {age.by}, and {duration(wanted)} is "
            "asked for"
        )

    def _pass(self, tag: str, why: str, *, same: bool = False) -> None:
        self._passed.append(PassedOver(tag, why, same))

    def _update(
        self, tag: str, *, newer: bool, digest: str | None, rebuilt: bool = False
    ) -> Update:
        if self._tag not in self._listing.tags:
            self._notes.append(f"{self._tag} itself is not there any more")
        return Update(
            self._image,
            tag,
            newer,
            digest,
            rebuilt,
            tuple(self._passed),
            tuple(self._notes),
            self._listing.asked,
            bool(self._listing.note),
        )

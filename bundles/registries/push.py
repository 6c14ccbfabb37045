"""Pushing a bundle's images and charts to a registry of the site, sending nothing twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from bundles.format import media
from bundles.format.layout import (
    MANIFEST_LIMIT,
    Descriptor,
    Item,
    parse_image_index,
    parse_manifest,
)
from bundles.format.problems import CorruptBundle, SourceProblem
from bundles.format.reference import Reference, parse_reference
from bundles.format.strict_json import canonical_json, digest_of
from bundles.read.opened import Bundle, read_small
from bundles.registries.read_back import NotKept, ReadBack
from bundles.registries.registry import Endpoint, Registries
from bundles.registries.web import Authorize
from bundles.registries.web_answers import expect, redirected
from foundation.problems import InputProblem

_ATTEMPTS: Final = 3
_ANY_REGISTRY: Final = "localhost:5000"
"""In place of a registry's name, where only what stands below it is asked for."""


@dataclass(frozen=True, slots=True)
class Pushed:
    """One item as it is in the registry now."""

    item: Item
    target: Reference
    sent: int
    """Bytes that went over the network for it."""
    read_back: bool = True
    """Whether the registry was asked for it afterwards; False where this login may not pull."""


def target_of(item: Item, target: str, *, keep_registry: bool = False) -> Reference:
    """Where an item goes: below TARGET with its repository, and its registry where that is kept."""
    origin = parse_reference(item.name) if item.kind != media.CHART else None
    if origin is None:
        version = (item.version or "latest").replace("+", "_")
        return parse_reference(f"{target.rstrip('/')}/charts/{item.name}:{version}")
    kept = f"{origin.registry.replace(':', '-')}/" if keep_registry else ""
    name = f"{target.rstrip('/')}/{kept}{origin.repository}"
    return parse_reference(f"{name}:{origin.tag}" if origin.tag else f"{name}@{item.digest}")


def manifests_of(
    items: Sequence[Item], *, keep_registry: bool = False
) -> tuple[tuple[str, str], ...]:
    """The manifests that a registry has once these items were pushed: repository, tag or digest."""
    wanted = [item for item in items if item.kind in (media.IMAGE, media.CHART)]
    platforms = {i.name: sum(o.name == i.name for o in wanted) for i in wanted}
    found: dict[tuple[str, str], None] = {}
    for item in items:
        place = target_of(item, _ANY_REGISTRY, keep_registry=keep_registry)
        index = item.kind == media.IMAGE_INDEX
        if not index:
            found[place.repository, item.digest] = None
        # Where an image has several platforms, the tag belongs to its index.
        if place.tag and (platforms.get(item.name, 0) > 1) == index and item.name in platforms:
            found[place.repository, place.tag] = None
    return tuple(found)


def blobs_of(
    bundle: Bundle, items: Sequence[Item], *, keep_registry: bool = False
) -> tuple[tuple[str, str], ...]:
    """What these manifests consist of, as a registry has it then: repository, digest."""
    found: dict[tuple[str, str], None] = {}
    for item in items:
        if item.kind in (media.IMAGE, media.CHART):
            place = target_of(item, _ANY_REGISTRY, keep_registry=keep_registry)
            raw = read_small(bundle, item.digest, item.size, MANIFEST_LIMIT)
            for blob in parse_manifest(raw, where=item.name).blobs:
                found[place.repository, blob.digest] = None
    return tuple(found)


async def push_bundle(
    bundle: Bundle,
    items: tuple[Item, ...],
    target: str,
    registries: Registries,
    *,
    keep_registry: bool = False,
    parallel: int = 8,
    done: Callable[[Pushed], None] | None = None,
) -> list[Pushed]:
    """Push images, then charts; raises SourceProblem, InputProblem, and NotKept of read_back.

    What the registry says it took is asked for before it is called pushed.

    The bundle must have been verified. An image goes with its tag and by its digest; the index
    that its maker published goes as well where every manifest that it names is in the bundle.
    Where it names more, the tag of several platforms is given to an index of those that there are.
    """
    wanted = [item for item in items if item.kind in (media.IMAGE, media.CHART)]
    places: dict[str, Item] = {}
    for item in wanted:
        name = f"{target_of(item, target, keep_registry=keep_registry)} {item.platform}"
        if name in places:
            raise InputProblem(
                f"{places[name].name} and {item.name} would have one name in the registry",
                where=name,
                remedy="Push with --keep-registry, so that the name of the registry stays in it.",
            )
        places[name] = item
    work = _Pushing(bundle, registries, asyncio.Semaphore(parallel))
    platforms = {i.name: sum(o.name == i.name for o in wanted) for i in wanted}

    async def one(item: Item) -> Pushed:
        place = target_of(item, target, keep_registry=keep_registry)
        # Where an image has several platforms, the tag belongs to its index.
        sent = await work.item(item, place, tagged=platforms[item.name] == 1)
        pushed = Pushed(item, place, sent, work.back.may_not.isdisjoint({place.repository}))
        if done:
            done(pushed)
        return pushed

    pushed = list(await asyncio.gather(*(one(item) for item in wanted)))
    indexes = {item.digest: item for item in items if item.kind == media.IMAGE_INDEX}
    for item in work.inner_first(indexes):
        place = target_of(item, target, keep_registry=keep_registry)
        tagged = platforms.get(item.name, 0) > 1
        if work.complete(item, indexes):
            await work.index(item, place, tagged=tagged)
        elif tagged:
            await work.smaller(place, [image for image in wanted if image.name == item.name])
    return pushed


class _Pushing:
    def __init__(self, bundle: Bundle, registries: Registries, parallel: asyncio.Semaphore) -> None:
        self._bundle = bundle
        self._registries = registries
        self._parallel = parallel
        self.back = ReadBack(registries.web, bundle)
        self._have: dict[str, str] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def item(self, item: Item, place: Reference, *, tagged: bool) -> int:
        raw = read_small(self._bundle, item.digest, item.size, MANIFEST_LIMIT)
        blobs = {b.digest: b.size for b in parse_manifest(raw, where=item.name).blobs}
        sent = await asyncio.gather(
            *(self._blob(place, digest, size) for digest, size in blobs.items())
        )
        await self._manifest(item, place, raw, tagged=tagged)
        return sum(sent)

    def inner_first(self, indexes: Mapping[str, Item]) -> list[Item]:
        """Indexes so that each stands after those which it names; registries ask for that."""
        ordered: dict[str, Item] = {}

        def place(item: Item) -> None:
            for child in self._children(item):
                if child.digest in indexes and child.digest != item.digest:
                    place(indexes[child.digest])
            ordered.setdefault(item.digest, item)

        for item in indexes.values():
            place(item)
        return list(ordered.values())

    def complete(self, item: Item, indexes: Mapping[str, Item]) -> bool:
        """Whether everything that an index leads to is in the bundle."""
        return all(
            self.complete(indexes[child.digest], indexes)
            if child.digest in indexes
            else child.media_type not in media.INDEXES and child.digest in self._bundle.blobs
            for child in self._children(item)
        )

    async def smaller(self, place: Reference, images: Sequence[Item]) -> None:
        """An index of the platforms that there are, under the tag of the whole one."""
        manifests = [
            {
                "mediaType": image.media_type,
                "digest": image.digest,
                "size": image.size,
                "platform": image.as_descriptor().get("platform", {}),
            }
            for image in images
        ]
        raw = canonical_json(
            {"schemaVersion": 2, "mediaType": media.OCI_INDEX, "manifests": manifests}
        )
        await self._put(media.OCI_INDEX, place, raw, (place.tag or digest_of(raw),))

    def _children(self, item: Item) -> tuple[Descriptor, ...]:
        raw = read_small(self._bundle, item.digest, item.size, MANIFEST_LIMIT)
        return parse_image_index(raw, where=item.name).manifests

    async def index(self, item: Item, place: Reference, *, tagged: bool) -> None:
        raw = read_small(self._bundle, item.digest, item.size, MANIFEST_LIMIT)
        await self._manifest(item, place, raw, tagged=tagged)

    async def _manifest(self, item: Item, place: Reference, raw: bytes, *, tagged: bool) -> None:
        tags = [place.tag] if tagged and place.tag else []
        await self._put(item.media_type, place, raw, (item.digest, *tags))

    async def _put(
        self, media_type: str, place: Reference, raw: bytes, selectors: Sequence[str]
    ) -> None:
        endpoint = self._endpoint(place)
        for selector in selectors:
            async with self._registries.web.answer(
                "PUT",
                endpoint.url(place.repository, "manifests", selector),
                headers={"Content-Type": media_type},
                content=raw,
                authorize=self._authorize(endpoint, place),
            ) as response:
                await expect(response, 200, 201, 202, tried=self._tried(endpoint, place))
            await self.back.manifest(
                endpoint, place, selector, (media_type, raw), self._authorize(endpoint, place)
            )

    async def _blob(self, place: Reference, digest: str, size: int) -> int:
        async with self._locks.setdefault(digest, asyncio.Lock()), self._parallel:
            known = self._have.get(digest)
            if known == place.repository:
                return 0
            endpoint = self._endpoint(place)
            authorize = self._authorize(endpoint, place)
            url = endpoint.url(place.repository, "blobs", digest)
            async with self._registries.web.answer("HEAD", url, authorize=authorize) as response:
                there = response.status_code == 200
            if there:
                try:
                    await self.back.blob(endpoint, place, digest, size, authorize)
                except NotKept:
                    there = False  # it says that it has it, and it has not
            sent = 0
            if not there:
                sent = await self._send(endpoint, place, digest, size, known)
                try:
                    await self.back.blob(endpoint, place, digest, size, authorize)
                except NotKept:
                    if sent or not known:
                        raise
                    # It was to take it over from another repository, said so, and did not.
                    sent = await self._send(endpoint, place, digest, size, None)
                    await self.back.blob(endpoint, place, digest, size, authorize)
            self._have[digest] = place.repository
            return sent

    async def _send(
        self, endpoint: Endpoint, place: Reference, digest: str, size: int, known: str | None
    ) -> int:
        authorize = self._authorize(endpoint, place)
        uploads = endpoint.url(place.repository, "blobs", "uploads/")
        mount = f"?mount={digest}&from={endpoint.repository(known)}" if known else ""
        for attempt in range(_ATTEMPTS):
            async with self._registries.web.answer(
                "POST", uploads + mount, headers={"Content-Length": "0"}, authorize=authorize
            ) as response:
                await expect(response, 201, 202, tried=self._tried(endpoint, place))
                if response.status_code == 201:
                    return 0
                said = response.headers.get("location", "")
                location = str(redirected(response.request.url, said, 0))
            joint = "&" if "?" in location else "?"
            own = urlsplit(location)[:2] == urlsplit(endpoint.base)[:2]
            async with self._registries.web.answer(
                "PUT",
                f"{location}{joint}digest={digest}",
                headers={
                    "Content-Type": "application/octet-stream",
                    "Content-Length": str(size),
                },
                content=lambda: self._content(digest, size),
                # What belongs to the registry goes to no other server.
                authorize=authorize if own else None,
            ) as response:
                gone = response.status_code in (404, 416) and attempt + 1 < _ATTEMPTS
                if not gone:
                    await expect(response, 200, 201, 204, tried=self._tried(endpoint, place))
                    return size
        raise SourceProblem("the registry takes no upload", where=str(place))

    async def _content(self, digest: str, size: int) -> AsyncIterator[bytes]:
        with self._bundle.blob(digest) as reader:
            done = 0
            chunks = reader.chunks()
            while (chunk := await asyncio.to_thread(next, chunks, None)) is not None:
                done += len(chunk)
                yield bytes(chunk)
        if done != size:
            raise CorruptBundle(f"{digest} has {done} bytes", where=str(self._bundle.path))

    def _endpoint(self, place: Reference) -> Endpoint:
        return self._registries.endpoints(place.registry)[-1]

    def _authorize(self, endpoint: Endpoint, place: Reference) -> Authorize:
        return self._registries.authorize(endpoint, place.repository, "pull,push")

    def _tried(self, endpoint: Endpoint, place: Reference) -> str:
        return self._registries.tried(endpoint, place.repository)

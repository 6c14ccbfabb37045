"""What an image index leads to: manifests by platform, through indexes in indexes.

Builders publish an index that holds an index a platform, with the image and its attestation in it;
others leave the platform out, and only the image's configuration tells it. Runtimes follow all of
that, so it is followed here, to a bounded depth, and what is no image is told apart by name.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from bundles.format import media
from bundles.format.budgets import IMAGE_CONFIG_BYTES, INDEX_DEPTH, INDEX_DOCUMENTS
from bundles.format.layout import Descriptor, Platform, parse_image_index, parse_manifest
from bundles.format.platforms import rank, runs_on
from bundles.format.problems import SourceProblem, WrongContent
from bundles.format.strict_json import parse_json

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from bundles.format.reference import Reference
    from bundles.registries.registry import Found

_REFERENCE_TYPE: Final = "vnd.docker.reference.type"


@dataclass(frozen=True, slots=True)
class Offer:
    """One image that an index leads to."""

    platform: Platform
    descriptor: Descriptor
    path: tuple[Found, ...] = ()
    """The indexes between the top and the image, outermost first."""

    @property
    def special(self) -> tuple[bool, bool]:
        """What makes it the worse of two with one platform: it asks for more of a machine."""
        return bool(self.platform.os_features), bool(self.platform.os_version)


@dataclass(slots=True)
class Offers:
    """Everything that an index leads to."""

    images: list[Offer] = field(default_factory=list)
    others: dict[str, bool] = field(default_factory=dict)
    """What is in it besides, in words, and whether it is no image at all."""

    @property
    def beside(self) -> tuple[str, ...]:
        """What says something of the images, or is something else: attestations, signatures."""
        return tuple(words for words, is_none in self.others.items() if is_none)

    def best(self, wanted: str) -> tuple[Offer | None, list[Offer]]:
        """The image to take for a platform, and all that would run there; of equals the first."""
        fitting = [
            (found, offer.special, place)
            for place, offer in enumerate(self.images)
            if (found := rank(wanted, str(offer.platform))) is not None
        ]
        ranked = [self.images[place] for _, _, place in sorted(fitting)]
        return (ranked[0] if ranked else None), ranked

    def words(self) -> str:
        """What there is, for whoever finds nothing that fits."""
        names = dict.fromkeys(_in_words(offer.platform) for offer in self.images)
        return ", ".join([*sorted(names), *sorted(self.others)]) or "none"


class Look:
    """Looks through the indexes of one image."""

    def __init__(
        self,
        reference: Reference,
        fetch: Callable[[str], Awaitable[Found]],
        config_of: Callable[[Descriptor], Awaitable[bytes]],
        wanted: Sequence[str],
    ) -> None:
        self._reference = reference
        self._fetch = fetch
        self._config_of = config_of
        self._wanted = wanted
        self._fetched = 0
        self._offers = Offers()

    async def offers(self, top: Found) -> Offers:
        """Every image that an index leads to; raises SourceProblem, WrongContent."""
        await self._index(top, (), None)
        return self._offers

    async def _index(
        self, found: Found, path: tuple[Found, ...], inherited: Platform | None
    ) -> None:
        children = _children(found, str(self._reference))
        if len(path) >= INDEX_DEPTH:
            raise SourceProblem(
                f"it is an index of indexes more than {INDEX_DEPTH} deep",
                where=str(self._reference),
                remedy="Name the image of one platform by its digest.",
            )
        for child in children:
            await self._child(child, path, inherited)

    async def _child(
        self, child: Descriptor, path: tuple[Found, ...], inherited: Platform | None
    ) -> None:
        platform = child.platform if child.platform and str(child.platform) else inherited
        kind = (child.annotations or {}).get(_REFERENCE_TYPE)
        if kind is not None and "attestation" not in kind:
            self._other(f"what says something of another part ({kind})")
        elif kind is not None or (platform is not None and platform.architecture == "unknown"):
            self._other("an attestation")
        elif child.media_type in media.INDEXES:
            if platform is None or any(runs_on(one, str(platform)) for one in self._wanted):
                inner = await self._get(child)
                await self._index(inner, (*path, inner), platform)
            else:
                self._offers.others.setdefault(_in_words(platform), False)
        elif child.media_type not in media.MANIFESTS:
            self._other(f"a part of the type {child.media_type}")
        elif child.artifact_type is not None and child.artifact_type not in _IMAGE_TYPES:
            self._other(f"an artefact of the type {child.artifact_type}")
        elif platform is not None:
            self._offers.images.append(Offer(platform, child, path))
        else:
            await self._without_platform(child, path)

    async def _without_platform(self, child: Descriptor, path: tuple[Found, ...]) -> None:
        found = await self._get(child)
        where = str(self._reference)
        config = parse_manifest(found.raw, where=where, problem=SourceProblem).config
        if config.media_type not in _IMAGE_TYPES:
            self._other(f"an artefact of the type {config.media_type}")
            return
        platform = platform_in(await self._config_of(config), where)
        if platform is None:
            self._other("an image that states no platform")
            return
        self._offers.images.append(Offer(platform, child, path))

    async def _get(self, child: Descriptor) -> Found:
        self._fetched += 1
        if self._fetched > INDEX_DOCUMENTS:
            raise SourceProblem(
                f"its index leads to more than {INDEX_DOCUMENTS} others",
                where=str(self._reference),
                remedy="Name the image of one platform by its digest.",
            )
        found = await self._fetch(child.digest)
        check_child(child, found, str(self._reference))
        return found

    def _other(self, words: str) -> None:
        self._offers.others.setdefault(words[:160], True)


_IMAGE_TYPES: Final = media.config_types(media.IMAGE)


def check_child(child: Descriptor, found: Found, where: str) -> None:
    """Raise WrongContent unless what came is what the index names."""
    both = (media.INDEXES, media.MANIFESTS)
    alike = any(found.media_type in some and child.media_type in some for some in both)
    if not alike or len(found.raw) != child.size:
        raise WrongContent("the index names something else", where=where)


def platform_in(config: bytes, where: str) -> Platform | None:
    """The platform that an image's configuration states; None where it states none."""
    value = parse_json(config, where=where, limit=IMAGE_CONFIG_BYTES, problem=SourceProblem)
    try:
        platform = Platform.model_validate(value)
    except ValueError:
        return None
    return platform if platform.os and platform.architecture else None


def _children(found: Found, where: str) -> tuple[Descriptor, ...]:
    value = parse_json(found.raw, where=where, limit=len(found.raw), problem=SourceProblem)
    for digest in _digests(value):
        if not digest.startswith("sha256:"):
            raise SourceProblem(
                f"its index names parts by {digest.partition(':')[0][:20]}, and a bundle keeps "
                "sha256 alone",
                where=where,
                remedy="Ask its maker for the image with sha256 digests.",
            )
    return parse_image_index(found.raw, where=where, problem=SourceProblem).manifests


def _digests(value: object) -> Iterator[str]:
    entries = value.get("manifests") if isinstance(value, dict) else None
    for entry in entries if isinstance(entries, list) else ():
        digest = entry.get("digest") if isinstance(entry, dict) else None
        if isinstance(digest, str):
            yield digest


def _in_words(platform: Platform) -> str:
    more = [platform.os_version or "", *(platform.os_features or ())]
    said = ", ".join(filter(None, more))
    return f"{platform} ({said})" if said else str(platform)


async def fetch_all(
    fetch: Callable[[str], Awaitable[Found]], offers: Sequence[Offer], where: str
) -> list[Found]:
    """The manifests of some offers; raises SourceProblem, WrongContent."""
    found = await asyncio.gather(*(fetch(offer.descriptor.digest) for offer in offers))
    for offer, one in zip(offers, found, strict=True):
        check_child(offer.descriptor, one, where)
    return list(found)

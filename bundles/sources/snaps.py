"""Snaps with their assertions, as `snap ack` and `snap install` want them side by side.

A snap comes with its base, with the providers of content that it names, and with snapd. Each file
is compared with the SHA3-384 and the size that the store states and that a signed assertion states
again; the assertions' signatures are followed to the store's root key.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from bundles.format.layout import Item
from bundles.format.lock import LockedItem
from bundles.format.problems import WrongContent
from bundles.format.recipe import SnapWanted
from bundles.read.store import Blob
from bundles.sources.assertions import (
    ASSERTION_LIMIT,
    Assertion,
    check_chain,
    check_snap,
    read_assertions,
    write_assertions,
)
from bundles.sources.snap_store import SnapStore
from bundles.sources.workshop import Locked, Workshop, address, pin


@dataclass(frozen=True, slots=True)
class _Snap:
    name: str
    snap_id: str
    revision: int
    version: str
    architecture: str
    channel: str
    type: str
    base: str
    confinement: str
    licence: str | None
    url: str
    size: int
    sha3_384: str
    chain: tuple[Assertion, ...] = ()
    """Locked assertions, so that the same file comes out after the store has newer ones."""


async def gather_snap(shop: Workshop, wanted: SnapWanted, locked: Locked) -> list[Item]:
    """Bring one snap with what it stands on; raises SourceProblem, WrongContent."""
    store = SnapStore(shop.web, shop.snap_store)
    pinned = [item for item in locked if item.kind == "snap"]
    snaps = [_locked(item) for item in pinned] or await _solve(shop, store, wanted)
    return list(await asyncio.gather(*(_bring(shop, store, snap) for snap in snaps)))


async def _solve(shop: Workshop, store: SnapStore, wanted: SnapWanted) -> list[_Snap]:
    found: dict[str, _Snap] = {}
    queue = [(wanted.name, wanted.channel, wanted.revision)]
    while queue:
        name, channel, revision = queue.pop()
        if name in found:
            continue
        release = await shop.remember(
            ("snap", name, wanted.architecture, channel, str(revision)),
            partial(
                store.find,
                name,
                architecture=wanted.architecture,
                channel=channel,
                revision=revision,
            ),
        )
        licence = release.license
        found[name] = _Snap(
            name=name,
            snap_id=release.snap_id,
            revision=release.revision,
            version=release.version,
            architecture=wanted.architecture,
            channel=channel,
            type=release.type,
            base=release.base,
            confinement=release.confinement,
            licence=licence[:120] if licence and licence[:120].isprintable() else None,
            url=release.download.url,
            size=release.download.size,
            sha3_384=release.download.sha3_384,
        )
        if release.unread:
            shop.tell(f"the snap {name}", release.unread)
        for sentence in release.unresolved:
            shop.tell(f"the snap {name}", sentence, "perhaps")
        left = [one for one in release.stands_on if one not in wanted.beside]
        if left and not wanted.needs:
            shop.tell(
                f"the snap {name}",
                f"it stands on {', '.join(left)}, left out as the recipe says (needs: false); the "
                "machine must have it",
                "perhaps",
            )
        # From the core20 base on snapd is a snap of its own, which snapd asks for.
        more = (*release.stands_on, "snapd") if wanted.needs else ()
        queue += [(one, "latest/stable", None) for one in more if one not in wanted.beside]
    return list(found.values())


async def _bring(shop: Workshop, store: SnapStore, snap: _Snap) -> Item:
    digest = f"sha3-384:{snap.sha3_384}"

    async def fetch() -> Blob:
        return await shop.web.download(snap.url, shop.store, digest, snap.size, news=shop.tracker)

    root = await shop.remember(("root key",), store.root)
    chain = snap.chain or tuple(await store.chain(snap.sha3_384, root))
    check_chain([root, *chain], store.address.root_key, now=datetime.now(UTC))
    check_snap(
        [root, *chain],
        name=snap.name,
        snap_id=snap.snap_id,
        revision=snap.revision,
        sha3_384=snap.sha3_384,
        size=snap.size,
    )
    blob = await shop.once(digest, snap.size, fetch)
    # The root key is in every snapd, which refuses to take it from a file.
    text = write_assertions(chain)
    title = f"{snap.name}_{snap.revision}"
    return shop.artifact(
        "snap",
        [(f"{title}.snap", blob), (f"{title}.assert", shop.store.add(text))],
        name=snap.name,
        version=snap.version,
        origin=address(snap.url),
        licence=snap.licence,
        pins={
            "architecture": snap.architecture,
            "assertions": base64.b64encode(zlib.compress(text, 9)).decode(),
            "base": snap.base,
            "channel": snap.channel,
            "confinement": snap.confinement,
            "file": f"{title}.snap",
            "revision": str(snap.revision),
            "sha3-384": snap.sha3_384,
            "size": str(snap.size),
            "snap-id": snap.snap_id,
            "type": snap.type,
            "url": snap.url,
        },
    )


def _locked(item: LockedItem) -> _Snap:
    return _Snap(
        name=item.name,
        snap_id=pin(item, "snap-id"),
        revision=_number(item, "revision"),
        version=item.version or "",
        architecture=pin(item, "architecture"),
        channel=pin(item, "channel"),
        type=pin(item, "type"),
        base=pin(item, "base"),
        confinement=pin(item, "confinement"),
        licence=item.licence,
        url=pin(item, "url"),
        size=_number(item, "size"),
        sha3_384=_hexadecimal(item),
        chain=_locked_chain(item),
    )


def _number(item: LockedItem, name: str) -> int:
    text = pin(item, name)
    if not text.isdecimal() or len(text) > 15:
        raise _broken(item, name)
    return int(text)


def _hexadecimal(item: LockedItem) -> str:
    text = pin(item, "sha3-384")
    if len(text) != 96 or set(text) - set("0123456789abcdef"):
        raise _broken(item, "sha3-384")
    return text


def _locked_chain(item: LockedItem) -> tuple[Assertion, ...]:
    unpacked = zlib.decompressobj()
    try:
        raw = base64.b64decode(pin(item, "assertions"), validate=True)
        text = unpacked.decompress(raw, ASSERTION_LIMIT)
    except (binascii.Error, zlib.error) as error:
        raise _broken(item, "assertions") from error
    return tuple(read_assertions(text, where=f"lock, snap {item.name}"))


def _broken(item: LockedItem, name: str) -> WrongContent:
    return WrongContent(f'the lock\'s "{name}" cannot be read', where=f"snap {item.name}")

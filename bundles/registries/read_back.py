"""Read back: whether a registry has what it said it took, asked before anything is called pushed.

A registry may answer 201 and keep nothing, keep a part, say yes to HEAD and 404 to GET, or give a
manifest out as something else: whoever pulls learns it at night. A manifest is read back whole and
compared; of a blob the length and its beginning are, so that no push takes twice its time.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Final

import httpx

from bundles.format.budgets import MANIFEST_BYTES
from bundles.format.problems import SourceProblem
from bundles.format.reference import Reference
from bundles.format.strict_json import digest_of
from bundles.read.opened import Bundle
from bundles.registries.registry import Endpoint
from bundles.registries.web import Authorize, Web
from bundles.registries.web_answers import read_bounded, shown

BEGINNING: Final = 64 * 1024
"""Bytes of a blob that are read back and compared."""
_LOOKS: Final = 3
"""A store behind a registry may take a moment until it gives what it took."""
_MAY_NOT: Final = frozenset({401, 403})
_REMEDY: Final = (
    "Look at the registry's own log and the free space of its disk. What it has is not sent again: "
    "push once more when it is mended."
)


class NotKept(SourceProblem):
    """A registry that does not have what it said it took."""

    code = "registry-not-kept"
    title = "The registry does not have what it said it took"


@dataclass(slots=True)
class ReadBack:
    """Asks one registry for what was pushed."""

    web: Web
    bundle: Bundle
    may_not: set[str] = field(default_factory=set)
    """Repositories in which this login may push and not pull, so that nothing could be asked."""

    async def manifest(
        self, endpoint: Endpoint, place: Reference, selector: str, sent: tuple[str, bytes],
        authorize: Authorize,
    ) -> None:  # fmt: skip
        """A manifest by its tag or digest, with the media type it was sent with; raises NotKept."""
        media_type, raw = sent
        url = endpoint.url(place.repository, "manifests", selector)
        what = f"the manifest {selector}"
        wrong = ""
        for look in range(_LOOKS):
            await self._pause(look)
            response, body = await self.web.small(
                url, limit=MANIFEST_BYTES, headers={"Accept": media_type}, authorize=authorize
            )
            if self._may_not(response, place):
                return
            stated = response.headers.get("content-type", "").partition(";")[0].strip().lower()
            if response.status_code != 200:
                wrong = f"it took {what} and answers {response.status_code} when it is asked for it"
            elif body != raw:
                wrong = f"it gives {digest_of(body)} for {what}, and was given {digest_of(raw)}"
            elif stated != media_type:
                wrong = f"it gives {what} out as {stated or 'nothing'}, and was given {media_type}"
            else:
                return
        raise NotKept(wrong, where=shown(url), remedy=_REMEDY)

    async def blob(
        self, endpoint: Endpoint, place: Reference, digest: str, size: int, authorize: Authorize
    ) -> None:
        """A blob's length and beginning; raises NotKept."""
        url = endpoint.url(place.repository, "blobs", digest)
        wrong = ""
        for look in range(_LOOKS):
            await self._pause(look)
            wrong = await self._wrong(url, place, digest, size, authorize)
            if not wrong:
                return
        raise NotKept(wrong, where=shown(url), remedy=_REMEDY)

    async def _wrong(
        self, url: str, place: Reference, digest: str, size: int, authorize: Authorize
    ) -> str:
        some = {"Range": f"bytes=0-{BEGINNING - 1}"} if size > BEGINNING else {}
        try:
            async with self.web.answer("GET", url, headers=some, authorize=authorize) as response:
                if self._may_not(response, place):
                    return ""
                if response.status_code not in (200, 206):
                    return (
                        f"it says that it has {digest} and answers {response.status_code} when it "
                        "is asked for it"
                    )
                length = _length(response)
                body = await read_bounded(response, min(size, BEGINNING) + 1, whole=False)
        except httpx.TransportError as error:
            return f"it breaks off while it gives {digest} ({type(error).__name__})"
        if length is not None and length != size:
            return f"it has {length} bytes of {digest}, and was given {size}"
        beginning = min(size, BEGINNING)
        if len(body) < beginning or (size <= BEGINNING and len(body) != size):
            return f"it gives {len(body)} bytes of {digest}, and was given {size}"
        if body[:beginning] != await asyncio.to_thread(self._beginning, digest, beginning):
            return f"it gives other bytes for {digest} than it was given"
        return ""

    def _beginning(self, digest: str, wanted: int) -> bytes:
        found = bytearray()
        with self.bundle.blob(digest) as reader:
            for chunk in reader.chunks():
                found += chunk
                if len(found) >= wanted:
                    break
        return bytes(found[:wanted])

    def _may_not(self, response: httpx.Response, place: Reference) -> bool:
        if response.status_code not in _MAY_NOT:
            return False
        self.may_not.add(place.repository)
        return True

    async def _pause(self, look: int) -> None:
        if look:
            await asyncio.sleep(min(self.web.patience.first_pause * look, 2.0))


def _length(response: httpx.Response) -> int | None:
    """How long the whole is, as far as the answer says."""
    _, _, total = response.headers.get("content-range", "").rpartition("/")
    if response.status_code == 206:
        return int(total) if total.isdecimal() and len(total) < 19 else None
    said = response.headers.get("content-length", "")
    coded = response.headers.get("content-encoding", "identity") not in ("", "identity")
    return int(said) if said.isdecimal() and len(said) < 19 and not coded else None

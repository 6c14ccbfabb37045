"""Bodies that a server packed (Content-Encoding), although it was asked not to.

Proxies do so. gzip, deflate and zstd are undone, each piece as it comes, so that whoever reads can
stop at a bound; what a digest names are the bytes before they were packed.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import AsyncIterator, Iterator
from typing import Any, Final

import httpx

from bundles.format.problems import SourceProblem

_PIECE: Final = 1 << 18
"""Bytes that one step unpacks at most, since a few may unfold to a thousand times as many."""
_KNOWN: Final = {"gzip": 31, "x-gzip": 31, "deflate": 15}
_ZSTD: Final = "zstd"
_WINDOW_LOG: Final = 23
"""Of zstd's window: 8 MiB, which is all that this coding may ask for (RFC 9659)."""


def codings(response: httpx.Response) -> tuple[str, ...]:
    """How a body is packed, in the order in which it was done; empty where it is as it is."""
    stated: str = response.headers.get("content-encoding", "")
    words = (word.strip().lower() for word in stated.split(","))
    return tuple(word for word in words if word and word != "identity")


async def unpacked(response: httpx.Response, *, lenient: bool = False) -> AsyncIterator[bytes]:
    """The pieces of a body, unpacked; raises SourceProblem for what cannot be.

    `lenient` gives what cannot be unpacked as it came, for words beside an error.
    """
    packed = codings(response)
    if not packed:
        async for chunk in response.aiter_raw():
            yield chunk
        return
    if len(packed) > 1 or packed[0] not in (*_KNOWN, _ZSTD):
        if lenient:
            return
        raise _cannot(response, f"as {', '.join(packed)[:60]}")
    unpacker = _OfZstd() if packed[0] == _ZSTD else _OfZlib(packed[0])
    try:
        async for chunk in response.aiter_raw():
            for piece in unpacker.pieces(chunk):
                yield piece
        if not unpacker.whole and not lenient:
            raise httpx.RemoteProtocolError("the answer ended too early")
    except (zlib.error, Damaged) as error:
        if not lenient:
            raise _cannot(response, f"as {packed[0]}, and damaged") from error


class Damaged(Exception):
    """What came is not packed as was said."""


class _OfZstd:
    """As zstd: frames, one after the other (RFC 8878, §3)."""

    def __init__(self) -> None:
        if sys.version_info >= (3, 14):
            from compression import zstd
        else:
            from backports import zstd
        self._zstd: Any = zstd
        self._inner = self._frame()
        self.whole = False

    def _frame(self) -> Any:
        bounds = {int(self._zstd.DecompressionParameter.window_log_max): _WINDOW_LOG}
        return self._zstd.ZstdDecompressor(options=bounds)

    def pieces(self, chunk: bytes) -> Iterator[bytes]:
        """What a piece of the packed body unfolds to, so little at once that a bound holds."""
        rest = chunk
        while rest or not (self._inner.needs_input or self._inner.eof):
            if self._inner.eof:
                self._inner = self._frame()
            try:
                piece = self._inner.decompress(rest, _PIECE)
            except self._zstd.ZstdError as error:
                raise Damaged(str(error)) from error
            self.whole = self._inner.eof
            rest = self._inner.unused_data if self.whole else b""
            if piece:
                yield piece


class _OfZlib:
    """As gzip or deflate."""

    def __init__(self, coding: str) -> None:
        self._coding = coding
        self._inner = zlib.decompressobj(_KNOWN[coding])
        self._begun = b""
        self.whole = False
        self._full = False
        """Whether there may be more inside than was given out."""

    def pieces(self, chunk: bytes) -> Iterator[bytes]:
        """What a piece of the packed body unfolds to, so little at once that a bound holds."""
        rest = self._first(chunk)
        while rest or self._full:
            if self._inner.eof:
                # gzip may be several members, one after the other; after deflate comes nothing.
                if self._coding == "deflate":
                    return
                self._inner = zlib.decompressobj(_KNOWN[self._coding])
            piece = self._inner.decompress(rest, _PIECE)
            rest = self._inner.unconsumed_tail or self._inner.unused_data
            self.whole = self._inner.eof
            self._full = len(piece) == _PIECE and not self.whole
            if piece:
                yield piece

    def _first(self, chunk: bytes) -> bytes:
        """The bytes to unpack; some servers leave out the head that deflate has."""
        if self._coding != "deflate" or len(self._begun) >= 2:
            return chunk
        self._begun += chunk
        if len(self._begun) < 2:
            return b""
        head = int.from_bytes(self._begun[:2], "big")
        if self._begun[0] & 15 != 8 or head % 31:
            self._inner = zlib.decompressobj(-15)
        return self._begun


def _cannot(response: httpx.Response, how: str) -> SourceProblem:
    url = response.request.url.copy_with(username=None, password=None, query=None)
    return SourceProblem(
        f"the server packs its answer ({how}) although it was asked not to",
        where=str(url),
        remedy="A proxy on the way may do that: ask for the address without it (NO_PROXY), or "
        "name a mirror.",
    )

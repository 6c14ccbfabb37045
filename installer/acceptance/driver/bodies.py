"""Bodies of messages, read whole and never beyond a bound."""

from __future__ import annotations

from aiohttp import StreamReader


async def body_of(stream: StreamReader, most: int) -> bytes | None:
    """A body of so many bytes at most; None where it is longer."""
    parts, size = [], 0
    while part := await stream.readany():
        size += len(part)
        if size > most:
            return None
        parts.append(part)
    return b"".join(parts)

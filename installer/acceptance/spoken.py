"""What a command of the hub file is told and answers, as much of it as is kept."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

_LONGEST: Final = 8 << 20
"""Bytes of an answer: ten thousand transfers have one megabyte."""


async def spoken(process: asyncio.subprocess.Process, question: bytes = b"") -> tuple[bytes, bytes]:
    """Give the question and read both answers, each bounded; what is beyond is not kept."""

    async def read(stream: asyncio.StreamReader | None) -> bytes:
        kept = bytearray()
        while stream is not None and (piece := await stream.read(1 << 16)):
            kept += piece[: max(0, _LONGEST - len(kept))]
        return bytes(kept)

    async def write() -> None:
        if process.stdin is None:
            return
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            process.stdin.write(question)
            await process.stdin.drain()
        process.stdin.close()

    out, err, _ = await asyncio.gather(read(process.stdout), read(process.stderr), write())
    await process.wait()
    return out, err

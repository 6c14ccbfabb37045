"""Output as lines: bytes of a hostile stream cut into bounded lines, fit to be kept and shown."""

from __future__ import annotations

import asyncio
from typing import Final

from foundation.terminal import clean_line

LINE_LIMIT: Final = 32 * 1024
"""Bytes of one line that are kept; what is beyond is counted and left out. A line is cleaned and
searched for secrets in one go, so that a longer one would hold up everything else."""
_A_LINE: Final = 256
"""What a line costs however short it is, in bytes that cost as much."""
_TURN: Final = 16 * 1024
"""Bytes, or as much as them, after which everything else has its turn."""

__all__ = ["LINE_LIMIT", "LineCutter", "Turns", "clean_line"]


class Turns:
    """Lets everything else have its turn, however much a machine writes at once.

    By the work that was done and no clock: a machine may have written a megabyte meanwhile, and so
    may eleven others.
    """

    def __init__(self) -> None:
        self._done = 0

    async def after(self, line: str | bytes) -> None:
        """Take note of a line that was dealt with."""
        self._done += _A_LINE + len(line)
        if self._done >= _TURN:
            self._done = 0
            await asyncio.sleep(0)


class LineCutter:
    """Cuts a stream of bytes into lines, keeping at most `limit` bytes of each.

    `feed` gives (line without its end, bytes left out, offset after it in the stream).
    """

    def __init__(self, *, offset: int = 0, limit: int = LINE_LIMIT) -> None:
        self._limit = limit
        self._kept = bytearray()
        self._left_out = 0
        self.offset = offset
        """Bytes of the stream up to the end of the last whole line."""

    def feed(self, data: bytes) -> list[tuple[bytes, int, int]]:
        """Take a piece of the stream; the lines that it completes."""
        *whole, rest = data.split(b"\n")
        lines = []
        for part in whole:
            self._keep(part)
            lines.append(self._take(newline=1))
        self._keep(rest)
        return lines

    def last(self) -> tuple[bytes, int, int] | None:
        """What stands after the last newline, as a line of its own; None where nothing does."""
        return self._take(newline=0) if self._kept or self._left_out else None

    def _keep(self, part: bytes) -> None:
        room = self._limit - len(self._kept)
        self._kept += part[:room]
        self._left_out += max(len(part) - room, 0)

    def _take(self, *, newline: int) -> tuple[bytes, int, int]:
        line, left_out = bytes(self._kept), self._left_out
        self.offset += len(line) + left_out + newline
        self._kept.clear()
        self._left_out = 0
        return line, left_out, self.offset

"""Running: a command that runs, over SSH or here; its output bounded, its password kept apart."""

from __future__ import annotations

import asyncio
import contextlib
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from typing import Final, Literal, cast

from foundation.hosts.connection import Chunk, Feed
from foundation.hosts.sudo import Elevation, Seen
from foundation.secrets import Secret

_PAUSE_AT: Final = 1024 * 1024
"""Bytes waiting to be read at which the command is made to wait."""


@dataclass(slots=True)
class Ended:
    """How a command ended."""

    status: int = -1
    truncated: bool = False
    wrong_password: bool = False
    lost: Exception | None = None
    """What the connection ended with, where the command did not end by itself."""


class Running(ABC):
    """One command: standard input is sent when it may be, output is queued as it comes."""

    def __init__(
        self,
        elevation: Elevation,
        stdin: bytes | Feed | None,
        password: Secret | None,
        limit: int | None,
    ) -> None:
        self._elevation = elevation
        self._stdin = stdin
        self._password = password
        self._limit = limit
        self._taken = 0
        self._waiting: deque[Chunk] = deque()
        self._waiting_bytes = 0
        self._paused = False
        self._news = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()
        self._feeding: asyncio.Task[None] | None = None
        self._over = False
        self.ended = Ended()
        self.started_at = time.time()
        """Unix time at which the command was sent, seconds."""
        self.began = time.monotonic()

    @abstractmethod
    def _send(self, data: bytes | memoryview, *, last: bool) -> None:
        """Write to the command's standard input, which a command need not read."""

    @abstractmethod
    def _hold(self, hold: bool) -> None:
        """Stop or go on taking the command's output."""

    @abstractmethod
    def end(self) -> None:
        """End the command if it still runs; safe to call twice."""

    def close(self) -> None:
        """The same as `end`, for `contextlib.closing`."""
        self.end()

    def begin(self) -> None:
        """Take note that the command was sent."""
        if not self._elevation.waits:
            self._give()

    def _give(self) -> None:
        """Send the command's standard input, or begin to."""
        if callable(self._stdin):
            self._feeding = asyncio.get_running_loop().create_task(self._feed(self._stdin))
        else:
            self._send(self._stdin or b"", last=True)

    async def _feed(self, feed: Feed) -> None:
        pieces = cast(AsyncGenerator[bytes | memoryview], feed())
        try:
            async with contextlib.aclosing(pieces):
                async for piece in pieces:
                    await self._writable.wait()
                    self._send(piece, last=False)
        except Exception as error:
            self.ended.lost = error
            self.end()
        else:
            self._send(b"", last=True)

    def pause_writing(self) -> None:
        """Called by the transport when the machine takes no more for now."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """Called by the transport when the machine takes more again."""
        self._writable.set()

    def take(self, stream: Literal["stdout", "stderr"], data: bytes) -> None:
        """Take a piece of output."""
        if self._over:
            return
        if stream == "stdout":
            self._keep(Chunk(stream, data))
            return
        seen, rest = self._elevation.feed(data)
        if seen is Seen.PROMPT and self._password is not None:
            self._send(self._password.reveal().encode() + b"\n", last=False)
        elif seen in (Seen.PROMPT, Seen.SECOND_PROMPT):
            self.ended.wrong_password = seen is Seen.SECOND_PROMPT
            self.end()
        elif seen is Seen.STARTED:
            self._give()
        if rest:
            self._keep(Chunk(stream, rest))

    def _keep(self, chunk: Chunk) -> None:
        if self._limit is not None:
            room = self._limit - self._taken
            if len(chunk.data) > room:
                chunk = Chunk(chunk.stream, chunk.data[:room])
                self.ended.truncated = True
            self._taken += len(chunk.data)
        if chunk.data:
            self._waiting.append(chunk)
            self._waiting_bytes += len(chunk.data)
        if self._waiting_bytes > _PAUSE_AT and not self._paused:
            self._paused = True
            self._hold(True)
        self._news.set()
        if self.ended.truncated:
            self.end()

    async def chunks(self) -> AsyncIterator[Chunk]:
        """The output as it comes, until the command has ended."""
        while True:
            while self._waiting:
                chunk = self._waiting.popleft()
                self._waiting_bytes -= len(chunk.data)
                if self._paused and self._waiting_bytes < _PAUSE_AT // 2:
                    self._paused = False
                    self._hold(False)
                yield chunk
            if self._over:
                return
            self._news.clear()
            await self._news.wait()

    def finish(self) -> None:
        """Take note that nothing more will come."""
        self._over = True
        if self._feeding is not None and self._feeding is not asyncio.current_task():
            self._feeding.cancel()
        self._news.set()

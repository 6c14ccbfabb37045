"""Channel: one command that runs over SSH, its output bounded, its password dance kept apart."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Final

import asyncssh

from foundation.hosts.connection import Chunk
from foundation.hosts.sudo import Elevation, Seen
from foundation.secrets import Secret

_PAUSE_AT: Final = 1024 * 1024
"""Bytes waiting to be read at which the machine is asked to wait."""


@dataclass(slots=True)
class Ended:
    """How a command ended."""

    status: int = -1
    truncated: bool = False
    wrong_password: bool = False
    lost: Exception | None = None


class Channel(asyncssh.SSHClientSession[bytes]):
    """One command: standard input is sent when it may be, output is queued as it comes."""

    def __init__(
        self, elevation: Elevation, stdin: bytes | None, password: Secret | None, limit: int | None
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
        self._over = False
        self._channel: asyncssh.SSHClientChannel[bytes] | None = None
        self.ended = Ended()
        self.started_at = time.time()
        self.began = time.monotonic()

    def connection_made(self, chan: asyncssh.SSHClientChannel[bytes]) -> None:
        self._channel = chan
        self.started_at = time.time()
        self.began = time.monotonic()

    def session_started(self) -> None:
        if not self._elevation.waits:
            self._send_stdin()

    def _send_stdin(self) -> None:
        if self._channel is None:
            return
        # A command that ended without reading its input is not an error of the connection.
        with contextlib.suppress(OSError):
            if self._stdin:
                self._channel.write(self._stdin)
            self._channel.write_eof()

    def data_received(self, data: bytes, datatype: Any) -> None:
        if self._over:
            return
        if datatype != asyncssh.EXTENDED_DATA_STDERR:
            self._keep(Chunk("stdout", data))
            return
        seen, rest = self._elevation.feed(data)
        if seen is Seen.PROMPT:
            if self._password is None or self._channel is None:
                self.end()
            else:
                with contextlib.suppress(OSError):
                    self._channel.write(self._password.reveal().encode() + b"\n")
        elif seen is Seen.SECOND_PROMPT:
            self.ended.wrong_password = True
            self.end()
        elif seen is Seen.STARTED:
            self._send_stdin()
        if rest:
            self._keep(Chunk("stderr", rest))

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
        if self._limit is None and self._waiting_bytes > _PAUSE_AT and not self._paused:
            self._paused = True
            if self._channel is not None:
                self._channel.pause_reading()
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
                    if self._channel is not None:
                        self._channel.resume_reading()
                yield chunk
            if self._over:
                return
            self._news.clear()
            await self._news.wait()

    def exit_status_received(self, status: int) -> None:
        self.ended.status = status

    def exit_signal_received(self, signal: str, core_dumped: bool, msg: str, lang: str) -> None:
        self.ended.status = 128 + _number(signal)

    def eof_received(self) -> bool:
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is not None and not self._over:
            self.ended.lost = exc
        self._channel = None
        self._finish()

    def _finish(self) -> None:
        self._over = True
        self._news.set()

    def end(self) -> None:
        """End the command if it still runs: ask it to stop, then take the channel away."""
        channel, self._channel = self._channel, None
        if channel is not None:
            if self.ended.status < 0:
                with contextlib.suppress(OSError):
                    channel.terminate()
            channel.close()
        self._finish()

    close = end


def _number(name: str) -> int:
    try:
        return int(signal.Signals[f"SIG{name}"])
    except KeyError:
        return 0

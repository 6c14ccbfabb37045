"""Running: a command that runs, over SSH or here; its output bounded, its password kept apart."""

from __future__ import annotations

import asyncio
import contextlib
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal, cast

from foundation.hosts.connection import Chunk, Feed
from foundation.hosts.jobs.output_lines import clean_line
from foundation.hosts.login_shell import Passage
from foundation.hosts.sudo import Elevation, Seen
from foundation.problems import ConnectTimeout
from foundation.secrets import Secret, cut
from foundation.sentences import asks, understood

_PAUSE_AT: Final = 1024 * 1024
"""Bytes waiting to be read at which the command is made to wait."""
_PROMPT_SECONDS: Final = 1.5
"""Silence behind a question of sudo's, after which nobody will answer it."""
_OTHER_WORDS_SECONDS: Final = 3.0
"""The same behind a line without an end that no known word marks as a question."""
_START_UP_SECONDS: Final = 6.0
"""The same for one of the login shell, whose start-up files may write such a line and then work."""
SUDO_SECONDS: Final = 12.0
"""Silence of a sudo that has begun nothing, after which it is given up; LDAP takes a few."""
_HEARD_LIMIT: Final = 4096
"""Bytes of the end of each stream that are kept for the words of a failure."""


@dataclass(slots=True)
class Ended:
    """How a command ended."""

    status: int = -1
    truncated: bool = False
    wrong_password: bool = False
    lost: Exception | None = None
    """What the connection ended with, where the command did not end by itself."""
    asked: str = ""
    """The question before the command that nobody answers, for which it was ended."""
    silent_for: float = 0.0
    """Seconds of a sudo that neither asked nor began anything, for which it was ended."""


class Running(ABC):
    """One command: standard input is sent when it may be, output is queued as it comes."""

    def __init__(
        self,
        elevation: Elevation,
        stdin: bytes | Feed | None,
        password: Secret | None,
        limit: int | None,
        passage: Passage | None = None,
    ) -> None:
        self.passage = passage
        """The way through a login shell; None where the command is started without one."""
        self._heard = {"stdout": bytearray(), "stderr": bytearray()}
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
        if self.passage is not None and self.passage.first:
            self._send(self.passage.first, last=False)
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
        heard = self._heard[stream]
        heard += data[-_HEARD_LIMIT:]
        del heard[:-_HEARD_LIMIT]
        if self.passage is not None:
            data = self.passage.feed(stream, data)
            if self.passage.overflown:
                self.end()
                return
        self._news.set()
        if not data:
            return
        if stream == "stdout":
            self._keep(Chunk(stream, data))
            return
        seen, rest = self._elevation.feed(data)
        if seen is Seen.PROMPT and self._password is not None:
            self._send(self._password.reveal().encode() + b"\n", last=False)
        elif seen in (Seen.PROMPT, Seen.SECOND_PROMPT):
            again = seen is Seen.SECOND_PROMPT and not self._elevation.asked_for_more
            self.ended.wrong_password = again
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
            if self._before_it_began:
                await self._news_or_silence()
            else:
                await self._news.wait()

    @property
    def _before_it_began(self) -> bool:
        shell = self.passage is not None and not self.passage.begun
        return shell or self._elevation.waits

    async def _news_or_silence(self) -> None:
        """Wait for output; end the command where a question stands there that nobody answers."""
        since = time.monotonic()
        while not self._news.is_set() and not self._over:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_PROMPT_SECONDS):
                    await self._news.wait()
                    return
            silent = time.monotonic() - since
            in_shell = self.passage is not None and not self.passage.begun
            if self.passage is not None and in_shell:
                line = self.passage.unfinished
                waits = asks(line) and silent >= _START_UP_SECONDS
            else:
                line = self._elevation.unfinished
                # sudo ends every line that is no question, whatever the language of PAM's words.
                waits = asks(line) or (bool(line.strip()) and silent >= _OTHER_WORDS_SECONDS)
            if waits:
                self.ended.asked = line.strip()
                self.end()
            elif not in_shell and self._elevation.waits and silent >= SUDO_SECONDS:
                self.ended.silent_for = SUDO_SECONDS
                self.end()

    def last_words(self) -> str:
        """The last line that was heard, of standard error first; "" where nothing was."""
        for stream in ("stderr", "stdout"):
            text = bytes(self._heard[stream])
            if self.passage is not None:
                text = self.passage.without_mark(text)
            for raw in reversed(text.split(b"\n")):
                # Thousands of lines may have nothing to read in them.
                if line := clean_line(raw).strip():
                    return cut(line, 200)
        return ""

    def heard(self) -> str:
        """The end of all that was heard, for the table of known sentences."""
        return b"\n".join(bytes(one) for one in self._heard.values()).decode("utf-8", "replace")

    def finish(self) -> None:
        """Take note that nothing more will come."""
        self._over = True
        if self._feeding is not None and self._feeding is not asyncio.current_task():
            self._feeding.cancel()
        self._news.set()


def too_slow(
    command: Sequence[str], timeout: float, running: Running | None, where: str, remedy: str
) -> ConnectTimeout:
    """The problem with a command that took too long: with its last words, and what they mean."""
    last = running.last_words() if running is not None else ""
    known = understood(running.heard()) if running is not None else None
    shown = " ".join(command[:2])[:60]
    cause = f'the command "{shown}" did not end within {timeout:g} s and was ended'
    if known is not None:
        cause = f"{known.meaning}; {cause}"
    return ConnectTimeout(
        f'{cause}; its last words: "{last}"' if last else cause,
        where=where,
        remedy=known.remedy if known is not None else remedy,
    )

"""Channel: a command that runs over SSH."""

from __future__ import annotations

import contextlib
import signal
import time
from typing import Any, Final, cast

import asyncssh

from foundation.hosts.connection import Feed
from foundation.hosts.login_shell import Passage
from foundation.hosts.running import Running
from foundation.hosts.sudo import Elevation
from foundation.secrets import Secret

_WAITING_BYTES: Final = 1024 * 1024
"""Bytes that wait here for the machine at most, so that it never waits for us."""


class Channel(Running, asyncssh.SSHClientSession[bytes]):
    """One command on a channel of its own."""

    def __init__(
        self,
        elevation: Elevation,
        stdin: bytes | Feed | None,
        password: Secret | None,
        limit: int | None,
        passage: Passage,
    ) -> None:
        super().__init__(elevation, stdin, password, limit, passage)
        self._channel: asyncssh.SSHClientChannel[bytes] | None = None

    def connection_made(self, chan: asyncssh.SSHClientChannel[bytes]) -> None:
        """Called by asyncssh once the channel is open; the command is sent right after."""
        self._channel = chan
        if callable(self._stdin):
            chan.set_write_buffer_limits(_WAITING_BYTES)
        self.started_at = time.time()
        self.began = time.monotonic()

    def session_started(self) -> None:
        """Called by asyncssh once the command was accepted."""
        self.begin()

    def _send(self, data: bytes | memoryview, *, last: bool) -> None:
        if self._channel is not None:
            # A command that ended without reading its input is not an error of the connection.
            with contextlib.suppress(OSError):
                if data:
                    self._channel.write(cast(bytes, data))  # copied there, whatever its type
                if last:
                    self._channel.write_eof()

    def _hold(self, hold: bool) -> None:
        if self._channel is not None and hold:
            self._channel.pause_reading()
        elif self._channel is not None:
            self._channel.resume_reading()

    def data_received(self, data: bytes, datatype: Any) -> None:
        """Called by asyncssh with output."""
        self.take("stderr" if datatype == asyncssh.EXTENDED_DATA_STDERR else "stdout", data)

    def exit_status_received(self, status: int) -> None:
        """Called by asyncssh where the command ended by itself."""
        self.ended.status = status

    def exit_signal_received(self, signal: str, core_dumped: bool, msg: str, lang: str) -> None:
        """Called by asyncssh where a signal ended the command."""
        self.ended.status = 128 + _number(signal)

    def eof_received(self) -> bool:
        """Called by asyncssh when the output is at its end; our side stays open."""
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by asyncssh when the channel is closed."""
        if exc is not None and not self._over:
            self.ended.lost = exc
        self._channel = None
        self.finish()

    def end(self) -> None:
        """Ask the command to stop, as far as sshd passes that on, and take its channel away."""
        channel, self._channel = self._channel, None
        if channel is not None:
            if self.ended.status < 0:
                with contextlib.suppress(OSError):
                    channel.terminate()
            channel.close()
        self.finish()


def _number(name: str) -> int:
    try:
        return int(signal.Signals[f"SIG{name}"])
    except KeyError:
        return 0

"""The way to a machine over SSH, on asyncssh."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Final

import asyncssh

from foundation.hosts import dialling, sudo
from foundation.hosts.channel import Channel
from foundation.hosts.connection import (
    OUTPUT_LIMIT,
    Become,
    Chunk,
    Closing,
    Completed,
    Credentials,
    Dialled,
    Feed,
)
from foundation.hosts.copying import get_file, put_file
from foundation.hosts.login_shell import Passage
from foundation.hosts.model import Host
from foundation.hosts.openssh.ssh_config import Target
from foundation.hosts.running import too_slow
from foundation.problems import ConnectionLost, ConnectionProblem

CLOSE_SECONDS: Final = 2.0
"""How long a peer is given to take leave."""


class SshConnection(Closing):
    """A live SSH connection to one machine; opened by the pool."""

    def __init__(
        self, target: Target, connection: asyncssh.SSHClientConnection, credentials: Credentials
    ) -> None:
        self._target = target
        self._connection = connection
        self._credentials = credentials
        self._round_trip: float | None = None
        self._sudo = sudo.SudoState(
            target.user, target.where, credentials.sudo_password is not None
        )
        self._forwarding = True
        self._dials: set[asyncio.Task[None]] = set()
        self._sftp: asyncssh.SFTPClient | None = None
        self._sftp_lock = asyncio.Lock()

    @property
    def host(self) -> Host:
        """The machine as the inventory names it."""
        return self._target.host

    @property
    def round_trip(self) -> float | None:
        """Seconds from opening a channel to its confirmation, the shortest seen; None before."""
        return self._round_trip

    @property
    def ssh(self) -> asyncssh.SSHClientConnection:
        """The connection itself, to be tunnelled through."""
        return self._connection

    @property
    def closed(self) -> bool:
        """Whether the connection has ended."""
        return bool(self._connection.is_closed())

    async def run(
        self,
        command: Sequence[str],
        *,
        stdin: bytes | None = None,
        become: Become = Become.LOGIN,
        timeout: float = 60.0,
        limit: int = OUTPUT_LIMIT,
    ) -> Completed:
        """Run one command to its end; see foundation.hosts.connection.Connection.run."""
        began = time.monotonic()
        running: list[Channel] = []
        try:
            async with asyncio.timeout(timeout):
                return await self._run(command, stdin, become, limit, running)
        except TimeoutError as error:
            raise too_slow(
                command, timeout, running[-1] if running else None, self._target.where,
                "The machine may be overloaded or waiting for a disk or a network; look "
                f"at it: ssh {self._target.login} uptime",
            ) from error  # fmt: skip
        except (OSError, asyncssh.Error) as error:
            raise self._lost(error, time.monotonic() - began) from error

    async def _run(
        self, command: Sequence[str], stdin: bytes | None, become: Become, limit: int,
        running: list[Channel],
    ) -> Completed:  # fmt: skip
        elevation = self._sudo.elevate(command, become, is_root=self._target.user == "root")
        channel = await self._start(elevation, stdin, limit)
        running.append(channel)
        out, err = bytearray(), bytearray()
        try:
            async for chunk in channel.chunks():
                (out if chunk.stream == "stdout" else err).extend(chunk.data)
        finally:
            channel.end()
        ended = channel.ended
        if self._must_run_plainly(elevation, become, channel, bytes(err)):
            return await self._run(command, stdin, Become.LOGIN, limit, running)
        return Completed(
            status=ended.status,
            stdout=bytes(out),
            stderr=bytes(err),
            started=channel.started_at,
            seconds=time.monotonic() - channel.began,
            truncated=ended.truncated,
            why_not_root=self._sudo.why_not_root if become is not Become.ROOT else "",
        )

    async def stream(
        self,
        command: Sequence[str],
        *,
        stdin: bytes | Feed | None = None,
        become: Become = Become.LOGIN,
        timeout: float | None = None,
    ) -> AsyncIterator[Chunk]:
        """Give a command's output while it runs; see foundation.hosts.connection.Connection."""
        began = time.monotonic()
        channel: Channel | None = None
        try:
            async with asyncio.timeout(timeout) as bound:
                elevation = self._sudo.elevate(command, become, is_root=self._target.user == "root")
                channel = await self._start(elevation, stdin, None)
                with contextlib.closing(channel):
                    async for chunk in channel.chunks():
                        # The one who reads may take longer than the machine may.
                        expires = bound.when()
                        bound.reschedule(None)
                        yield chunk
                        bound.reschedule(expires)
                plainly = self._must_run_plainly(elevation, become, channel, b"")
        except TimeoutError as error:
            raise too_slow(
                command, timeout or 0.0, channel, self._target.where,
                "Give it more time, or look at what it waits for on the machine.",
            ) from error  # fmt: skip
        except (OSError, asyncssh.Error) as error:
            raise self._lost(error, time.monotonic() - began) from error
        if plainly:
            async for chunk in self.stream(command, stdin=stdin, timeout=timeout):
                yield chunk

    async def _start(
        self, elevation: sudo.Elevation, stdin: bytes | Feed | None, limit: int | None
    ) -> Channel:
        passage = Passage(elevation.argv, with_input=bool(stdin) or elevation.waits)
        channel = Channel(elevation, stdin, self._credentials.sudo_password, limit, passage)
        opening = time.monotonic()

        def opened() -> Channel:
            # The machine has just answered: a round trip was measured, and nothing was spent.
            seen = time.monotonic() - opening
            if self._round_trip is None or seen < self._round_trip:
                self._round_trip = seen
            return channel

        try:
            await self._connection.create_session(opened, passage.line, encoding=None)
        except BaseException:
            channel.end()
            raise
        return channel

    def _must_run_plainly(
        self, elevation: sudo.Elevation, become: Become, channel: Channel, stderr: bytes
    ) -> bool:
        ended, passage = channel.ended, channel.passage
        if ended.lost is not None:
            raise ended.lost
        if passage is not None and not passage.begun and not ended.truncated:
            raise passage.problem(
                ended.status, self._target.where, user=self._target.user, asked=ended.asked
            )
        return not ended.truncated and self._sudo.must_run_plainly(elevation, become, ended, stderr)

    def _lost(self, error: Exception, seconds: float) -> ConnectionProblem:
        where = self._target.where
        if isinstance(error, asyncssh.ChannelOpenError) and not self.closed:
            return ConnectionProblem(
                f"the machine refused to run a command: {error.reason}",
                where=where,
                remedy="Its sshd may forbid commands or allow too few sessions: look at "
                "ForceCommand and MaxSessions in sshd_config, and at the user's login shell.",
            )
        told = " ".join(str(error).split())[:200] or type(error).__name__
        return ConnectionLost(
            f"the connection ended after {seconds:.1f} s while a command ran ({told})",
            where=where,
            remedy="The machine may have gone down or restarted, or the network broke. Check that "
            "it is up, then try again.",
        )

    async def put(self, source: Path, target: str, *, mode: int = 0o600) -> None:
        """Copy a file to the machine, whole or not at all."""
        await put_file(await self._open_sftp(), source, target, mode=mode, where=self._target.where)

    async def get(self, source: str, target: Path) -> None:
        """Copy a file from the machine, whole or not at all."""
        await get_file(await self._open_sftp(), source, target, where=self._target.where)

    async def _open_sftp(self) -> asyncssh.SFTPClient:
        async with self._sftp_lock:
            if self._sftp is None:
                try:
                    self._sftp = await self._connection.start_sftp_client()
                except (OSError, asyncssh.Error) as error:
                    if self.closed:
                        raise self._lost(error, 0.0) from error
                    raise ConnectionProblem(
                        f"the machine does not take files over SFTP: {str(error)[:200]}",
                        where=self._target.where,
                        remedy="Check the line `Subsystem sftp` in its sshd_config, and that the "
                        "package openssh-sftp-server is installed.",
                    ) from error
            return self._sftp

    async def dial(self, address: str, port: int, *, timeout: float = 3.0) -> Dialled:
        """Try a TCP connection from that machine to another and say what it met."""
        if self._forwarding:
            seen = await dialling.through_channel(self._connection, address, port, timeout,
                                                  self._dials)  # fmt: skip
            if seen is not None:
                return seen
            if self.closed:
                raise self._lost(ConnectionError("the connection is closed"), 0.0)
            self._forwarding = False
        return await dialling.through_command(self.run, address, port, timeout)

    async def close(self) -> None:
        """End the connection within two seconds, even where the peer is dead."""
        for task in self._dials:
            task.cancel()
        self._connection.close()
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._connection.wait_closed()
        except TimeoutError:
            self._connection.abort()
        except (OSError, asyncssh.Error):
            pass  # it has ended, which is what was asked for

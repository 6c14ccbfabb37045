"""The way to this machine itself: the same protocol as over SSH, without a connection."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pwd
import secrets
import shutil
import signal
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, Final, Literal, cast

from foundation.hosts import dialling, sudo
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
from foundation.hosts.model import Host
from foundation.hosts.running import Ended, Running, too_slow
from foundation.isolation import NOWHERE, environment
from foundation.problems import ConnectionProblem, ConnectTimeout, InputProblem
from foundation.secrets import Secret

_SETTLE_SECONDS: Final = 2.0
"""How long the end of a killed command may take to be seen."""
_NOBODY: Final = Credentials()
_STREAMS: Final[dict[int, Literal["stdout", "stderr"]]] = {1: "stdout", 2: "stderr"}


class _Process(Running, asyncio.SubprocessProtocol):
    """One command on this machine, in a process group of its own."""

    def __init__(
        self, elevation: sudo.Elevation, stdin: bytes | Feed | None, password: Secret | None,
        limit: int | None,
    ) -> None:  # fmt: skip
        super().__init__(elevation, stdin, password, limit)
        self._transport: asyncio.SubprocessTransport | None = None
        self._gone = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by asyncio once the command runs."""
        self._transport = cast(asyncio.SubprocessTransport, transport)

    def _pipe(self, number: int) -> Any:
        return self._transport.get_pipe_transport(number) if self._transport else None

    def _send(self, data: bytes | memoryview, *, last: bool) -> None:
        pipe = self._pipe(0)
        if pipe is not None and not pipe.is_closing():
            pipe.write(data)
            if last:
                pipe.write_eof()

    def _hold(self, hold: bool) -> None:
        for number in _STREAMS:
            pipe = self._pipe(number)
            if pipe is not None and not pipe.is_closing():
                (pipe.pause_reading if hold else pipe.resume_reading)()

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        """Called by asyncio with output."""
        self.take(_STREAMS[fd], data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by asyncio when the command and its pipes are gone."""
        status = self._transport.get_returncode() if self._transport else None
        if status is not None:
            self.ended.status = status if status >= 0 else 128 - status
        self._gone.set()
        self.finish()

    def end(self) -> None:
        """Kill the command and everything it started."""
        transport = self._transport
        if transport is not None and transport.get_returncode() is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(transport.get_pid(), signal.SIGKILL)
        self.finish()

    async def settle(self) -> None:
        """End what still runs, and leave nothing of it in the event loop."""
        self.end()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_SETTLE_SECONDS):
                await self._gone.wait()
        if self._transport is not None:
            self._transport.close()


class LocalConnection(Closing):
    """This machine as a Connection; commands run as the user who runs Sitewright."""

    def __init__(self, host: Host, credentials: Credentials = _NOBODY) -> None:
        self._host = host
        self._credentials = credentials
        self._sudo = sudo.SudoState(_user(), host.name, credentials.sudo_password is not None)

    @property
    def host(self) -> Host:
        """The machine as the inventory names it."""
        return self._host

    @property
    def round_trip(self) -> float | None:
        """Nothing lies between: 0."""
        return 0.0

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
        out, err = bytearray(), bytearray()
        began = time.monotonic()
        running: _Process | None = None
        try:
            async with asyncio.timeout(timeout):
                elevation = self._sudo.elevate(command, become, is_root=os.geteuid() == 0)
                running = await self._start(elevation, stdin, limit)
                try:
                    async for chunk in running.chunks():
                        (out if chunk.stream == "stdout" else err).extend(chunk.data)
                finally:
                    await running.settle()
        except TimeoutError as error:
            raise self._too_slow(command, timeout, running) from error
        ended = running.ended
        if self._must_run_plainly(elevation, become, ended, bytes(err)):
            left = max(timeout - (time.monotonic() - began), 0.1)
            return await self.run(command, stdin=stdin, timeout=left, limit=limit)
        seconds = time.monotonic() - began
        return Completed(
            ended.status, bytes(out), bytes(err), running.started_at, seconds, ended.truncated,
            self._sudo.why_not_root if become is not Become.ROOT else "",
        )  # fmt: skip

    async def stream(
        self,
        command: Sequence[str],
        *,
        stdin: bytes | Feed | None = None,
        become: Become = Become.LOGIN,
        timeout: float | None = None,
    ) -> AsyncIterator[Chunk]:
        """Give a command's output while it runs; see foundation.hosts.connection.Connection."""
        running: _Process | None = None
        try:
            async with asyncio.timeout(timeout) as bound:
                elevation = self._sudo.elevate(command, become, is_root=os.geteuid() == 0)
                running = await self._start(elevation, stdin, None)
                try:
                    async for chunk in running.chunks():
                        expires = bound.when()
                        bound.reschedule(None)
                        yield chunk
                        bound.reschedule(expires)
                finally:
                    await running.settle()
                plainly = self._must_run_plainly(elevation, become, running.ended, b"")
        except TimeoutError as error:
            raise self._too_slow(command, timeout or 0, running) from error
        if plainly:
            async for chunk in self.stream(command, stdin=stdin, timeout=timeout):
                yield chunk

    async def _start(
        self, elevation: sudo.Elevation, stdin: bytes | Feed | None, limit: int | None
    ) -> _Process:
        running = _Process(elevation, stdin, self._credentials.sudo_password, limit)
        loop = asyncio.get_running_loop()
        try:
            await loop.subprocess_exec(
                lambda: running,
                *elevation.argv,
                start_new_session=True,
                cwd=NOWHERE,
                env=environment(),
            )
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise ConnectionProblem(
                f'the command "{elevation.argv[0][:60]}" cannot be started: {reason}',
                where=self._host.name,
                remedy="Check that the program is installed on this machine.",
            ) from error
        running.begin()
        return running

    def _must_run_plainly(
        self, elevation: sudo.Elevation, become: Become, ended: Ended, stderr: bytes
    ) -> bool:
        if ended.lost is not None:
            raise ended.lost
        return not ended.truncated and self._sudo.must_run_plainly(elevation, become, ended, stderr)

    def _too_slow(
        self, command: Sequence[str], timeout: float, running: _Process | None
    ) -> ConnectTimeout:
        return too_slow(
            command, timeout, running, self._host.name,
            "This machine may be overloaded or waiting for a disk or a network: uptime",
        )  # fmt: skip

    async def put(self, source: Path, target: str, *, mode: int = 0o600) -> None:
        """Copy a file on this machine, whole or not at all."""
        await asyncio.to_thread(_copy, source, Path(target), mode, self._host.name)

    async def get(self, source: str, target: Path) -> None:
        """Copy a file on this machine, whole or not at all."""
        await asyncio.to_thread(_copy, Path(source), target, 0o600, self._host.name)

    async def dial(self, address: str, port: int, *, timeout: float = 3.0) -> Dialled:
        """Try a TCP connection from this machine and say what it met."""
        return await dialling.directly(address, port, timeout)

    async def close(self) -> None:
        """Nothing is kept open."""


def _user() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def _copy(source: Path, target: Path, mode: int, where: str) -> None:
    temporary = target.with_name(f".{target.name[:200]}.{secrets.token_hex(6)}.part")
    if not source.is_file():
        raise InputProblem(
            "there is no such file to copy", where=str(source), remedy="Check the name."
        )
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as writing, source.open("rb") as reading:
            shutil.copyfileobj(reading, writing)
            os.fchmod(writing.fileno(), mode)
        temporary.replace(target)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise ConnectionProblem(
            f"{target} could not be copied: {error.strerror or error}",
            where=where,
            remedy="Check the free space and the rights of the folder.",
        ) from error

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
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Literal, Self

from foundation.hosts import dialling, sudo
from foundation.hosts.connection import (
    OUTPUT_LIMIT,
    Become,
    Chunk,
    Completed,
    Credentials,
    Dialled,
)
from foundation.hosts.model import Host
from foundation.problems import ConnectionProblem, ConnectTimeout, InputProblem
from foundation.secrets import Secret

_READ_BYTES: Final = 65536
_WAITING_CHUNKS: Final = 64
"""Chunks waiting to be read at which the command is made to wait."""
_NOBODY: Final = Credentials()


class _Command:
    """One command on this machine, in a process group of its own."""

    def __init__(
        self, process: Process, elevation: sudo.Elevation, stdin: bytes | None,
        password: Secret | None, limit: int | None,
    ) -> None:  # fmt: skip
        self.process = process
        self.wrong_password = False
        self.truncated = False
        self._elevation = elevation
        self._stdin = stdin
        self._password = password
        self._limit = limit
        self._taken = 0
        self._queue: asyncio.Queue[Chunk | None] = asyncio.Queue(_WAITING_CHUNKS)
        self._tasks = [asyncio.create_task(self._read("stdout", process.stdout)),
                       asyncio.create_task(self._read("stderr", process.stderr))]  # fmt: skip
        if not elevation.waits:
            self._send_stdin()

    def _send_stdin(self) -> None:
        self._tasks.append(asyncio.create_task(self._write(self._stdin or b"", last=True)))

    async def _write(self, data: bytes, *, last: bool) -> None:
        writer = self.process.stdin
        if writer is None:
            return
        # A command that does not read its input is not an error.
        with contextlib.suppress(ConnectionError, OSError):
            writer.write(data)
            await writer.drain()
        if last:
            writer.close()

    async def _read(
        self, stream: Literal["stdout", "stderr"], reader: asyncio.StreamReader | None
    ) -> None:
        while reader is not None and (data := await reader.read(_READ_BYTES)):
            piece = data if stream == "stdout" else await self._taken_from_sudo(data)
            if piece:
                await self._queue.put(Chunk(stream, piece))
        await self._queue.put(None)

    async def _taken_from_sudo(self, data: bytes) -> bytes:
        seen, rest = self._elevation.feed(data)
        if seen is sudo.Seen.PROMPT and self._password is not None:
            await self._write(self._password.reveal().encode() + b"\n", last=False)
        elif seen in (sudo.Seen.PROMPT, sudo.Seen.SECOND_PROMPT):
            self.wrong_password = seen is sudo.Seen.SECOND_PROMPT
            self.kill()
        elif seen is sudo.Seen.STARTED:
            self._send_stdin()
        return rest

    async def chunks(self) -> AsyncIterator[Chunk]:
        """The output as it comes, until both streams have ended or the limit is passed."""
        open_streams = 2
        while open_streams:
            chunk = await self._queue.get()
            if chunk is None:
                open_streams -= 1
                continue
            if self._limit is not None:
                room = self._limit - self._taken
                self._taken += len(chunk.data)
                if len(chunk.data) > room:
                    self.truncated = True
                    chunk = Chunk(chunk.stream, chunk.data[:room])
            if chunk.data:
                yield chunk
            if self.truncated:
                return

    def kill(self) -> None:
        """End the command and everything it started."""
        if self.process.stdin is not None:
            self.process.stdin.close()
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)

    async def finish(self) -> int:
        """Leave nothing running; the exit status, 128 + n where signal n ended it."""
        if self.process.returncode is None and self.truncated:
            self.kill()
        try:
            status = await self.process.wait()
        finally:
            self.tidy()
        return status if status >= 0 else 128 - status

    def tidy(self) -> None:
        """Kill what still runs in the command's group and stop reading from it."""
        if self.process.returncode is None:
            self.kill()
        for task in self._tasks:
            task.cancel()


class LocalConnection:
    """This machine as a Connection; commands run as the user who runs Sitewright."""

    def __init__(self, host: Host, credentials: Credentials = _NOBODY) -> None:
        self._host = host
        self._credentials = credentials
        self._sudo = sudo.Standing(_user(), host.name, credentials.sudo_password is not None)

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
        started, began = time.time(), time.monotonic()
        try:
            async with asyncio.timeout(timeout):
                elevation = self._sudo.elevate(command, become, is_root=os.geteuid() == 0)
                running = await self._start(elevation, stdin, limit)
                try:
                    async for chunk in running.chunks():
                        (out if chunk.stream == "stdout" else err).extend(chunk.data)
                    status = await running.finish()
                finally:
                    running.tidy()
        except TimeoutError as error:
            raise self._too_slow(command, timeout) from error
        if self._must_run_plainly(elevation, become, running, bytes(err), status):
            left = max(timeout - (time.monotonic() - began), 0.1)
            return await self.run(command, stdin=stdin, timeout=left, limit=limit)
        return Completed(status, bytes(out), bytes(err), started, time.monotonic() - began,
                         running.truncated)  # fmt: skip

    async def stream(
        self,
        command: Sequence[str],
        *,
        stdin: bytes | None = None,
        become: Become = Become.LOGIN,
        timeout: float | None = None,
    ) -> AsyncIterator[Chunk]:
        """Give a command's output while it runs; see foundation.hosts.connection.Connection."""
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
                    status = await running.finish()
                finally:
                    running.tidy()
                plainly = self._must_run_plainly(elevation, become, running, b"", status)
        except TimeoutError as error:
            raise self._too_slow(command, timeout or 0) from error
        if plainly:
            async for chunk in self.stream(command, stdin=stdin, timeout=timeout):
                yield chunk

    async def _start(
        self, elevation: sudo.Elevation, stdin: bytes | None, limit: int | None
    ) -> _Command:
        try:
            process = await asyncio.create_subprocess_exec(
                *elevation.argv, stdin=PIPE, stdout=PIPE, stderr=PIPE, start_new_session=True
            )
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise ConnectionProblem(
                f'the command "{elevation.argv[0][:60]}" cannot be started: {reason}',
                where=self._host.name,
                remedy="Check that the program is installed on this machine.",
            ) from error
        return _Command(process, elevation, stdin, self._credentials.sudo_password, limit)

    def _must_run_plainly(
        self,
        elevation: sudo.Elevation,
        become: Become,
        running: _Command,
        stderr: bytes,
        status: int,
    ) -> bool:
        return not running.truncated and self._sudo.must_run_plainly(
            elevation,
            become,
            wrong_password=running.wrong_password,
            stderr=stderr,
            status=status,
        )

    def _too_slow(self, command: Sequence[str], timeout: float) -> ConnectTimeout:
        return ConnectTimeout(
            f'the command "{" ".join(command[:2])[:60]}" did not end within {timeout:g} s and was '
            "ended",
            where=self._host.name,
            remedy="This machine may be overloaded or waiting for a disk or a network: uptime",
        )

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

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()


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

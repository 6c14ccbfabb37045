"""Peers that a real sshd cannot play: silent, foreign, old, talkative or strict ones."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import asyncssh

from foundation.hosts.model import Host, Inventory
from foundation.hosts.openssh.hostkeys import host_pattern
from tests.foundation.sshd import keygen


class Server(asyncssh.SSHServer):
    """An SSH server whose ways to log in are set by its attributes."""

    passwords: dict[str, str] = {}  # noqa: RUF012 - set by a subclass, never changed
    interactive: dict[str, str] = {}  # noqa: RUF012 - set by a subclass, never changed
    prompt = "Password: "
    banner = ""
    forwarding = False

    attempts: list[str]

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._conn = conn

    def begin_auth(self, username: str) -> bool:
        if self.banner:
            self._conn.send_auth_banner(self.banner)
        return True

    def password_auth_supported(self) -> bool:
        return bool(self.passwords)

    def validate_password(self, username: str, password: str) -> bool:
        self.attempts.append(password)
        return self.passwords.get(username) == password

    def kbdint_auth_supported(self) -> bool:
        return bool(self.interactive)

    def get_kbdint_challenge(self, username: str, lang: str, submethods: str) -> Any:
        return "", "", "", [(self.prompt, False)]

    def validate_kbdint_response(self, username: str, responses: Any) -> bool:
        self.attempts.extend(responses)
        return list(responses) == [self.interactive.get(username)]

    def connection_requested(self, host: str, port: int, orig: str, orig_port: int) -> bool:
        return self.forwarding


async def _process(process: asyncssh.SSHServerProcess[bytes]) -> None:
    """Run what is asked for in a real shell, as an sshd does."""
    child = await asyncio.create_subprocess_exec(
        "/bin/sh", "-c", process.command or "true",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await child.communicate(await process.stdin.read())
    process.stdout.write(out)
    process.stderr.write(err)
    process.exit(child.returncode or 0)


class Peer:
    """A listening peer with its address, and the site in which it is the only machine."""

    def __init__(self, folder: Path, port: int, key: asyncssh.SSHKey | None) -> None:
        self.folder = folder
        self.port = port
        self.key = key

    def host(self, **more: Any) -> Host:
        """The peer as a machine."""
        fields = {"name": "peer", "address": "127.0.0.1", "port": self.port, "user": "ubuntu"}
        return Host(**{**fields, **more})

    def inventory(self, **more: Any) -> Inventory:
        """A site of this peer alone, its key trusted."""
        file = self.folder / "known_hosts"
        line = ""
        if self.key is not None:
            line = f"{host_pattern('127.0.0.1', self.port)} "
            line += self.key.export_public_key().decode()
        file.write_text(line)
        return Inventory((self.host(**more),), (file,), use_ssh_config=False)


@contextlib.asynccontextmanager
async def ssh_peer(
    folder: Path, server: type[Server], **options: Any
) -> AsyncIterator[tuple[Peer, list[str]]]:
    """An SSH server in this process, and the passwords that were tried on it."""
    attempts: list[str] = []

    def made() -> Server:
        one = server()
        one.attempts = attempts
        return one

    keygen(folder / "peer_key")
    key = asyncssh.read_private_key(str(folder / "peer_key"))
    acceptor = await asyncssh.listen(
        "127.0.0.1", 0, server_factory=made, server_host_keys=[key], process_factory=_process,
        encoding=None, **options,
    )  # fmt: skip
    try:
        yield Peer(folder, acceptor.get_port(), key), attempts
    finally:
        acceptor.close()
        await acceptor.wait_closed()


Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def tcp_peer(folder: Path, talk: Talk) -> AsyncIterator[Peer]:
    """A TCP service that talks as it is told to."""
    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    try:
        yield Peer(folder, server.sockets[0].getsockname()[1], None)
    finally:
        server.close()


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Take the connection, read, and never say anything."""
    with contextlib.suppress(OSError):
        await reader.read()
    writer.close()


async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Close at once, as a server with too many logins does."""
    writer.close()


async def web_server(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer as a web server answers what is not HTTP."""
    with contextlib.suppress(OSError):
        await reader.readline()
        writer.write(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
        await writer.drain()
    writer.close()

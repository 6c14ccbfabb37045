"""Servers for the tests of egress: HTTPS under an authority of its own, and a forward proxy.

The proxy is a STAND-IN of some lines: it knows CONNECT and absolute addresses, and may want a
login, refuse names, or open TLS itself as an intercepting proxy does.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass(frozen=True)
class Authority:
    """A certificate authority with one server certificate."""

    folder: Path
    pem: Path
    server: ssl.SSLContext

    def trusted(self) -> ssl.SSLContext:
        """A client's context that believes it."""
        return ssl.create_default_context(cafile=str(self.pem))


def authority(folder: Path, name: str, *hosts: str) -> Authority:
    """An authority of this name, whose server certificate holds for localhost and these names."""
    now = datetime.now(UTC)

    def made(subject: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
        )

    folder.mkdir(parents=True, exist_ok=True)
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    root_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    root = (
        made(issuer, root_key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(root_key, hashes.SHA256())
    )
    names = [x509.DNSName(one) for one in ("localhost", *hosts)]
    leaf = (
        made(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")]), key)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(root_key, hashes.SHA256())
    )
    pem, own, private = folder / "ca.pem", folder / "server.pem", folder / "server.key"
    pem.write_bytes(root.public_bytes(serialization.Encoding.PEM))
    own.write_bytes(leaf.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(own, private)
    return Authority(folder, pem, context)


@asynccontextmanager
async def site(
    context: ssl.SSLContext | None, status: str = "200 OK", *, address: str = "127.0.0.1"
) -> AsyncIterator[int]:
    """A server that answers every question with one status; its port."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await reader.read(65536)
            writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode())
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, address, 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]


@asynccontextmanager
async def silence() -> AsyncIterator[int]:
    """A server that takes a connection and never says a word; its port."""
    held: list[asyncio.StreamWriter] = []

    async def hold(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held.append(writer)

    server = await asyncio.start_server(hold, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
        for writer in held:
            writer.transport.abort()


@dataclass
class Proxy:
    """What the proxy does, and what it was asked."""

    port: int = 0
    login: str = ""
    refused: bool = False
    opens: ssl.SSLContext | None = None
    """With which certificate it opens TLS itself."""
    asked: list[str] = field(default_factory=list)

    @asynccontextmanager
    async def running(
        self, address: str = "127.0.0.1", *, context: ssl.SSLContext | None = None
    ) -> AsyncIterator[Proxy]:
        """The proxy while it listens, over TLS of its own where a context is given."""
        server = await asyncio.start_server(self._serve, address, 0, ssl=context)
        self.port = server.sockets[0].getsockname()[1]
        async with server:
            yield self

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, ssl.SSLError):
            await self._one(reader, writer)
        writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        method, target, _ = head.split(" ", 2)
        self.asked.append(f"{method} {target}")
        wanted = base64.b64encode(self.login.encode()).decode()
        if self.login and f"Basic {wanted}" not in head:
            writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
            return
        if self.refused:
            writer.write(b"HTTP/1.1 403 Forbidden\r\n\r\n")
            return
        if method != "CONNECT":
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            return
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await writer.drain()
        if self.opens is not None:
            await writer.start_tls(self.opens)
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            return
        host, _, port = target.rpartition(":")
        other, onward = await asyncio.open_connection(host, int(port))
        await asyncio.gather(_pour(reader, onward), _pour(other, writer))


async def _pour(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    while data := await source.read(65536):
        sink.write(data)
        await sink.drain()
    with contextlib.suppress(OSError):
        sink.write_eof()

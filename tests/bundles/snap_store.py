"""A stand-in for the snap store: its protocol on the loopback, its own keys, tiny snaps.

Canonical's store cannot be reached from a test machine, and its key cannot sign for one. Requests,
answers and assertions have the form of the real ones (they were compared with snapd's own reader).
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA512

from bundles.sources.snap_store import StoreAddress
from tests.bundles.servers import Answer, Asked, Server, answering

_STAMP = "2024-01-31T10:00:00Z"


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _lines(data: bytes) -> str:
    text = base64.b64encode(b"\x01" + data).decode()
    return "\n".join(text[at : at + 76] for at in range(0, len(text), 76))


def _packet(tag: int, body: bytes) -> bytes:
    size = len(body)
    assert 192 <= size < 8384
    return bytes([0xC0 | tag, ((size - 192) >> 8) + 192, (size - 192) & 0xFF]) + body


def _number(value: int) -> bytes:
    return value.bit_length().to_bytes(2, "big") + value.to_bytes((value.bit_length() + 7) // 8)


@dataclass
class Key:
    """A key of an account, as an OpenPGP packet and as what signs."""

    account: str
    private: rsa.RSAPrivateKey = field(
        default_factory=lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048)
    )

    @property
    def packet(self) -> bytes:
        numbers = self.private.public_key().public_numbers()
        begun = (1451606400).to_bytes(4, "big")
        return _packet(6, b"\x04" + begun + b"\x01" + _number(numbers.n) + _number(numbers.e))

    @property
    def name(self) -> str:
        return _b64(hashlib.sha3_384(b"\x01" + self.packet).digest())

    def sign(self, headers: dict[str, str], body: str = "") -> bytes:
        """An assertion with these headers, whose authority is this key's account."""
        length = {"body-length": str(len(body))} if body else {}
        listed = {"authority-id": self.account, **headers, **length, "sign-key-sha3-384": self.name}
        lines = [f"{key}: {value}" for key, value in listed.items()]
        # A map, as declarations have them; nothing is decided by it.
        lines.insert(1, "plugs:\n  network:\n    allow-auto-connection: true")
        if headers["type"] != "snap-declaration":
            lines.pop(1)
        content = ("\n".join(lines) + (f"\n\n{body}" if body else "")).encode()
        time = b"\x05\x02" + (1700000000).to_bytes(4, "big")
        hashed = b"\x04\x00\x01\x0a" + len(time).to_bytes(2, "big") + time
        trailer = hashed + b"\x04\xff" + len(hashed).to_bytes(4, "big")
        signature = self.private.sign(content + trailer, padding.PKCS1v15(), SHA512())
        digest = hashlib.sha512(content + trailer).digest()
        number = _number(int.from_bytes(signature, "big"))
        packet = _packet(2, hashed + b"\x00\x00" + digest[:2] + number)
        return content + b"\n\n" + _lines(packet).encode() + b"\n"


@dataclass
class Snap:
    """A snap of the stand-in: a few bytes, and what the store says of it."""

    name: str
    content: bytes
    revision: int = 7
    version: str = "1"
    type: str = "app"
    base: str = ""
    confinement: str = "strict"
    channel: str = "latest/stable"
    snap_yaml: str = ""

    @property
    def snap_id(self) -> str:
        return hashlib.sha256(self.name.encode()).hexdigest()[:32]

    @property
    def sha3(self) -> bytes:
        return hashlib.sha3_384(self.content).digest()


class SnapStoreStandIn:
    """What the stand-in knows; a test changes it to make trouble."""

    def __init__(self, *snaps: Snap, keys: tuple[Key, Key] | None = None) -> None:
        self.root, self.signing = keys or (Key("canonical"), Key("canonical"))
        self.snaps = {snap.name: snap for snap in snaps}
        self.server = Server("")
        self.assertions: dict[str, bytes] = {}
        for key in (self.root, self.signing):
            self.add_key(key, self.root)
        self.add_account("publisher")
        for snap in snaps:
            self.add_snap(snap)

    @property
    def address(self) -> StoreAddress:
        return StoreAddress(self.server.url, self.root.name)

    def add_key(self, key: Key, by: Key, **more: str) -> None:
        headers = {
            "type": "account-key",
            "public-key-sha3-384": key.name,
            "account-id": key.account,
            "name": f"k{len(self.assertions)}",
            "since": "2016-04-01T00:00:00.0Z",
        }
        raw = by.sign(headers | more, _lines(key.packet))
        self.assertions[f"account-key/{key.name}"] = raw

    def add_account(self, name: str) -> None:
        headers = {
            "type": "account",
            "account-id": name,
            "display-name": name.title(),
            "timestamp": _STAMP,
            "username": name,
            "validation": "verified",
        }
        self.assertions[f"account/{name}"] = self.root.sign(headers)

    def add_snap(
        self, snap: Snap, *, key: Key | None = None, revised: dict[str, str] | None = None
    ) -> None:
        """Assert a snap; `revised` are headers of its snap-revision that are to be otherwise."""
        signer = key or self.signing
        self.snaps[snap.name] = snap
        declared = {
            "type": "snap-declaration",
            "format": "1",
            "series": "16",
            "snap-id": snap.snap_id,
            "publisher-id": "publisher",
            "snap-name": snap.name,
            "timestamp": _STAMP,
        }
        stated = {
            "type": "snap-revision",
            "snap-sha3-384": _b64(snap.sha3),
            "developer-id": "publisher",
            "snap-id": snap.snap_id,
            "snap-revision": str(snap.revision),
            "snap-size": str(len(snap.content)),
            "timestamp": _STAMP,
        }
        self.assertions[f"snap-declaration/16/{snap.snap_id}"] = signer.sign(declared)
        self.assertions[f"snap-revision/{_b64(snap.sha3)}"] = signer.sign(stated | (revised or {}))

    def answer(self, asked: Asked) -> Answer:
        path = asked.path.partition("?")[0]
        if asked.method == "POST" and path == "/v2/snaps/refresh":
            return self._refresh(asked)
        if path.startswith("/v2/assertions/"):
            raw = self.assertions.get(path.removeprefix("/v2/assertions/"))
            if raw is not None:
                return Answer(body=raw, headers={"Content-Type": "application/x.ubuntu.assertion"})
        for snap in self.snaps.values():
            if path == f"/download/{snap.snap_id}_{snap.revision}.snap":
                return Answer(body=snap.content)
        missing = {"error-list": [{"code": "not-found", "message": "there is none"}]}
        return Answer(404, json.dumps(missing).encode())

    def _refresh(self, asked: Asked) -> Answer:
        if asked.headers.get("snap-device-series") != "16":
            body = {"error-list": [{"code": "missing-header", "message": "Snap-Device-Series"}]}
            return Answer(400, json.dumps(body).encode())
        (action,) = json.loads(asked.body)["actions"]
        assert action["action"] == "download"
        result = self._result(action, asked.headers["snap-device-architecture"])
        answer = {"results": [{"instance-key": action["instance-key"], **result}]}
        return Answer(body=json.dumps(answer | {"error-list": []}).encode())

    def _result(self, action: dict[str, Any], architecture: str) -> dict[str, Any]:
        snap = self.snaps.get(action["name"])
        if snap is None:
            error: dict[str, Any] = {"code": "name-not-found", "message": "no such snap"}
            return {"result": "error", "name": action["name"], "snap": {}, "error": error}
        wanted = action.get("revision")
        if architecture != "amd64" or (wanted != snap.revision if wanted else
                                       action["channel"] != snap.channel):  # fmt: skip
            release = {"architecture": "amd64", "channel": snap.channel}
            extra = {"releases": [release]}
            error = {"code": "revision-not-found", "message": "no revision", "extra": extra}
            return {"result": "error", "name": snap.name, "snap": {}, "error": error}
        described = {
            "name": snap.name,
            "snap-id": snap.snap_id,
            "revision": snap.revision,
            "version": snap.version,
            "type": snap.type,
            "base": snap.base,
            "confinement": snap.confinement,
            "license": "Apache-2.0",
            "architectures": [architecture],
            "snap-yaml": snap.snap_yaml,
            "download": {
                "url": f"{self.server.url}/download/{snap.snap_id}_{snap.revision}.snap",
                "size": len(snap.content),
                "sha3-384": snap.sha3.hex(),
                "deltas": [],
            },
        }
        return {"result": "download", "effective-channel": snap.channel, "snap": described}


@contextmanager
def running(store: SnapStoreStandIn) -> Iterator[SnapStoreStandIn]:
    """The stand-in, answering."""
    with answering(store.answer) as server:
        store.server = server
        yield store


def usual() -> tuple[Snap, ...]:
    """MicroK8s and what it stands on, in name only."""
    return (
        Snap("microk8s", b"kubernetes" * 50, 7394, "v1.31.5", base="core20",
             confinement="classic", channel="1.31/stable"),
        Snap("core20", b"base" * 90, 2434, "20240911", type="base"),
        Snap("snapd", b"snapd" * 70, 23545, "2.66", type="snapd"),
    )  # fmt: skip

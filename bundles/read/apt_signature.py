"""OpenPGP signatures for apt: an Ed25519 key for one package source and for nothing else.

apt believes a source whose Release file is signed by a key that it was told of. Whoever makes a
source from a verified bundle makes a key, signs once, and gives apt the public half. gpg need not
be there: packets, the self-certification and the cleartext form are written as RFC 4880 and
RFC 9580 (section 5.2.3, EdDSA of version 4 keys) say, and gpgv and sqv check them.
"""

from __future__ import annotations

import base64
import hashlib
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_EDDSA: Final = 22
_SHA256: Final = 8
_ED25519_OID: Final = bytes.fromhex("2b06010401da470f01")
_BINARY, _TEXT, _CERTIFICATION = 0x00, 0x01, 0x13
_CREATED, _ISSUER, _KEY_FLAGS, _FINGERPRINT = 2, 16, 27, 33
_MAY_CERTIFY_AND_SIGN: Final = b"\x03"
_LINE: Final = 64
"""Characters of a line of armour."""


@dataclass(frozen=True)
class AptKey:
    """A key that signs one package source."""

    private: Ed25519PrivateKey
    created: int
    """Unix time that the key and its signatures state, seconds. apt refuses what lies in its
    machine's future, so it is the moment of the bundle and not this machine's clock."""
    owner: str = "Sitewright package source"

    @classmethod
    def new(cls, created: int) -> AptKey:
        """A new key."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        return cls(Ed25519PrivateKey.generate(), created)

    @property
    def public(self) -> bytes:
        """The public key as `signed-by` takes it (a file that ends in .gpg)."""
        owner = self.owner.encode()
        certified = self._key_for_hash() + b"\xb4" + struct.pack(">I", len(owner)) + owner
        flags = _subpacket(_KEY_FLAGS, _MAY_CERTIFY_AND_SIGN)
        return (
            _packet(6, self._body())
            + _packet(13, owner)
            + self._signature(_CERTIFICATION, certified, flags)
        )

    @property
    def fingerprint(self) -> str:
        """The fingerprint, as gpg prints it."""
        return self._fingerprint().hex().upper()

    def inline(self, release: bytes) -> bytes:
        """A Release file with its signature round it, as InRelease has it."""
        lines = [line.rstrip() for line in release.decode().removesuffix("\n").split("\n")]
        signed = "\r\n".join(lines).encode()
        shown = "\n".join(f"- {line}" if line.startswith("-") else line for line in lines)
        return f"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n{shown}\n".encode() + _armour(
            self._signature(_TEXT, signed)
        )

    def detached(self, release: bytes) -> bytes:
        """The signature of a Release file, as Release.gpg has it."""
        return _armour(self._signature(_BINARY, release))

    def _body(self) -> bytes:
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        point = b"\x40" + self.private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        oid = bytes([len(_ED25519_OID)]) + _ED25519_OID
        return b"\x04" + struct.pack(">IB", self.created, _EDDSA) + oid + _number(point)

    def _key_for_hash(self) -> bytes:
        body = self._body()
        return b"\x99" + struct.pack(">H", len(body)) + body

    def _fingerprint(self) -> bytes:
        # SHA-1 is what the fingerprint of a version 4 key is; nothing is trusted by it.
        return hashlib.sha1(self._key_for_hash(), usedforsecurity=False).digest()

    def _signature(self, kind: int, signed: bytes, more: bytes = b"") -> bytes:
        fingerprint = self._fingerprint()
        hashed = (
            _subpacket(_CREATED, struct.pack(">I", self.created))
            + _subpacket(_FINGERPRINT, b"\x04" + fingerprint)
            + more
        )
        head = struct.pack(">BBBBH", 4, kind, _EDDSA, _SHA256, len(hashed)) + hashed
        digest = hashlib.sha256(signed + head + b"\x04\xff" + struct.pack(">I", len(head))).digest()
        value = self.private.sign(digest)
        unhashed = _subpacket(_ISSUER, fingerprint[-8:])
        body = head + struct.pack(">H", len(unhashed)) + unhashed + digest[:2]
        return _packet(2, body + _number(value[:32]) + _number(value[32:]))


def _packet(tag: int, body: bytes) -> bytes:
    return bytes([0xC0 | tag, 0xFF]) + struct.pack(">I", len(body)) + body


def _subpacket(kind: int, value: bytes) -> bytes:
    return bytes([len(value) + 1, kind]) + value


def _number(value: bytes) -> bytes:
    bare = value.lstrip(b"\0")
    bits = (len(bare) - 1) * 8 + bare[0].bit_length() if bare else 0
    return struct.pack(">H", bits) + bare


def _armour(packet: bytes) -> bytes:
    text = base64.b64encode(packet).decode()
    lines = [text[at : at + _LINE] for at in range(0, len(text), _LINE)]
    check = base64.b64encode(_crc24(packet).to_bytes(3, "big")).decode()
    body = "\n".join([*lines, f"={check}"])
    return f"-----BEGIN PGP SIGNATURE-----\n\n{body}\n-----END PGP SIGNATURE-----\n".encode()


def _crc24(data: bytes) -> int:
    crc = 0xB704CE
    for byte in data:
        crc ^= byte << 16
        for _ in range(8):
            crc <<= 1
            if crc & 0x1000000:
                crc ^= 0x1864CFB
    return crc & 0xFFFFFF

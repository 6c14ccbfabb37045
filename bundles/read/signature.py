"""Signatures: OpenSSH's (SSHSIG) with Ed25519 keys over the index, which names all the rest.

They are the same bytes that `ssh-keygen -Y sign -n sitewright-bundle` writes, and each can be
checked without Sitewright:

    ssh-keygen -Y verify -f allowed_signers -I NAME -n sitewright-bundle \\
        -s index.json.sig < index.json

What is signed is the SHA-512 of index.json, with the namespace, as OpenSSH's PROTOCOL.sshsig says.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bundles.format import budgets
from bundles.format.problems import SignatureProblem
from foundation import bounded_files
from foundation.problems import InputProblem
from foundation.secrets import Secret

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from bundles.read.signers import Signer

NAMESPACE: Final = "sitewright-bundle"
_MAGIC: Final = b"SSHSIG"
_KEY_TYPE: Final = b"ssh-ed25519"
_HASH: Final = b"sha512"
_BEGIN: Final = "-----BEGIN SSH SIGNATURE-----"
_END: Final = "-----END SSH SIGNATURE-----"
_LINE: Final = 70
"""Characters a line, as ssh-keygen writes them."""


def load_signing_key(path: Path, passphrase: Secret | None = None) -> Ed25519PrivateKey:
    """An Ed25519 private key as ssh-keygen writes it; raises InputProblem."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_ssh_private_key

    try:
        raw = bounded_files.read_bytes(path, budgets.LOGIN_FILE_BYTES)
        phrase = passphrase.reveal().encode() if passphrase else None
        key = load_ssh_private_key(raw, phrase)
    except OSError as error:
        raise InputProblem(
            f"the signing key cannot be read: {error.strerror or error}", where=str(path)
        ) from error
    except TypeError as error:
        locked = passphrase is None
        raise InputProblem(
            "the signing key has a passphrase" if locked else "the signing key has no passphrase",
            where=str(path),
            remedy="Give the passphrase." if locked else "Give none.",
        ) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise InputProblem(
            "this is no OpenSSH private key, or the passphrase is wrong",
            where=str(path),
            remedy="Make one with: ssh-keygen -t ed25519 -f bundle-key",
        ) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise InputProblem(
            "bundles are signed with Ed25519 keys, and this is another kind",
            where=str(path),
            remedy="Make one with: ssh-keygen -t ed25519 -f bundle-key",
        )
    return key


def sign(message: bytes, key: Ed25519PrivateKey) -> bytes:
    """The armoured signature of a message, as `ssh-keygen -Y sign` would write it."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    signature = key.sign(_signed(message, _HASH))
    blob = (
        _MAGIC
        + struct.pack(">I", 1)
        + _text(_text(_KEY_TYPE) + _text(public))
        + _text(NAMESPACE.encode())
        + _text(b"")
        + _text(_HASH)
        + _text(_text(_KEY_TYPE) + _text(signature))
    )
    return _armour(blob)


def verify(
    message: bytes, armoured: bytes | None, signers: tuple[Signer, ...], *, where: str
) -> Signer:
    """The signer whose signature this is; raises SignatureProblem for anything that is not good."""
    if armoured is None:
        raise SignatureProblem("it has no signature, and this site asks for one", where=where)
    try:
        public, signature, hash_name = _parse(armoured)
    except (ValueError, struct.error) as error:
        raise SignatureProblem(f"its signature cannot be read: {error}", where=where) from error
    known = [signer for signer in signers if signer.public_key == public]
    if not known:
        raise SignatureProblem(
            f"it is signed with the key {fingerprint(public)}, which this site does not trust",
            where=where,
        )
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        key = Ed25519PublicKey.from_public_bytes(public)
        key.verify(signature, _signed(message, hash_name))
    except (InvalidSignature, ValueError) as error:
        raise SignatureProblem(
            f"its index is not what {known[0].name} signed: one of the two was changed", where=where
        ) from error
    return known[0]


def fingerprint(public: bytes) -> str:
    """The SHA256:… fingerprint of an Ed25519 public key, as ssh-keygen -l shows it."""
    digest = hashlib.sha256(_text(_KEY_TYPE) + _text(public)).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


def _signed(message: bytes, hash_name: bytes) -> bytes:
    digest = hashlib.new(hash_name.decode(), message).digest()
    return _MAGIC + _text(NAMESPACE.encode()) + _text(b"") + _text(hash_name) + _text(digest)


def _parse(armoured: bytes) -> tuple[bytes, bytes, bytes]:
    lines = armoured.decode("ascii").split("\n")
    if len(lines) < 3 or lines[0] != _BEGIN or lines[-2:] != [_END, ""]:
        raise ValueError("it is no OpenSSH signature")
    try:
        blob = base64.b64decode("".join(lines[1:-2]), validate=True)
    except binascii.Error as error:
        raise ValueError("it is not base64") from error
    # One signature has one form, so that no byte of a bundle can change unnoticed.
    if _armour(blob) != armoured:
        raise ValueError("it is not written as ssh-keygen writes it")
    if blob[:6] != _MAGIC or struct.unpack(">I", blob[6:10]) != (1,):
        raise ValueError("it is of another version")
    key, namespace, reserved, hash_name, signature = _texts(blob[10:], 5)
    if namespace != NAMESPACE.encode():
        raise ValueError(f"it was made for something else than a bundle: {namespace[:80]!r}")
    if reserved or hash_name not in (b"sha512", b"sha256"):
        raise ValueError("it uses what no signature of a bundle uses")
    key_type, public = _texts(key, 2)
    signature_type, value = _texts(signature, 2)
    if key_type != _KEY_TYPE or signature_type != _KEY_TYPE:
        raise ValueError("its key is not an Ed25519 key")
    return public, value, hash_name


def _armour(blob: bytes) -> bytes:
    text = base64.b64encode(blob).decode()
    lines = [text[at : at + _LINE] for at in range(0, len(text), _LINE)]
    return "\n".join([_BEGIN, *lines, _END, ""]).encode()


def _text(value: bytes) -> bytes:
    return struct.pack(">I", len(value)) + value


def _texts(raw: bytes, count: int) -> list[bytes]:
    found = []
    for _ in range(count):
        (length,) = struct.unpack(">I", raw[:4])
        if length > len(raw) - 4:
            raise ValueError("it is cut off")
        found.append(raw[4 : 4 + length])
        raw = raw[4 + length :]
    if raw:
        raise ValueError("something follows its end")
    return found

"""Assertions of the snap store: read, and their signatures followed to the store's root key.

An assertion is text of headers, an optional body and a signature, which is an OpenPGP packet over
everything before it (RSA and SHA-512). Keys are assertions too, named by the SHA3-384 of their
packet; so the name of the root key is all that has to be known beforehand. What is checked here is
what snapd checks when it takes an assertion in (its package `asserts`, database.go).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NoReturn

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA512

from bundles.format import budgets
from bundles.format.problems import SourceProblem, WrongContent

ROOT_KEY: Final = "-CvQKAwRQ5h3Ffn10FILJoEZUXOv6km9FwA80-Rcj-f-6jadQ89VRswHNiEB9Lxk"
"""The name of Canonical's root key, which every snapd carries (asserts/sysdb/trusted.go)."""

ASSERTION_LIMIT: Final = budgets.ASSERTION_BYTES
"""Bytes: what snapd allows for body, headers and signature together."""

PRIMARY_KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "account": ("account-id",),
    "account-key": ("public-key-sha3-384",),
    "snap-declaration": ("series", "snap-id"),
    "snap-revision": ("snap-sha3-384",),
}
"""The headers that name an assertion, by its type; only these types are asked for."""

_HEADER: Final = re.compile(r"([a-z](?:-?[a-z0-9])*):(?: (.*))?")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_SIGNATURE_TAG: Final = 2
_KEY_TAG: Final = 6


@dataclass(frozen=True, slots=True)
class Assertion:
    """One assertion; `headers` are those with a value in one line."""

    headers: Mapping[str, str]
    body: bytes
    content: bytes
    """What is signed: headers and body as they came."""
    signature: bytes

    @property
    def type(self) -> str:
        """What kind of assertion it is."""
        return self.headers["type"]

    @property
    def key(self) -> tuple[str, ...]:
        """Its type and what it is called by."""
        names = PRIMARY_KEYS.get(self.type, ())
        return (self.type, *(self.headers.get(name, "") for name in names))

    def __str__(self) -> str:
        return " ".join(part for part in self.key if part)


def parse_assertion(raw: bytes, *, where: str) -> Assertion:
    """One assertion from its bytes; raises SourceProblem."""
    head, _, rest = raw.partition(b"\n\n")
    headers = _headers(head, where)
    length = headers.get("body-length", "0")
    if not length.isdecimal() or len(length) > 8:
        _no_assertion(where)
    size = int(length)
    body, signature = rest[:size], rest[size:]
    content = head + b"\n\n" + body if size else head
    if size:
        if len(body) != size or not signature.startswith(b"\n\n"):
            _no_assertion(where)
        signature = signature[2:]
    if not {"type", "authority-id", "sign-key-sha3-384"} <= set(headers) or not signature.strip():
        _no_assertion(where)
    return Assertion(headers, body, content, signature.rstrip(b"\n"))


def write_assertions(chain: Iterable[Assertion]) -> bytes:
    """Assertions as a file that `snap ack` takes, in the order given."""
    return b"\n".join(one.content + b"\n\n" + one.signature + b"\n" for one in chain)


def read_assertions(raw: bytes, *, where: str) -> list[Assertion]:
    """The assertions of such a file; raises SourceProblem."""
    found = []
    while raw.strip(b"\n"):
        head, _, rest = raw.partition(b"\n\n")
        length = _headers(head, where).get("body-length", "0")
        if not length.isdecimal() or len(length) > 8:
            _no_assertion(where)
        skip = int(length) + 2 if int(length) else 0
        signature, _, after = rest[skip:].partition(b"\n\n")
        found.append(parse_assertion(head + b"\n\n" + rest[:skip] + signature, where=where))
        raw = after
    return found


def check_chain(chain: Iterable[Assertion], root: str, *, now: datetime) -> str:
    """Check that every assertion is signed by a key that leads to the root key; its account.

    Keys stand before what they sign. Raises WrongContent.
    """
    keys: dict[str, tuple[Assertion, rsa.RSAPublicKey]] = {}
    authority: str | None = None
    for one in chain:
        public = _own_key(one) if one.type == "account-key" else None
        name = one.headers["sign-key-sha3-384"]
        if name == root and root not in keys:
            if public is None or one.headers.get("public-key-sha3-384") != root:
                raise WrongContent("the store's root key does not come first", where=str(one))
            keys[root] = (one, public)
            authority = one.headers.get("account-id")
        signer = keys.get(name)
        if signer is None:
            raise WrongContent(f"it is signed by {name}, whom no root vouches for", where=str(one))
        _check_signature(one, *signer, now=now)
        # Of these types snapd takes nothing that another authority says.
        if one.headers["authority-id"] != authority:
            raise WrongContent(
                f"{one.headers['authority-id']} vouches for it, and only {authority} may",
                where=str(one),
            )
        if public is not None:
            keys[one.headers["public-key-sha3-384"]] = (one, public)
    if authority is None:
        raise WrongContent("there is no assertion", where="the store's assertions")
    return authority


def check_snap(
    chain: Iterable[Assertion], *, name: str, snap_id: str, revision: int, sha3_384: str, size: int
) -> None:
    """Check that a chain speaks of exactly this file, as snapd does; raises WrongContent.

    `sha3_384` is hexadecimal, `size` in bytes.
    """
    assertions = {one.key: one for one in chain}
    where = f"snap {name}"
    stated = assertions.get(("snap-revision", file_name_of(sha3_384)))
    declared = assertions.get(("snap-declaration", "16", snap_id))
    if stated is None or declared is None:
        raise WrongContent("no assertion speaks of this file", where=where)
    for what, one, header, expected in (
        ("size", stated, "snap-size", str(size)),
        ("id", stated, "snap-id", snap_id),
        ("revision", stated, "snap-revision", str(revision)),
        ("name", declared, "snap-name", name),
    ):
        if one.headers.get(header) != expected:
            raise WrongContent(
                f"its assertion states the {what} {one.headers.get(header)}, and it is {expected}",
                where=where,
            )
    if stated.headers.get("provenance", "global-upload") != "global-upload":
        raise WrongContent("it was uploaded under an authority of its own", where=where)
    accounts = {declared.headers.get("publisher-id"), stated.headers.get("developer-id")}
    keys = [one for one in assertions.values() if one.type == "account-key"]
    trusted = {keys[0].headers.get("account-id")} if keys else set()
    for account in accounts - trusted:
        if ("account", account) not in assertions:
            raise WrongContent(f"nothing is asserted of its publisher {account}", where=where)


def file_name_of(sha3_384: str) -> str:
    """A hexadecimal SHA3-384 the way assertions write it: base64 for addresses, unpadded."""
    return base64.urlsafe_b64encode(bytes.fromhex(sha3_384)).rstrip(b"=").decode()


def _headers(head: bytes, where: str) -> dict[str, str]:
    found: dict[str, str] = {}
    seen: set[str] = set()
    try:
        lines = head.decode().split("\n")
    except UnicodeDecodeError:
        _no_assertion(where)
    for line in lines:
        if line.startswith("  "):
            continue  # a list or a map below a header, which nothing here is decided by
        match = _HEADER.fullmatch(line)
        if not match or match[1] in seen or _CONTROL.search(match[2] or ""):
            _no_assertion(where)
        seen.add(match[1])
        if match[2] is not None:
            found[match[1]] = match[2]
    return found


def _check_signature(
    one: Assertion, signer: Assertion, public: rsa.RSAPublicKey, *, now: datetime
) -> None:
    if signer.headers.get("account-id") != one.headers["authority-id"]:
        raise WrongContent("its key belongs to another account", where=str(one))
    since, until = _moment(signer, "since"), _moment(signer, "until")
    if until is not None and now >= until:
        raise WrongContent(f"its key was good until {until:%Y-%m-%d}", where=str(one))
    stamped = _moment(one, "timestamp")
    if stamped is not None and (
        (since is not None and stamped < since) or (until is not None and stamped >= until)
    ):
        raise WrongContent("it was signed at a time at which its key was not good", where=str(one))
    packet = _packet(one.signature, _SIGNATURE_TAG, where=str(one))
    # RFC 4880, 5.2.3: version 4, a signature of binary data, RSA, SHA-512.
    if packet[:1] != b"\x04" or packet[2:4] != b"\x01\x0a" or len(packet) < 6:
        raise WrongContent("its signature is of another kind", where=str(one))
    hashed = 6 + int.from_bytes(packet[4:6], "big")
    after = hashed + 2 + int.from_bytes(packet[hashed : hashed + 2], "big") + 2
    number, end = _number(packet, after, where=str(one))
    if end != len(packet):
        raise WrongContent("its signature has something behind it", where=str(one))
    signed = one.content + packet[:hashed] + b"\x04\xff" + hashed.to_bytes(4, "big")
    if packet[after - 2 : after] != hashlib.sha512(signed).digest()[:2]:
        raise WrongContent("its signature is not good", where=str(one))
    size = (public.key_size + 7) // 8
    try:
        signature = number.to_bytes(size, "big")
        public.verify(signature, signed, padding.PKCS1v15(), SHA512())
    except (InvalidSignature, OverflowError) as error:
        raise WrongContent("its signature is not good", where=str(one)) from error


def _own_key(one: Assertion) -> rsa.RSAPublicKey:
    raw = _decoded(one.body, where=str(one))
    name = base64.urlsafe_b64encode(hashlib.sha3_384(raw).digest()).decode()
    if name != one.headers.get("public-key-sha3-384"):
        raise WrongContent("it holds another key than it is named after", where=str(one))
    packet = _packet(one.body, _KEY_TAG, where=str(one))
    # RFC 4880, 5.5.2: version 4, four bytes of time, RSA.
    if packet[:1] != b"\x04" or packet[5:6] != b"\x01":
        raise WrongContent("its key is of another kind", where=str(one))
    modulus, at = _number(packet, 6, where=str(one))
    exponent, end = _number(packet, at, where=str(one))
    if end != len(packet):
        raise WrongContent("its key has something behind it", where=str(one))
    try:
        return rsa.RSAPublicNumbers(exponent, modulus).public_key()
    except ValueError as error:
        raise WrongContent("its key is no key", where=str(one)) from error


def _decoded(text: bytes, *, where: str) -> bytes:
    try:
        raw = base64.b64decode(text.replace(b"\n", b""), validate=True)
    except binascii.Error as error:
        raise WrongContent("a part of it is not base64", where=where) from error
    if raw[:1] != b"\x01":
        raise WrongContent("a part of it is of a later version", where=where)
    return raw


def _packet(text: bytes, tag: int, *, where: str) -> bytes:
    """The content of the one OpenPGP packet that a text holds (RFC 4880, 4.2)."""
    raw = _decoded(text, where=where)[1:]
    first = raw[0] if raw else 0
    if first & 0xC0 == 0xC0:
        found, length, at = first & 0x3F, *_new_length(raw)
    else:
        width = 1 << (first & 3)
        found, at = (first & 0x3C) >> 2, 1 + width
        length = int.from_bytes(raw[1:at], "big")
    if found != tag or not first & 0x80 or at + length != len(raw):
        raise WrongContent("a part of it is no OpenPGP packet of its kind", where=where)
    return raw[at:]


def _new_length(raw: bytes) -> tuple[int, int]:
    first = raw[1] if len(raw) > 1 else 0
    if first < 192:
        return first, 2
    if first < 224:
        return ((first - 192) << 8) + (raw[2] if len(raw) > 2 else 0) + 192, 3
    return int.from_bytes(raw[2:6], "big") if first == 255 else -1, 6


def _number(packet: bytes, at: int, *, where: str) -> tuple[int, int]:
    bits = int.from_bytes(packet[at : at + 2], "big")
    end = at + 2 + (bits + 7) // 8
    if end > len(packet) or not bits:
        raise WrongContent("a part of it is cut off", where=where)
    return int.from_bytes(packet[at + 2 : end], "big"), end


def _moment(one: Assertion, header: str) -> datetime | None:
    text = one.headers.get(header)
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(re.sub(r"\.[0-9]+", "", text).replace("Z", "+00:00"))
    except ValueError as error:
        raise WrongContent(f"its {header} is no moment", where=str(one)) from error
    if moment.tzinfo is None:
        raise WrongContent(f"its {header} is no moment", where=str(one))
    return moment


def _no_assertion(where: str) -> NoReturn:
    raise SourceProblem(
        "the answer is not an assertion",
        where=where,
        remedy="Check the store's address, and whether a proxy answers in its place.",
    )

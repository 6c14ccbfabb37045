"""Identifiers that a journey's number can be read from, and what is derived of them.

A transfer's number, its process and its direction follow from its identifier, and its fulfilment
from identifier and key, so that nothing has to be kept of a journey that is over: an hour at 1,000
a second is 3.6 million of them. The leading half is scattered by a hash, as in identifiers of other
makers, so that a ledger's index is not spared what it meets in earnest.
"""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from enum import IntEnum


class Kind(IntEnum):
    """What an identifier is of."""

    TRANSFER = 0
    QUOTE = 1
    PROBE = 2
    """A transfer of the probe that a limit holds."""


@dataclass(frozen=True, slots=True)
class Identifiers:
    """The identifiers of one process of one acceptance; `key` is that of the acceptance."""

    key: bytes = field(repr=False)
    worker: int

    def of(self, number: int, kind: Kind = Kind.TRANSFER) -> str:
        """A version 4 UUID in form (RFC 9562): scattered, process and kind, number."""
        head = self._head(number, kind)
        return (
            f"{head[:8]}-{head[8:12]}-4{head[12:15]}-8{self.worker:02x}{kind:x}"
            f"-{head[15:19]}{number:08x}"
        )

    def number(self, identifier: str, kind: Kind = Kind.TRANSFER) -> int | None:
        """The number that an identifier has; None where it is none of ours."""
        try:
            number = int(identifier[-8:], 16)
        except ValueError:
            return None
        return number if identifier == self.of(number, kind) else None

    def fulfilment(self, identifier: str) -> str:
        """The 32 bytes that fulfil a transfer, in base64url without padding."""
        return _base64url(self._preimage(identifier))

    def condition(self, identifier: str) -> str:
        """The SHA-256 of those, which the payee sets as the transfer's condition."""
        return _base64url(hashlib.sha256(self._preimage(identifier)).digest())

    def _preimage(self, identifier: str) -> bytes:
        return hashlib.blake2s(identifier.encode(), key=self.key, person=b"fulfil").digest()

    def _head(self, number: int, kind: Kind) -> str:
        said = bytes((self.worker, kind)) + number.to_bytes(4, "big")
        return hashlib.blake2s(said, key=self.key, person=b"head", digest_size=10).hexdigest()


def _base64url(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")

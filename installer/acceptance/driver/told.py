"""What payer and payee were told of each transfer: sixteen bits each, for the whole of a run.

An hour at 1,000 a second is 7 MB, so that a second notification is seen whenever it comes.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from enum import IntFlag


class Told(IntFlag):
    """What is known of one transfer; a journey that never came so far has none of it."""

    STEADY = 1
    """It belongs to the steady part, which the gates are about."""
    SENT = 2
    ACCEPTED = 4
    """The hub answered 202."""
    REFUSED = 8
    """The hub answered with an error, so that it owes nothing."""
    PAYEE_ASKED = 16
    FULFILLED = 32
    """The payee reserved and the hub took its fulfilment: the payee may have paid out."""
    PAYER_COMMITTED = 64
    PAYER_ABORTED = 128
    PAYEE_COMMITTED = 256
    PAYEE_ABORTED = 512
    EXPIRED = 1024
    """Somebody was told 3303, that it expired."""
    PAYER_AGAIN = 2048
    """The payer was told of its end more than once."""
    PAYEE_AGAIN = 4096
    """The payee was asked, or told of its end, more than once."""
    LATE = 8192
    """The payer was told after it had given up waiting."""
    WRONG_FULFILMENT = 16384
    """The payer was given a fulfilment that is not the transfer's."""


class Told16:
    """The bits of every transfer of one process, by its number."""

    def __init__(self, raw: bytes = b"") -> None:
        self._bits = array("H")
        self._bits.frombytes(raw)

    def __len__(self) -> int:
        return len(self._bits)

    def __getitem__(self, number: int) -> Told:
        return Told(self._bits[number])

    def __iter__(self) -> Iterator[int]:
        return iter(self._bits)

    def begin(self, *, steady: bool) -> int:
        """Room for one journey more; its number."""
        self._bits.append(int(Told.STEADY) if steady else 0)
        return len(self._bits) - 1

    def tell(self, number: int, said: Told) -> Told:
        """Add what was told; what was known before."""
        before = self._bits[number]
        self._bits[number] = before | int(said)
        return Told(before)

    def raw(self) -> bytes:
        """All of it, two bytes a transfer in this machine's order."""
        return self._bits.tobytes()

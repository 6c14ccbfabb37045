"""A view of the ledger: how transfers stand in it, asked of whatever may be asked.

That is the hub's own API (`by_api`), or central-ledger's database, read only (`by_sql`), which
names every state and answers for all transfers at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Standing(StrEnum):
    """How a transfer stands in the ledger."""

    COMMITTED = "committed"
    ABORTED = "aborted"
    """Ended without payment: aborted, rejected, failed, or expired where the view cannot tell."""
    EXPIRED = "expired"
    OPEN = "open"
    """At no end, and nothing is held of the payer (central-ledger: RECEIVED_PREPARE)."""
    RESERVED = "reserved"
    """At no end, and the payer's position has moved (RESERVED, RECEIVED_FULFIL)."""
    MISSING = "missing"
    UNKNOWN = "unknown"
    """The ledger did not say."""


@dataclass(frozen=True, slots=True, order=True)
class Transfer:
    """A transfer of ours: the process that made it, and its number there."""

    worker: int
    number: int


class LedgerView(Protocol):
    """Whatever can say how transfers stand."""

    name: str
    """What it is called in the report."""
    most: int | None
    """Transfers of which it can be asked in all; None for any number."""

    async def standings(self, transfers: Sequence[Transfer]) -> Mapping[Transfer, Standing]:
        """How each transfer stands; one that is not in the answer is unknown."""
        ...

"""What there is to be proven, from a short trial to document 001's hour, and what each costs."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from installer.acceptance.cast import PROBE_SENT, Bounds, money_needed
from installer.acceptance.hub_file import HubFile
from installer.acceptance.profile import DOCUMENT_RATE, Profile

_CEILING_BESIDE: Final = 2.0
"""Seconds of warm-up and ramp while the driver is held against a hub that does nothing."""
MESSAGE_BYTES: Final = 5_000
MESSAGES: Final = 6
"""Of one transfer in Kafka, and how large each is about (the field's own measurement: 4.8 kB in
FSPIOP, 6.2 in ISO 20022)."""


@dataclass(frozen=True, slots=True)
class Offer:
    """One profile to choose."""

    id: str
    title: str
    why: str
    profile: Profile


OFFERS: Final = (
    Offer(
        "trial", "A short trial", "that the way there and back is right, before anything longer",
        Profile(1, 60, warm_up=10, ramp=10),
    ),
    Offer("10", "10 a second", "a small site; a first figure of its latency", Profile(10, 600)),
    Offer("50", "50 a second", "a site of middle size, long enough to see drift",
          Profile(50, 1800)),
    Offer("500", "500 a second", "half of document 001's rate for its whole hour", Profile(500)),
    Offer("document", "Document 001", "1,000 a second for an hour; only this is called so",
          Profile(DOCUMENT_RATE)),
)  # fmt: skip
"""The shortest first."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a profile takes: time here, and what it moves and leaves in the hub."""

    seconds: float
    """At least, until the load has ended."""
    settling: float
    """Seconds more at most, until every transfer has come to its end or had its time."""
    transfers: int
    money: Decimal
    """What all transfers move together, to and fro."""
    put_in: Decimal
    """What is put into the ledger before, and taken out after."""
    participants: int
    kafka_bytes: int
    """About, for each copy, until Kafka forgets them."""


def cost(hub: HubFile, profile: Profile, processes: int, bounds: Bounds) -> Cost:
    """What a profile takes of this hub, by so many processes; the reconciliation comes after."""
    smoke = 2 * processes
    transfers = profile.journeys + smoke + PROBE_SENT
    participants = 2 * processes + 2
    return Cost(
        seconds=bounds.ceiling + _CEILING_BESIDE + profile.length,
        settling=hub.expiry + bounds.settle,
        transfers=transfers,
        money=hub.money * transfers,
        put_in=Decimal(money_needed(hub, profile, processes)) * participants,
        participants=participants,
        kafka_bytes=transfers * MESSAGES * MESSAGE_BYTES,
    )

"""The cast: which participants each process plays, how many parties they have, and their bounds."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Final

from installer.acceptance.driver.spec import Dfsp, Spec
from installer.acceptance.hub_file import HubFile
from installer.acceptance.profile import Profile

PREFIX: Final = "swaccept"
"""With what the names of our participants begin."""
_OURS: Final = re.compile(rf"{PREFIX}(?:[0-9]{{2}}|limit)[ab]")
_PARTY_DIGITS: Final = 5
_FEWEST_PARTIES: Final = 20
_ROOM: Final = 1.5
"""Of parties and of money: half as much again as is counted on."""
_FEWEST_OPEN: Final = 1000
_CONNECTIONS: Final = 512
"""Connections of a process to the hub at most; ml-api-adapter's own agent has as many."""
MOST_PROCESSES: Final = 64
PROBE_LIMIT: Final = 10
"""Transfers that the limit of the probe's payer allows."""
PROBE_SENT: Final = 2 * PROBE_LIMIT


@dataclass(frozen=True, slots=True)
class Bounds:
    """What is waited for, and how long."""

    timeout: float = 10.0
    """Seconds for which a callback is waited."""
    within: float = 1.0
    """Seconds within which a leg is in time (document 001)."""
    late: float = 0.05
    """Seconds that the driver may be late at the 99.9th percentile; beyond, it gives no verdict."""
    settle: float = 60.0
    """Seconds after their expiry in which transfers may still come to an end (the ledger clears up
    every 15)."""
    ceiling: float = 5.0
    """Seconds for which the driver is held against a hub that does nothing."""
    before_drills: float = 20.0
    """Seconds of the steady part before the first fault: there must be a rate to come back to."""
    after_drill: float = 60.0
    """Seconds after an undoing, in which the rate may come back, before the next fault."""


def cast(
    hub: HubFile,
    profile: Profile,
    processes: int,
    key: bytes,
    bounds: Bounds,
    *,
    probe: bool = True,
) -> list[Spec]:
    """What each process is told: it plays a pair of participants that pay one another by turns."""
    each = profile.rate / (2 * processes)
    parties = max(_FEWEST_PARTIES, math.ceil(each * bounds.timeout * _ROOM))
    at_once = math.ceil(profile.rate / processes * 3 * bounds.timeout * _ROOM)
    callbacks = hub.callbacks
    specs = []
    for number in range(processes):
        pair = tuple(
            Dfsp(f"{PREFIX}{number:02d}{side}", _first_party(hub, 2 * number + place), parties)
            for place, side in enumerate("ab")
        )
        probes = tuple(
            Dfsp(f"{PREFIX}limit{side}", _first_party(hub, 2 * processes + place), 1)
            for place, side in enumerate("ab")
        )
        specs.append(
            Spec(
                key=key.hex(),
                worker=number,
                workers=processes,
                dfsps=pair,
                probes=probes if probe and number == 0 else (),
                lookup=hub.lookup,
                terms=hub.quotes,
                clearing=hub.transfers,
                listen=callbacks.listen or callbacks.address.strip("[]"),
                port=callbacks.first_port + number if callbacks.first_port else 0,
                currency=hub.currency,
                amount=hub.amount,
                version=hub.version,
                timeout=bounds.timeout,
                within=bounds.within,
                expiry=hub.expiry,
                connections=_CONNECTIONS,
                open_journeys=max(_FEWEST_OPEN, at_once),
                authority=str(hub.tls.authority or ""),
                certificate=str(hub.tls.certificate or ""),
                certificate_key=str(hub.tls.key or ""),
            )
        )
    return specs


def is_ours(name: str) -> bool:
    """Whether a participant is one of ours, by its whole name; a hub with others is in use."""
    return _OURS.fullmatch(name) is not None


def door(hub: HubFile, port: int, name: str) -> str:
    """Where the hub reaches a participant of ours."""
    return f"http://{hub.callbacks.address}:{port}/{name}"


def money_needed(hub: HubFile, profile: Profile, processes: int) -> int:
    """What a participant must be able to owe, so that no limit is met in the whole run.

    It is paid as often as it pays, so it owes little; but a hub that loses one direction must be
    seen as that, and not as a limit.
    """
    return math.ceil(float(hub.money) * profile.journeys / (2 * processes) * _ROOM) + 1000


def _first_party(hub: HubFile, participant: int) -> int:
    return int(f"{hub.msisdn_prefix}{participant:03d}{0:0{_PARTY_DIGITS}d}")

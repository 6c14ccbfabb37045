"""What one process of the driver is told before it begins, as values and as a line of JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Dfsp:
    """A participant of ours: its name in the hub, and the parties that it serves."""

    name: str
    first_party: int
    """The lowest MSISDN of its range."""
    parties: int

    def msisdns(self) -> Iterator[str]:
        """Every party of it."""
        return (str(self.first_party + n) for n in range(self.parties))


@dataclass(frozen=True, slots=True)
class Spec:
    """One process: which participants it is, where the hub and it are reached, and its bounds."""

    key: str = field(repr=False)
    """The key of the acceptance in hexadecimal, from which fulfilments are derived."""
    worker: int
    workers: int
    dfsps: tuple[Dfsp, ...]
    """An even number: the first pays the second and is paid by it, and so on."""
    probes: tuple[Dfsp, ...]
    """The payer and the payee of the probe that a limit holds; none where it is not asked."""
    lookup: str
    terms: str
    clearing: str
    """Where the hub takes the three operations; complete URLs without a slash at the end."""
    listen: str
    port: int
    """Where this process takes callbacks; port 0 takes any that is free."""
    currency: str
    amount: str
    version: str
    timeout: float
    """Seconds for which a leg's callback is waited."""
    within: float
    """Seconds within which a leg is in time."""
    expiry: float
    """Seconds until a transfer expires."""
    connections: int
    """Connections to the hub at most."""
    open_journeys: int
    """Journeys that are open at once at most; a start beyond them is dropped, and counted."""
    authority: str = ""
    certificate: str = ""
    certificate_key: str = ""
    """Files of PEM: who is believed, and by what this process names itself (mutual TLS)."""

    def line(self) -> str:
        """The spec as one line."""
        return json.dumps(asdict(self))

    @classmethod
    def of(cls, line: str) -> Spec:
        """The spec that a line says; a line of ours, so nothing of it is doubted."""
        said: dict[str, Any] = json.loads(line)
        for name in ("dfsps", "probes"):
            said[name] = tuple(Dfsp(**one) for one in said[name])
        return cls(**said)

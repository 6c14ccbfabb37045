"""The ledger by the hub's API: GET /transfers/{id}, and the state that comes by callback."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final

from installer.acceptance.driver.fleet import Fleet
from installer.acceptance.ledger.view import Standing, Transfer

_A_SECOND: Final = 50.0
"""Questions a second of each process, so that they are no load of their own."""
_STATES: Final = {
    "COMMITTED": Standing.COMMITTED,
    "SETTLED": Standing.COMMITTED,
    "ABORTED": Standing.ABORTED,
    "RECEIVED": Standing.OPEN,
    "RESERVED": Standing.RESERVED,
}
"""FSPIOP's states of a transfer, and how central-ledger shows its own (seeds/transferState.js):
RECEIVED_FULFIL and RESERVED_TIMEOUT are RESERVED, what expired is ABORTED."""
_NOT_FOUND: Final = "error 3208"
_EXPIRED: Final = "error 3303"


class ByApi:
    """Asks as the payer of each transfer; an error other than "not found" says nothing."""

    name = "the hub's API (GET /transfers)"
    most: int | None = 5000

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet

    async def standings(self, transfers: Sequence[Transfer]) -> Mapping[Transfer, Standing]:
        """Ask for each; it takes a second for every fifty of a process."""
        numbers: dict[int, list[int]] = defaultdict(list)
        for one in transfers:
            numbers[one.worker].append(one.number)
        found: dict[Transfer, Standing] = {}
        for worker, asked in numbers.items():
            (said,) = await self._fleet.do("ask", worker, numbers=asked, a_second=_A_SECOND)
            for number, state in said["states"].items():
                found[Transfer(worker, int(number))] = standing_of(state)
        return found


def standing_of(state: str) -> Standing:
    """What a state or an error of the API means."""
    if state.startswith(_NOT_FOUND):
        return Standing.MISSING
    if state.startswith(_EXPIRED):
        return Standing.EXPIRED
    return _STATES.get(state, Standing.UNKNOWN)

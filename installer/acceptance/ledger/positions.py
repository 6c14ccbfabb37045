"""The position invariant: what each participant owes has moved by what it sent and received."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from installer.acceptance.driver.spec import Spec
from installer.acceptance.driver.told import Told, Told16
from installer.acceptance.ledger.reconcile import Reconciled
from installer.acceptance.ledger.view import Transfer

_COMMITTED: Final = int(Told.PAYER_COMMITTED)


@dataclass(frozen=True, slots=True)
class Position:
    """A participant's position before and after, and by how much it should have moved."""

    name: str
    before: Decimal
    after: Decimal
    expected: Decimal
    doubt: Decimal = Decimal(0)
    """By how much it may be off for transfers of which the end is not known, at most."""

    @property
    def off(self) -> Decimal:
        """By how much it is too high: what it owes though it did not send it."""
        return self.after - self.before - self.expected


def moves(specs: Sequence[Spec], told: Sequence[Told16], done: Reconciled) -> dict[str, Decimal]:
    """By how much each position should have moved: sent less received, and what is held."""
    expected = {one.name: Decimal(0) for spec in specs for one in spec.dfsps}
    for spec, bits in zip(specs, told, strict=True):
        amount = Decimal(spec.amount)
        ways = [0, 0]
        for number, raw in enumerate(bits):
            moved = bool(raw & _COMMITTED)
            if done.committed:
                moved = done.committed.get(Transfer(spec.worker, number), moved)
            ways[number % 2] += moved
        there, back = ways
        first, second = spec.dfsps
        for one in done.reserved:
            if one.worker == spec.worker:
                expected[spec.dfsps[one.number % 2].name] += amount
        expected[first.name] += amount * (there - back)
        expected[second.name] += amount * (back - there)
    return expected


def compare(
    before: Mapping[str, Decimal], after: Mapping[str, Decimal], expected: Mapping[str, Decimal],
    doubt: Decimal = Decimal(0),
) -> list[Position]:  # fmt: skip
    """Each participant's position; one that was not read at both ends is not among them."""
    return [
        Position(name, before[name], after[name], move, doubt)
        for name, move in expected.items()
        if name in before and name in after
    ]

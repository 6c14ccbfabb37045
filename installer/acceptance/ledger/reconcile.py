"""Reconciliation: what payer and payee were told of each transfer against how it stands.

Each transfer falls into one class, the gravest that holds; the classes are those of the field's own
method (three views of each identifier), and they are counted, never drawn together into one yes.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from installer.acceptance.driver.told import Told, Told16
from installer.acceptance.ledger.view import LedgerView, Standing, Transfer

_SENT: Final = int(Told.SENT)
_REPEATED: Final = int(Told.PAYER_AGAIN | Told.PAYEE_AGAIN | Told.LATE)
_NO_DOUBT: Final = Told.STEADY | Told(_REPEATED)
_TOLD_COMMITTED: Final = Told.PAYER_COMMITTED | Told.PAYEE_COMMITTED
_TOLD_ABORTED: Final = Told.PAYER_ABORTED | Told.PAYEE_ABORTED
_TOLD_PAYER: Final = Told.PAYER_COMMITTED | Told.PAYER_ABORTED
_TOLD_PAYEE: Final = Told.PAYEE_COMMITTED | Told.PAYEE_ABORTED


class Fate(StrEnum):
    """What became of a transfer, the gravest first."""

    LOST = "lost"
    """The hub took it (202) or its fulfilment, and the ledger does not know it."""
    AT_RISK = "at risk"
    """The payee's fulfilment was taken, it is not committed, and the payee was not told so."""
    MISTOLD = "notified wrongly"
    """Somebody was told another end than the ledger's, two ends, or another's fulfilment."""
    STUCK = "stuck"
    """It has come to no end although its time and the time to clear up are over."""
    UNTOLD = "not notified"
    """It is committed, and payer or payee was never told."""
    DOUBLED = "doubled"
    """The payee was asked twice for one transfer, or somebody was told its end twice."""
    EXPIRED = "expired"
    ABORTED = "aborted"
    UNKNOWN = "unknown"
    """The ledger did not say how it stands, and what was told does not suffice."""
    REFUSED = "refused"
    """The hub did not take it, so that it owes nothing."""
    UNSENT = "never sent"
    """The journey ended before its clearing."""
    LATE = "late"
    """It is committed, and the payer was told after it had given up waiting."""
    CLEAN = "clean"


WORDS: Final = {
    Fate.LOST: "taken by the hub (202, or its fulfilment) and not in the ledger",
    Fate.AT_RISK: "fulfilled, ended unpaid, and the payee not told",
    Fate.MISTOLD: "payer or payee told another end than the ledger's",
    Fate.DOUBLED: "payee asked, or somebody told, more than once",
    Fate.STUCK: "at no end after its time",
    Fate.UNTOLD: "committed, and payer or payee never told",
    Fate.EXPIRED: "expired before it was committed",
    Fate.ABORTED: "ended without payment",
    Fate.UNKNOWN: "the ledger did not say",
    Fate.REFUSED: "refused at the door, or not answered and not in the ledger",
    Fate.UNSENT: "the journey ended before its clearing",
    Fate.LATE: "committed, but told too late",
    Fate.CLEAN: "committed, and both were told so once",
}
"""Each class as a person reads it."""
LOSSES: Final = (Fate.LOST, Fate.AT_RISK, Fate.MISTOLD, Fate.STUCK)
"""Of these none may be: they stand against zero loss (document 001's RPO)."""


@dataclass
class Reconciled:
    """All transfers by what became of them, and how much of it the ledger was asked."""

    view: str = ""
    counts: dict[Fate, int] = field(default_factory=lambda: dict.fromkeys(Fate, 0))
    unclean: dict[Fate, list[Transfer]] = field(default_factory=dict)
    """Every transfer that is not clean, but for those that were never sent or were refused."""
    asked: int = 0
    clean_asked: int = 0
    """Transfers of which both were told well, and that the ledger was asked for all the same."""
    clean: int = 0
    """Transfers of which both were told well, be it late or more than once."""
    committed: dict[Transfer, bool] = field(default_factory=dict)
    """Those whose commitment is not what the payer was told."""
    reserved: list[Transfer] = field(default_factory=list)
    """Those that are held of their payer and were not paid."""
    payee_untold: int = 0
    """Of the steady part: committed, the payer told, and the payee never."""
    undecided: int = 0
    """Transfers of which it is not known whether they moved money."""

    @property
    def losses(self) -> int:
        """Transfers that stand against zero loss."""
        return sum(self.counts[fate] for fate in LOSSES)

    @property
    def sampled(self) -> bool:
        """Whether only some of those that look clean were asked for."""
        return self.clean_asked < self.clean


async def reconcile(view: LedgerView, told: Sequence[Told16], seed: int) -> Reconciled:
    """Ask the ledger for every doubtful transfer and as many of the others as it bears."""
    doubtful: list[Transfer] = []
    clear: list[Transfer] = []
    clean = {raw: looks_committed(Told(raw)) for raw in _distinct(told)}
    for worker, bits in enumerate(told):
        for number, raw in enumerate(bits):
            if raw & _SENT:
                (clear if clean[raw] else doubtful).append(Transfer(worker, number))
    left = None if view.most is None else max(0, view.most - len(doubtful))
    if left is not None and len(clear) > left:
        # Which ones is drawn by a seed that stands in the report, so that it can be drawn again.
        sample = sorted(random.Random(seed).sample(clear, left))  # noqa: S311 - no secret
    else:
        sample = clear
    standings = await view.standings([*doubtful[: view.most], *sample])
    done = classified(told, standings)
    done.view, done.asked = view.name, len(standings)
    done.clean, done.clean_asked = len(clear), len(sample)
    return done


def looks_committed(said: Told) -> bool:
    """Whether what was told speaks of one commitment, told to each, and of nothing else.

    Be it late or more than once: that is counted, and is no reason to doubt the ledger.
    """
    wanted = Told.SENT | Told.ACCEPTED | Told.PAYEE_ASKED | Told.FULFILLED | _TOLD_COMMITTED
    return said & ~_NO_DOUBT == wanted


def may_come(said: Told) -> bool:
    """Whether payer or payee may still be told how a transfer ended."""
    if not said & Told.SENT or said & Told.REFUSED:
        return False
    return not said & _TOLD_PAYER or bool(said & Told.FULFILLED and not said & _TOLD_PAYEE)


def classified(told: Sequence[Told16], standings: Mapping[Transfer, Standing]) -> Reconciled:
    """Every transfer in its class."""
    done = Reconciled()
    clean = {raw: looks_committed(Told(raw)) for raw in _distinct(told)}
    fates: dict[tuple[int, Standing], Fate] = {}
    whole = {raw for raw in clean if clean[raw] and not raw & _REPEATED}
    for worker, bits in enumerate(told):
        for number, raw in enumerate(bits):
            if raw in whole and not standings:
                done.counts[Fate.CLEAN] += 1
                continue
            one = Transfer(worker, number)
            standing = standings.get(one)
            if standing is None:
                standing = Standing.COMMITTED if clean[raw] else Standing.UNKNOWN
            key = raw, standing
            if (fate := fates.get(key)) is None:
                fate = fates[key] = fate_of(Told(raw), standing)
            done.counts[fate] += 1
            if fate is not Fate.CLEAN:
                _unclean(done, one, Told(raw), standing, fate)
    return done


def _distinct(told: Sequence[Told16]) -> set[int]:
    """The few combinations that there are, so that of millions each is judged once."""
    return {raw for bits in told for raw in bits}


def _unclean(done: Reconciled, one: Transfer, said: Told, standing: Standing, fate: Fate) -> None:
    if fate not in (Fate.UNSENT, Fate.REFUSED):
        done.unclean.setdefault(fate, []).append(one)
    if fate is Fate.UNTOLD and said & Told.STEADY and said & _TOLD_PAYER:
        done.payee_untold += 1
    _money(done, one, said, standing, fate)


def _money(done: Reconciled, one: Transfer, said: Told, standing: Standing, fate: Fate) -> None:
    moved = standing is Standing.COMMITTED
    if standing is Standing.RESERVED:
        done.reserved.append(one)
    if standing is Standing.UNKNOWN:
        # What the payer was told is the best that is known of it.
        done.undecided += fate not in (Fate.UNSENT, Fate.REFUSED)
    elif moved != bool(said & Told.PAYER_COMMITTED):
        done.committed[one] = moved


def fate_of(said: Told, standing: Standing) -> Fate:
    """The class of one transfer."""
    if not said & Told.SENT:
        return Fate.UNSENT
    taken = said & (Told.FULFILLED | _TOLD_COMMITTED)
    if standing is Standing.MISSING:
        if taken or (said & Told.ACCEPTED and not said & Told.EXPIRED):
            return Fate.LOST
        return Fate.REFUSED
    if said & Told.WRONG_FULFILMENT or _mistold(said, standing):
        return Fate.MISTOLD
    if standing is Standing.UNKNOWN:
        return Fate.REFUSED if said & Told.REFUSED and not taken else Fate.UNKNOWN
    unpaid = standing in (Standing.ABORTED, Standing.EXPIRED)
    if unpaid and said & Told.FULFILLED and not said & Told.PAYEE_ABORTED:
        return Fate.AT_RISK
    if standing in (Standing.OPEN, Standing.RESERVED):
        return Fate.STUCK
    committed = standing is Standing.COMMITTED
    if committed and not (said & _TOLD_PAYER and said & _TOLD_PAYEE):
        return Fate.UNTOLD
    if said & (Told.PAYER_AGAIN | Told.PAYEE_AGAIN):
        return Fate.DOUBLED
    if committed:
        return Fate.LATE if said & Told.LATE else Fate.CLEAN
    expired = standing is Standing.EXPIRED or said & Told.EXPIRED
    return Fate.EXPIRED if expired else Fate.ABORTED


def _mistold(said: Told, standing: Standing) -> bool:
    committed, aborted = said & _TOLD_COMMITTED, said & _TOLD_ABORTED
    if committed and aborted:
        return True
    if standing is Standing.COMMITTED:
        return bool(aborted)
    return bool(committed) and standing is not Standing.UNKNOWN

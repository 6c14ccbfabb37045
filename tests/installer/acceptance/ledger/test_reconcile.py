"""What becomes of a transfer: every class from what was told and how it stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

import pytest

from installer.acceptance.driver.spec import Dfsp, Spec
from installer.acceptance.driver.told import Told, Told16
from installer.acceptance.ledger.by_api import standing_of
from installer.acceptance.ledger.positions import compare, moves
from installer.acceptance.ledger.reconcile import (
    Fate,
    classified,
    fate_of,
    looks_committed,
    reconcile,
)
from installer.acceptance.ledger.view import Standing, Transfer

TAKEN = Told.SENT | Told.ACCEPTED
FULFILLED = TAKEN | Told.PAYEE_ASKED | Told.FULFILLED
CLEAN = FULFILLED | Told.PAYER_COMMITTED | Told.PAYEE_COMMITTED


@pytest.mark.parametrize(
    ("said", "standing", "fate"),
    [
        (CLEAN, Standing.COMMITTED, Fate.CLEAN),
        (CLEAN | Told.STEADY, Standing.COMMITTED, Fate.CLEAN),
        (CLEAN | Told.LATE, Standing.COMMITTED, Fate.LATE),
        (CLEAN, Standing.MISSING, Fate.LOST),
        (TAKEN, Standing.MISSING, Fate.LOST),
        (Told.SENT | Told.REFUSED, Standing.MISSING, Fate.REFUSED),
        (CLEAN, Standing.ABORTED, Fate.MISTOLD),
        (CLEAN, Standing.OPEN, Fate.MISTOLD),
        (CLEAN | Told.PAYER_ABORTED, Standing.COMMITTED, Fate.MISTOLD),
        (FULFILLED | Told.PAYER_ABORTED, Standing.COMMITTED, Fate.MISTOLD),
        (CLEAN | Told.WRONG_FULFILMENT, Standing.COMMITTED, Fate.MISTOLD),
        (FULFILLED | Told.PAYER_ABORTED, Standing.ABORTED, Fate.AT_RISK),
        (FULFILLED | Told.PAYER_ABORTED | Told.PAYEE_ABORTED, Standing.ABORTED, Fate.ABORTED),
        (FULFILLED, Standing.OPEN, Fate.STUCK),
        (TAKEN, Standing.OPEN, Fate.STUCK),
        (FULFILLED, Standing.RESERVED, Fate.STUCK),
        (CLEAN, Standing.RESERVED, Fate.MISTOLD),
        (TAKEN | Told.PAYER_ABORTED | Told.EXPIRED, Standing.ABORTED, Fate.EXPIRED),
        (TAKEN | Told.PAYER_ABORTED, Standing.EXPIRED, Fate.EXPIRED),
        (FULFILLED | Told.PAYEE_COMMITTED, Standing.COMMITTED, Fate.UNTOLD),
        (FULFILLED | Told.PAYER_COMMITTED, Standing.COMMITTED, Fate.UNTOLD),
        (CLEAN | Told.PAYER_AGAIN, Standing.COMMITTED, Fate.DOUBLED),
        (CLEAN | Told.PAYEE_AGAIN, Standing.COMMITTED, Fate.DOUBLED),
        # Told twice and asked for in vain is not known; told twice and never is not notified.
        (CLEAN | Told.PAYEE_AGAIN, Standing.UNKNOWN, Fate.UNKNOWN),
        (FULFILLED | Told.PAYER_COMMITTED | Told.PAYER_AGAIN, Standing.COMMITTED, Fate.UNTOLD),
        # What the payee fulfilled is no refusal, whatever was answered at the door, or was not.
        (Told.SENT | Told.PAYEE_ASKED | Told.FULFILLED, Standing.MISSING, Fate.LOST),
        (Told.SENT | Told.REFUSED | Told.FULFILLED, Standing.MISSING, Fate.LOST),
        (Told.SENT | Told.PAYEE_COMMITTED, Standing.MISSING, Fate.LOST),
        (Told.SENT | Told.REFUSED | Told.FULFILLED, Standing.UNKNOWN, Fate.UNKNOWN),
        (Told.SENT | Told.REFUSED, Standing.UNKNOWN, Fate.REFUSED),
        (Told.SENT, Standing.MISSING, Fate.REFUSED),
        (FULFILLED, Standing.UNKNOWN, Fate.UNKNOWN),
        (Told.STEADY, Standing.UNKNOWN, Fate.UNSENT),
    ],
)
def test_each_class(said: Told, standing: Standing, fate: Fate) -> None:
    assert fate_of(said, standing) is fate


def test_only_what_is_whole_looks_committed() -> None:
    assert looks_committed(CLEAN)
    for bit in Told:
        beside = bit in (Told.STEADY, Told.LATE, Told.PAYER_AGAIN, Told.PAYEE_AGAIN)
        assert looks_committed(CLEAN ^ bit) is beside


def told(*bits: Told) -> Told16:
    made = Told16()
    for one in bits:
        made.tell(made.begin(steady=True), one)
    return made


class View:
    """A ledger that knows some transfers, and is asked of so many."""

    name = "a test's ledger"

    def __init__(self, states: Mapping[Transfer, Standing], most: int | None) -> None:
        self.states, self.most = states, most
        self.asked: list[Transfer] = []

    async def standings(self, transfers: Sequence[Transfer]) -> Mapping[Transfer, Standing]:
        self.asked = list(transfers)
        return {one: self.states.get(one, Standing.MISSING) for one in transfers}


async def test_the_doubtful_are_asked_first_and_a_sample_of_the_rest_is_told() -> None:
    bits = told(*[CLEAN] * 50, FULFILLED, FULFILLED)
    states = {Transfer(0, n): Standing.COMMITTED for n in range(51)}
    view = View(states | {Transfer(0, 51): Standing.OPEN}, most=12)
    done = await reconcile(view, [bits], seed=1)
    assert view.asked[:2] == [Transfer(0, 50), Transfer(0, 51)]
    assert len(view.asked) == 12
    assert done.sampled
    assert (done.counts[Fate.CLEAN], done.counts[Fate.UNTOLD], done.counts[Fate.STUCK]) == (
        50,
        1,
        1,
    )
    assert done.unclean == {Fate.UNTOLD: [Transfer(0, 50)], Fate.STUCK: [Transfer(0, 51)]}


async def test_what_looks_clean_and_is_not_there_is_found() -> None:
    bits = told(*[CLEAN] * 5)
    states = {Transfer(0, n): Standing.COMMITTED for n in range(4)}
    done = await reconcile(View(states, most=None), [bits], seed=1)
    assert done.counts[Fate.LOST] == 1
    assert not done.sampled


async def test_what_was_told_twice_is_asked_for_as_what_was_told_once() -> None:
    """Else a hub that repeats itself uses up all questions, and the rest passes as not lost."""
    twice = CLEAN | Told.PAYEE_AGAIN
    states = {Transfer(0, n): Standing.COMMITTED for n in range(41)}
    view = View(states, most=10)
    done = await reconcile(view, [told(*[twice] * 40, FULFILLED)], seed=1)
    assert view.asked[0] == Transfer(0, 40)
    assert (done.counts[Fate.DOUBLED], done.clean, done.clean_asked) == (40, 40, 9)
    assert done.sampled


def test_a_payee_that_was_never_told_counts_though_the_payer_was_told_twice() -> None:
    said = Told.STEADY | FULFILLED | Told.PAYER_COMMITTED | Told.PAYER_AGAIN
    done = classified([told(said)], {Transfer(0, 0): Standing.COMMITTED})
    assert done.payee_untold == 1


def spec() -> Spec:
    return Spec(
        "00", 0, 1, (Dfsp("a", 1, 1), Dfsp("b", 2, 1)), (), "", "", "", "", 0, "XTS", "2.5",
        "1.1", 1, 1, 1, 1, 1,
    )  # fmt: skip


def test_positions_move_by_what_was_committed_and_not_by_what_was_told() -> None:
    # Even numbers pay from a to b. One of them was told COMMITTED and is not, one the reverse.
    bits = told(CLEAN, CLEAN, CLEAN, CLEAN, FULFILLED)
    done = classified(
        [bits], {Transfer(0, 2): Standing.ABORTED, Transfer(0, 4): Standing.COMMITTED}
    )
    expected = moves([spec()], [bits], done)
    assert expected == {"a": Decimal(0), "b": Decimal(0)}
    off = compare(
        {"a": Decimal(7), "b": Decimal(0)}, {"a": Decimal("9.5"), "b": Decimal(0)}, expected
    )
    assert [one.off for one in off] == [Decimal("2.5"), Decimal(0)]


def test_what_is_held_of_a_payer_is_part_of_its_position() -> None:
    bits = told(CLEAN, FULFILLED, FULFILLED)
    done = classified([bits], {Transfer(0, 1): Standing.RESERVED, Transfer(0, 2): Standing.OPEN})
    assert moves([spec()], [bits], done) == {"a": Decimal("2.5"), "b": Decimal("0.0")}
    assert done.undecided == 0


def test_where_the_ledger_does_not_say_the_payers_word_is_the_best_that_is_known() -> None:
    bits = told(CLEAN, FULFILLED)
    done = classified([bits], dict.fromkeys((Transfer(0, 0), Transfer(0, 1)), Standing.UNKNOWN))
    assert done.undecided == 2
    assert moves([spec()], [bits], done)["a"] == Decimal("2.5")


@pytest.mark.parametrize(
    ("state", "standing"),
    [
        ("COMMITTED", Standing.COMMITTED),
        ("RECEIVED", Standing.OPEN),
        ("RESERVED", Standing.RESERVED),
        ("error 3208 Transfer ID not found", Standing.MISSING),
        ("error 3303 expired", Standing.EXPIRED),
        ("error 2001 internal", Standing.UNKNOWN),
        ("no callback came in time", Standing.UNKNOWN),
        ("SOMETHING_NEW", Standing.UNKNOWN),
    ],
)
def test_what_the_api_says(state: str, standing: Standing) -> None:
    assert standing_of(state) is standing

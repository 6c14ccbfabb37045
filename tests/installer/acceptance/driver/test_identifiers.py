"""Identifiers say whose they are, and what fulfils them, without anything being kept."""

from __future__ import annotations

import base64
import hashlib
import re

from hypothesis import given
from hypothesis import strategies as st

from installer.acceptance.driver.identifiers import Identifiers, Kind

OURS = Identifiers(b"k" * 16, 3)
# FSPIOP, API Definition 1.1, CorrelationId.
FORM = re.compile(r"^[0-9a-f]{8}-[0-9a-f]{4}-[1-7][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")


@given(st.integers(0, 2**32 - 1), st.sampled_from(Kind))
def test_a_number_comes_back_from_its_identifier(number: int, kind: Kind) -> None:
    identifier = OURS.of(number, kind)
    assert FORM.match(identifier)
    assert OURS.number(identifier, kind) == number
    other = Kind((kind + 1) % 3)
    assert OURS.number(identifier, other) is None
    assert Identifiers(b"k" * 16, 4).number(identifier, kind) is None
    assert Identifiers(b"x" * 16, 3).number(identifier, kind) is None


@given(st.text(max_size=50))
def test_whatever_else_comes_is_none_of_ours(text: str) -> None:
    assert OURS.number(text) is None


def test_the_fulfilment_fulfils_its_own_condition_alone() -> None:
    one, other = OURS.of(1), OURS.of(2)
    raw = base64.urlsafe_b64decode(OURS.fulfilment(one) + "=")
    assert len(raw) == 32
    digest = base64.urlsafe_b64encode(hashlib.sha256(raw).digest()).rstrip(b"=").decode()
    assert digest == OURS.condition(one) != OURS.condition(other)


def test_neighbours_are_scattered_in_an_index() -> None:
    heads = [OURS.of(n)[:8] for n in range(200)]
    assert len(set(heads)) == 200
    assert heads != sorted(heads)

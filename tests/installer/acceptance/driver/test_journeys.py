"""Journeys by themselves: what arrives is handed to them, and what they send goes nowhere."""

from __future__ import annotations

import asyncio
import time
from typing import cast

import pytest

from installer.acceptance.driver.journeys import Journeys, Leg
from installer.acceptance.driver.messages import Operation
from installer.acceptance.driver.sender import Sender
from installer.acceptance.driver.spec import Dfsp, Spec
from installer.acceptance.driver.tally import Tally


class Taking:
    """A sender of which every message is taken."""

    async def send(self, *_: object) -> int:
        return 202


def journeys(parties: int) -> Journeys:
    dfsps = (Dfsp("a", 100, parties), Dfsp("b", 200, parties))
    spec = Spec(
        "00", 0, 1, dfsps, (), "", "", "", "", 0, "XTS", "1", "1.1", timeout=60, within=1,
        expiry=60, connections=1, open_journeys=100,
    )  # fmt: skip
    return Journeys(spec, cast(Sender, Taking()), Tally(1))


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_a_party_is_free_again_when_its_lookup_is_over() -> None:
    """A hub that is slow after the lookup would else use them up, and pass as a slow generator."""
    it = journeys(parties=1)
    it.start(0, time.monotonic(), steady=True)
    await settle()
    it.party_told("200", "", time.monotonic())
    await settle()
    assert it.open == 1
    it.start(0, time.monotonic(), steady=True)  # the other way, from b to a
    it.start(0, time.monotonic(), steady=True)  # again from a to b
    assert (it.tally.dropped, it.open) == (0, 3)
    it.start(0, time.monotonic(), steady=True)  # to a, whose only party is looked up just now
    assert it.tally.dropped == 1


async def test_a_payee_that_is_asked_again_makes_the_hub_no_faster() -> None:
    leg = Leg(Operation.CLEARING, 0.0, asyncio.get_running_loop().create_future(), asked=0.1)
    leg.answers(0.1)
    leg.answers(3.0)
    leg.end("", 3.1)
    assert leg.hub == pytest.approx(3.1)

"""What is made in a hub's ledger and taken back from it, against the stand-in's administration."""

from __future__ import annotations

from decimal import Decimal

import pytest

from installer.acceptance.cast import MOST_PROCESSES, Bounds, cast
from installer.acceptance.hub_file import HubFile
from installer.acceptance.profile import Profile
from installer.acceptance.provisioning import provision as module
from installer.acceptance.provisioning.admin import Admin, HubProblem
from installer.acceptance.provisioning.provision import (
    HubInUse,
    Provisioned,
    Wanted,
    provision,
    require_unused,
    take_back,
)
from tests.stand_ins.hub import Hub

WANTED = [Wanted("swaccept00a", "http://127.0.0.1:9/swaccept00a", 1000)]


def settlement(hub: Hub) -> Decimal:
    return hub.participants["swaccept00a"].account("SETTLEMENT", "XTS").value


async def test_what_an_acceptance_before_left_behind_is_taken_out_with_the_rest() -> None:
    """One that was killed took nothing back, and the next one's end is that of both."""
    async with Hub().serving() as hub, Admin(hub.url) as admin:
        for left in (0, 400, 5000):
            made = Provisioned("XTS")
            one = hub.participants.setdefault("swaccept00a", hub._made("swaccept00a", "XTS"))
            one.account("SETTLEMENT", "XTS").value = Decimal(-left)
            one.active = bool(left)
            active = await provision(admin, WANTED, "XTS", made, lambda _: None)
            # One that is active was left so, or is somebody's who is at it now: that is told.
            assert active == (["swaccept00a"] if left else [])
            assert settlement(hub) == -max(1000, left)
            await take_back(admin, made)
            assert not settlement(hub)
            assert (one.active, made.left) == (False, [])


async def test_money_that_does_not_come_is_told_and_not_called_taken_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_PATIENCE", 0.0)
    monkeypatch.setattr(Hub, "_moved", staticmethod(lambda *_: None))
    made = Provisioned("XTS")
    async with Hub().serving() as hub, Admin(hub.url) as admin:
        with pytest.raises(HubProblem, match="it is not there"):
            await provision(admin, WANTED, "XTS", made, lambda _: None)
        await take_back(admin, made)
        assert not hub.participants["swaccept00a"].active
    (left,) = made.left
    assert left.endswith(
        " XTS of swaccept00a: it was asked to be put in and has not come; should it come later, it"
        " stays there."
    )


async def test_of_a_participant_that_was_never_made_nothing_is_left() -> None:
    made = Provisioned("XTS", names=["swaccept00a"])
    async with Hub().serving() as hub, Admin(hub.url) as admin:
        await take_back(admin, made)
    assert made.left == []


async def test_a_name_that_only_begins_as_ours_do_is_somebody_elses() -> None:
    async with Hub().serving() as hub, Admin(hub.url) as admin:
        asked = {
            "lookup": hub.url, "quotes": hub.url, "transfers": hub.url, "admin": hub.url,
            "callbacks": {"address": "127.0.0.1", "first_port": 0},
        }  # fmt: skip
        whole = cast(HubFile.model_validate(asked), Profile(1), MOST_PROCESSES, b"", Bounds())
        for spec in whole:
            for one in (*spec.dfsps, *spec.probes):
                hub.participants[one.name] = hub._made(one.name, "XTS")
        assert await require_unused(admin, "Hub", "") == []
        hub.participants["swacceptance"] = hub._made("swacceptance", "XTS")
        with pytest.raises(HubInUse, match="swacceptance is active"):
            await require_unused(admin, "Hub", "")

"""What stands against the beginning of a run, as each face and errand is told of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from foundation.hosts.model import LOCAL_ADDRESS, Host, Inventory
from foundation.hosts.transfer import MachineFull
from foundation.problems import ExitCode, Problem, Unreachable
from installer.catalogue.solution import load_solution
from installer.plans.plan import Plan
from installer.record.errand import Errand
from installer.running import begin
from installer.running.begin import NotBegun, NotReached, Occasion, begun
from installer.running.order import Order
from tests.installer.engine_site import nobody
from tests.installer.running.beginnings import (
    MADE,
    SITE,
    Watched,
    wizard_installs,
)


async def occasion(errand: Errand = Errand.INSTALL) -> Occasion:
    return Occasion(
        site=SITE,
        base=Path("/srv"),
        solution=load_solution("pm4ml"),
        inventory=Inventory((Host("local", LOCAL_ADDRESS),)),
        errand=errand,
    )


async def test_every_machine_short_of_room_is_told(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To both faces: whoever mends one machine after the other waits for a preflight each time."""
    short = [MachineFull("no room", where=name, remedy="Make room.") for name in ("w1", "w2", "w3")]

    async def all_short(*_: object) -> list[MachineFull]:
        return short

    monkeypatch.setattr(begin, "short_of_room", all_short)
    with pytest.raises(NotBegun) as caught:
        async with begun(Order(plan=MADE), await occasion(), nobody):
            raise AssertionError("it was begun")
    assert list(caught.value.against) == short
    assert caught.value.cause == "w1, w2, w3: no room"
    assert caught.value.remedy == "Make room."
    assert caught.value.exit_code is ExitCode.NOT_READY
    watched.nothing_is_left(None)


def test_the_wizard_is_told_of_every_machine_short_of_room(
    watched: Watched, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"w{number}" for number in range(5)]

    async def all_short(*_: object) -> list[MachineFull]:
        return [MachineFull("no room", where=name, remedy="Make room.") for name in names]

    monkeypatch.setattr(begin, "short_of_room", all_short)
    with pytest.raises(NotBegun) as caught:
        wizard_installs(tmp_path)
    assert all(name in caught.value.cause for name in names)
    assert "Make room." in caught.value.remedy


async def test_a_verification_needs_machines_that_answer_and_no_more(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    from installer.running.gate import NotReady

    away = Unreachable("nobody answers", where="w1")
    against: tuple[Problem, ...] = (NotReady("too little memory", where="w2"),)
    monkeypatch.setattr(begin, "objections", lambda _: against)
    async with begun(Order(plan=MADE), await occasion(Errand.VERIFY), nobody) as ready:
        assert ready.run.site_key.endswith("-verify")
    against = (*against, away)
    with pytest.raises(NotReached) as caught:
        async with begun(Order(plan=MADE), await occasion(Errand.VERIFY), nobody):
            raise AssertionError("it was begun")
    assert caught.value.against == (away,)
    assert caught.value.exit_code is ExitCode.UNREACHABLE


async def test_a_dry_run_tells_what_stands_against_the_real_one(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(begin, "objections", lambda _: (Unreachable("no answer", where="w1"),))
    told: list[str] = []
    async with begun(Order(plan=MADE, dry=True), await occasion(), nobody, tell=told.append):
        pass
    assert "It would not be begun: w1: no answer." in told


async def test_a_verification_that_nobody_waits_for_ends(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C does not wait until the last byte of a large bundle was compared."""
    ended, began = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def verify_slowly(made: Plan, *, progress: Callable[[int, int], None]) -> None:
        loop.call_soon_threadsafe(began.set)
        try:
            while True:
                progress(0, 1)
        finally:
            loop.call_soon_threadsafe(ended.set)

    monkeypatch.setattr(begin, "verify_for", verify_slowly)
    made = replace(MADE, supplies=(("bundle", "/media/b"), ("keys", ""), ("index", "x")))

    async def main() -> None:
        async with begun(Order(plan=made), await occasion(), nobody):
            raise AssertionError("it was begun")

    task = asyncio.create_task(main())
    await began.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.wait_for(ended.wait(), 30)

"""Drills: faults that are set while the load goes on, one at a time, each asked for and undone.

What sets a fault and what undoes it are commands of the hub file, since a hub, its broker and its
database are run in many ways: a pod deleted, a rollout restarted, a node drained and opened again.
"""

from __future__ import annotations

import asyncio
import itertools
import shlex
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, Protocol

from foundation.problems import InputProblem
from foundation.wording import duration, listed
from installer.acceptance import left_faults
from installer.acceptance.cast import Bounds
from installer.acceptance.driver.measured import Measured
from installer.acceptance.driver.tally import BIN, Column
from installer.acceptance.hub_file import Drill
from installer.acceptance.left_faults import run_command
from installer.acceptance.profile import SLOT, Profile

OF_A_SLOT: Final = 0.999
"""Of the journeys of ten seconds that must be committed for the rate to be back."""


class Loaded(Protocol):
    """Whatever puts the load on, as far as drills look at it."""

    measured: Measured


@dataclass
class Drilled:
    """One drill as it was: when its fault was set and undone, by the clock of the wall."""

    drill: Drill
    began: float = 0.0
    """0 where it was not begun."""
    undone: float = 0.0
    """0 where it was not undone; a drill without an undoing is undone by itself."""
    failed: str = ""
    """Why the fault was not set."""
    left: str = ""
    """What is left to be undone by hand."""


@dataclass(frozen=True, slots=True)
class Effect:
    """What a drill did to the journeys, from its fault to the next one's or to the end."""

    name: str
    gap: float
    """The longest time without a commit, in seconds."""
    back: float | None
    """Seconds from the fault until the last ten seconds that were not whole; None: never back."""
    journeys: int
    failed: int


def chosen(
    drills: Sequence[Drill], names: Sequence[str], profile: Profile, bounds: Bounds
) -> tuple[Drill, ...]:
    """The drills that were asked for, in that order; raises InputProblem."""
    by_name = {one.name: one for one in drills}
    unknown = [name for name in names if name not in by_name]
    if unknown:
        raise InputProblem(
            f'the hub file has no drill "{unknown[0]}"',
            where="--drill",
            remedy=f"It has {listed(by_name)}." if by_name
            else "Name them there as `drills`; see docs/acceptance.md.",
        )  # fmt: skip
    asked = tuple(by_name[name] for name in names)
    needed = bounds.before_drills + sum(one.wait + bounds.after_drill for one in asked)
    if asked and profile.steady < needed:
        raise InputProblem(
            f"the steady part is too short for {listed(names)}: {duration(profile.steady)}, and"
            f" with time to come back they take {duration(needed)}",
            where="--for",
            remedy=f"Give it {needed:.0f}s or more (--for {needed:.0f}s), or fewer drills.",
        )
    return asked


@asynccontextmanager
async def under_load(
    drills: Sequence[Drill], profile: Profile, bounds: Bounds, fleet: Loaded,
    say: Callable[[str], None], done: list[Drilled],
) -> AsyncIterator[None]:  # fmt: skip
    """Set each fault in its turn while the block's load goes on, and undo it; told in `done`."""
    setting = asyncio.ensure_future(_each(drills, profile, bounds, fleet, say, done))
    try:
        yield
    finally:
        setting.cancel()
        await asyncio.wait({setting})
    if not setting.cancelled() and (error := setting.exception()) is not None:
        raise error


async def _each(
    drills: Sequence[Drill], profile: Profile, bounds: Bounds, fleet: Loaded,
    say: Callable[[str], None], done: list[Drilled],
) -> None:  # fmt: skip
    if not drills:
        return
    while not fleet.measured.began:  # noqa: ASYNC110 - a moment's wait for a plain number
        await asyncio.sleep(0.1)
    first = fleet.measured.began + profile.steady_from + bounds.before_drills
    await asyncio.sleep(max(0.0, first - time.time()))
    for drill in drills:
        one = Drilled(drill, began=time.time())
        done.append(one)
        say(f"Drill {drill.name}: {shlex.join(drill.command)}")
        note = left_faults.note(drill) if drill.undo else None
        try:
            one.failed = await run_command(drill.command)
            if one.failed:
                say(f"Drill {drill.name} was not set: {one.failed}")
            else:
                await asyncio.sleep(drill.wait)
        finally:
            # Also where only a part of it was set, and where the acceptance is left.
            undoing = asyncio.ensure_future(_undo(one, note, say))
            await asyncio.shield(asyncio.wait({undoing}))
        if one.left:
            # A fault beside one that is still set would be neither's, and the hub's end.
            why = f"not begun, since the fault of {drill.name} is still set"
            done.extend(Drilled(later, failed=why) for later in drills[len(done) :])
            return
        await asyncio.sleep(bounds.after_drill)


async def _undo(one: Drilled, note: left_faults.Note | None, say: Callable[[str], None]) -> None:
    if note is not None:
        say(f"Undoing {one.drill.name}: {shlex.join(one.drill.undo)}")
        why = await run_command(one.drill.undo)
        if why:
            note.leave()
            one.left = f"{shlex.join(one.drill.undo)} ({why})"
            say(f"NOT undone: {one.left}")
            return
        note.take_away()
    one.undone = time.time()


def effects(done: Sequence[Drilled], profile: Profile, measured: Measured) -> list[Effect]:
    """What each drill whose fault was set did, by what was committed after it."""
    begun = [one for one in done if one.began]
    if not begun:
        return []
    steady = measured.began + profile.steady_from
    ends = [*(one.began for one in begun[1:]), steady + profile.steady]
    return [
        _effect(one, end, steady, measured)
        for one, end in zip(begun, ends, strict=True)
        if not one.failed
    ]


def _effect(one: Drilled, end: float, steady: float, measured: Measured) -> Effect:
    first, last = int(one.began / BIN), int(end / BIN)
    bins = sorted(bin_ for bin_ in measured.commits if first <= bin_ <= last)
    edges = [first, *bins, last]
    gap = max(0, *(later - sooner - 1 for sooner, later in itertools.pairwise(edges))) * BIN
    # A slot that the fault was set in the middle of counts, by the journeys that were due in it.
    slots = [
        (slot, counts) for slot, counts in sorted(measured.slots.items())
        if steady + (slot + 1) * SLOT > one.began and steady + slot * SLOT < end
    ]  # fmt: skip
    short = [
        slot for slot, counts in slots
        if counts[Column.COMMITTED] < OF_A_SLOT * counts[Column.STARTED]
    ]  # fmt: skip
    journeys = sum(counts[Column.STARTED] for _, counts in slots)
    committed = sum(counts[Column.COMMITTED] for _, counts in slots)
    back: float | None = 0.0
    if short:
        back = steady + (short[-1] + 1) * SLOT - one.began
        if short[-1] == slots[-1][0]:
            back = None
    return Effect(one.drill.name, gap, back, journeys, journeys - committed)

"""Drills: faults that are set while the load goes on, one at a time, each asked for and undone.

What sets a fault and what undoes it are commands of the hub file, since a hub, its broker and its
database are run in many ways: a pod deleted, a rollout restarted, a node drained and opened again.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import shlex
import signal
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from foundation import bounded_files
from foundation.isolation import NOWHERE, environment
from foundation.paths import data_folder, write_private
from foundation.problems import InputProblem, Refused
from foundation.secrets import cut
from foundation.wording import duration, listed
from installer.acceptance.cast import Bounds
from installer.acceptance.driver.measured import Measured
from installer.acceptance.driver.tally import BIN, Column
from installer.acceptance.hub_file import Drill
from installer.acceptance.profile import SLOT, Profile
from installer.acceptance.spoken import spoken

_NOTE_BYTES: Final = 1 << 20
_SECONDS: Final = 600.0
"""For one command."""
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


def note_file() -> Path:
    """Where it stands while a fault is set what undoes it, for whoever comes after a kill."""
    return data_folder() / "acceptances" / "not-undone.json"


def require_none_left() -> None:
    """Raise Refused where a fault of an acceptance before was not undone, as far as is known."""
    file = note_file()
    try:
        said = json.loads(bounded_files.read_text(file, _NOTE_BYTES))
        name, undo = str(said["drill"]), shlex.join(map(str, said["undo"]))
    except FileNotFoundError:
        return
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        name, undo = "?", f"as {file} says, which cannot be read"
    raise Refused(
        f"the fault {cut(name, 60)} of an acceptance before was set, and nobody saw that it was"
        " undone: what is measured now would be measured with it",
        where=str(file),
        remedy=f"Undo it by hand: {cut(undo, 4000)}; see that the hub is whole, and take"
        f" the note away: rm {shlex.quote(str(file))}",
    )


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
            remedy=f"Give --for {needed:.0f}s or more, or fewer drills.",
        )
    return asked


@asynccontextmanager
async def under_load(
    drills: Sequence[Drill], profile: Profile, bounds: Bounds, fleet: Loaded,
    say: Callable[[str], None],
) -> AsyncIterator[list[Drilled]]:  # fmt: skip
    """Set each fault in its turn while the block's load goes on; none is left set at its end."""
    done: list[Drilled] = []
    setting = asyncio.ensure_future(_each(drills, profile, bounds, fleet, say, done))
    try:
        yield done
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
        if drill.undo:
            write_private(note_file(), json.dumps({"drill": drill.name, "undo": drill.undo}))
        try:
            one.failed = await _run(drill.command)
            if one.failed:
                say(f"Drill {drill.name} was not set: {one.failed}")
            else:
                await asyncio.sleep(drill.wait)
        finally:
            # Also where only a part of it was set, and where the acceptance is left.
            undoing = asyncio.ensure_future(_undo(one, say))
            await asyncio.shield(asyncio.wait({undoing}))
        await asyncio.sleep(bounds.after_drill)


async def _undo(one: Drilled, say: Callable[[str], None]) -> None:
    if one.drill.undo:
        say(f"Undoing {one.drill.name}: {shlex.join(one.drill.undo)}")
        why = await _run(one.drill.undo)
        if why:
            one.left = f"{shlex.join(one.drill.undo)} ({why})"
            say(f"NOT undone: {one.left}")
            return
        note_file().unlink(missing_ok=True)
    one.undone = time.time()


async def _run(command: Sequence[str]) -> str:
    """Run a command to its end; why it failed, or ""."""
    try:
        process = await asyncio.create_subprocess_exec(
            *command, cwd=NOWHERE, env=environment(), start_new_session=True,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
    except (OSError, ValueError) as error:
        return f"{command[0]} could not be started: {error}"
    try:
        _, err = await asyncio.wait_for(spoken(process), _SECONDS)
    except TimeoutError:
        return f"it did not end within {duration(_SECONDS)}"
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    if process.returncode == 0:
        return ""
    said = cut(err, 600, last=True)
    return f"it ended with {process.returncode}: {said or 'no word'}"


def effects(done: Sequence[Drilled], profile: Profile, measured: Measured) -> list[Effect]:
    """What each drill whose fault was set did, by what was committed after it."""
    if not done:
        return []
    steady = measured.began + profile.steady_from
    ends = [*(one.began for one in done[1:]), steady + profile.steady]
    return [
        _effect(one, end, steady, measured)
        for one, end in zip(done, ends, strict=True)
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

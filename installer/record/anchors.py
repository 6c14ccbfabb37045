"""Anchors: how far the journal of a run is, left on its machines and noted here while it works.

They are left when a session begins, at the end of each stage, and when the session ends; so of a
session that was killed no more than its last stage can be cut off unseen. Which machines took one
is noted too: one that keeps it no more was installed anew, or was put back to an earlier state, and
what the record tells of it holds no more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from foundation.hosts.model import Host
from foundation.problems import Refused
from installer.record.other_hands import (
    CLOCKS_APART,
    Mark,
    changes_nothing,
    mark_from_text,
    new_mark,
)
from installer.record.record_check import Noted, note_end, noted_of_site
from installer.record.site_lock import Holder

if TYPE_CHECKING:
    from foundation.hosts.machine_lock import Around
    from installer.events import Outcome
    from installer.plans.plan import Plan
    from installer.record.journal import Journal
    from installer.record.machine_locks import MachineLocks
    from installer.record.runs import Run


class NotAsLeft(Refused):
    """A run that is gone on with, though a machine keeps no more what the run left there."""

    code = "machine-not-as-left"
    title = "A machine is not as this run left it"
    default_remedy = (
        "What the record of this run tells of it holds no more. Begin a new run, in which every "
        "step is asked whether it is done: sitewright install."
    )


@dataclass(frozen=True, slots=True)
class NotKept:
    """A machine that does not keep what a run left there."""

    host: str
    sentence: str
    """What it keeps instead, and what that means; without a full stop."""


def not_kept(
    seen: Mapping[str, Mark | None], left: Sequence[tuple[str, Noted]]
) -> Iterator[NotKept]:
    """The machines that answer and keep no more what was left there.

    `seen` is what each machine that answered keeps; `left` each run of the site with what was noted
    of it, the one that goes on first and the others from the latest: a machine is held against the
    first that left something there, and against the moment at which that was left on it.
    """
    for host, mark in seen.items():
        run, noted = next(((run, one) for run, one in left if host in one.kept), ("", None))
        if noted is None:
            continue
        lines = noted.kept[host]
        or_else = ""
        if mark is None:
            what = "keeps nothing of it"
        elif mark.run == run and mark.events < lines:
            what = f"keeps its line {mark.events}, though its line {lines} was left there"
        elif mark.run != run and _long_before(mark.time, noted.left_at(host)):
            what = f"keeps what the run {mark.run} left there before it"
            # Its time is that of the laptop that left it, and clocks may be days apart.
            or_else = f"; or {mark.sentence()}, by a clock that is behind, and came after us"
        else:
            continue
        yield NotKept(
            host,
            f"{host} {what}: it was installed anew or put back to an earlier state, or "
            f"/var/lib/sitewright was removed there{or_else}",
        )


def _long_before(text: str, left: str) -> bool:
    """Whether a mark was left before the one of ours; what does not say when is held to be new."""
    return bool(left) and _moment(text) < _moment(left) - CLOCKS_APART


def _moment(text: str) -> float:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return float("inf")
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def told_of_not_kept(
    seen: Sequence[tuple[Host, Around]], run: Run, *, goes_on: bool, takes_back: bool
) -> list[str]:
    """Notes on machines that keep no more what a run left; raises NotAsLeft.

    To go on (`goes_on`) with a run whose machines lost what it did would call done what is not
    there. To take something back, or to begin anew, is right all the same.
    """
    kept = {host.name: mark_from_text(one.mark) for host, one in seen}
    left = noted_of_site(run)
    found = list(not_kept(kept, left))
    if not found:
        return []
    if goes_on and not takes_back:
        worked = {host for name, noted in left if name == run.id for host in noted.kept}
        own = [one for one in found if one.host in worked]
        if own:
            raise NotAsLeft(
                "; ".join(one.sentence for one in own), where=", ".join(one.host for one in own)
            )
    return [
        f"Since the last run of this site something happened: {one.sentence}. "
        + (
            "What is taken back there may not be there any more."
            if takes_back
            else "What earlier runs did there holds no more."
        )
        for one in found
    ]


@dataclass(slots=True)
class Anchors:
    """Leaves the end of one run's journal on the machines that it holds, and notes it here."""

    run: Run
    plan: Plan
    holder: Holder
    journal: Journal
    read: int
    """Lines of the journal that were there when it was opened."""
    locks: MachineLocks

    async def leave(self, outcome: Outcome | None) -> list[str]:
        """Leave how far the journal is now; what went wrong with it, in sentences.

        Raises JournalProblem where the journal cannot be written.
        """
        self.journal.settle()
        mark = new_mark(
            self.holder, self.run.id, self.run.site_key,
            outcome.value if outcome is not None else "",
            self.read + self.journal.number, self.journal.last,
        )  # fmt: skip
        kept: frozenset[str] = frozenset()
        if not changes_nothing(self.plan):
            kept = await self.locks.leave_mark(mark.as_text())
        try:
            await asyncio.to_thread(note_end, self.run, mark, kept)
        except OSError as error:
            said = error.strerror or str(error)
            return [f"How far the journal is could not be noted beside the runs: {said}."]
        return []

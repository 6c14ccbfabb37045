"""Kept runs: the runs of every site that lie on this computer, each with how it stands.

All of it is read from the records alone; nothing is asked of a machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from foundation.moments import moment
from foundation.problems import Problem
from installer.record.errand import Errand
from installer.record.record_check import gone_sites
from installer.record.runs import Run, all_sites, errand_of, runs_folder, runs_of, site_of
from installer.record.site_lock import Holder, holder_of
from installer.record.state import keys_of

MOST: Final = 60
"""Runs that are read: each record is read whole, and some are long."""


@dataclass(frozen=True, slots=True)
class KeptRun:
    """One run of a site."""

    folder: Path
    site: str
    """The key of the site, the same for all its runs."""
    name: str
    """Solution and environment."""
    stands: str
    """How it stands, in a word or two; where its record cannot be read, that it is broken."""
    done: int = 0
    total: int = 0
    """Steps on machines."""
    when: datetime | None = None
    """The last sign of life."""
    by: str = ""
    open: bool = False
    """Whether something is left to do in it, so that it can be gone on with."""
    errand: str = ""
    """What it is for, where that is no installation: verify, stop, remove."""


@dataclass(frozen=True, slots=True)
class KeptRuns:
    """What there is, the site used last first, and of each site the latest run first."""

    runs: tuple[KeptRun, ...]
    more: int = 0
    """Older ones that were not read."""


@dataclass(frozen=True, slots=True)
class RunCount:
    """How many runs there are, and of how many sites."""

    runs: int
    sites: int


def counted_runs() -> RunCount:
    """How many runs lie here, by their folders: no record is read whole."""
    by_site = {key: len(runs_of(key)) for key in all_sites()}
    by_site.update(dict.fromkeys(gone_sites(), 1))
    return RunCount(sum(by_site.values()), len({site_of(key) for key in by_site}))


def kept_runs(at_most: int = MOST) -> KeptRuns:
    """The runs of all sites; the latest of each site are read before the older ones of any."""
    by_key = {key: runs_of(key) for key in all_sites()}
    sites = list(dict.fromkeys(map(site_of, by_key)))
    order = sorted(
        (
            (place, n, run)
            for n, runs in enumerate(by_key.values())
            for place, run in enumerate(runs)
        ),
        key=lambda one: one[:2],
    )
    chosen = sorted(order[:at_most], key=lambda one: one[2].id, reverse=True)
    chosen.sort(key=lambda one: sites.index(site_of(one[2].site_key)))
    found = [_read(run, latest=place == 0) for place, _, run in chosen]
    # Of a site of which no folder is left a row says so, where else there would be none.
    found += [
        KeptRun(runs_folder() / key / last, site_of(key), site_of(key), "its record is gone",
                errand=errand_of(key))
        for key, last in gone_sites().items()
    ]  # fmt: skip
    return KeptRuns(tuple(found), len(order) - len(chosen))


def _read(run: Run, *, latest: bool) -> KeptRun:
    site, errand = site_of(run.site_key), errand_of(run.site_key)
    try:
        plan, state = run.plan(), run.state()
    except (Problem, OSError):
        return KeptRun(run.folder, site, site, "its record is broken", errand=errand)
    keys = list(keys_of(plan))
    left = state.started is not None and not state.complete(plan)
    at_work = latest and worker_of(run, state.last_time) is not None
    stands = "interrupted" if state.outcome is None else state.outcome.value
    if state.started is None:
        stands = "not begun"
    elif at_work and state.outcome is None:
        stands = "under way"
    by = str(state.started.data.get("by") or "") if state.started is not None else ""
    return KeptRun(
        folder=run.folder,
        site=site,
        name=f"{plan.solution} {plan.environment}",
        stands=stands,
        done=sum(state.finished(key) for key in keys),
        total=len(keys),
        when=moment(state.last_time or None),
        by=by,
        open=latest and left and not errand and not at_work and run.site_file.is_file(),
        errand=errand,
    )


def worker_of(run: Run, last_time: float) -> Holder | None:
    """Who works on a run now, as far as its lock tells; `last_time` is that of its last event.

    A verification has a lock of its own. What stops or removes a site takes that of the site, which
    an installation of today may hold where such a run was cut off yesterday.
    """
    errand = errand_of(run.site_key)
    if errand in ("", Errand.VERIFY):
        return holder_of(run.site_key)
    holder = holder_of(site_of(run.site_key))
    if holder is None:
        return None
    try:
        began = datetime.fromisoformat(holder.since).timestamp()
    except ValueError:
        return holder
    return holder if began <= last_time else None

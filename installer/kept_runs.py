"""Kept runs: the runs of every site that lie on this computer, each with how it stands.

All of it is read from the records alone; nothing is asked of a machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from foundation.problems import Problem
from installer.running.state import keys_of
from installer.runs import Run, all_sites, runs_of
from installer.site_lock import holder_of

MOST: Final = 60
"""Runs that are read: each record is read whole, and some are long."""
_VERIFY: Final = "-verify"


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
    verification: bool = False
    """Whether it only asked whether what was installed works."""


@dataclass(frozen=True, slots=True)
class KeptRuns:
    """What there is, the site used last first, and of each site the latest run first."""

    runs: tuple[KeptRun, ...]
    more: int = 0
    """Older ones that were not read."""


def kept_runs(at_most: int = MOST) -> KeptRuns:
    """The runs of all sites; the latest of each site are read before the older ones of any."""
    by_site = {key: runs_of(key) for key in all_sites()}
    order = sorted(
        (
            (place, n, run)
            for n, runs in enumerate(by_site.values())
            for place, run in enumerate(runs)
        ),
        key=lambda one: one[:2],
    )
    chosen = sorted(order[:at_most], key=lambda one: (one[1], one[0]))
    found = tuple(_read(run, latest=place == 0) for place, _, run in chosen)
    return KeptRuns(found, len(order) - len(chosen))


def _read(run: Run, *, latest: bool) -> KeptRun:
    site = run.site_key.removesuffix(_VERIFY)
    verification = run.site_key.endswith(_VERIFY)
    try:
        plan, state = run.plan(), run.state()
    except (Problem, OSError):
        return KeptRun(run.folder, site, site, "its record is broken", verification=verification)
    keys = list(keys_of(plan))
    left = state.started is not None and not state.complete(plan)
    at_work = latest and holder_of(run.site_key) is not None
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
        when=datetime.fromtimestamp(state.last_time, UTC) if state.last_time else None,
        by=by,
        open=latest and left and not verification and not at_work and run.site_file.is_file(),
        verification=verification,
    )

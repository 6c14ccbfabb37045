"""Unfinished: a run of an operation that came to no end, to be gone on with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from installer.events import Outcome
from installer.record.identity import begun_on, site_key
from installer.record.record_check import check_record
from installer.record.runs import runs_of

if TYPE_CHECKING:
    from installer.plans.plan import Plan
    from installer.record.runs import Run
    from installer.sites.site import Site


def cut_off(site: Site, operation: str, *, of: Plan | None = None) -> Run | None:
    """The last run of an operation where something of it is left; with `of`, by that very plan.

    That of a machine is by its plan, since another machine may have been taken out since. What was
    taken back is given up, and what was reviewed elsewhere is begun anew here.
    """
    runs = runs_of(f"{site_key(site)}-{operation}")
    last = next((run for run in runs if of is None or run.plan().leaving == of.leaving), None)
    if last is None or last.brought or not begun_on(last, site):
        return None
    if of is not None and last.plan().sha256 != of.sha256:
        return None
    state = check_record(last)
    given_up = any(one.outcome is Outcome.UNDONE for one in state.steps.values())
    return None if given_up or state.complete(last.plan()) else last

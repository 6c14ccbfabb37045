"""A run of an operation that came to no end, and is gone on with by the same command."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from installer.events import Outcome

if TYPE_CHECKING:
    from installer.plans.plan import Plan
    from installer.record.runs import Run
    from installer.sites.site import Site


def unfinished_run(site: Site, operation: str, *, again: str) -> Run | None:
    """The last run of an operation on these machines, where something of it is left to do.

    Its plan is the one that was reviewed: what it says of later machines counts, whatever a new
    one would. Says on standard error what is gone on with.
    """
    last = cut_off(site, operation)
    if last is not None:
        print(
            f"Goes on with the run {last.id}, whose plan was reviewed. To begin anew instead: "
            f"{again} --anew",
            file=sys.stderr,
        )
    return last


def cut_off(site: Site, operation: str, *, of: Plan | None = None) -> Run | None:
    """The last run of an operation where something of it is left; with `of`, by that very plan.

    That of a machine is by its plan, since another machine may have been taken out since. What was
    taken back is given up, and what was reviewed elsewhere is begun anew here.
    """
    from installer.record.identity import begun_on, site_key
    from installer.record.record_check import check_record
    from installer.record.runs import runs_of

    runs = runs_of(f"{site_key(site)}-{operation}")
    last = next((run for run in runs if of is None or run.plan().leaving == of.leaving), None)
    if last is None or last.brought or not begun_on(last, site):
        return None
    if of is not None and last.plan().sha256 != of.sha256:
        return None
    state = check_record(last)
    given_up = any(one.outcome is Outcome.UNDONE for one in state.steps.values())
    return None if given_up or state.complete(last.plan()) else last

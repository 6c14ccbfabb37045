"""A run of an operation that came to no end, and is gone on with by the same command."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from installer.events import Outcome

if TYPE_CHECKING:
    from installer.record.runs import Run
    from installer.sites.site import Site


def unfinished_run(site: Site, operation: str, *, again: str) -> Run | None:
    """The last run of an operation on these machines, where something of it is left to do.

    Its plan is the one that was reviewed: what it says of later machines counts, whatever a new
    one would. What was taken back is given up. Says on standard error what is gone on with.
    """
    from installer.record.identity import begun_on, site_key
    from installer.record.record_check import check_record
    from installer.record.runs import runs_of

    last = next(iter(runs_of(f"{site_key(site)}-{operation}")), None)
    if last is None or not begun_on(last, site):
        return None
    state = last.state()
    check_record(last, state)
    given_up = any(one.outcome is Outcome.UNDONE for one in state.steps.values())
    if given_up or state.complete(last.plan()):
        return None
    print(
        f"Goes on with the run {last.id}, whose plan was reviewed. To begin anew instead: {again} "
        "--anew",
        file=sys.stderr,
    )
    return last

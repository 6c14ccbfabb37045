"""A run of an operation that came to no end, and is gone on with by the same command."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from installer.record.runs import Run
    from installer.sites.site import Site


def unfinished_run(site: Site, operation: str, *, again: str) -> Run | None:
    """The last run of an operation on these machines, where something of it is left to do.

    Its plan is the one that was reviewed: what it says of later machines counts, whatever a new
    one would. Says on standard error what is gone on with.
    """
    from installer.commands.going_on import go_by_the_beginner
    from installer.running.unfinished import cut_off

    last = cut_off(site, operation)
    if last is not None:
        go_by_the_beginner(last)
        tell_gone_on(last, again)
    return last


def tell_gone_on(run: Run, again: str) -> None:
    """Say on standard error which run is gone on with, and how another would be begun."""
    print(
        f"Goes on with the run {run.id}, whose plan was reviewed. To begin anew instead: "
        f"{again} --anew",
        file=sys.stderr,
    )

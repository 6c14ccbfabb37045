"""Last change: what the runs kept on this computer say was done to some machines, by whom, when.

The record decides, never what a session remembers: another session, or another day, may have
changed them.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from foundation.moments import moment
from foundation.problems import Problem
from installer.record.kept_runs import worker_of
from installer.record.runs import Run, all_sites, runs_of

if TYPE_CHECKING:
    from installer.record.state import RunState

_NEVER: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class LastChange:
    """The last run that began something on some machines."""

    run: Run
    by: str
    """Who began or resumed it."""
    when: datetime | None
    """The last event in its record; None where it tells a time that no calendar has."""
    under_way: bool
    """Whether somebody is at work on that site now."""


def last_change(addresses: Collection[str] = ()) -> LastChange | None:
    """The last change of machines at these addresses, of any machine where none is named.

    A record that cannot be read is passed over: what it says is told where it is opened.
    """
    wanted = {address.lower() for address in addresses}
    found: list[LastChange] = []
    for key in all_sites():
        if key.endswith("-verify"):
            continue  # a verification changes nothing
        runs = runs_of(key)
        if wanted and not wanted & _addresses(runs[0]):
            continue
        change = _of_site(runs)
        if change is not None:
            found.append(change)
    return max(found, key=lambda one: one.when or _NEVER, default=None)


def _of_site(runs: tuple[Run, ...]) -> LastChange | None:
    for run in runs:
        try:
            state = run.state()
        except (Problem, OSError):
            continue
        if state.changed:
            at_work = worker_of(run, state.last_time) is not None
            return LastChange(run, _by(state), moment(state.last_time), under_way=at_work)
    return None


def _by(state: RunState) -> str:
    return str(state.started.data.get("by") or "") if state.started is not None else ""


def _addresses(run: Run) -> set[str]:
    """Where the machines of a site are, as its own site file says."""
    from installer.sites.site import load_site

    try:
        return {host.address.lower() for host in load_site(run.site_file).hosts}
    except (Problem, OSError):
        return set()

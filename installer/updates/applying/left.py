"""Left: updates that were begun on this computer and not seen to their end, of any site.

Read from the records alone, for who begins a session and has named no site yet; `prepared` asks the
same of one site before another update of it is planned.
"""

from __future__ import annotations

from foundation.problems import Problem
from installer.events import Outcome
from installer.record.runs import Run, all_sites, errand_of, latest_run
from installer.record.state import RunState
from installer.updates.applying.plans import OPERATION


def left_update() -> tuple[Run, RunState] | None:
    """The last of them and where it stands; None where every update came to an end."""
    for key in all_sites():
        run = latest_run(key) if errand_of(key) == OPERATION else None
        if run is None or run.brought or not run.site_file.is_file():
            continue
        try:
            plan, state = run.plan(), run.state()
        except (Problem, OSError):
            continue  # what cannot be read cannot be gone on with
        given_up = any(one.outcome is Outcome.UNDONE for one in state.steps.values())
        begun = any(one.running for one in state.steps.values())
        if begun and not given_up and not state.complete(plan):
            return run, state
    return None

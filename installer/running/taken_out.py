"""Taken out: machines that left a site, and would join again where its site file still names them.

That is for a person to say, with `sitewright machine add`.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from shlex import quote

from foundation.problems import InputProblem, Refused
from foundation.wording import listed
from installer.events import Outcome
from installer.plans.plan import Plan
from installer.record.identity import site_of_run, way_of
from installer.record.journal_lines import BrokenJournal
from installer.record.runs import all_sites, errand_of, runs_of, site_of
from installer.record.state import RunState, keys_of
from installer.sites.site import Site


@dataclass(frozen=True, slots=True)
class TakenOut:
    """A machine that a run took out of its site, or began to."""

    name: str
    """As the site file calls it now."""
    run: str
    whole: bool
    """Whether it is out; else the run was ended on the way."""


def taken_out(key: str, site: Site) -> tuple[TakenOut, ...]:
    """The machines of a site that were taken out of it, and that no installation had join since.

    By the runs of the record `key`, the later word counting. A machine at another address is
    another; a run whose plan or journal cannot be read tells nothing here.
    """
    here = {way_of(site, host.name): host.name for host in site.hosts}
    runs = [run for one in all_sites() if site_of(one) == site_of(key) for run in runs_of(one)]
    out: dict[str, TakenOut] = {}
    for run in sorted(runs, key=lambda run: run.id):
        with contextlib.suppress(InputProblem, BrokenJournal, OSError):
            plan, then = run.plan(), site_of_run(run)
            if then is None:
                continue
            if plan.leaving:
                name = here.get(way_of(then, plan.leaving))
                if name is not None and (whole := _went(plan, run.state())) is not None:
                    out[name] = TakenOut(name, run.id, whole)
            elif not errand_of(run.site_key):
                for host in then.hosts:
                    out.pop(here.get(way_of(then, host.name), ""), None)
    return tuple(out.values())


def not_joining_again(key: str, site: Site, meant: str, *, file: str) -> None:
    """Raise Refused where an installation would have machines join that were taken out.

    `meant` is the one of which a person said so.
    """
    found = [one for one in taken_out(key, site) if one.name != meant]
    if not found:
        return
    names = [one.name for one in found]
    each = "it" if len(names) == 1 else "each of them"
    half = [one.name for one in found if not one.whole]
    ended = f", not to the end for {listed(half)}," if half else ""
    runs = listed(sorted({one.run for one in found}))
    by = f" --site {quote(file)}" if file else " --site FILE"

    def commands(word: str, of: list[str]) -> str:
        return "; ".join(f"sitewright machine {word} {quote(name)}{by}" for name in of)

    raise Refused(
        f"{listed(names)} {'was' if len(names) == 1 else 'were'} taken out of this site by the run "
        f"{runs}{ended} and would join again",
        where=file or "the site file",
        remedy=f"Take {each} out of the site file. To have {each} join again, say so: "
        f"{commands('add', names)}."
        + (f" To go on taking out: {commands('remove', half)}." if half else ""),
    )


def _went(plan: Plan, state: RunState) -> bool | None:
    """Whether the machine is out by a run; None where nothing was done that cannot be had back."""
    (stage, *_) = plan.stages
    keys = [key for key in keys_of(plan) if key[0] == stage.id]
    if all(state.finished(key) for key in keys):
        return True
    if any(state.of(key).outcome is Outcome.UNDONE for key in keys):
        return None  # it was given up
    final = {step.id for step in stage.steps if step.irreversible}
    begun = (state.of(key) for key in keys if key[1] in final)
    return False if any(one.running or one.outcome is Outcome.DONE for one in begun) else None

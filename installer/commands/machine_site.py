"""What the commands about one machine of a site share: the site, the machine, the run before."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from foundation.documents import nearest
from foundation.problems import InputProblem
from foundation.wording import listed
from installer.events import Outcome

if TYPE_CHECKING:
    from installer.catalogue.solution import Solution
    from installer.plans.plan import Plan
    from installer.record.runs import Run
    from installer.sites.site import Site, SiteHost
    from installer.steps.stage_files import OfMachine


def site_of_file(file: Path) -> tuple[Site, Solution]:
    """The site of a file and its solution; raises InputProblem."""
    from installer.catalogue.solution import load_solution
    from installer.sites.site import load_site

    site = load_site(file)
    if site.solution is None:
        raise InputProblem("the site file names no solution", where=str(file))
    return site, load_solution(site.solution)


def host_of(site: Site, name: str, file: Path) -> SiteHost:
    """A machine of a site by its name; raises InputProblem."""
    for host in site.hosts:
        if host.name == name:
            return host
    names = [host.name for host in site.hosts]
    close = nearest(name, names)
    raise InputProblem(
        f'the site has no machine "{name}"' + (f'; did you mean "{close}"?' if close else ""),
        where=str(file),
        remedy=f"Its machines are {listed(names)}.",
    )


def cut_off(site: Site, operation: str, plan: Plan) -> Run | None:
    """The last run for this machine, by the same plan, where something of it is left to do."""
    from installer.record.identity import begun_on, site_key
    from installer.record.record_check import check_record
    from installer.record.runs import runs_of

    # Another machine may have been taken out since.
    runs = runs_of(f"{site_key(site)}-{operation}")
    last = next((run for run in runs if run.plan().leaving == plan.leaving), None)
    if last is None or last.plan().sha256 != plan.sha256 or not begun_on(last, site):
        return None
    state = last.state()
    check_record(last, state)
    # What was taken back is begun anew, and each step asked whether it is done.
    given_up = any(one.outcome is Outcome.UNDONE for one in state.steps.values())
    return None if given_up or state.complete(plan) else last


def by_hand(solution: Solution, host: SiteHost, able: Sequence[OfMachine], word: str) -> str:
    """What is to be done with a machine for which there is no operation; sentences."""
    said = [role.by_hand for role in solution.roles if role.id in host.roles and role.by_hand]
    roles = sorted({role for of in able for role in of.roles})
    can = f"It can {word} a machine that is {listed(roles, 'or')}" if roles else "Do it by hand"
    return " ".join([*said, f"{can}."])

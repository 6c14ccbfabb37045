"""`sitewright resume`: go on with the last run of a site where it stands."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

from foundation.problems import ExitCode, InputProblem
from installer.commands.ending import AGAIN
from installer.commands.going_on import go_by_the_beginner
from installer.commands.install import Undertaking, add_other_ways, add_run_options, carry_through

if TYPE_CHECKING:
    from installer.plans.plan import Plan
    from installer.record.state import RunState


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `sitewright resume`."""
    parser.add_argument("--site", type=Path, metavar="FILE", help="the site; else the last used")
    add_run_options(parser)
    add_other_ways(parser)
    parser.add_argument(
        "--with-this-version",
        action="store_true",
        help="go on with this Sitewright, though another version began the run",
    )
    parser.add_argument(
        "--no-egress", action="store_true", help="do not try what is fetched before it goes on"
    )


def run(options: argparse.Namespace) -> int:
    """Attach to what still runs on the machines, repeat nothing, do what is left."""
    from installer.catalogue.solution import load_solution
    from installer.record.identity import site_key
    from installer.record.record_check import check_record, refuse_gone
    from installer.record.runs import installed_sites, latest_run
    from installer.sites.site import load_site

    if options.site is not None:
        key = site_key(load_site(options.site))
    else:
        sites = installed_sites()
        if not sites:
            refuse_gone()
            raise InputProblem(
                "there is no run to go on with",
                where="this machine",
                remedy="Begin one: sitewright install --site FILE.",
            )
        key = sites[0]
    last = latest_run(key)
    if last is None:
        refuse_gone(key)
        raise InputProblem(
            "this site has no run to go on with",
            where=str(options.site),
            remedy="Begin one: sitewright install --site FILE.",
        )
    plan = last.plan()
    state = check_record(last)
    if state.complete(plan) and options.only is None:
        print(
            "By its record the last run of this site is complete; nothing is left to do. The "
            "machines were not asked: sitewright verify does."
        )
        return ExitCode.DONE
    if not options.with_this_version:
        go_by_the_beginner(last)
    _as_it_was_begun(state, plan, options)
    site_file = options.site or last.site_file
    site = load_site(site_file)
    solution = load_solution(plan.solution)
    named = f" --site {quote(str(site_file))}"
    # Without a site it goes on with the newest run of all, which may be another site's.
    again = AGAIN + (named if options.site is not None else "")
    work = Undertaking(site, site_file, solution, plan, last, again=again, named=named)
    return carry_through(work, options, dry=False)


def _as_it_was_begun(state: RunState, plan: Plan, options: argparse.Namespace) -> None:
    """Take the part that was asked for, where something of it is left and no other is named."""
    from installer.record.state import keys_of

    if options.until is not None or options.only is not None:
        return
    ids = [stage.id for stage in plan.stages]
    if state.only:
        part = [state.only]
    elif state.until:
        from installer.running.ordering import stages_in_order

        part = [stage.id for stage in stages_in_order(plan, until=state.until, only=None)]
    else:
        return
    if all(state.finished(key) for key in keys_of(plan) if key[0] in part):
        return  # the rest of the plan is what is left
    options.until, options.only = state.until or None, state.only or None
    asked = f"--only {state.only}" if state.only else f"--until {state.until}"
    print(
        f"Goes on as it was begun: {asked}. For the whole plan: --until {ids[-1]}.",
        file=sys.stderr,
    )

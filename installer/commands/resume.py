"""`sitewright resume`: go on with the last run of a site where it stands."""

from __future__ import annotations

import argparse
from pathlib import Path

from foundation.problems import ExitCode, InputProblem
from installer.commands.install import Work, add_run_options, carry_through


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `sitewright resume`."""
    parser.add_argument("--site", type=Path, metavar="FILE", help="the site; else the last used")
    add_run_options(parser)


def run(options: argparse.Namespace) -> int:
    """Attach to what still runs on the machines, repeat nothing, do what is left."""
    from installer.runs import all_sites, latest_run, site_key
    from installer.site import load_site
    from installer.solution import load_solution

    if options.site is not None:
        key = site_key(load_site(options.site))
    else:
        sites = all_sites()
        if not sites:
            raise InputProblem(
                "there is no run to go on with",
                where="this machine",
                remedy="Begin one: sitewright install --site FILE.",
            )
        key = sites[0]
    last = latest_run(key)
    if last is None:
        raise InputProblem(
            "this site has no run to go on with",
            where=str(options.site),
            remedy="Begin one: sitewright install --site FILE.",
        )
    plan = last.plan()
    if last.complete and options.only is None:
        print("The last run of this site is complete; nothing is left to do.")
        return ExitCode.DONE
    site_file = options.site or last.site_file
    site = load_site(site_file)
    solution = load_solution(plan.solution)
    return carry_through(Work(site, site_file, solution, plan, last), options, dry=False)

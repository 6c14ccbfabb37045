"""`sitewright start|stop|remove|services`: what can be done with an installation later.

What each of them does is data: the file of that name in the solution's folder `operations`.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Final

from foundation.problems import InputProblem
from installer.commands.install import Undertaking, add_run_options, carry_through
from installer.commands.which_site import add_site_options, as_named, site_file_of
from installer.record.errand import Errand

if TYPE_CHECKING:
    from installer.catalogue.solution import Solution
    from installer.plans.plan import Plan
    from installer.sites.site import Site

_LOOKS_ONLY: Final = frozenset({"services"})
"""Operations that change nothing, so that nothing is asked."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of all of them; `remove` has one more."""
    add_site_options(parser)
    if parser.prog.endswith(" remove"):
        parser.add_argument("--with-data", action="store_true", help="its data as well, for good")
    add_run_options(parser)


def run(options: argparse.Namespace) -> int:
    """Plan the operation, show it, ask, and carry it through."""
    name = str(options.command)
    if getattr(options, "with_data", False):
        name += "-with-data"
    named = as_named(options)
    file = site_file_of(options)
    site, solution, plan = operation_plan(file, name)
    if name in _LOOKS_ONLY:
        options.yes = True
    options.site = file
    again = f"sitewright {options.command}{named}"
    again += " --with-data" if name.endswith("data") else ""
    work = Undertaking(
        site, file, solution, plan, errand=Errand.OPERATE, operation=name, again=again, named=named
    )
    return carry_through(work, options, dry=False)


def operation_plan(file: Path, name: str) -> tuple[Site, Solution, Plan]:
    """The site, its solution and the plan of one operation; raises InputProblem."""
    from installer.catalogue.solution import load_solution
    from installer.planning.make import make_plan
    from installer.sites.site import load_site
    from installer.steps.stage_files import load_operations

    site = load_site(file)
    if site.solution is None:
        raise InputProblem("the site file names no solution", where=str(file))
    solution = load_solution(site.solution)
    operations = load_operations(solution)
    if name not in operations:
        raise InputProblem(
            f"{solution.title} cannot be told to {name.replace('-', ' ')}",
            where=str(file),
            remedy=f"It can: {', '.join(operations)}." if operations else "It has no such command.",
        )
    return (
        site,
        solution,
        make_plan(solution, site, (), operation=operations[name], base=file.absolute().parent),
    )

"""`sitewright start|stop|remove|services`: what can be done with an installation later.

What each of them does is data: the file of that name in the solution's folder `operations`.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Final

from foundation.problems import InputProblem
from installer.commands.install import Work, add_run_options, carry_through
from installer.commands.which_site import add_site_options, site_file_of
from installer.running.errand import Errand

if TYPE_CHECKING:
    from installer.plan import Plan
    from installer.site import Site
    from installer.solution import Solution

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
    file = site_file_of(options)
    site, solution, plan = operation_plan(file, name)
    if name in _LOOKS_ONLY:
        options.yes = True
    options.site = file
    again = f"sitewright {options.command}" + (" --with-data" if name.endswith("data") else "")
    work = Work(site, file, solution, plan, errand=Errand.OPERATE, operation=name, again=again)
    return carry_through(work, options, dry=False)


def operation_plan(file: Path, name: str) -> tuple[Site, Solution, Plan]:
    """The site, its solution and the plan of one operation; raises InputProblem."""
    from installer.planning import make_plan
    from installer.site import load_site
    from installer.solution import load_solution
    from installer.stage_files import load_operations

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

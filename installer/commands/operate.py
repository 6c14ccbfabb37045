"""`sitewright start|stop|remove|services|changes|back|renew|transfer`: what can be done later.

What each of them does is data: the file of that name in the solution's folder `operations`.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Final

from foundation.problems import InputProblem
from installer.commands.install import Undertaking, add_run_options, carry_through
from installer.commands.unfinished import unfinished_run
from installer.commands.which_site import add_site_options, as_named, site_file_of
from installer.record.errand import Errand

if TYPE_CHECKING:
    from foundation.secrets import Secret
    from installer.catalogue.solution import Solution
    from installer.plans.plan import Plan
    from installer.record.runs import Run
    from installer.sites.site import Site

_LOOKS_ONLY: Final = frozenset({"services", "changes"})
"""Operations that change nothing, so that nothing is asked."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of all of them; `remove` has one more."""
    add_site_options(parser)
    if parser.prog.endswith(" remove"):
        parser.add_argument("--with-data", action="store_true", help="its data as well, for good")
    if parser.prog.endswith(" renew"):
        add_anew_option(parser)
    add_run_options(parser)


def add_anew_option(parser: argparse.ArgumentParser) -> None:
    """For what is done to one machine after another, and gone on with where it was."""
    parser.add_argument(
        "--anew", action="store_true", help="a new plan, though the last came to no end"
    )


def run(options: argparse.Namespace) -> int:
    """Plan the operation, show it, ask, and carry it through."""
    name = str(options.command)
    if getattr(options, "with_data", False):
        name += "-with-data"
    named = as_named(options)
    file = site_file_of(options)
    site, solution, plan = operation_plan(file, name)
    before = None
    if not getattr(options, "anew", True):
        before = unfinished_run(site, name, again=f"sitewright {name}{named}")
        plan = plan if before is None else before.plan()
    if name in _LOOKS_ONLY:
        options.yes = True
    options.site = file
    again = f"sitewright {options.command}{named}"
    again += " --with-data" if name.endswith("data") else ""
    return carry_operation(
        name, (site, solution, plan), options, run=before, again=again, named=named
    )


def carry_operation(
    operation: str,
    planned: tuple[Site, Solution, Plan],
    options: argparse.Namespace,
    *,
    again: str,
    named: str | None = None,
    run: Run | None = None,
    opens: Mapping[str, Secret] | None = None,
) -> int:
    """Show the plan of an operation, ask, and carry it through; the exit code tells its end.

    `run` is the one to go on with, of which the plan is then; `named` are the words by which the
    command named its site, where they are others than `--site` and the file. `opens` are secrets of
    this command alone.
    """
    site, solution, plan = planned
    work = Undertaking(
        site,
        options.site,
        solution,
        plan,
        run=run,
        errand=Errand.OPERATE,
        operation=operation,
        again=again,
        named=f" --site {quote(str(options.site))}" if named is None else named,
        opens=opens or {},
    )
    return carry_through(work, options, dry=False)


def operation_plan(
    file: Path, name: str, *, one_by_one: Sequence[str] | None = None, supplied: bool = False
) -> tuple[Site, Solution, Plan]:
    """The site, its solution and the plan of one operation; raises InputProblem.

    `one_by_one` are the machines to which it is done one after another, where it is; else all that
    it is for. `supplied`: it takes of the site's bundle, where the site has one.
    """
    from installer.catalogue.solution import load_solution
    from installer.planning.make import make_plan
    from installer.sites.site import load_site
    from installer.steps.stage_files import load_operations
    from installer.supply.supplies import read_supplies

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
    plan = make_plan(
        solution,
        site,
        (),
        operation=operations[name],
        one_by_one=one_by_one,
        supplied=read_supplies(site, file.absolute().parent) if supplied else None,
        base=file.absolute().parent,
    )
    if not plan.stages:
        raise InputProblem(
            f"no machine of this site is one to {name.replace('-', ' ')}",
            where=str(file),
            remedy="Give the machines their roles in the site file; what each does is told by: "
            f"sitewright solutions {solution.id}",
        )
    return site, solution, plan

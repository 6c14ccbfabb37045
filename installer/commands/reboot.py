"""`sitewright reboot`: restart the machines that wait for it, one after another.

Which they are is seen on the machines first; what is done to each is data, the solution's operation
of that name.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path
from shlex import join, quote
from typing import TYPE_CHECKING

from foundation.problems import ExitCode, InputProblem, Refused
from foundation.wording import listed, nearest
from installer.commands.install import add_run_options
from installer.commands.operate import add_anew_option, carry_operation, operation_plan
from installer.commands.options import read_credentials, settle_programs
from installer.commands.unfinished import unfinished_run

if TYPE_CHECKING:
    from installer.commands.restarts import Restart
    from installer.plans.plan import Plan
    from installer.sites.site import Site

NAME = "reboot"


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `sitewright reboot`."""
    parser.add_argument(
        "names",
        nargs="*",
        metavar="MACHINE",
        help="these, whether they wait for it or not; else those that do",
    )
    parser.add_argument("--site", type=Path, metavar="FILE", required=True, help="a site file")
    add_anew_option(parser)
    add_run_options(parser)


def run(options: argparse.Namespace) -> int:
    """Look, plan, show, ask, and carry it through; or go on with what came to no end."""
    words = ["sitewright", NAME, *options.names, "--site", str(options.site)]
    site, solution, plan = operation_plan(options.site, NAME)
    _known(site, options)
    before = None if options.anew else unfinished_run(site, NAME, again=join(words))
    if before is not None:
        plan = before.plan()
    else:
        found = asyncio.run(_looked(site, options))
        chosen = _chosen(found, options)
        if not chosen:
            print("No machine of this site waits to be restarted; nothing was begun.")
            return ExitCode.DONE
        plan = _planned(options, [one.name for one in chosen])
    again = join(words)
    code = carry_operation(NAME, (site, solution, plan), options, run=before, again=again)
    if code in (ExitCode.STAGE_FAILED, ExitCode.UNREACHABLE):
        print(_NOT_BACK, file=sys.stderr)
    return code


_NOT_BACK = """
No other machine was begun. If one did not come back, look at its console or by its management
board; an older kernel can be chosen there. Once it is up, the same command goes on with it."""


def _planned(options: argparse.Namespace, names: list[str]) -> Plan:
    return operation_plan(options.site, NAME, one_by_one=names)[2]


def _known(site: Site, options: argparse.Namespace) -> None:
    """Raise InputProblem for a name that the site does not have."""
    names = [host.name for host in site.hosts]
    for name in options.names:
        if name not in names:
            close = nearest(name, names)
            raise InputProblem(
                f'the site has no machine "{name}"'
                + (f'; did you mean "{close}"?' if close else ""),
                where=str(options.site),
                remedy=f"Its machines are {listed(names)}.",
            )


async def _looked(site: Site, options: argparse.Namespace) -> list[Restart]:
    """What each machine that can be restarted says, in the order in which they are taken."""
    from foundation.hosts.pool import Pool
    from installer.catalogue.solution import load_solution
    from installer.commands.restarts import looked_at
    from installer.steps.stage_files import each_machine_of

    each = each_machine_of(load_solution(site.solution or ""), NAME)
    if each is None:
        raise InputProblem("its machines are not restarted so", where=str(options.site))
    inventory = settle_programs(site.inventory(options.site.parent), options)
    print("Looking at the machines ...", file=sys.stderr)
    async with Pool(
        inventory,
        credentials=read_credentials(options),
        connect_timeout=options.connect_timeout,
    ) as pool:
        return await looked_at(pool, site, each)


def _chosen(found: list[Restart], options: argparse.Namespace) -> list[Restart]:
    """Those that are restarted; raises NotReached where one was not asked, Refused for this one."""
    from installer.running.begin import NotReached

    for one in found:
        due = one.due or ("not known" if one.problem is not None else "needs no restart")
        print(f"  {one.name:<20} {due}", file=sys.stderr)
    unasked = [one.problem for one in found if one.problem is not None]
    if unasked and not options.names:
        print(
            "With a machine away it is no time to restart others. Those that are meant all the "
            f"same are named: sitewright reboot MACHINE --site {quote(str(options.site))}",
            file=sys.stderr,
        )
        raise NotReached(unasked)
    missing = set(options.names) - {one.name for one in found}
    if missing:
        raise Refused(
            f"{listed(sorted(missing))} is neither a node of the cluster, nor a load balancer, nor "
            "a storage server, and Sitewright restarts no other",
            where=str(options.site),
            remedy="Restart it by hand.",
        )
    chosen = [one for one in found if (one.name in options.names if options.names else one.due)]
    here = [one.name for one in chosen if one.local]
    if here:
        raise Refused(
            f"{listed(here)} is the machine on which this runs, which would end with it",
            where=str(options.site),
            remedy="Give this command on another machine, or name the others and restart this one "
            "by hand.",
        )
    return chosen

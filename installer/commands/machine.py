"""`sitewright machine`: take a machine out of a site that is installed, or bring one into it.

What taking one out does is data: an operation of the solution that says for which roles it is.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

from foundation.problems import ExitCode, InputProblem, Refused
from foundation.wording import listed
from installer.commands.install import Undertaking, add_run_options, carry_through
from installer.commands.machine_site import by_hand, host_of, site_of_file
from installer.commands.operate import carry_operation
from installer.commands.plan import read_plan
from installer.running.unfinished import cut_off

if TYPE_CHECKING:
    from installer.catalogue.solution import Solution
    from installer.plans.plan import Plan
    from installer.record.runs import Run
    from installer.sites.site import Site


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `sitewright machine`."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    out = actions.add_parser(
        "remove",
        help="take a machine out of the site: drain it, have it leave, tell the others",
        description="Plans how one machine is taken out, shows it and asks. Pods move by their "
        "disruption budgets and never past them; a machine on which volumes lie is refused, and "
        "they are named. The machine stands in the site file until it is out.",
    )
    into = actions.add_parser(
        "add",
        help="bring a machine into the site that its site file names already",
        description="The plan of the installation with the machine in it: all machines are looked "
        "at first, and each step is asked whether it is done. It is `sitewright install`, and "
        "sees before that the machine is new to the site.",
    )
    instead = actions.add_parser(
        "replace",
        help="replace a machine that is dead: have it forgotten, then the new one join",
        description="The site file names the new machine. What is dead is seen to be dead: it does "
        "not answer to SSH, and its node is not Ready for five minutes; one that lives is refused. "
        "What lies on it is named and confirmed, the cluster forgets it by force, and the new one "
        "joins by the plan of the installation.",
    )
    for action in (out, into, instead):
        action.add_argument("name", metavar="NAME", help="as the site file calls it")
        action.add_argument("--site", type=Path, metavar="FILE", required=True, help="a site file")
        add_run_options(action)
    instead.add_argument(
        "--with", dest="new", metavar="NEW", required=True, help="the new one, of the site file"
    )
    for action in (into, instead):
        action.add_argument(
            "--no-egress", action="store_true", help="do not try what is fetched before"
        )


def run(options: argparse.Namespace) -> int:
    """Take it out, bring it in, or replace it."""
    if options.action == "replace":
        from installer.commands.machine_replace import replace_machine

        return replace_machine(options)
    return _add(options) if options.action == "add" else _remove(options)


# ---- taking one out


def _remove(options: argparse.Namespace) -> int:
    """Plan, show, ask and carry through; go on with the last one where it is the same plan."""
    from installer.steps.stage_files import operations_of_machines

    site, solution, plan, operation = removal_plan(options.site, options.name)
    left = operations_of_machines(solution)[operation][1].left
    again = f"sitewright machine remove {quote(options.name)} --site {quote(str(options.site))}"
    if (before := cut_off(site, operation, of=plan)) is not None:
        print(f"Goes on with the run {before.id}, whose plan was reviewed.", file=sys.stderr)
    _in_order(options, plan, before)
    code = carry_operation(operation, (site, solution, plan), options, run=before, again=again)
    if code == ExitCode.DONE and not (options.until or options.only):
        print(
            f"\n{options.name} is out. What is left to you: take it out of {options.site} (an "
            "installation from that file would have it join again), and look at the machine, on "
            "which its software and what Sitewright wrote still lie."
            + (f" {left}" if left else ""),
            file=sys.stderr,
        )
    return code


def removal_plan(file: Path, name: str) -> tuple[Site, Solution, Plan, str]:
    """The site, its solution, the plan by which a machine is taken out, and the operation's name.

    Raises InputProblem, and Refused for a machine that cannot be taken out so.
    """
    from installer.planning.make import make_plan
    from installer.steps.stage_files import operations_of_machines
    from installer.supply.supplies import read_supplies

    site, solution = site_of_file(file)
    host = host_of(site, name, file)
    known = [found for found in operations_of_machines(solution).values() if not found[1].dead]
    fitting = [(operation, of) for operation, of in known if of.fits(host.roles)]
    if not fitting:
        raise Refused(
            f"{name} is {listed(host.roles) or 'nothing'} in this site, and Sitewright takes no "
            f"such machine out of {solution.title}",
            where=str(file),
            remedy=by_hand(solution, host, [of for _, of in known], "take out"),
        )
    operation, of = fitting[0]
    for role in host.roles:
        if not any(role in other.roles for other in site.hosts if other.name != name):
            raise Refused(
                f"{name} is the last {role} of this site",
                where=str(file),
                remedy="Bring another one in first.",
            )
    if site.control == name:
        raise Refused(
            f"{name} is the control host of this site",
            where=str(file),
            remedy="Name another one under `control` in the site file.",
        )
    base = file.absolute().parent
    plan = make_plan(
        solution,
        site,
        (),
        playbooks=site.playbooks_path(file.resolve().parent),
        supplied=read_supplies(site, base),
        operation=operation,
        leaving=name,
        then=of.then,
        base=base,
        where=str(file),
    )
    return site, solution, plan, operation.id


def _in_order(options: argparse.Namespace, plan: Plan, before: Run | None) -> None:
    """Raise Refused where the others are told alone, of a machine that has not left yet.

    Firewalls and load balancers without it would cut its pods off, and nothing was asked.
    """
    from installer.record.state import keys_of

    stage = plan.stages[0].id
    if options.only in (None, stage):
        return
    keys = [key for key in keys_of(plan) if key[0] == stage]
    state = None if before is None else before.state()
    if state is None or not all(state.finished(key) for key in keys):
        raise Refused(
            f"{options.only} is for the machines that stay, and {options.name} has not left yet",
            where="--only",
            remedy=f"Without --only it comes after {stage}, in one run.",
        )


# ---- bringing one in


def _add(options: argparse.Namespace) -> int:
    """The installation, with a machine that the site did not have when it was last worked on."""
    from installer.record.identity import identity_of, last_site, machines_of
    from installer.running.taken_out import taken_out

    site, solution = site_of_file(options.site)
    host = host_of(site, options.name, options.site)
    identity = identity_of(site)
    before = last_site(identity.key) if identity.known else None
    if before is None:
        raise Refused(
            "this computer has no record of this site, so that nobody can tell what is new in it",
            where=str(options.site),
            remedy="sitewright install --site FILE does the same, and each step is asked whether "
            "it is done.",
        )
    alone = machines_of(site.model_copy(update={"hosts": (host,)}))
    left = {one.name for one in taken_out(identity.key, site)}
    if alone <= machines_of(before) and options.name not in left:
        raise InputProblem(
            f"{options.name} was in this site already when it was last worked on",
            where=str(options.site),
            remedy="To go on with what is left: sitewright resume, or sitewright install.",
        )
    _, _, plan = read_plan(options.site, None)
    named = f" --site {quote(str(options.site))}"
    print(
        f"{options.name} comes into the site {identity.key}: the plan is that of the whole "
        "installation, of which each step is asked first whether it is done.",
        file=sys.stderr,
    )
    work = Undertaking(
        site,
        options.site,
        solution,
        plan,
        again=f"sitewright resume{named}",
        named=named,
        joins=options.name,
    )
    return carry_through(work, options, dry=False)

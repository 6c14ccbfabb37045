"""`sitewright updates apply`: bring what is old to its newer images, one workload after another."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

from foundation.hosts.pool import Pool
from foundation.problems import ExitCode, InputProblem
from foundation.wording import counted, listed
from installer.commands.image_watcher import (
    add_origin_options,
    add_question_options,
    origin_of,
    usual_of,
)
from installer.commands.install import Undertaking, add_run_options, carry_through
from installer.commands.operate import add_anew_option
from installer.commands.options import ask_about_programs, read_credentials, settle_programs
from installer.commands.preflight_cluster import add_cluster_options
from installer.record.errand import Errand

if TYPE_CHECKING:
    from foundation.clusters.api import Api
    from foundation.hosts.model import Host
    from installer.catalogue.solution import Solution
    from installer.plans.plan import Plan
    from installer.record.runs import Run
    from installer.sites.site import Site
    from installer.updates.applying.ways import Reached
    from installer.updates.applying.workloads import Workload
    from installer.updates.lookup import Question
    from installer.updates.review import Review


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `sitewright updates apply`."""
    parser.add_argument("--site", type=Path, metavar="FILE", required=True, help="a site file")
    add_cluster_options(parser)
    parser.add_argument(
        "--workload",
        action="append",
        default=[],
        metavar="[NAMESPACE/]NAME",
        help="this one alone; else every one that runs what is old",
    )
    parser.add_argument(
        "--stands-within",
        type=_minutes,
        default=10.0,
        metavar="MINUTES",
        help="a workload that does not stand by then is taken back (default 10)",
    )
    add_anew_option(parser)
    add_origin_options(parser)
    add_question_options(parser, "bugfix")
    add_run_options(parser)


def _minutes(text: str) -> float:
    value = float(text)
    if not 0 < value <= 24 * 60:
        raise argparse.ArgumentTypeError("minutes from 0 to 1440")
    return value


def run(options: argparse.Namespace) -> int:
    """Look, say what would be done and what not, ask, and carry it through."""
    from installer.catalogue.solution import load_solution
    from installer.sites.site import load_site
    from installer.updates.applying.plans import OPERATION

    named = f" --site {quote(str(options.site))}"
    again = f"sitewright updates apply{named}"
    site = load_site(options.site)
    if site.solution is None:
        raise InputProblem("the site file names no solution", where=str(options.site))
    solution = load_solution(site.solution)
    before = None if options.anew else _cut_off(site, again)
    plan = asyncio.run(_plan(options, site, solution)) if before is None else before.plan()
    if not plan.stages:
        print("Nothing is applied.", file=sys.stderr)
        return ExitCode.DONE
    work = Undertaking(
        site,
        options.site,
        solution,
        plan,
        run=before,
        errand=Errand.OPERATE,
        operation=OPERATION,
        again=again,
        named=named,
    )
    return carry_through(work, options, dry=False)


def _cut_off(site: Site, again: str) -> Run | None:
    """The last run, where what it was at may still be under way: that is seen to its end first."""
    from installer.commands.unfinished import unfinished_run
    from installer.record.identity import site_key
    from installer.record.runs import runs_of
    from installer.updates.applying.plans import OPERATION

    last = next(iter(runs_of(f"{site_key(site)}-{OPERATION}")), None)
    if last is None or not any(one.running for one in last.state().steps.values()):
        return None
    return unfinished_run(site, OPERATION, again=again)


async def _plan(options: argparse.Namespace, site: Site, solution: Solution) -> Plan:
    from installer.updates.applying.plans import update_plan

    usual = usual_of(options)
    async with _reached(options, site, solution) as reached:
        print(f"reading the workloads by {reached.api.way}", file=sys.stderr)
        review, workloads = await _look(options, reached.api, usual)
    return update_plan(
        _told(review, workloads),
        reached.way,
        solution,
        site,
        options.site.absolute().parent,
        within_minutes=options.stands_within,
        origin=review.origin,
    )


@asynccontextmanager
async def _reached(
    options: argparse.Namespace, site: Site, solution: Solution
) -> AsyncIterator[Reached]:
    """The cluster that is meant, as it is read and as it is changed; raises Problem."""
    from installer.updates.applying import ways

    if options.through is not None or (options.cluster is None and options.kubeconfig is None):
        base = options.site.absolute().parent
        async with Pool(
            settle_programs(site.inventory(base), options),
            credentials=read_credentials(options),
            connect_timeout=options.connect_timeout,
        ) as pool:
            yield await ways.through(pool, _machine(options, site, solution, pool))
        return
    from foundation.clusters.https import require_allowed
    from foundation.clusters.kubeconfig import kubeconfig_files, read_access

    files = kubeconfig_files(options.kubeconfig, os.environ)
    access = read_access(files, options.cluster or None)
    if access.program is not None:
        shown = (access.program.shown,)
        ask_about_programs(
            shown, "To log in to the cluster", allow=options.allow_programs, where=access.source
        )
    require_allowed(access, allowed=options.allow_programs)
    async with ways.by_kubeconfig(access, files, site) as reached:
        yield reached


def _machine(options: argparse.Namespace, site: Site, solution: Solution, pool: Pool) -> Host:
    from installer.updates.applying.ways import usual_machine

    if options.through is not None and (options.cluster or options.kubeconfig is not None):
        raise InputProblem(
            "--through asks the machine's own kubectl, which has a cluster of its own",
            where="the command line",
            remedy="Give --through MACHINE alone.",
        )
    name = options.through or usual_machine(site, solution)
    found = [host for host in pool.inventory if host.name == name]
    if not found:
        raise InputProblem(
            f'the site has no machine "{name}"',
            where="--through",
            remedy=f"Its machines are {listed([host.name for host in site.hosts][:20])}.",
        )
    return found[0]


async def _look(
    options: argparse.Namespace, api: Api, usual: Question
) -> tuple[Review, tuple[Workload, ...]]:
    from installer.commands.updates import review_of
    from installer.updates.applying.workloads import read_workloads
    from installer.updates.in_cluster import read_applications, read_running

    source = await asyncio.to_thread(origin_of, options)
    found = await read_running(api)
    review = await review_of(source, found, usual)
    applications = await read_applications(api)
    workloads = await read_workloads(api, review, applications, options.workload)
    names = {word for one in workloads for word in (one.name, f"{one.namespace}/{one.name}")}
    for word in options.workload:
        if word not in names:
            raise InputProblem(
                f"nothing of {word} has something newer, or there is no such workload",
                where="--workload",
                remedy="See what there is: sitewright updates --cluster; --strategy says how far "
                "it may go.",
            )
    return review, workloads


def not_applied(one: Workload) -> str:
    """Why a workload is left as it is; "" for one that is changed."""
    if one.owner is not None:
        return f"{one.owner.words} owns it; change it there"
    return one.against


def _told(review: Review, workloads: Sequence[Workload]) -> list[Workload]:
    """Say what is not applied, and why; the others."""
    due = []
    for one in workloads:
        if why := not_applied(one):
            print(f"- {one.words} is left: {why}", file=sys.stderr)
        else:
            due.append(one)
    for judged in review.unjudged:
        if judged.problem is not None:
            print(f"? {judged.running.image}: {judged.problem.sentence}", file=sys.stderr)
    for sentence in review.untold:
        print(f"? {sentence}", file=sys.stderr)
    print(
        f"{counted(len(review.newer), 'image')} of {len(review.judged)} with something newer; "
        f"{counted(len(due), 'workload')} to be changed, {len(workloads) - len(due)} left.",
        file=sys.stderr,
    )
    return due

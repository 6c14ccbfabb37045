"""`sitewright updates apply`: bring what is old to its newer images, one workload after another."""

from __future__ import annotations

import argparse
import asyncio
import os
import shlex
import sys
import textwrap
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from foundation.hosts.pool import Pool
from foundation.problems import ExitCode, InputProblem, Refused
from foundation.wording import counted
from installer.commands.image_watcher import (
    add_origin_options,
    add_question_options,
    origin_of,
    usual_of,
)
from installer.commands.install import add_run_options
from installer.commands.operate import add_anew_option, carry_operation
from installer.commands.options import ask_about_programs, read_credentials, settle_programs
from installer.commands.preflight_cluster import add_cluster_options
from installer.commands.unfinished import tell_gone_on
from installer.commands.updates import compose_machines, read_machines

if TYPE_CHECKING:
    from installer.catalogue.solution import Solution
    from installer.plans.plan import Plan
    from installer.sites.site import Site
    from installer.updates.applying.prepared import Prepared
    from installer.updates.applying.ways import Reached
    from installer.updates.applying.workloads import Workload


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `sitewright updates apply`."""
    parser.add_argument("--site", type=Path, metavar="FILE", required=True, help="a site file")
    add_cluster_options(parser)
    parser.add_argument(
        "--workload",
        action="append",
        default=[],
        metavar="[NAMESPACE/]NAME",
        help="this one alone, of Compose [[MACHINE/]PROJECT/]SERVICE; else every one that runs "
        "what is old",
    )
    parser.add_argument(
        "--on",
        action="append",
        default=[],
        metavar="MACHINE",
        help="the services of every Compose project of this machine of the site",
    )
    parser.add_argument(
        "--stands-within",
        type=_minutes,
        default=10.0,
        metavar="MINUTES",
        help="a workload that does not stand by then is taken back (default 10)",
    )
    parser.add_argument(
        "--repository",
        type=Path,
        metavar="FOLDER",
        help="a clone of the one that Argo CD or Flux deploys from: the commit it needs is shown",
    )
    parser.add_argument(
        "--branch", metavar="NAME", help="put that commit on this new branch of it; not pushed"
    )
    parser.add_argument(
        "--without-backup",
        metavar="REASON",
        default="",
        help="what migrates its data goes without a verified backup, by the name of --by; the "
        "reason is kept",
    )
    parser.add_argument(
        "--approve",
        action="store_true",
        help="approve the plan as the person named by --by, and change nothing",
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
    from installer.updates.applying.gates import through_gates, without_backup
    from installer.updates.applying.plans import OPERATION
    from installer.updates.applying.prepared import under_way

    again = f"sitewright updates apply --site {shlex.quote(str(options.site))}"
    site = load_site(options.site)
    if site.solution is None:
        raise InputProblem("the site file names no solution", where=str(options.site))
    solution = load_solution(site.solution)
    before = None if options.anew else under_way(site)
    if before is not None:
        tell_gone_on(before, again)
        plan = before.plan()
    else:
        prepared = asyncio.run(_prepared(options, site, solution))
        plan, migrates = prepared.plan, prepared.migrates
        if not plan.stages:
            print("Nothing is applied.", file=sys.stderr)
            return ExitCode.DONE
        if options.approve:
            return _approve(site, plan, options)
        without = without_backup(options.by, options.without_backup) if migrates else ()
        plan = through_gates(site, plan, migrates, again=_again(options), without=without)
    return carry_operation(OPERATION, (site, solution, plan), options, run=before, again=again)


def _approve(site: Site, plan: Plan, options: argparse.Namespace) -> int:
    """Show the plan, ask, and keep the word of the person named."""
    from installer.commands.asking import choose
    from installer.commands.plan import plan_text
    from installer.updates.applying.gates import approve

    print(plan_text(plan, 80), file=sys.stderr)
    if not options.yes and choose("Approve it? Type", whole=True) != "yes":
        raise Refused("it was not approved", remedy="To approve it, give the command again.")
    given = approve(site, plan, options.by)
    print(f"{given.person} approves plan {plan.sha256[:12]}; nothing was changed.", file=sys.stderr)
    return ExitCode.DONE


def _again(options: argparse.Namespace) -> str:
    """The command that makes the same plan, as it was typed."""
    words = ["sitewright", "updates", "apply", "--site", str(options.site)]
    for name in ("cluster", "kubeconfig", "through"):
        if (value := getattr(options, name)) is not None:
            words += [f"--{name}", str(value)]
    for name in ("workload", "on", "registry", "mirror", "also", "plain_http"):
        for value in getattr(options, name):
            words += [f"--{name.replace('_', '-')}", str(value)]
    if options.bundle is not None:
        words += ["--bundle", str(options.bundle)]
    if options.strategy != "bugfix":
        words += ["--strategy", options.strategy]
    return shlex.join(words)


async def _prepared(options: argparse.Namespace, site: Site, solution: Solution) -> Prepared:
    """What would be done; what is left is told."""
    from installer.updates.applying.prepared import Wanted, in_cluster, on_machines

    machines = await _compose_machines(options, site)
    wanted = Wanted(
        site=site,
        solution=solution,
        base=options.site.absolute().parent,
        source=await asyncio.to_thread(origin_of, options),
        usual=usual_of(options),
        chosen=options.workload,
        within_minutes=options.stands_within,
    )
    if machines:
        read = await read_machines(options, site, list(machines))
        prepared = await on_machines(read, machines, wanted)
        _told(prepared, "service")
        return prepared
    async with _reached(options, site, solution) as reached:
        print(f"reading the workloads by {reached.api.way}", file=sys.stderr)
        prepared = await in_cluster(reached, wanted)
    _told(prepared, "workload")
    _commits(prepared.workloads, options)
    return prepared


async def _compose_machines(options: argparse.Namespace, site: Site) -> dict[str, tuple[str, ...]]:
    """The machines whose Compose projects are meant; none for a cluster. Raises InputProblem."""
    cluster = options.through is not None or options.cluster is not None or options.kubeconfig
    if cluster and options.on:
        raise InputProblem(
            "a cluster is named, and a machine for its Compose projects",
            where="the command line",
            remedy="One at a time: --on MACHINE alone, or the cluster alone.",
        )
    return {} if cluster else await asyncio.to_thread(compose_machines, site, options.on)


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
            _one_way(options)
            host = ways.machine_of(options.through, site, solution, pool.inventory)
            yield await ways.through(pool, host)
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


def _one_way(options: argparse.Namespace) -> None:
    """Raise InputProblem where a machine is named, and a cluster beside it."""
    if options.through is not None and (options.cluster or options.kubeconfig is not None):
        raise InputProblem(
            "--through asks the machine's own kubectl, which has a cluster of its own",
            where="the command line",
            remedy="Give --through MACHINE alone.",
        )


def _commits(workloads: Sequence[Workload], options: argparse.Namespace) -> None:
    """Show the commit that Argo CD's and Flux's workloads need, and make it where that is asked."""
    from installer.updates.applying.commits import planned

    if not any(one.by_commit for one in workloads):
        return
    if options.repository is None:
        print(
            "The commit that they need is shown by --repository FOLDER, a clone.", file=sys.stderr
        )
        return
    needed = planned(options.repository, workloads)
    for sentence in needed.untold:
        print(sentence, file=sys.stderr)
    if not needed.patch:
        return
    print(needed.patch)
    if options.branch:
        print(needed.make(options.branch), file=sys.stderr)


def _told(prepared: Prepared, kind: str) -> None:
    """Say what is not applied, and why."""
    review = prepared.review
    for words, why in prepared.left:
        _say(f"- {words} is left: {why}")
    for judged in review.unjudged:
        if judged.problem is not None:
            _say(f"? {judged.running.image}: {judged.problem.sentence}")
    for sentence in review.untold:
        _say(f"? {sentence}")
    print(
        f"{counted(len(review.newer), 'image')} of {len(review.judged)} with something newer; "
        f"{counted(prepared.due, kind)} to be changed, {len(prepared.left)} left.",
        file=sys.stderr,
    )


def _say(line: str) -> None:
    """A line for a person, within 80 columns; names, which are copied, stay whole."""
    print(
        textwrap.fill(
            line, 80, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False
        ),
        file=sys.stderr,
    )

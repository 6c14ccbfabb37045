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
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from foundation.hosts.pool import Pool
from foundation.problems import ExitCode, InputProblem, Refused
from foundation.wording import counted, listed
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


Each = TypeVar("Each")


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `sitewright updates apply`."""
    parser.add_argument("--site", type=Path, metavar="FILE", required=True, help="a site file")
    add_cluster_options(parser)
    parser.add_argument(
        "--workload",
        action="append",
        default=[],
        metavar="[NAMESPACE/]NAME",
        help="this one alone, of Compose [PROJECT/]SERVICE; else every one that runs what is old",
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
    from installer.updates.applying.plans import OPERATION

    again = f"sitewright updates apply --site {shlex.quote(str(options.site))}"
    site = load_site(options.site)
    if site.solution is None:
        raise InputProblem("the site file names no solution", where=str(options.site))
    solution = load_solution(site.solution)
    before = None if options.anew else _cut_off(site, again)
    if before is not None:
        plan = before.plan()
    else:
        plan, migrates = asyncio.run(_plan(options, site, solution))
        if not plan.stages:
            print("Nothing is applied.", file=sys.stderr)
            return ExitCode.DONE
        if options.approve:
            return _approve(site, plan, options)
        plan = _through_the_gates(site, plan, migrates, options)
    return carry_operation(OPERATION, (site, solution, plan), options, run=before, again=again)


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


def _without_backup(options: argparse.Namespace) -> tuple[str, ...]:
    """That a person lets data be migrated without a backup; raises InputProblem for nobody's."""
    if not options.without_backup:
        return ()
    if not options.by:
        raise InputProblem(
            "nobody is named who lets data be changed without a backup",
            where="--without-backup",
            remedy='Say who you are: --by "A. Name".',
        )
    return (f"Without a verified backup, by {options.by}: {options.without_backup}",)


def _through_the_gates(
    site: Site, plan: Plan, migrates: Sequence[str], options: argparse.Namespace
) -> Plan:
    """The plan with who approved it; raises NotNow where it may not begin as things are."""
    from installer.updates.applying import gates

    gates.check_clock(site)
    gates.check_window(site.updates)
    without = _without_backup(options) if migrates else ()
    wanted = f", for {listed(migrates)} changes data as it begins" if migrates else ""
    gates.check_backup(site, wanted="" if without else wanted)
    given = gates.check_approvals(site, plan, again=_again(options))
    said = tuple(f"Approved by {one.person}, {gates.when(one.at)}." for one in given)
    return replace(plan, notes=(*plan.notes, *said, *without))


async def _plan(
    options: argparse.Namespace, site: Site, solution: Solution
) -> tuple[Plan, list[str]]:
    from installer.updates.applying.plans import update_plan

    usual = usual_of(options)
    if machines := await _compose_machines(options, site):
        return await _service_plan(options, site, solution, machines)
    async with _reached(options, site, solution) as reached:
        print(f"reading the workloads by {reached.api.way}", file=sys.stderr)
        review, workloads = await _look(options, reached.api, usual)
    due = _told(review, [(one.words, one.left, one) for one in workloads], "workload")
    _commits(workloads, options)
    plan = update_plan(
        due,
        reached.way,
        solution,
        site,
        options.site.absolute().parent,
        within_minutes=options.stands_within,
        origin=review.origin,
    )
    return plan, [one.words for one in due if one.migrates]


async def _compose_machines(options: argparse.Namespace, site: Site) -> dict[str, tuple[str, ...]]:
    """The machines whose Compose projects are meant; none for a cluster. Raises InputProblem."""
    from installer.commands.updates import compose_machines

    cluster = options.through is not None or options.cluster is not None or options.kubeconfig
    if cluster and options.on:
        raise InputProblem(
            "a cluster is named, and a machine for its Compose projects",
            where="the command line",
            remedy="One at a time: --on MACHINE alone, or the cluster alone.",
        )
    return {} if cluster else await asyncio.to_thread(compose_machines, site, options.on)


async def _service_plan(
    options: argparse.Namespace,
    site: Site,
    solution: Solution,
    machines: dict[str, tuple[str, ...]],
) -> tuple[Plan, list[str]]:
    """What is done with services of Compose, and which of them change their data."""
    from installer.commands.updates import read_machines, review_of
    from installer.updates.applying.services import service_plan, services_of
    from installer.updates.in_docker import found_in, recorded
    from installer.updates.running import Found

    source = await asyncio.to_thread(origin_of, options)
    read = await read_machines(options, site, list(machines))
    found = Found()
    for name, projects in read.items():
        found.take(found_in(projects, name, machines[name]))
    review = await review_of(source, found, usual_of(options))
    known = await asyncio.to_thread(recorded, site)
    services = services_of(review, read, known, options.workload)
    names = {name for one in services for name in one.names}
    _require_found(options.workload, names, "sitewright updates --site FILE")
    due = _told(review, [(one.words, one.against, one) for one in services], "service")
    plan = service_plan(
        due,
        solution,
        site,
        options.site.absolute().parent,
        within_minutes=options.stands_within,
        origin=review.origin,
    )
    return plan, [one.words for one in due if one.migrates]


def _require_found(chosen: Sequence[str], names: set[str], see: str) -> None:
    """Raise InputProblem for what a person named and has nothing newer."""
    for word in chosen:
        if word not in names:
            raise InputProblem(
                f"nothing of {word} has something newer, or there is no such workload",
                where="--workload",
                remedy=f"See what there is: {see}; --strategy says how far it may go.",
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
    _require_found(options.workload, names, "sitewright updates --cluster")
    return review, workloads


def _commits(workloads: Sequence[Workload], options: argparse.Namespace) -> None:
    """Show the commit that Argo CD's and Flux's workloads need, and make it where that is asked."""
    from installer.updates.applying import commits
    from installer.updates.owners import By

    theirs = [one for one in workloads if one.owner and one.owner.by in (By.ARGO, By.FLUX)]
    if not theirs:
        return
    if options.repository is None:
        print(
            "The commit that they need is shown by --repository FOLDER, a clone.", file=sys.stderr
        )
        return
    edits: dict[str, commits.Edit] = {}
    passed_over: dict[str, None] = {}
    for one in theirs:
        for below in (one.owner.folders if one.owner else ()) or ("",):
            found = commits.edits_of(options.repository, one.changes, below=below)
            passed_over |= dict.fromkeys(found.passed_over)
            for edit in found.edits:
                before = edits.get(edit.file, edit)
                after = commits.edited(before.after, one.changes) if edit.file in edits else ""
                edits[edit.file] = commits.Edit(edit.file, before.before, after or edit.after)
    for sentence in passed_over:
        print(f"{sentence}. Change it by hand.", file=sys.stderr)
    if not edits and passed_over:
        return
    if not edits:
        print(f"{options.repository} names none of their images so.", file=sys.stderr)
        return
    print(commits.diff_of(edits.values()))
    if options.branch:
        names = listed(sorted({one.words for one in theirs}))
        commits.commit(options.repository, list(edits.values()), options.branch, f"Update {names}")
        print(
            f"It is committed on {options.branch}, and nothing was pushed. Have it merged: "
            f"git -C {shlex.quote(str(options.repository))} push origin {options.branch}",
            file=sys.stderr,
        )


def _told(review: Review, every: Sequence[tuple[str, str, Each]], kind: str) -> list[Each]:
    """Say what is not applied, and why; the others.

    `every` has of each its words, why it is left ("" where it is not), and itself.
    """
    due = []
    for words, why, one in every:
        if why:
            _say(f"- {words} is left: {why}")
        else:
            due.append(one)
    for judged in review.unjudged:
        if judged.problem is not None:
            _say(f"? {judged.running.image}: {judged.problem.sentence}")
    for sentence in review.untold:
        _say(f"? {sentence}")
    print(
        f"{counted(len(review.newer), 'image')} of {len(review.judged)} with something newer; "
        f"{counted(len(due), kind)} to be changed, {len(every) - len(due)} left.",
        file=sys.stderr,
    )
    return due


def _say(line: str) -> None:
    """A line for a person, within 80 columns; names, which are copied, stay whole."""
    print(
        textwrap.fill(
            line, 80, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False
        ),
        file=sys.stderr,
    )

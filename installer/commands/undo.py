"""`sitewright undo`: take back what a stage of the last run did, as far as it can be."""

from __future__ import annotations

import argparse
import asyncio
import sys
from typing import TYPE_CHECKING

from foundation.hosts.logins import person_here
from foundation.problems import ExitCode, InputProblem, Refused
from installer.commands.asking import TerminalAsker, choose
from installer.commands.ending import tell_ending
from installer.commands.going_on import go_by_the_beginner
from installer.commands.install import (
    Undertaking,
    add_other_ways,
    add_run_options,
    occasion_of,
    own_remedy,
    read_secrets,
)
from installer.commands.interrupts import heed_interrupts
from installer.commands.narration import Narration
from installer.commands.which_site import add_site_options, as_named, site_file_of
from installer.events import Outcome
from installer.record.errand import Errand

if TYPE_CHECKING:
    from collections.abc import Sequence

    from foundation.secrets import Secret
    from installer.plans.plan import Plan
    from installer.record.runs import Run


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `sitewright undo`."""
    parser.add_argument("stage", metavar="STAGE", help="as `sitewright status` names it")
    add_site_options(parser)
    parser.add_argument("--reason", default="", help="why, for the record")
    add_run_options(parser)
    add_other_ways(parser)


def run(options: argparse.Namespace) -> int:
    """Undo the steps of a stage, the last first; steps that cannot be undone say so."""
    from installer.catalogue.solution import load_solution
    from installer.record.identity import site_key
    from installer.record.record_check import refuse_gone
    from installer.record.runs import all_sites, errand_of, runs_of, site_of
    from installer.sites.site import load_site

    named = as_named(options)
    options.site = site_file_of(options)
    site = load_site(options.site)
    key = site_key(site)
    runs = runs_of(key)
    # What was done to a machine of the site later has runs of its own, with stages of their own.
    later = [
        run
        for one in all_sites()
        if site_of(one) == key and errand_of(one) not in ("", Errand.VERIFY)
        for run in runs_of(one)
    ]
    runs += tuple(sorted(later, key=lambda run: run.id, reverse=True))
    if not runs:
        refuse_gone(key)
        raise InputProblem(
            "this site has no run, so there is nothing to take back", where=str(options.site)
        )
    last = last_of(runs, options.stage)
    go_by_the_beginner(last)
    plan = last.plan()
    if plan.leaving:
        print(f"This takes back what was done to take {plan.leaving} out.", file=sys.stderr)
    # Only that stage is asked for, so that no other's secrets are.
    only = next((stage.id for stage in plan.stages if stage.id == options.stage), None)
    secrets = read_secrets(plan, options, stage=only) if only else {}
    _say_what_goes(plan, options)

    work = Undertaking(
        site,
        options.site,
        load_solution(site.solution or plan.solution),
        plan,
        last,
        errand=Errand.UNDO,
        again=f"sitewright undo {options.stage}{named}",
        named=named,
    )
    with own_remedy(work):
        return int(asyncio.run(_undo(work, options, secrets, only or "")))


def last_of(runs: Sequence[Run], stage: str) -> Run:
    """The run of which a stage is taken back; the last one where none has it.

    The last run may have been another command's, as `remove`, whose plan has other stages. A
    machine that is out is not had back: the one whose removal came to no end is meant.
    """
    with_it = None
    for run in runs:
        plan = run.plan()
        if any(one.id == stage for one in plan.stages):
            if not plan.leaving or not run.complete:
                return run
            with_it = with_it or run
    return with_it or runs[0]


async def _undo(
    work: Undertaking, options: argparse.Namespace, secrets: dict[str, Secret], only: str
) -> int:
    from installer.running.begin import begun
    from installer.running.order import Order

    ask = TerminalAsker(by=options.by, confirmed=options.confirm)
    by = options.by or person_here()
    order = Order(
        plan=work.plan,
        by=by,
        secrets=secrets,
        only=only,
        take_over=options.take_over,
        end_theirs=options.end_theirs,
    )
    async with begun(order, occasion_of(work, options), ask) as ready:
        engine = ready.engine
        narration = Narration(
            work.plan,
            json_lines=options.json_lines,
            quiet=options.quiet,
            again=work.again,
            named=work.named,
        )
        engine.subscribe(narration)
        heed_interrupts(engine.control, again=work.again, asking=lambda: ask.asking)
        outcome = await engine.undo(options.stage, by=by, reason=options.reason)
    for failure in engine.failures:
        print(f"{failure.host}: {failure.problem.cause}")
    if outcome is Outcome.ALREADY:
        print(
            "\nNothing of this stage was done by Sitewright, so that nothing was taken back.",
            file=sys.stderr,
        )
        return ExitCode.DONE
    if outcome is Outcome.DONE:
        print("\nNothing was taken back: its steps do not say how.", file=sys.stderr)
        return ExitCode.STAGE_FAILED
    return tell_ending(
        outcome, work.plan, engine.state, ready.run.folder, dry=False, again=work.again
    )


def _say_what_goes(plan: Plan, options: argparse.Namespace) -> None:
    """What cannot be had back is said before, and goes only when a person says yes."""
    goes = [
        f"{step.title}: {loses}"
        for stage in plan.stages
        if stage.id == options.stage
        for step in stage.steps
        if (loses := step.undo_loses)
    ]
    if not goes:
        return
    print("What cannot be had back afterwards:", file=sys.stderr)
    for line in goes:
        print(f"  {line}", file=sys.stderr)
    if options.yes:
        return
    if not sys.stdin.isatty():
        raise Refused(
            f"taking {options.stage} back was not confirmed, and there is no terminal to ask on",
            where=str(options.site),
            remedy="Nothing was changed on any machine. If what is listed may go, add --yes.",
        )
    if choose("Take it back? Type", whole=True) != "yes":
        raise Refused(
            "it was not confirmed that the stage is taken back, and nothing was changed on any"
            " machine",
            remedy="If what is listed may go, give the same command again and type yes.",
        )

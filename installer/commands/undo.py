"""`sitewright undo`: take back what a stage of the last run did, as far as it can be."""

from __future__ import annotations

import argparse
import asyncio
import getpass
import sys
from typing import TYPE_CHECKING

from foundation.problems import ExitCode, InputProblem, Refused
from installer.commands.ending import tell_ending
from installer.commands.install import add_run_options, read_secrets
from installer.commands.interrupts import heed_interrupts
from installer.commands.narration import Narration
from installer.commands.options import read_credentials, settle_programs
from installer.commands.which_site import add_site_options, site_file_of
from installer.events import Outcome

if TYPE_CHECKING:
    from installer.plan import Plan


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `sitewright undo`."""
    parser.add_argument("stage", metavar="STAGE", help="as `sitewright status` names it")
    add_site_options(parser)
    parser.add_argument("--reason", default="", help="why, for the record")
    add_run_options(parser)


def run(options: argparse.Namespace) -> int:
    """Undo the steps of a stage, the last first; steps that cannot be undone say so."""
    from installer.runs import runs_of, site_key
    from installer.site import load_site

    options.site = site_file_of(options)
    site = load_site(options.site)
    runs = runs_of(site_key(site))
    if not runs:
        raise InputProblem(
            "this site has no run, so there is nothing to take back", where=str(options.site)
        )
    # The last run may have been another command's, as `remove`, whose plan has other stages.
    last = next(
        (run for run in runs if any(stage.id == options.stage for stage in run.plan().stages)),
        runs[0],
    )

    plan = last.plan()
    # Only that stage is asked for, so that no other's secrets are.
    only = next((stage.id for stage in plan.stages if stage.id == options.stage), None)
    secrets = read_secrets(plan, options, stage=only) if only else {}
    _say_what_goes(plan, options)
    inventory = settle_programs(site.inventory(options.site.parent), options)

    async def undo() -> int:
        from foundation.hosts.pool import Pool
        from installer.run import Engine
        from installer.site_lock import Lock
        from installer.steps.kind import Answer, Question

        async def ask(question: Question) -> Answer:
            raise InputProblem(f"undoing asks nothing: {question.title}")

        by = options.by or getpass.getuser()
        again = f"sitewright undo {options.stage}"
        with Lock(site_key(site), by=by, take_over=options.take_over) as lock:
            async with Pool(
                inventory,
                credentials=read_credentials(options),
                connect_timeout=options.connect_timeout,
            ) as pool:
                engine = Engine(
                    plan, pool, last, settings=dict(plan.settings), secrets=secrets, ask=ask,
                    only=only, lock=lock, by=by, end_theirs=options.end_theirs,
                )  # fmt: skip
                narration = Narration(plan, json_lines=options.json_lines, quiet=options.quiet)
                engine.subscribe(narration)
                heed_interrupts(engine.control, again=again)
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
        return tell_ending(outcome, plan, engine.state, last.folder, dry=False, again=again)

    return int(asyncio.run(undo()))


def _say_what_goes(plan: Plan, options: argparse.Namespace) -> None:
    """What cannot be had back is said before, and goes only when a person says yes."""
    goes = [
        f"{step.title}: {loses}"
        for stage in plan.stages
        if stage.id == options.stage
        for step in stage.steps
        if (loses := str(step.spec.get("undo_loses") or ""))
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
    print("Take it back? Type yes: ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() != "yes":
        raise Refused(
            "it was not confirmed that the stage is taken back",
            remedy="Nothing was changed on any machine.",
        )

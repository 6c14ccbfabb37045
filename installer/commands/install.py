"""`sitewright install`: carry an installation through, from a site file, and be able to go on."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from foundation.hosts.logins import person_here
from foundation.problems import ExitCode, InputProblem, Problem, Refused
from foundation.secrets import Secret, secret_from_environment, secret_from_file
from installer.commands.asking import TerminalAsker, choose
from installer.commands.ending import AGAIN, tell_ending
from installer.commands.interrupts import heed_interrupts
from installer.commands.narration import Narration
from installer.commands.options import (
    add_login_options,
    add_older_option,
    ask_secret,
    read_credentials,
    settle_programs,
)
from installer.commands.plan import plan_text, read_plan
from installer.commands.which_site import (
    add_new_site_options,
    add_site_options,
    as_named,
    new_site_file,
)
from installer.record.errand import Errand
from installer.supply.opened_before import first_time

if TYPE_CHECKING:
    from installer.catalogue.solution import Solution
    from installer.plans.plan import Plan
    from installer.record.runs import Run
    from installer.running.begin import Occasion
    from installer.running.engine import Engine
    from installer.running.levers import Control
    from installer.sites.site import Site


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `sitewright install`."""
    add_site_options(parser)
    add_new_site_options(parser)
    parser.add_argument("--playbooks", type=Path, metavar="FOLDER", help="your own playbooks")
    add_run_options(parser)
    parser.add_argument(
        "--no-egress", action="store_true", help="do not try what is fetched before it begins"
    )
    add_older_option(parser, "an older bundle than the site had")
    parser.add_argument("--dry-run", action="store_true", help="show, and change nothing")


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """What `install`, `resume` and `undo` share."""
    parser.add_argument("--until", metavar="STAGE", help="end after this stage")
    parser.add_argument("--only", metavar="STAGE", help="this stage alone")
    parser.add_argument("--yes", action="store_true", help="the plan was reviewed; do not ask")
    parser.add_argument("--by", metavar="NAME", default="", help="who does this, for the record")
    parser.add_argument(
        "--confirm",
        action="append",
        default=[],
        metavar="STAGE/STEP",
        help="a checklist or confirmation that the person named by --by has confirmed",
    )
    parser.add_argument(
        "--secret-file",
        action="append",
        default=[],
        metavar="NAME=FILE",
        help="a secret of the plan, in a file of mode 0600 (or SITEWRIGHT_SECRET_NAME)",
    )
    parser.add_argument(
        "--skip",
        action="append",
        default=[],
        metavar="STAGE/STEP=REASON",
        help="leave a step out, by the name of --by; the reason is kept",
    )
    parser.add_argument("--take-over", action="store_true", help="take the site's lock over")
    parser.add_argument(
        "--end-theirs",
        action="store_true",
        help="end what others began on the machines, or a playbook that was killed left there, "
        "instead of waiting for it",
    )
    parser.add_argument("--json-lines", action="store_true", help="events as JSON lines")
    parser.add_argument("--quiet", action="store_true", help="no output of the commands")
    login = parser.add_argument_group("login")
    add_login_options(login)


def add_other_ways(parser: argparse.ArgumentParser) -> None:
    """What `resume` and `undo` share: a run goes on by the ways that were reviewed."""
    parser.add_argument(
        "--other-ways",
        action="store_true",
        help="the site's other logins, bastions, keys or ssh config are meant",
    )


@dataclass(frozen=True, slots=True)
class Undertaking:
    """Everything that one run is made of."""

    site: Site
    site_file: Path
    solution: Solution
    plan: Plan
    run: Run | None = None
    """The run to go on with; None for a new one."""
    errand: Errand = Errand.INSTALL
    operation: str = ""
    """Which operation, where it is one."""
    again: str = AGAIN
    """The command that goes on where this run is ended early."""
    named: str = ""
    """The words of a command that name its site, as it was named here."""
    joins: str = ""
    """The machine that is meant to join, though it was taken out once."""
    opens: Mapping[str, Secret] = field(default_factory=dict)
    """Secrets of this command alone, beside those of the plan."""


def run(options: argparse.Namespace) -> int:
    """Plan, review, preflight, run."""
    named = as_named(options)
    # Until it is gone on with, another site may have the newest run.
    again = AGAIN + (named if options.site is not None else "")
    options.site = new_site_file(options)
    site, solution, plan = read_plan(
        options.site, options.playbooks, allow_older=options.allow_older
    )
    work = Undertaking(site, options.site, solution, plan, again=again, named=named)
    return carry_through(work, options)


def carry_through(
    work: Undertaking, options: argparse.Namespace, *, dry: bool | None = None
) -> int:
    """Run a plan to its end, a failure, or a person's word; the exit code tells which."""
    dry = options.dry_run if dry is None else dry
    _told_before(work.plan, options)
    if work.run is None:
        for said in first_time(work.plan, work.site_file):
            print(said, file=sys.stderr)
    if not dry and work.run is None:
        _review(work.plan, options, installs=work.errand is Errand.INSTALL)
    secrets = {} if dry else {**read_secrets(work.plan, options), **work.opens}
    return int(asyncio.run(_carry(work, options, secrets, dry=dry)))


def _review(plan: Plan, options: argparse.Namespace, *, installs: bool) -> None:
    """Nothing begins before a person has seen the plan and said yes."""
    if options.yes:
        return
    asks = sys.stdin.isatty()
    if asks or not installs:
        # `sitewright plan` shows the installation alone.
        print(plan_text(plan, 80), file=sys.stderr)
    if not asks:
        look = "Look at it with `sitewright plan`" if installs else "It stands above; read it"
        raise Refused(
            "the plan is not confirmed, and there is no terminal to ask on",
            where=str(options.site),
            remedy=f"{look}, then add --yes.",
        )
    print(file=sys.stderr)
    if choose("Begin? Type", whole=True) != "yes":
        raise Refused(
            "the plan was not confirmed, and nothing was changed on any machine",
            remedy="To begin, give the same command again and type yes.",
        )


def read_secrets(plan: Plan, options: argparse.Namespace, *, stage: str = "") -> dict[str, Secret]:
    """The secrets of a plan, or of one of its stages: from files, the environment, or a person."""
    files = {}
    for text in options.secret_file:
        name, _, file = text.partition("=")
        if not file or name not in plan.secrets:
            raise InputProblem(
                f'"{name}" is no secret of this plan',
                where="--secret-file",
                remedy=f"It asks for {', '.join(plan.secrets) or 'none'}.",
            )
        files[name] = Path(file)
    secrets = {}
    needed = {
        name
        for planned in plan.stages
        for step in planned.steps
        for name in step.secrets
        if planned.id == stage
    }
    for name in [name for name in plan.secrets if not stage or name in needed]:
        secret = (
            secret_from_file(files[name])
            if name in files
            else secret_from_environment(f"SITEWRIGHT_SECRET_{name.upper()}")
        )
        if secret is None and not sys.stdin.isatty():
            raise InputProblem(
                f"the secret {name} is not given, and there is no terminal to ask on",
                where="the command line",
                remedy=f"Give --secret-file {name}=FILE, a file of mode 0600, or set "
                f"SITEWRIGHT_SECRET_{name.upper()}.",
            )
        secrets[name] = secret or ask_secret(f"{name}: ")
    return secrets


async def _carry(
    work: Undertaking, options: argparse.Namespace, secrets: dict[str, Secret], *, dry: bool
) -> int:
    from installer.running.begin import NotBegun, begun
    from installer.running.order import Order

    order = Order(
        plan=work.plan,
        by=options.by or person_here(),
        secrets=secrets,
        until=options.until or "",
        only=options.only or "",
        dry=dry,
        take_over=options.take_over,
        any_version=getattr(options, "with_this_version", False),
        end_theirs=options.end_theirs,
    )
    asker = TerminalAsker(by=options.by, confirmed=options.confirm)
    control = _told_before(work.plan, options)
    beginning = begun(order, occasion_of(work, options), asker, control=control, tell=_narrate)
    try:
        with own_remedy(work):
            async with beginning as ready:
                heed_interrupts(control, again=work.again, asking=lambda: asker.asking)
                return await _watched(ready.engine, options, ready.run, work.again, work.named)
    except NotBegun as problem:
        return not_ready(problem.against, work.site_file)


@contextlib.contextmanager
def own_remedy(work: Undertaking) -> Iterator[None]:
    """What is no installation is taken over by its own command: `resume` would install instead."""
    from installer.record.other_hands import Overtaken
    from installer.record.site_lock import TAKE_OVER, Locked

    try:
        yield
    except Locked as problem:
        over = f"{work.again} --take-over"
        if work.errand is not Errand.INSTALL and isinstance(problem, Overtaken):
            problem.remedy = f"Ask them what they did. To go on with it all the same: {over}"
        elif work.errand is not Errand.INSTALL and problem.remedy == TAKE_OVER:
            problem.remedy = (
                "Speak with them. If they cannot end it, take the site over knowingly: "
                f"{over}. Theirs then stops before its next step."
            )
        raise


def occasion_of(work: Undertaking, options: argparse.Namespace) -> Occasion:
    """Where a command's run is begun, and how its machines are reached."""
    from installer.running.begin import Occasion

    base = work.site_file.parent
    return Occasion(
        site=work.site,
        base=base,
        solution=work.solution,
        inventory=settle_programs(work.site.inventory(base), options),
        credentials=read_credentials(options),
        connect_timeout=options.connect_timeout,
        site_file=work.site_file,
        run=work.run,
        errand=work.errand,
        operation=work.operation,
        joins=work.joins,
        other_ways=getattr(options, "other_ways", False),
        fetches=not getattr(options, "no_egress", False),
    )


def _narrate(text: str) -> None:
    print(text, file=sys.stderr)


def _told_before(plan: Plan, options: argparse.Namespace) -> Control:
    """What the options tell the run before it begins; raises InputProblem for what cannot be."""
    from installer.running.levers import Control
    from installer.running.ordering import stages_in_order

    stages_in_order(plan, until=options.until, only=options.only)
    steps = {step.key for stage in plan.stages for step in stage.steps}
    control = Control()
    for option, places in (("--skip", options.skip), ("--confirm", options.confirm)):
        for text in places:
            place, _, reason = text.partition("=")
            if place not in steps:
                raise InputProblem(
                    f'the plan has no step "{place}"', where=option, remedy="See `sitewright plan`."
                )
            if option == "--skip":
                stage, _, step = place.partition("/")
                if not options.by.strip() or not reason.strip():
                    lacks = "why" if options.by.strip() else "who decides it"
                    raise InputProblem(
                        f"a step is skipped only by name and with a reason; {lacks} is not said",
                        where=place,
                        remedy=f"Say both: --by NAME --skip {place}='REASON'",
                    )
                control.skip(by=options.by, reason=reason, stage=stage, step=step)
    return control


async def _watched(
    engine: Engine, options: argparse.Namespace, run: Run, again: str, named: str = ""
) -> int:
    engine.subscribe(
        Narration(
            engine.plan,
            json_lines=options.json_lines,
            quiet=options.quiet,
            state=lambda: engine.state,
            again=again,
            named=named,
        )
    )
    outcome = await engine.run()
    code = tell_ending(outcome, engine.plan, engine.state, run.folder, dry=run.dry, again=again)
    cut_off = [failure.problem.code == "cut-off" for failure in engine.failures]
    if code == ExitCode.STAGE_FAILED and cut_off and all(cut_off):
        return ExitCode.REFUSED  # nothing was done wrong: a person's word is missing
    finished = code == ExitCode.DONE and not run.dry
    if finished and options.until is None and options.only is None:
        for title, url in engine.plan.pages:
            print(f"{title}: {url}", file=sys.stderr)
    return code


def not_ready(against: Sequence[Problem], site_file: Path) -> ExitCode:
    """Say what stands against beginning; the exit code."""
    from installer.running.gate import OUTSIDE

    print("The installation is not begun; nothing was changed on any machine.", file=sys.stderr)
    for problem in against:
        print(f"- {problem.where}: {problem.sentence}", file=sys.stderr)
        if problem.remedy:
            print(f"    Do: {problem.remedy}", file=sys.stderr)
    site = shlex.quote(str(site_file))
    if any(problem.code == "host-key-unknown" for problem in against):
        print(f"Confirm the keys of all with: sitewright trust --site {site}", file=sys.stderr)
    outside = " --egress" if any(problem.where == OUTSIDE for problem in against) else ""
    print(f"See it in full with: sitewright preflight --site {site}{outside}", file=sys.stderr)
    unreachable = any(problem.exit_code is ExitCode.UNREACHABLE for problem in against)
    return ExitCode.UNREACHABLE if unreachable else ExitCode.NOT_READY

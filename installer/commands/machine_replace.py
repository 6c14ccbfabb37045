"""`sitewright machine replace`: a machine that is dead, and the new one that stands in for it.

Two runs: an operation of the solution by which the dead one is forgotten, then the installation, in
which the new one joins. The site file names the new one; the dead one is known from the record.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from dataclasses import dataclass, replace
from shlex import quote
from typing import TYPE_CHECKING

from foundation.problems import ExitCode, InputProblem, Refused
from foundation.wording import listed
from installer.commands.install import Undertaking, carry_through, not_ready, occasion_of
from installer.commands.machine_site import by_hand, host_of, site_of_file
from installer.commands.plan import read_plan
from installer.record.errand import Errand
from installer.running.unfinished import cut_off

if TYPE_CHECKING:
    from installer.catalogue.solution import Solution
    from installer.plans.plan import Plan
    from installer.sites.site import Site, SiteHost


@dataclass(frozen=True, slots=True)
class Replacement:
    """A machine that is dead, and the one that stands in for it."""

    solution: Solution
    old: SiteHost
    new: SiteHost
    before: Site
    """The site with the dead one and without the new one: of it is what is forgotten."""
    after: Site
    """The site with the new one alone."""
    named_still: bool
    """Whether the site file names the dead one."""


def replace_machine(options: argparse.Namespace) -> int:
    """Have the dead one forgotten, then the new one join; each goes on where it was cut off."""
    one = replacement(options)
    named = f" --site {quote(str(options.site))}"
    again = f"sitewright machine replace {quote(options.name)} --with {quote(options.new)}{named}"
    plan, operation = forgetting(one, options)
    _, _, whole = read_plan(options.site, None)
    _known_words(options, plan, whole)
    if not _forgotten(one):
        joining = Undertaking(
            one.after,
            options.site,
            one.solution,
            plan,
            again=again,
            named=named,
            joins=one.new.name,
        )
        work = replace(joining, site=one.before, errand=Errand.OPERATE, operation=operation)
        if (run := cut_off(one.before, operation, of=plan)) is not None:
            print(f"Goes on with the run {run.id}, whose plan was reviewed.", file=sys.stderr)
            work = replace(work, run=run)
        code = _looked(one, work, joining, options)
        if code is None:
            code = carry_through(work, _of_plan(options, plan), dry=False)
        if code != ExitCode.DONE or operation in (options.until, options.only):
            return code
    print(f"{one.old.name} is forgotten.", file=sys.stderr)
    if one.named_still:
        raise Refused(
            f"the site file still names {one.old.name}, which is forgotten",
            where=str(options.site),
            remedy=f"Take it out of there, then go on: {again}",
        )
    return _join(one, options, plan, whole, named)


def _join(
    one: Replacement, options: argparse.Namespace, first: Plan, plan: Plan, named: str
) -> int:
    """The installation, in which the new one joins."""
    print(
        f"{one.new.name} joins in its place: the plan is that of the whole installation, of which "
        "each step is asked first whether it is done.",
        file=sys.stderr,
    )
    work = Undertaking(
        one.after, options.site, one.solution, plan,
        again=f"sitewright resume{named}", named=named, joins=one.new.name,
    )  # fmt: skip
    return carry_through(work, _of_plan(options, plan, but=first), dry=False)


# ---- what is replaced by what


def replacement(options: argparse.Namespace) -> Replacement:
    """The two machines and the sites before and after; raises InputProblem and Refused.

    All that the files tell against it is told here.
    """
    from installer.record.identity import identity_of, last_site, machines_of, way_of

    site, solution = site_of_file(options.site)
    new = host_of(site, options.new, options.site)
    identity = identity_of(site)
    record = last_site(identity.key) if identity.known else None
    named_still = options.name != options.new and any(h.name == options.name for h in site.hosts)
    old = next((h for h in site.hosts if named_still and h.name == options.name), None)
    if old is None and (reviewed := last_site(identity.key, reviewed=True)) is not None:
        old = next((host for host in reviewed.hosts if host.name == options.name), None)
    where = str(options.site)
    if old is None:
        raise InputProblem(
            f'neither the site file nor the record of this site knows a machine "{options.name}"',
            where=where,
            remedy="If it was forgotten already, what is left is done by sitewright resume, or by "
            f"sitewright machine add {quote(options.new)}. On a computer without the record: let "
            "the site file name both machines.",
        )
    others = [h for h in site.hosts if h.name not in (options.name, options.new)]
    before = site.model_copy(update={"hosts": (*others, old)})
    after = site.model_copy(update={"hosts": (*others, new)})
    wrong = []
    if way_of(before, old.name) == way_of(after, new.name):
        wrong.append(
            f"{new.name} has the address of {old.name} ({old.address}), so that nobody could tell "
            "whether that one is dead: give the new machine an address of its own"
        )
    elif record is not None and not _forgotten_of(identity.key, before, old.name):
        alone = machines_of(site.model_copy(update={"hosts": (new,)}))
        if alone <= machines_of(record):
            wrong.append(f"{new.name} is in this site already, and replaces nobody")
    if set(new.roles) != set(old.roles):
        wrong.append(
            f"{old.name} is {listed(old.roles) or 'nothing'} and {new.name} is "
            f"{listed(new.roles) or 'nothing'}: give it the same roles"
        )
    wrong += [
        f"{old.name} is the last {role} of this site, and nobody is left who could go on without it"
        for role in old.roles
        if not any(role in host.roles for host in others)
    ]
    if site.control == old.name:
        wrong.append(f"{old.name} is the control host: name another one under `control`")
    if wrong:
        raise Refused(
            "; ".join(wrong), where=where, remedy="Mend the site file, or take another machine."
        )
    return Replacement(solution, old, new, before, after, named_still)


def forgetting(one: Replacement, options: argparse.Namespace) -> tuple[Plan, str]:
    """The plan by which the dead one is forgotten, and the operation's name."""
    from installer.planning.make import make_plan
    from installer.steps.stage_files import operations_of_machines
    from installer.supply.supplies import read_supplies

    known = [found for found in operations_of_machines(one.solution).values() if found[1].dead]
    fitting = [(operation, of) for operation, of in known if of.fits(one.old.roles)]
    if not fitting:
        raise Refused(
            f"{one.old.name} is {listed(one.old.roles) or 'nothing'} in this site, and Sitewright "
            f"replaces no such machine of {one.solution.title}",
            where=str(options.site),
            remedy=by_hand(one.solution, one.old, [of for _, of in known], "replace"),
        )
    operation, of = fitting[0]
    base = options.site.absolute().parent
    plan = make_plan(
        one.solution,
        one.before,
        (),
        playbooks=one.before.playbooks_path(options.site.resolve().parent),
        supplied=read_supplies(one.before, base),
        operation=operation,
        leaving=one.old.name,
        then=of.then,
        base=base,
        where=str(options.site),
    )
    return plan, operation.id


def _forgotten(one: Replacement) -> bool:
    from installer.record.identity import identity_of

    identity = identity_of(one.before)
    return identity.known and _forgotten_of(identity.key, one.before, one.old.name)


def _forgotten_of(key: str, before: Site, name: str) -> bool:
    """Whether a run had it forgotten, and none since had it join again."""
    from installer.running.taken_out import taken_out

    return any(one.name == name and one.whole for one in taken_out(key, before))


# ---- before it begins


def _known_words(options: argparse.Namespace, *plans: Plan) -> None:
    """Raise InputProblem for a stage or a step of neither plan, before either is begun."""
    stages = {stage.id for plan in plans for stage in plan.stages}
    steps = {step.key for plan in plans for stage in plan.stages for step in stage.steps}
    given = [("--until", options.until), ("--only", options.only)]
    given += [("--confirm", text) for text in options.confirm]
    given += [("--skip", text.partition("=")[0]) for text in options.skip]
    for option, word in given:
        if word and word not in (steps if option in ("--confirm", "--skip") else stages):
            raise InputProblem(
                f'neither of the two plans has a {"step" if "/" in word else "stage"} "{word}"',
                where=option,
                remedy=f"The first has {listed([stage.id for stage in plans[0].stages])}; the "
                "second is the one of sitewright plan.",
            )


def _looked(
    one: Replacement, work: Undertaking, joining: Undertaking, options: argparse.Namespace
) -> int | None:
    """The exit code where the old one lives, or the new one could not join; None to go on."""
    from installer.running.replacing import lives, stands_against

    def tell(text: str) -> None:
        print(text, file=sys.stderr)

    async def look() -> int | None:
        dying = occasion_of(work, options)
        alive = await lives(dying.inventory, one.old.name, dying.credentials, dying.connect_timeout)
        against = await stands_against(occasion_of(joining, options), tell)
        every = [*([alive] if alive is not None else []), *against]
        if not every:
            return None
        code = not_ready(every, options.site)
        return ExitCode.REFUSED if alive is not None else code

    return asyncio.run(look())


def _of_plan(
    options: argparse.Namespace, plan: Plan, *, but: Plan | None = None
) -> argparse.Namespace:
    """The options as far as they are for a plan: each of the two has stages of its own."""
    stages = {stage.id for stage in plan.stages}
    others = set() if but is None else {stage.id for stage in but.stages} - stages
    mine = argparse.Namespace(**vars(options))

    def is_mine(text: str) -> bool:
        stage = text.partition("/")[0]
        # What is of neither is told by the second.
        return stage in stages or (but is not None and stage not in others)

    mine.confirm = [text for text in options.confirm if is_mine(text)]
    mine.skip = [text for text in options.skip if is_mine(text)]
    if but is None:
        mine.secret_file = [t for t in options.secret_file if t.partition("=")[0] in plan.secrets]
        mine.until = options.until if options.until in stages else None
        mine.only = options.only if options.only in stages else None
    return mine

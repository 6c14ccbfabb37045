"""`sitewright preflight`: can these machines, or this cluster, carry it?"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from foundation.problems import ExitCode, InputProblem
from foundation.terminal import rewritten
from foundation.wording import counted
from installer.commands.options import (
    Narrator,
    Targets,
    add_machine_options,
    add_output_options,
    narrator,
    read_targets,
    text_style,
    write_result,
)
from installer.commands.preflight_cluster import (
    add_cluster_options,
    assess_cluster_of,
    is_of_cluster,
)
from preflight.findings import Verdict

if TYPE_CHECKING:
    from foundation.hosts.pool import Pool
    from installer.sites.site import Site
    from preflight.assessment import Assessment, Seen
    from preflight.egress import Egress
    from preflight.findings import Finding, Waiver
    from preflight.mesh import Mesh
    from preflight.needs import SolutionNeeds


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `sitewright preflight`."""
    add_machine_options(parser)
    add_cluster_options(parser)
    group = parser.add_argument_group("what to judge against")
    group.add_argument("--solution", metavar="ID", help="see `sitewright solutions`")
    group.add_argument("--environment", metavar="NAME", help="production, staging, …")
    group.add_argument("--sizing", metavar="ID", help="another published sizing table")
    group.add_argument(
        "--role",
        action="append",
        default=[],
        metavar="ROLE=MACHINE[,MACHINE]",
        help="which machine plays which role (else they are assigned by what they have)",
    )
    group.add_argument(
        "--facts", type=Path, metavar="FILE", help="judge what `sitewright facts` saved"
    )
    group.add_argument(
        "--no-mesh", action="store_true", help="do not try the ports between machines"
    )
    group.add_argument(
        "--egress",
        action="store_true",
        help="also try what the installation fetches: from each machine, and from here",
    )
    group.add_argument("--save-facts", type=Path, metavar="FILE", help="also save what was seen")
    group.add_argument("--strict", action="store_true", help="warnings make the exit code 3")
    add_output_options(parser)


@dataclass(frozen=True, slots=True)
class Question:
    """What the machines are judged against."""

    needs: SolutionNeeds
    carries_for: tuple[SolutionNeeds, ...] = ()
    """Solutions that one machine is judged against when none was named."""
    roles: Mapping[str, tuple[str, ...]] | None = None
    waivers: tuple[Waiver, ...] = ()


def run(options: argparse.Namespace) -> int:
    """Look, judge, report; the exit code tells the verdict."""
    if is_of_cluster(options):
        return _report(assess_cluster_of(options), options)
    say = narrator(options)
    if options.facts is not None:
        from preflight.recorded import load_facts

        if options.machines or options.inventory:
            raise InputProblem(
                "--facts judges what was seen before, so it takes no machines",
                where="the command line",
            )
        seen: Sequence[Seen] = load_facts(options.facts)
        site = None
        if options.site is not None:
            from installer.sites.site import load_site

            site = load_site(options.site)
        question = _question(options, site, [entry.host.name for entry in seen])
        mesh = egress = None
        if options.egress:
            raise InputProblem(
                "--egress asks the machines, and --facts asks none",
                where="the command line",
                remedy="Leave --facts out.",
            )
        seen = _with_site_roles(seen, question)
    else:
        targets = read_targets(options)
        site = targets.site
        if targets.site is not None:
            from installer.planning.new_site import left_to_fill

            if left := left_to_fill(targets.site):
                say(f"Still to be filled in before an installation: {', '.join(left)}.")
        question = _question(options, targets.site, [host.name for host in targets.inventory])
        if options.egress and question.carries_for:
            raise InputProblem(
                "--egress tries what a solution fetches, and none was named",
                where="the command line",
                remedy="Add --solution; see `sitewright solutions`.",
            )
        seen, mesh, egress = asyncio.run(_look(targets, options, question, say))
    if options.save_facts is not None:
        from preflight.recorded import save_facts

        save_facts(options.save_facts, list(seen), overwrite=options.overwrite)
        say(f"What was seen is in {options.save_facts}.")
    told: Sequence[Finding] = ()
    if not question.carries_for:
        from installer.catalogue.solution import load_solution
        from installer.planning.named_disks import judged_defaults, judged_settings

        solution, today = load_solution(question.needs.solution), datetime.now(UTC).date()
        if site is not None and site.settings:
            told = judged_settings(solution, site, tuple(seen), today)
        else:
            told = judged_defaults(solution, today, tuple(seen))
        if site is not None and site.supplies.bundle is not None:
            from installer.supply.judged_bundle import judged_bundle

            told = (*told, *judged_bundle(site, options.site.absolute().parent, today))
    assessment = _assess(seen, question, mesh, egress, options, told)
    return _report(assessment, options)


def _question(options: argparse.Namespace, site: Site | None, names: Sequence[str]) -> Question:
    from installer.catalogue.solution import load_solution, single_machine_needs
    from installer.sites.site import check_against

    solution_id = options.solution or (site.solution if site else None)
    if solution_id is None:
        if options.environment or options.sizing:
            raise InputProblem(
                "--environment and --sizing belong to a solution; name it with --solution",
                where="the command line",
                remedy="See `sitewright solutions`.",
            )
        if len(names) != 1:
            raise InputProblem(
                f"{counted(len(names), 'machine')} named, and no solution to judge by",
                where="the command line",
                remedy="Add --solution, for example --solution pm4ml; see `sitewright solutions`.",
            )
        candidates = tuple(single_machine_needs())
        return Question(needs=candidates[0], carries_for=candidates)
    try:
        solution = load_solution(solution_id)
        needs = solution.needs(
            options.environment or (site.environment if site else None),
            options.sizing or (site.sizing if site else None),
        ).with_settings(site.settings if site else {})
    except InputProblem as problem:
        if site is None or options.solution or options.environment or options.sizing:
            raise
        raise InputProblem(
            problem.cause, where=str(options.site), remedy=problem.remedy
        ) from problem
    roles = _roles_from_options(options.role, names, [row.role for row in needs.sizing.roles])
    if not roles and site is not None and any(host.roles for host in site.hosts):
        check_against(site, [role.role for role in needs.sizing.roles], where=str(options.site))
        roles = {host.name: tuple(host.roles) for host in site.hosts}
    return Question(needs=needs, roles=roles or None, waivers=tuple(site.waivers) if site else ())


def _roles_from_options(
    assignments: Sequence[str], names: Sequence[str], known_roles: Sequence[str]
) -> dict[str, tuple[str, ...]]:
    from foundation.wording import nearest

    roles: dict[str, list[str]] = {}
    for text in assignments:
        role, _, machines = text.partition("=")
        if role not in known_roles:
            close = nearest(role, known_roles)
            raise InputProblem(
                f'there is no role "{role}"' + (f'; did you mean "{close}"?' if close else ""),
                where="--role",
                remedy=f"The roles are {', '.join(known_roles)}.",
            )
        for machine in filter(None, machines.split(",")):
            if machine not in names:
                raise InputProblem(
                    f'there is no machine "{machine}"',
                    where="--role",
                    remedy=f"The machines are {', '.join(names)}.",
                )
            roles.setdefault(machine, []).append(role)
        if not machines:
            raise InputProblem(
                f'"{text}" names no machine', where="--role", remedy="Write --role worker=w1,w2."
            )
    return {name: tuple(found) for name, found in roles.items()}


def _with_site_roles(seen: Sequence[Seen], question: Question) -> list[Seen]:
    if question.roles is None:
        return list(seen)
    return [
        replace(entry, host=replace(entry.host, roles=question.roles.get(entry.host.name, ())))
        for entry in seen
    ]


async def _look(
    targets: Targets, options: argparse.Namespace, question: Question, say: Narrator
) -> tuple[list[Seen], Mesh | None, Egress | None]:
    from foundation.hosts.pool import Pool
    from preflight.survey import SurveyOptions, survey

    hosts = list(targets.inventory)
    order = {host.name: place for place, host in enumerate(hosts)}
    progress = Progress(len(hosts), quiet=options.quiet)
    seen: list[Seen] = []
    mesh = egress = None
    async with Pool(
        targets.inventory,
        credentials=targets.credentials,
        concurrency=options.concurrency,
        connect_timeout=options.connect_timeout,
    ) as pool:
        async for entry in survey(pool, hosts, SurveyOptions(become=targets.become)):
            seen.append(entry)
            progress.seen(entry)
        progress.end()
        seen.sort(key=lambda entry: order[entry.host.name])
        if not options.no_mesh and sum(entry.reachable for entry in seen) > 1:
            from preflight import mesh as between

            roles = question.roles or _assigned_roles(seen, question)
            reachable = [entry.host for entry in seen if entry.reachable]
            mesh = await between.measure(pool, reachable, roles, question.needs)
        if options.egress:
            base = options.site.absolute().parent if options.site is not None else None
            egress = await _egress(pool, targets, base, seen, question, say, progress)
            progress.end()
    return seen, mesh, egress


async def _egress(
    pool: Pool,
    targets: Targets,
    base: Path | None,
    seen: Sequence[Seen],
    question: Question,
    say: Narrator,
    progress: Progress,
) -> Egress | None:
    """What the installation fetches, tried; what a bundle brings is not."""
    from installer.catalogue.solution import load_solution
    from installer.running.outside import try_outside

    return await try_outside(
        pool,
        seen,
        question.needs,
        solution=load_solution(question.needs.solution),
        roles=question.roles or {},
        waivers=question.waivers,
        site=targets.site,
        base=base,
        today=datetime.now(UTC).astimezone().date(),
        tell=say,
        count=progress.tried,
    )


def _assigned_roles(seen: Sequence[Seen], question: Question) -> Mapping[str, tuple[str, ...]]:
    from preflight.assignment import assign

    return assign(seen, question.needs).roles


def _assess(
    seen: Sequence[Seen],
    question: Question,
    mesh: Mesh | None,
    egress: Egress | None,
    options: argparse.Namespace,
    told: Sequence[Finding] = (),
) -> Assessment:
    from foundation.version import __version__
    from preflight.judge import assess, assess_alone

    now = datetime.now(UTC)
    today = now.astimezone().date()
    extra = {"version": __version__}
    if question.carries_for:
        assessment = assess_alone(
            seen[0], question.carries_for, waivers=question.waivers, today=today
        )
    else:
        roles = question.roles
        if roles is None:
            roles = _assigned_roles(seen, question)
            extra["roles"] = _whence_roles(seen)
        assessment = assess(
            seen,
            question.needs,
            roles=roles,
            waivers=question.waivers,
            today=today,
            mesh=mesh,
            egress=egress,
            told=told,
        )
        if options.facts is None and egress is None and question.needs.platform.internet:
            extra["egress"] = "not tried; --egress tries what the installation fetches"
        if question.needs.platform.kubernetes_tested:
            # It goes on a cluster that is there already, which its machines do not tell of.
            extra["the cluster itself"] = "not looked at; --cluster judges it"
    if options.site is not None:
        extra["site"] = str(options.site)
    if options.facts is not None:
        extra["facts"] = str(options.facts)
    return replace(assessment, made_at=now, extra={**assessment.extra, **extra})


def _whence_roles(seen: Sequence[Seen]) -> str:
    """Where roles come from that no option and no site file gave, in a phrase."""
    named = [entry.host.name for entry in seen if entry.host.roles]
    if not named:
        return "assigned by what the machines have; --role or a site file decides"
    if len(named) == len(seen):
        return "as the list of machines or what was recorded says; --role or a site file decides"
    shown = ", ".join(named[:4]) + (f" and {len(named) - 4} more" if len(named) > 4 else "")
    return (
        f"of {shown} as the list of machines or what was recorded says, of the others assigned by"
        " what they have; --role or a site file decides"
    )


def _report(assessment: Assessment, options: argparse.Namespace) -> int:
    from preflight.report import pieces

    width, color, ascii_only = text_style(options)
    text = pieces(assessment, options.format, width=width, color=color, ascii_only=ascii_only)
    write_result(text, options.output, overwrite=options.overwrite, colored=True)
    if options.output is not None and not options.quiet:
        print(f"{assessment.verdict}: the report is in {options.output}.", file=sys.stderr)
    return exit_code(assessment, strict=options.strict)


def exit_code(assessment: Assessment, *, strict: bool) -> int:
    """The exit code that a verdict means: unreachable before not ready, because more may follow."""
    if any(not target.seen.reachable for target in assessment.targets):
        return ExitCode.UNREACHABLE
    match assessment.verdict:
        case Verdict.READY:
            return ExitCode.DONE
        case Verdict.READY_WITH_WARNINGS:
            return ExitCode.NOT_READY if strict else ExitCode.DONE
        case _:
            return ExitCode.NOT_READY


class Progress:
    """How the survey goes, on standard error: a line that counts on a terminal, else one a machine.

    For a handful of machines that answer at once nothing is shown: the report says it all.
    """

    def __init__(self, total: int, *, quiet: bool) -> None:
        self.total = total
        self.done = 0
        self.failed = 0
        self.terminal = not quiet and sys.stderr.isatty()
        self.quiet = quiet
        if self.terminal and total > 1:
            self._show()

    def seen(self, entry: Seen) -> None:
        """Count one machine."""
        self.done += 1
        self.failed += not entry.reachable
        if self.terminal and self.total > 1:
            self._show()
        elif not self.quiet and entry.problem is not None:
            print(f"{entry.host.name}: {entry.problem.title.lower()}", file=sys.stderr, flush=True)

    def end(self) -> None:
        """Clear the line."""
        if self.terminal:
            rewritten("", sys.stderr)

    def tried(self, done: int, total: int) -> None:
        """Count attempts at what is fetched."""
        if self.terminal:
            rewritten(f"Trying what is fetched: {done} of {total} …", sys.stderr)

    def _show(self) -> None:
        failed = f", {self.failed} without an answer" if self.failed else ""
        text = f"Looking at {counted(self.total, 'machine')}: {self.done} seen{failed} …"
        rewritten(text, sys.stderr)

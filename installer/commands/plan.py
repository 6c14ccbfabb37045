"""`sitewright plan`: what an installation would do, where, and in which order."""

from __future__ import annotations

import argparse
import json
import sys
import textwrap
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from foundation.problems import ExitCode, InputProblem
from foundation.wording import counted, duration
from installer.commands.options import (
    add_older_option,
    add_output_options,
    add_programs_option,
    settle_programs,
    text_style,
    write_result,
)
from installer.commands.which_site import add_site_options, site_file_of
from installer.supply.opened_before import first_time
from installer.supply.review import beside_the_steps

if TYPE_CHECKING:
    from installer.catalogue.solution import Solution
    from installer.plans.plan import Plan, PlannedStep
    from installer.sites.site import Site


_MOST_GAPS = 8
"""Lines; the rest is for `bundle check`."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `sitewright plan`."""
    add_site_options(parser)
    parser.add_argument("--playbooks", type=Path, metavar="FOLDER", help="your own playbooks")
    add_older_option(parser, "an older bundle than the site had")
    add_programs_option(parser)
    parser.add_argument("--full", action="store_true", help="with commands and rendered files")
    add_output_options(parser, formats=("text", "json"))


def run(options: argparse.Namespace) -> int:
    """Print the plan; no machine is asked."""
    options.site = site_file_of(options)
    site, solution, plan = read_plan(
        options.site, options.playbooks, allow_older=options.allow_older
    )
    if options.format == "json":
        text = json.dumps(plan.as_json(), indent=2, ensure_ascii=False)
    else:
        width, _, _ = text_style(options)
        text = plan_text(plan, width, full=options.full)
    write_result(text, options.output, overwrite=options.overwrite)
    if options.allow_programs:
        settle_programs(site.inventory(options.site.parent), options)
    for said in first_time(plan, options.site):
        print(said, file=sys.stderr)
    tell_gaps(site, options.site, solution)
    return ExitCode.DONE


def tell_gaps(site: Site, site_file: Path, solution: Solution) -> None:
    """Say on standard error what the site's bundle lacks, before anybody relies on it."""
    if site.supplies.bundle is None:
        return
    from installer.supply.bundle_gaps import gaps_of_site

    gaps = gaps_of_site(site, site_file, solution)
    if not gaps:
        return
    lines = [f"  {gap}" for gap in gaps[:_MOST_GAPS]]
    if len(gaps) > _MOST_GAPS:
        lines.append(f"  and {len(gaps) - _MOST_GAPS} more")
    print(
        f"\nThe bundle lacks {len(gaps)} of what this site needs:",
        *lines,
        f"All of it, and what to do: sitewright bundle check {site.supplies.bundle} "
        f"--site {site_file}",
        sep="\n",
        file=sys.stderr,
    )


def read_plan(
    site_file: Path, playbooks: Path | None, *, allow_older: str = ""
) -> tuple[Site, Solution, Plan]:
    """The site, its solution and the plan they make; raises InputProblem.

    `allow_older` is who allows an older bundle than the site had, "" for nobody.
    """
    from installer.catalogue.solution import load_solution
    from installer.planning.make import make_plan
    from installer.planning.notes import lacking
    from installer.planning.release_lines import refuse_skipped
    from installer.sites.site import load_site
    from installer.supply.supplies import read_supplies

    site = load_site(site_file)
    if site.solution is None:
        raise InputProblem(
            "the site file names no solution", where=str(site_file), remedy="Add `solution: pm4ml`."
        )
    solution = load_solution(site.solution)
    if why_not := solution.why_not_in(site.environment):
        can = [one.id for one in solution.environments if not solution.why_not_in(one.id)]
        lacks = lacking(solution, site)
        raise InputProblem(
            " ".join(
                (f"{solution.title} cannot be installed by Sitewright yet: {why_not}", *lacks)
            ),
            where=str(site_file),
            remedy="Its preflight works: sitewright preflight --site FILE."
            + (f" What can be installed is the environment {', '.join(can)}." if can else ""),
        )
    playbooks = playbooks or site.playbooks_path(site_file.resolve().parent)
    supplied = read_supplies(site, site_file.absolute().parent, allow_older=allow_older)
    plan = make_plan(
        solution,
        site,
        (),
        playbooks=playbooks,
        supplied=supplied,
        base=site_file.absolute().parent,
        where=str(site_file),
    )
    today = datetime.now(UTC).astimezone().date()
    refuse_skipped(solution, site, dict(plan.settings), today, where=str(site_file))
    return site, solution, plan


def plan_text(plan: Plan, width: int, *, full: bool = False) -> str:
    """The plan for reading: stages, steps, machines, what cannot be taken back, time."""
    total = sum(stage.expected_seconds for stage in plan.stages)
    size = f"{counted(len(plan.stages), 'stage')} on {counted(len(plan.hosts), 'machine')}"
    lines = [
        f"{plan.solution}, {plan.environment}: {size}, usually {duration(total)}",
        f"plan {plan.sha256[:12]}",
    ]
    if plan.control:
        lines.append(f"Ansible, Helm and kubectl run on {plan.control}.")
    for line in beside_the_steps(plan, full=full):
        lines += textwrap.wrap(line, width, subsequent_indent="  ")
    for number, stage in enumerate(plan.stages, 1):
        lines += ["", f"{number}. {stage.title} ({stage.id}), {duration(stage.expected_seconds)}"]
        lines += textwrap.wrap(stage.why, width, initial_indent="   ", subsequent_indent="   ")
        if stage.needs:
            lines.append(f"   after {', '.join(stage.needs)}")
        group = ""
        for step in stage.steps:
            if step.group not in ("", group):
                together = [one for one in stage.steps if one.group == step.group]
                seconds = sum(one.expected_seconds for one in together)
                lines.append(f"   {step.group}, {duration(seconds)}")
            group = step.group
            lines += _step_text(step, width, plan.control, full=full)
    if plan.secrets:
        lines += ["", f"Secrets it will ask for: {', '.join(plan.secrets)}"]
    return "\n".join(lines)


def _step_text(step: PlannedStep, width: int, control: str, *, full: bool) -> list[str]:
    from installer.plans.plan import CONTROL_HOST, told_host

    hosts = ", ".join(told_host(host, control) for host in step.hosts or (CONTROL_HOST,))
    # One of several that belong together stands further in, with the time of each.
    more = "  " if step.group else ""
    usually = f", {duration(step.expected_seconds)}" if step.group else ""
    lines = textwrap.wrap(
        f"{step.title} [{step.kind}] on {hosts}{usually}",
        width,
        initial_indent=f"   {more}- ",
        subsequent_indent=f"     {more}",
    )
    from installer.steps.kind import brings

    if what := brings(step):
        lines.append(f"       {what}")
    if step.irreversible:
        lines += textwrap.wrap(
            f"CANNOT BE TAKEN BACK: {step.irreversible}",
            width,
            initial_indent="     ",
            subsequent_indent="     ",
        )
    if loses := step.undo_loses:
        lines += textwrap.wrap(
            f"to take it back LOSES: {loses}",
            width,
            initial_indent="     ",
            subsequent_indent="     ",
        )
    if full:
        for key in ("command", "script", "playbook"):
            value = step.spec.get(key)
            if value:
                lines += [f"       {key}:"]
                lines += [f"         {line}" for line in str(value).splitlines()]
        for name, text in step.files:
            lines.append(f"       file {name}:")
            lines += [f"         {line}" for line in text.splitlines()]
    return lines

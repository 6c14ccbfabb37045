"""`sitewright upgrade`: raise a cluster by one minor version, to the channel of the site file.

What is done to each machine is data, the solution's operation of that name; what the cluster runs
now is asked before anything is changed.
"""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

from foundation.problems import ExitCode, InputProblem
from foundation.wording import counted, listed
from installer.commands.install import add_run_options
from installer.commands.operate import add_anew_option, carry_operation, operation_plan
from installer.commands.unfinished import unfinished_run

if TYPE_CHECKING:
    from installer.catalogue.solution import Solution
    from installer.plans.plan import Plan
    from installer.sites.site import Site

NAME = "upgrade"


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `sitewright upgrade`."""
    parser.add_argument(
        "--site",
        type=Path,
        metavar="FILE",
        required=True,
        help="a site file, whose microk8s_channel names what is wanted",
    )
    add_anew_option(parser)
    add_run_options(parser)


def run(options: argparse.Namespace) -> int:
    """Plan, tell what does not fit, show, ask, and carry it through; or go on with the last."""
    from installer.planning.release_lines import refuse_skipped

    again = f"sitewright {NAME} --site {quote(str(options.site))}"
    site, solution, plan = operation_plan(options.site, NAME, supplied=True)
    before = None if options.anew else unfinished_run(site, NAME, again=again)
    if before is not None:
        plan = before.plan()
    else:
        today = datetime.now(UTC).astimezone().date()
        refuse_skipped(solution, site, dict(plan.settings), today, where=str(options.site))
        _of_the_bundle(site, plan, options.site)
        _told(solution, plan, options.site)
    code = carry_operation(NAME, (site, solution, plan), options, run=before, again=again)
    if code == ExitCode.DONE and not (options.until or options.only):
        print(_LEFT, file=sys.stderr)
    return code


_LEFT = """
All nodes run it. What MicroK8s does not raise by itself, and is left to you: Calico (its new
manifest lies in /snap/microk8s/current/upgrade-scripts), the addons, and the pause image in
containerd-template.toml. Look once more a day from now: pods of a worker whose Calico kept an old
token lose their network only then."""


def _channel(plan: Plan) -> str:
    from installer.planning.kubernetes_end import CHANNEL

    return dict(plan.settings).get(CHANNEL, "")


def _of_the_bundle(site: Site, plan: Plan, file: Path) -> None:
    """Raise InputProblem where the site's bundle has no snap of the version that is wanted."""
    from installer.repository.matrix import minor_of
    from installer.supply.supplies import read_supplies

    supplied = read_supplies(site, file.absolute().parent)
    if supplied is None:
        return
    wanted = minor_of(_channel(plan))
    snaps = [
        one
        for one in supplied.structure.index.items
        if one.kind == "snap" and one.name == "microk8s"
    ]
    if not any((one.version or "").lstrip("v").startswith(f"{wanted}.") for one in snaps):
        has = listed([one.version or "no version" for one in snaps])
        raise InputProblem(
            f"the bundle has no MicroK8s {wanted}"
            + (f"; it has {has}" if snaps else ", nor any other"),
            where=str(supplied.path),
            remedy="Make a bundle from a site file that names this channel (sitewright bundle "
            "create), bring it here, and name it in the site file.",
        )


def _told(solution: Solution, plan: Plan, file: Path) -> None:
    """Say what the table of versions has against the channel; raises InputProblem for none."""
    from installer.planning.kubernetes_end import end_of_kubernetes
    from installer.repository.matrix import load_matrix, minor_of
    from preflight.findings import Severity

    matrix = load_matrix(solution.folder / "repository")
    minor = minor_of(_channel(plan))
    if matrix.release(minor) is None:
        raise InputProblem(
            f"nothing is known here of Kubernetes {minor}, nor of what fits it",
            where=f"{file}, microk8s_channel",
            remedy=f"Known are {listed([one.minor for one in matrix.kubernetes])}.",
        )
    lines = [
        f"{one.title} Do: {one.remedy}"
        for one in end_of_kubernetes(
            solution, dict(plan.settings), datetime.now(UTC).astimezone().date()
        )
        if one.severity is not Severity.PASS
    ]
    try:
        matrix.chosen(minor)
    except InputProblem as problem:
        lines.append(f"{problem.cause}.")
    if lines:
        print(f"{counted(len(lines), 'thing')} to know before:", file=sys.stderr)
    for line in lines:
        print(f"  - {line}", file=sys.stderr)

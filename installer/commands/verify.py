"""`sitewright verify`: does what was installed still work? It asks, and changes nothing."""

from __future__ import annotations

import argparse
from pathlib import Path

from foundation.problems import InputProblem
from installer.commands.install import Work, add_run_options, carry_through
from installer.commands.plan import read_plan
from installer.commands.which_site import add_site_options, site_file_of
from installer.running.errand import Errand
from installer.verification import verification


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `sitewright verify`."""
    add_site_options(parser)
    parser.add_argument("--playbooks", type=Path, metavar="FOLDER", help="your own playbooks")
    add_run_options(parser)


def run(options: argparse.Namespace) -> int:
    """Run the solution's verify stage alone, as a run of its own."""
    options.site = site_file_of(options)
    site, solution, plan = read_plan(options.site, options.playbooks)
    only = verification(plan)
    if only is None:
        raise InputProblem(
            f"{solution.title} has no stage that verifies it", where=str(options.site)
        )
    options.yes = True
    return carry_through(
        Work(
            site,
            options.site,
            solution,
            only,
            errand=Errand.VERIFY,
            again="sitewright verify",
        ),
        options,
        dry=False,
    )

"""`sitewright verify`: does what was installed still work? It asks, and changes nothing."""

from __future__ import annotations

import argparse
from pathlib import Path

from foundation.problems import InputProblem
from installer.commands.install import Undertaking, add_run_options, carry_through
from installer.commands.options import add_overwrite_option
from installer.commands.plan import read_plan
from installer.commands.which_site import add_site_options, as_named, site_file_of
from installer.plans.verification import verification
from installer.record.errand import Errand


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `sitewright verify`."""
    add_site_options(parser)
    parser.add_argument("--playbooks", type=Path, metavar="FOLDER", help="your own playbooks")
    parser.add_argument(
        "--hardening",
        action="store_true",
        help="instead: ask what the solution's hardening list asks; nothing is changed",
    )
    parser.add_argument("--format", choices=("text", "json"), default="text", help="of that list")
    parser.add_argument("--output", type=Path, metavar="FILE", help="a file for that list")
    add_overwrite_option(parser)
    add_run_options(parser)


def run(options: argparse.Namespace) -> int:
    """Run the solution's verify stage alone, as a run of its own; or its hardening list."""
    if options.hardening:
        from installer.commands.hardening import verify_hardening

        return verify_hardening(options)
    named = as_named(options)
    options.site = site_file_of(options)
    site, solution, plan = read_plan(options.site, options.playbooks)
    only = verification(plan)
    if only is None:
        raise InputProblem(
            f"{solution.title} has no stage that verifies it", where=str(options.site)
        )
    options.yes = True
    return carry_through(
        Undertaking(
            site,
            options.site,
            solution,
            only,
            errand=Errand.VERIFY,
            again=f"sitewright verify{named}",
            named=named,
        ),
        options,
        dry=False,
    )

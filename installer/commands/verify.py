"""`sitewright verify`: does what was installed still work? It asks, and changes nothing."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from foundation.problems import InputProblem
from installer.commands.install import Work, add_run_options, carry_through
from installer.commands.plan import read_plan
from installer.commands.which_site import add_site_options, site_file_of


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `sitewright verify`."""
    add_site_options(parser)
    parser.add_argument("--playbooks", type=Path, metavar="FOLDER", help="your own playbooks")
    add_run_options(parser)


def run(options: argparse.Namespace) -> int:
    """Run the solution's verify stage alone, as a run of its own."""
    options.site = site_file_of(options)
    site, solution, plan = read_plan(options.site, options.playbooks)
    stages = tuple(
        replace(stage, needs=(), recheck=()) for stage in plan.stages if stage.id == "verify"
    )
    if not stages:
        raise InputProblem(
            f"{solution.title} has no stage that verifies it", where=str(options.site)
        )
    named = {str(name) for stage in stages for step in stage.steps for name in _secrets(step.spec)}
    only = replace(plan, stages=stages, secrets=tuple(n for n in plan.secrets if n in named))
    options.yes = True
    return carry_through(
        Work(site, options.site, solution, only, purpose="verify"), options, dry=False
    )


def _secrets(spec: Mapping[str, object]) -> list[object]:
    given = spec.get("secrets")
    return list(given) if isinstance(given, list) else []

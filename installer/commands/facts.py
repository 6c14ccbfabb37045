"""`sitewright facts`: look at machines and save what was seen, without judging it."""

from __future__ import annotations

import argparse
import asyncio
import sys
from typing import TYPE_CHECKING

from foundation.problems import ExitCode
from installer.commands.options import (
    Targets,
    add_machine_options,
    add_output_options,
    narrator,
    read_targets,
    write_result,
)
from installer.commands.preflight import Progress

if TYPE_CHECKING:
    from preflight.assessment import Seen


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `sitewright facts`."""
    add_machine_options(parser)
    add_output_options(parser, formats=("json",))


def run(options: argparse.Namespace) -> int:
    """Look at every machine, print or save the facts; 4 if a machine was not seen."""
    from preflight.recorded import facts_text

    targets = read_targets(options)
    say = narrator(options)
    seen = asyncio.run(_look(targets, options))
    write_result(facts_text(seen), options.output, private=True, overwrite=options.overwrite)
    missing = [entry for entry in seen if entry.problem is not None]
    for entry in missing:
        problem = entry.problem
        if problem is not None:
            print(f"{problem}\n  Do: {problem.remedy}", file=sys.stderr)
    if options.output is not None:
        say(f"What {len(seen) - len(missing)} of {len(seen)} told is in {options.output}.")
        say(f"Judge it anywhere with: sitewright preflight --facts {options.output}")
    return ExitCode.UNREACHABLE if missing else ExitCode.DONE


async def _look(targets: Targets, options: argparse.Namespace) -> list[Seen]:
    from foundation.hosts.pool import Pool
    from preflight.survey import SurveyOptions, survey

    hosts = list(targets.inventory)
    order = {host.name: place for place, host in enumerate(hosts)}
    progress = Progress(len(hosts), quiet=options.quiet)
    seen = []
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
    return sorted(seen, key=lambda entry: order[entry.host.name])

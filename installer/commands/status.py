"""`sitewright status`: how far the runs of the sites are."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

from foundation.durations import duration
from foundation.problems import ExitCode
from installer.commands.options import add_output_options, write_result

if TYPE_CHECKING:
    from installer.running.progress import Progress
    from installer.runs import Run


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `sitewright status`."""
    parser.add_argument("--site", type=Path, metavar="FILE", help="one site; else all")
    add_output_options(parser, formats=("text", "json"))


def run(options: argparse.Namespace) -> int:
    """Print the last run of each site, read from its journal alone."""
    from installer.journal_lines import BrokenJournal
    from installer.record_check import check_record
    from installer.running.progress import progress_of
    from installer.runs import all_sites, earlier_seconds, latest_run, site_key
    from installer.site import load_site
    from installer.site_lock import holder_of

    keys = (site_key(load_site(options.site)),) if options.site else all_sites()
    told: list[dict[str, object]] = []
    broken = False
    lines: list[str] = []
    for key in keys:
        last = latest_run(key)
        if last is None:
            continue
        try:
            plan, state = last.plan(), last.state()
            check_record(last, state)
        except BrokenJournal as problem:
            broken = True
            told.append({"site": key, "run": last.id, "folder": str(last.folder),
                         "complete": False, "broken": problem.cause})  # fmt: skip
            lines += [f"{key}  run {last.id}: ITS RECORD IS BROKEN: {problem.cause}",
                      f"  {last.folder}", f"  {problem.remedy}", ""]  # fmt: skip
            continue
        progress = progress_of(plan, state, earlier_seconds([key]), now=time.time())
        holder = holder_of(key)
        told.append(
            {
                "site": key,
                "run": last.id,
                "folder": str(last.folder),
                "complete": last.complete,
                "holder": holder.sentence() if holder else None,
                "done": progress.done,
                "total": progress.total,
                "stages": [
                    {"id": stage.id, "stand": str(stage.stand), "done": stage.done,
                     "total": stage.total}
                    for stage in progress.stages
                ],
            }
        )  # fmt: skip
        lines += _text(key, last, progress, holder.sentence() if holder else "")
    if options.format == "json":
        write_result(json.dumps(told, indent=2), options.output)
    else:
        write_result("\n".join(lines) or "There is no run on this machine yet.", options.output)
    return ExitCode.REFUSED if broken else ExitCode.DONE


def _text(key: str, last: Run, progress: Progress, holder: str) -> list[str]:
    share = f"{progress.done} of {progress.total} steps"
    left = "complete" if last.complete else f"{share}, about {duration(progress.left)} left"
    lines = [f"{key}  run {last.id}: {left}", f"  {last.folder}"]
    if holder:
        lines.append(f"  under way: {holder}")
    width = max((len(stage.id) for stage in progress.stages), default=0)
    lines += [
        f"  {stage.id:<{width}}  {stage.done:>3} of {stage.total:<3} {stage.stand}"
        for stage in progress.stages
    ]
    return [*lines, ""]

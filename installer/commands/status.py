"""`sitewright status`: how far the runs of the sites are."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

from foundation.moments import moment
from foundation.problems import ExitCode
from foundation.wording import counted, duration
from installer.commands.options import add_output_options, write_result

if TYPE_CHECKING:
    from installer.record.progress import Progress, StageProgress
    from installer.record.runs import Run


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `sitewright status`."""
    parser.add_argument("--site", type=Path, metavar="FILE", help="one site; else all")
    add_output_options(parser, formats=("text", "json"))


def run(options: argparse.Namespace) -> int:
    """Print the last run of each site, read from its journal alone."""
    from installer.events import Outcome
    from installer.record.identity import site_key
    from installer.record.journal_lines import BrokenJournal
    from installer.record.kept_runs import worker_of
    from installer.record.progress import progress_of
    from installer.record.record_check import check_record, gone_sites, record_gone
    from installer.record.runs import (
        all_sites,
        earlier_seconds,
        errand_of,
        latest_run,
        site_of,
    )
    from installer.sites.site import load_site

    every = all_sites()
    gone = gone_sites()
    one = site_key(load_site(options.site)) if options.site else ""
    sites = [one] if one else map(site_of, every)
    # Of each site the installation first, and beneath it what verified, stopped or removed it.
    keys = [
        key
        for site in dict.fromkeys(sites)
        for key in sorted((one for one in every if site_of(one) == site), key=errand_of)
    ]
    told: list[dict[str, object]] = []
    broken = False
    lines: list[str] = []
    above = ""
    for key in keys:
        last = latest_run(key)
        if last is None:
            continue
        try:
            plan, state = last.plan(), check_record(last)
        except BrokenJournal as problem:
            broken = True
            told.append({"site": key, "of": site_of(key), "errand": errand_of(key), "run": last.id,
                         "folder": str(last.folder), "complete": False,
                         "broken": problem.cause})  # fmt: skip
            lines += [f"{key}  run {last.id}: ITS RECORD IS BROKEN: {problem.cause}",
                      f"  {last.folder}", f"  {problem.remedy}", ""]  # fmt: skip
            continue
        holder = worker_of(last, state.last_time)
        # Where nobody is at work, no clock goes on: the run stands where its record ends.
        cut_off = holder is None and state.started is not None and state.outcome is None
        now = time.time() if holder else state.last_time
        progress = progress_of(plan, state, earlier_seconds([key]), now=now)
        sign = moment(state.last_time or None)
        complete = state.complete(plan)
        told.append(
            {
                "site": key,
                "of": site_of(key),
                "errand": errand_of(key),
                "run": last.id,
                "folder": str(last.folder),
                "complete": complete,
                "holder": holder.sentence() if holder else None,
                "done": progress.done,
                "total": progress.total,
                "interrupted": cut_off,
                "outcome": state.outcome.value if state.outcome is not None else None,
                "last_sign_of_life": sign.isoformat(timespec="seconds") if sign else None,
                "stages": [
                    {"id": stage.id, "stand": _stand(stage, cut_off), "done": stage.done,
                     "total": stage.total, "skipped": stage.skipped}
                    for stage in progress.stages
                ],
            }
        )  # fmt: skip
        told_sign = f"{sign.astimezone():%-d %b %H:%M}" if sign else "unknown"
        how = f"under way: {holder.sentence()}" if holder else ""
        if cut_off:
            how = f"interrupted: nobody is at work; last sign of life {told_sign}"
        elif holder is None and state.outcome in (Outcome.FAILED, Outcome.STOPPED) and not complete:
            how = f"{state.outcome.value} {told_sign}: nobody is at work"
            if _runs(progress):
                how += "; what was begun on machines goes on there"
        if errand := errand_of(key):
            share = f"{progress.done} of {progress.total} steps"
            stands = how or ("complete" if complete else f"not complete, {share}")
            if site_of(key) == above:
                lines.pop()  # it stands beneath the installation of its site
            else:
                lines.append(site_of(key))
            lines += [f"  {errand}, run {last.id}: {stands}", f"    {last.folder}", ""]
        else:
            lines += _text(key, last, progress, how, complete=complete, cut_off=cut_off)
        above = site_of(key)
    for key, run_id in gone.items():
        if one not in ("", site_of(key)):
            continue
        lost = record_gone(key, run_id)
        broken = True
        told.append({"site": key, "of": site_of(key), "errand": errand_of(key), "run": run_id,
                     "folder": lost.where, "complete": False, "broken": lost.cause})  # fmt: skip
        lines += [f"{key}: ITS RECORD IS GONE: {lost.cause}", f"  {lost.where}",
                  f"  {lost.remedy}", ""]  # fmt: skip
    if options.format == "json":
        write_result(json.dumps(told, indent=2), options.output, overwrite=options.overwrite)
    else:
        write_result(
            "\n".join(lines) or "There is no run on this machine yet.",
            options.output,
            overwrite=options.overwrite,
        )
    return ExitCode.REFUSED if broken else ExitCode.DONE


def _runs(progress: Progress) -> bool:
    """Whether a step of it was not waited for to its end."""
    return any(step.stand == "running" for stage in progress.stages for step in stage.steps)


def _stand(stage: StageProgress, cut_off: bool) -> str:
    """How a stage stands; what was under way when its Sitewright ended is interrupted."""
    return "interrupted" if cut_off and stage.stand == "running" else str(stage.stand)


def _word(stage: StageProgress, cut_off: bool) -> str:
    """How a stage stands, and how much of it was left out."""
    stand = _stand(stage, cut_off)
    left_out = f", {stage.skipped} skipped" if stage.skipped and stand != "skipped" else ""
    return f"{stand}{left_out}"


def _text(
    key: str, last: Run, progress: Progress, how: str, *, complete: bool, cut_off: bool
) -> list[str]:
    share = f"{progress.done} of {progress.total} steps"
    skipped = sum(stage.skipped for stage in progress.stages)
    done = f"complete, but for {counted(skipped, 'skipped step')}" if skipped else "complete"
    left = done if complete else f"{share}, about {duration(progress.left)} left"
    lines = [f"{key}  run {last.id}: {left}", f"  {last.folder}"]
    if how:
        lines.append(f"  {how}")
    if complete:
        lines.append("  By its record: the machines were not asked; sitewright verify does.")
    width = max((len(stage.id) for stage in progress.stages), default=0)
    lines += [
        f"  {stage.id:<{width}}  {stage.done:>3} of {stage.total:<3} {_word(stage, cut_off)}"
        for stage in progress.stages
    ]
    return [*lines, ""]

"""`sitewright replay`: a run shown again as it happened, from its record alone.

On a terminal the wizard's install screen shows it (see installer.cli); here it comes as lines.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Iterator

from foundation.problems import ExitCode
from installer.commands.narration import Narration
from installer.commands.which_run import add_run_name, named_run
from installer.events import Event
from installer.record.runs import Run


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `sitewright replay`."""
    add_run_name(
        parser, "the folder of a run, its id, or a support bundle; the last run by default"
    )
    parser.add_argument(
        "--speed",
        type=speed,
        default=None,
        metavar="N",
        help="so many times faster than it was; 0 is as fast as can be, which lines are by default",
    )
    parser.add_argument(
        "--longest-wait",
        type=seconds,
        default=2.0,
        metavar="S",
        help="seconds after which a quiet time is passed over (2)",
    )
    parser.add_argument("--lines", action="store_true", help="lines instead of the screen")
    parser.add_argument("--json-lines", action="store_true", help="events as JSON lines")
    parser.add_argument("--quiet", action="store_true", help="no output of the commands")


def speed(text: str) -> float:
    """A speed from the command line."""
    return _number(text, 0.0, 1e6, "a number from 0, say 10")


def seconds(text: str) -> float:
    """Seconds from the command line."""
    return _number(text, 0.0, 86_400.0, "seconds, say 2")


def _number(text: str, least: float, most: float, what: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not least <= value <= most:
        raise argparse.ArgumentTypeError(f'"{text}" is not {what}')
    return value


def run(options: argparse.Namespace) -> int:
    """Print the run's events in their order, with the pauses between them if a speed is given."""
    from installer.record.record_check import check_record

    with named_run(options) as (found, _):
        narration = Narration(found.plan(), json_lines=options.json_lines, quiet=options.quiet)
        for event in paced(found, options.speed or 0.0, options.longest_wait):
            narration([event])
        check_record(found)
    return ExitCode.DONE


def paced(found: Run, times_faster: float, longest_wait: float) -> Iterator[Event]:
    """The events of a run, each when it is due; at once where `times_faster` is 0.

    Raises BrokenJournal after the last event that can be believed.
    """
    from installer.record.journal import read

    before: float | None = None
    for event in read(found.journal):
        if times_faster and before is not None:
            wait = min((event.time - before) / times_faster, longest_wait)
            if wait > 0:
                time.sleep(wait)
        before = event.time
        yield event

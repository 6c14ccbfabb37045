"""`sitewright report`: the hand-over report of a run, from its record alone."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from foundation.problems import ExitCode
from installer.commands.options import add_output_options, text_style, write_result
from installer.commands.which_run import add_run_name, named_run

if TYPE_CHECKING:
    from installer.hand_over.model import HandOver


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `sitewright report`."""
    add_run_name(
        parser, "the folder of a run, its id, or a support bundle; the last installation by default"
    )
    add_output_options(parser, formats=("text", "json", "html", "junit"))


def run(options: argparse.Namespace) -> int:
    """Write the report; 0 whatever it says of the run, but not where its record is broken."""
    from installer.hand_over import render
    from installer.hand_over.gather import gather

    output: Path | None = options.output
    with named_run(options, installed=True) as (found, name):
        report = gather(found).lying_in(name)
    form = options.format
    text = _text(report, options) if form == "text" else render(report, form)
    write_result(text, output, overwrite=options.overwrite)
    if report.record.problem:
        print(f"\nThe record is broken: {report.record.problem}.", file=sys.stderr)
        return ExitCode.REFUSED
    return ExitCode.DONE


def _text(report: HandOver, options: argparse.Namespace) -> str:
    from installer.hand_over.text import report_lines
    from preflight.report.words import to_ascii

    width, _, ascii_only = text_style(options)
    text = "\n".join(report_lines(report, width)) + "\n"
    return to_ascii(text) if ascii_only else text

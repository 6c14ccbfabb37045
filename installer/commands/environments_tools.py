"""`sitewright environments tools`: what a line wants of this computer, and how the line fares."""

from __future__ import annotations

import argparse
from pathlib import Path

from foundation.problems import ExitCode


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `sitewright environments tools`."""
    parser.add_argument("--centre", type=Path, default=Path(), metavar="FOLDER",
                        help="the control centre's folder (default: this one)")  # fmt: skip
    parser.add_argument("--line", metavar="ID", help="of this line, without a centre")


def run(options: argparse.Namespace) -> int:
    """Ask each tool for its version, and say what is missing, too old, or another program."""
    from installer.environments.centre import CENTRE, read_centre
    from installer.environments.lines import line_of, tools_here

    name = options.line or read_centre(options.centre).line
    line = line_of(name, where="--line" if options.line else str(options.centre / CENTRE))
    print(f"{line.title}\n{line.state}\n({line.state_source})\n")
    found = tools_here(line)
    marks = {True: "ok  ", False: "FAIL", None: "?   "}
    width = max(len(one.name) for one in found)
    for one in found:
        print(f"{marks[one.good]}  {one.name:{width}}  {one.said}")
        if one.remedy and not one.good:
            print(f"      {'':{width}}  Do: {one.remedy}")
    print(f"Wanted by: {line.tools_source}")
    return ExitCode.DONE if all(one.good for one in found) else ExitCode.NOT_READY

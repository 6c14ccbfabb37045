"""`sitewright environments schedule`: have this computer look for drift every few hours."""

from __future__ import annotations

import argparse
import hashlib
import sys
from pathlib import Path

from foundation.problems import ExitCode, InputProblem
from foundation.wording import listed
from installer.commands.environments_alert import add_webhook_options


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `sitewright environments schedule`."""
    parser.add_argument("name", metavar="NAME", help="the environment")
    parser.add_argument("--centre", type=Path, default=Path(), metavar="FOLDER",
                        help="the control centre's folder (default: this one)")  # fmt: skip
    parser.add_argument(
        "--every", type=_hours, default=24, metavar="HOURS", help="1 to 168 (default 24)"
    )
    parser.add_argument(
        "--secret-file", action="append", default=[], metavar="NAME=FILE",
        help="each secret of the environment, in a file of mode 0600",
    )  # fmt: skip
    parser.add_argument("--remove", action="store_true", help="take the timer away again")
    add_webhook_options(parser)


def _hours(text: str) -> int:
    value = int(text)
    if not 1 <= value <= 168:
        raise argparse.ArgumentTypeError("hours from 1 to 168")
    return value


def run(options: argparse.Namespace) -> int:
    """Write the timer, or take it away."""
    from installer.environments.centre import read_environment
    from installer.updates import schedule

    centre = options.centre.resolve()
    environment = read_environment(centre, options.name)
    told = hashlib.sha256(str(environment.folder.resolve()).encode()).hexdigest()[:10]
    timed = schedule.Timed(
        name=f"sitewright-drift-{environment.name}-{told}",
        command=("environments", "drift"),
        what=f"Look for drift of {environment.name}",
        written_by="environments schedule",
    )
    units = schedule.units_here(timed)
    if options.remove:
        gone = schedule.remove_units(units)
        print("The timer is gone." if gone else "There is no timer.", file=sys.stderr)
        return ExitCode.DONE
    words = [
        environment.name,
        "--centre",
        str(centre),
        *_secrets(options, environment.secret_names()),
    ]
    if options.webhook_file is not None:
        file = str(options.webhook_file.absolute())
        words += ["--webhook-file", file, "--webhook", options.webhook]
    schedule.write_units(units, words, options.every)
    print(
        f"Every {options.every} h: sitewright environments drift {' '.join(words)}\n"
        f"See it: {' '.join(units.systemctl)} list-timers {timed.name}.timer; where something "
        f"differs the service ends with 3: {' '.join(units.systemctl)} status {timed.name}",
        file=sys.stderr,
    )
    if "--user" in units.systemctl:
        print("It runs while you are logged in; else: loginctl enable-linger", file=sys.stderr)
    return ExitCode.DONE


def _secrets(options: argparse.Namespace, wanted: tuple[str, ...]) -> list[str]:
    """The words by which a look at night finds its secrets; raises InputProblem."""
    given = dict(word.partition("=")[::2] for word in options.secret_file)
    left = [name for name in wanted if not given.get(name)]
    if left or set(given) - set(wanted):
        raise InputProblem(
            f"nobody is there at night to give {listed(left)}"
            if left
            else f"{listed(sorted(set(given) - set(wanted)))} is no secret of it",
            where="--secret-file",
            remedy=f"Give each: {' '.join(f'--secret-file {one}=FILE' for one in wanted)}."
            if wanted
            else "It has none; leave the option out.",
        )
    words = []
    for name, file in given.items():
        words += ["--secret-file", f"{name}={Path(file).absolute()}"]
    return words

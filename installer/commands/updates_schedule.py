"""`sitewright updates schedule`: have this computer look for updates every few hours."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import NoReturn

from foundation.problems import ExitCode, InputProblem
from installer.commands.updates_cronjob import add_cronjob_options


class _Words(argparse.ArgumentParser):
    """Reads what is meant for `sitewright updates`."""

    def error(self, message: str) -> NoReturn:
        """Raise InputProblem with what argparse has against it."""
        raise InputProblem(
            message.partition("\n")[0],
            where="the words behind --",
            remedy="See what it takes: sitewright updates -h",
        )


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `sitewright updates schedule`."""
    parser.add_argument(
        "--every", type=_hours, default=6, metavar="HOURS", help="1 to 168 (default 6)"
    )
    parser.add_argument(
        "--at",
        metavar="WHEN",
        default="",
        help="at these moments instead, as systemd.time(7) writes them: Sun 03:00 Africa/Nairobi",
    )
    parser.add_argument("--remove", action="store_true", help="take the timer away again")
    parser.add_argument(
        "words",
        nargs="*",
        metavar="-- WORDS",
        help="behind --: what is given to `sitewright updates`, as --cluster --webhook-file FILE",
    )
    add_cronjob_options(parser)


def _hours(text: str) -> int:
    value = int(text)
    if not 1 <= value <= 168:
        raise argparse.ArgumentTypeError("hours from 1 to 168")
    return value


def run(options: argparse.Namespace) -> int:
    """Write the timer or the CronJob, or take it away."""
    from installer.updates import schedule

    if options.cronjob:
        from installer.commands import updates_cronjob

        if not options.remove:
            _checked_for_a_pod(options.words)
        return updates_cronjob.run(options, options.words)
    units = schedule.units_here()
    if options.remove:
        gone = schedule.remove_units(units)
        print("The timer is gone." if gone else "There is no timer.", file=sys.stderr)
        return ExitCode.DONE
    _checked(options.words)
    first = schedule.check_calendar(options.at) if options.at else ""
    schedule.write_units(units, options.words, options.every, at=options.at)
    when = f"{options.at}, first {first}" if options.at else f"Every {options.every} h"
    print(
        f"{when}: sitewright updates {' '.join(options.words)}\n"
        f"See it: {' '.join(units.systemctl)} list-timers {schedule.NAME}.timer; what it said: "
        f"journalctl {'--user ' if '--user' in units.systemctl else ''}-u {schedule.NAME}\n"
        "To take it away: sitewright updates schedule --remove",
        file=sys.stderr,
    )
    if "--user" in units.systemctl:
        print("It runs while you are logged in; else: loginctl enable-linger", file=sys.stderr)
    return ExitCode.DONE


def _checked_for_a_pod(words: list[str]) -> None:
    """Raise InputProblem for words that mean something else, or nothing, in a pod."""
    read = _read(["--cluster", *words])
    for name, value in vars(read).items():
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, Path):
                raise InputProblem(
                    f"{one} is a file of this computer, and a pod has none of them",
                    where=f"--{name.replace('_', '-')}",
                    remedy="Leave it out. A webhook's address is given as --webhook-secret NAME.",
                )
    if read.cluster:
        raise InputProblem(
            "a pod looks at the cluster in which it runs",
            where="--cluster",
            remedy="Leave it out behind --. Before it, --cluster CONTEXT says to which it goes.",
        )


def _read(words: list[str]) -> argparse.Namespace:
    """What `sitewright updates` makes of words; InputProblem for those that ask somebody."""
    from installer.commands import updates

    parser = _Words(prog="sitewright updates", allow_abbrev=False)
    updates.add_options(parser)
    read = parser.parse_args(words)
    for name, value in vars(read).items():
        if name.startswith("ask_") and value:
            raise InputProblem(
                "a timer has nobody to ask",
                where=f"--{name.replace('_', '-')}",
                remedy=f"Put it into a file of mode 0600: --{name[4:].replace('_', '-')}-file FILE",
            )
    return read


def _checked(words: list[str]) -> None:
    """Raise InputProblem for what `sitewright updates` would not take at three in the morning."""
    if not words:
        raise InputProblem(
            "what is to be looked at is not said",
            where="the command line",
            remedy="Behind two dashes: sitewright updates schedule -- --cluster "
            "--kubeconfig /root/.kube/config --webhook-file /root/webhook",
        )
    for name, value in vars(_read(words)).items():
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, Path) and not one.is_absolute():
                raise InputProblem(
                    f"{one} is no whole path, and a timer begins in another folder",
                    where=f"--{name.replace('_', '-')}",
                    remedy=f"Write {one.absolute()}.",
                )

"""`sitewright accept`: does this hub keep document 001's figures, or by how much does it not?"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from foundation.problems import ExitCode, InputProblem
from installer.commands.options import (
    add_output_options,
    ask_about_programs,
    narrator,
    text_style,
    write_result,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from installer.acceptance.accept import Asked, Progress
    from installer.acceptance.cast import Bounds
    from installer.acceptance.hub_file import Drill, HubFile
    from installer.acceptance.result import Result

_LONGEST: Final = 7 * 24 * 3600
_MOST_RATE: Final = 100_000
_A_PROCESS: Final = 150
"""Journeys a second for which a process is begun, where it is not said how many there are."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `sitewright accept`."""
    parser.add_argument(
        "hub", type=Path, nargs="?", metavar="HUB-FILE",
        help="where the hub is reached, and where it reaches this machine",
    )  # fmt: skip
    parser.add_argument("--example", action="store_true", help="print a hub file to begin with")
    group = parser.add_argument_group("the load")
    group.add_argument(
        "--rate", type=_rate, default=1000.0, metavar="N",
        help="transfers a second (the tiers are 1, 10, 50, 500 and 1000; default: 1000)",
    )  # fmt: skip
    group.add_argument(
        "--for", type=_seconds, default=3600.0, metavar="TIME", dest="steady",
        help="of the steady part: 90s, 10m, 1h (default: 1h, as document 001 has it)",
    )  # fmt: skip
    group.add_argument(
        "--warm-up", type=_seconds, default=60.0, metavar="TIME", help="before it (default: 60s)"
    )
    group.add_argument(
        "--ramp", type=_seconds, default=60.0, metavar="TIME",
        help="from the warm-up's rate, a tenth, to the whole (default: 60s)",
    )  # fmt: skip
    group.add_argument(
        "--processes", type=_processes, metavar="N",
        help="of the driver (default: as the rate needs, as the cores allow)",
    )  # fmt: skip
    group.add_argument(
        "--drill", action="append", default=[], metavar="NAME",
        help="set this fault of the hub file's drills under load, and undo it (may be repeated)",
    )  # fmt: skip
    group.add_argument(
        "--undo-left", action="store_true",
        help="undo the faults that an acceptance before left set, and do nothing else",
    )  # fmt: skip
    group = parser.add_argument_group("the hub")
    group.add_argument(
        "--admin-token-file", type=Path, metavar="FILE",
        help="the bearer token of the ledger's administration, in a file of mode 0600",
    )  # fmt: skip
    group.add_argument(
        "--ledger-password-file", type=Path, metavar="FILE",
        help="for the hub file's ledger.command, which is given it as MYSQL_PWD; of mode 0600",
    )  # fmt: skip
    group.add_argument(
        "--allow-programs", action="store_true",
        help="start the commands of the hub file (ledger, drills) without asking",
    )  # fmt: skip
    group.add_argument(
        "--hub-in-use-allowed-by", default="", metavar="NAME",
        help="who answers for the load on a hub that has participants of its own",
    )  # fmt: skip
    group.add_argument(
        "--hub-name", default="Hub", metavar="NAME",
        help="the hub's own participant (its HUB_PARTICIPANT.NAME; default: Hub)",
    )  # fmt: skip
    parser.add_argument("--strict", action="store_true", help="what is not measured counts: 3")
    add_output_options(parser)


def run(options: argparse.Namespace) -> int:
    """Measure and judge; 0 where all held, 3 where a criterion was missed or nothing is proved."""
    if options.example:
        from installer.acceptance.hub_file import EXAMPLE

        write_result(EXAMPLE, options.output, overwrite=options.overwrite)
        return ExitCode.DONE
    if options.undo_left:
        from installer.acceptance.left_faults import left_faults, undo_left

        if not left_faults():
            narrator(options)("No fault of an acceptance before is known to be left.")
        whole = asyncio.run(undo_left(narrator(options)))
        return ExitCode.DONE if whole else ExitCode.STAGE_FAILED
    if options.hub is None:
        raise InputProblem(
            "no hub file is named",
            where="the command line",
            remedy="Begin one: sitewright accept --example --output hub.yaml",
        )
    asked = _asked(options)
    if options.output is not None:
        from foundation.named_files import check_named

        check_named(options.output, overwrite=options.overwrite)  # now, and not after the hour
    folder = _folder()
    result = asyncio.run(_carried(asked, options))
    _keep(result, folder)
    form = options.format
    width, _, ascii_only = text_style(options) if form == "text" else (80, False, False)
    from installer.acceptance.report import render

    text = render(result, form, width)
    if ascii_only:
        from preflight.report.words import to_ascii

        text = to_ascii(text)
    write_result(text, options.output, overwrite=options.overwrite)
    narrator(options)(f"\nPage, figures and the identifiers of unclean transfers: {folder}")
    return _code(result, strict=options.strict)


def bounds() -> Bounds:
    """What is waited for and how long, by the document and by what the ledger's handlers take."""
    from installer.acceptance.cast import Bounds

    return Bounds()


def _asked(options: argparse.Namespace) -> Asked:
    from foundation.secrets import secret_from_file
    from installer.acceptance.accept import Asked
    from installer.acceptance.drills import chosen
    from installer.acceptance.hub_file import read_hub_file
    from installer.acceptance.left_faults import require_none_left
    from installer.acceptance.profile import Profile

    if options.steady < 1:
        raise InputProblem("a steady part has a second at least", where="--for")
    require_none_left()
    hub = read_hub_file(options.hub)
    profile = Profile(options.rate, options.steady, options.warm_up, options.ramp)
    drills = chosen(hub.drills, options.drill, profile, bounds())
    _ask_about_programs(hub, drills, options)
    token, password = options.admin_token_file, options.ledger_password_file
    return Asked(
        hub,
        profile,
        options.processes or _processes_for(options.rate),
        bounds(),
        token=secret_from_file(token) if token is not None else None,
        allowed_by=options.hub_in_use_allowed_by.strip(),
        hub_name=options.hub_name,
        ledger_password=secret_from_file(password) if password is not None else None,
        drills=drills,
    )


def _ask_about_programs(hub: HubFile, drills: Sequence[Drill], options: argparse.Namespace) -> None:
    """A hub file may be anybody's: the commands that it names are shown, and run once allowed."""
    import shlex

    from foundation.hosts.openssh import allowed
    from foundation.hosts.openssh.ssh_files import Program

    if hub.ledger is None and options.ledger_password_file is not None:
        raise InputProblem(
            "a password of the ledger's database is given, and the hub file names no command"
            " that would use it",
            where="--ledger-password-file",
            remedy="Name one as `ledger: {command: [...]}`; see `sitewright accept --example`.",
        )
    named = [("ledger.command", hub.ledger.command)] if hub.ledger is not None else []
    for drill in drills:
        named.append((f"the drill {drill.name}", drill.command))
        if drill.undo:
            named.append((f"the undoing of {drill.name}", drill.undo))
    place, where = str(options.hub.absolute()), str(options.hub)
    shown = tuple(Program(what, shlex.join(command), place) for what, command in named)
    ask_about_programs(shown, "For this acceptance", allow=options.allow_programs, where=where)
    if shown and not options.allow_programs and not allowed.is_remembered(shown):
        raise allowed.ProgramsNotAllowed(
            shown,
            where=where,
            remedy="Read them. To allow exactly these, say yes where the command asks on a"
            " terminal, or give --allow-programs; else take them out of the file.",
        )


async def _carried(asked: Asked, options: argparse.Namespace) -> Result:
    from installer.acceptance.accept import Progress, accept
    from installer.acceptance.report.live import Live

    tell = narrator(options)

    def say(text: str) -> None:
        with contextlib.suppress(OSError):  # it went away; all is taken back all the same
            tell(text)

    every = 5 if sys.stderr.isatty() else 30
    live = Live(asked.profile, asked.bounds, say, every)
    progress = Progress(say, live.tick)
    work = asyncio.ensure_future(accept(asked, progress))
    loop = asyncio.get_running_loop()
    # A terminal that is shut, too, leaves no fault set and nothing of ours in the hub.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, _interrupted, progress, work)
    try:
        return await work
    except asyncio.CancelledError:
        from foundation.problems import Interrupted

        left = "; ".join(progress.left)
        raise Interrupted(
            "the acceptance was left before its end; "
            + (f"NOT taken back: {left}" if left else "what it made in the hub was taken back"),
            remedy="Begin it again: the participants that are there are used again, and all of"
            " them is taken back at its end.",
        ) from None


def _interrupted(progress: Progress, work: asyncio.Future[Result]) -> None:
    """Once: no more journeys, and a result of what there is. Twice, or too early: leave."""
    if progress.stopped or progress.fleet is None or not progress.fleet.measured.began:
        work.cancel()
        return
    progress.say("\nStopped: no more journeys begin; what is open ends, and all is taken back.")
    progress.stop()


def _folder() -> Path:
    from foundation.paths import data_folder, make_private

    name = f"{datetime.now().astimezone():%Y%m%d-%H%M%S}"
    return make_private(data_folder() / "acceptances" / name)


def _keep(result: Result, folder: Path) -> None:
    """Page, figures and identifiers in a private folder, whatever is printed."""
    from foundation.paths import write_private
    from installer.acceptance.report import render

    for form, name in (("html", "acceptance.html"), ("json", "acceptance.json")):
        write_private(folder / name, render(result, form))
    write_private(folder / "acceptance.xml", render(result, "junit"))
    lines = [f"{fate}\t{one}" for fate, ones in result.unclean.items() for one in ones]
    write_private(folder / "unclean-transfers.tsv", "\n".join(["class\ttransfer", *lines, ""]))


def _code(result: Result, *, strict: bool) -> ExitCode:
    from installer.acceptance.result import Outcome, Verdict

    if result.verdict is Verdict.STOPPED:
        return ExitCode.INTERRUPTED
    if result.verdict is not Verdict.HELD:
        return ExitCode.NOT_READY
    left = any(one.outcome in (Outcome.UNKNOWN, Outcome.NOTED) for one in result.criteria)
    return ExitCode.NOT_READY if strict and (left or result.notes) else ExitCode.DONE


def _processes_for(rate: float) -> int:
    from installer.acceptance.cast import MOST_PROCESSES

    wanted = -int(-rate // _A_PROCESS)
    return max(1, min(wanted, os.cpu_count() or 1, MOST_PROCESSES))


def _rate(text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if not 0.1 <= rate <= _MOST_RATE:
        raise argparse.ArgumentTypeError(f"a rate is between 0.1 and {_MOST_RATE:,}: {text}")
    return rate


def _seconds(text: str) -> float:
    units = {"s": 1, "m": 60, "h": 3600}
    number, unit = (text[:-1], units[text[-1]]) if text[-1:] in units else (text, 1)
    try:
        seconds = float(number) * unit
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= _LONGEST:
        raise argparse.ArgumentTypeError(f"a time is such as 90s, 10m or 1h: {text}")
    return seconds


def _processes(text: str) -> int:
    from installer.acceptance.cast import MOST_PROCESSES

    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= MOST_PROCESSES:
        raise argparse.ArgumentTypeError(f"processes are 1 to {MOST_PROCESSES}: {text}")
    return int(text)

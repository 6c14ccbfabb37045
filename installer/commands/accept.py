"""`sitewright accept`: does this hub keep document 001's figures, or by how much does it not?"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from foundation.problems import ExitCode, InputProblem
from installer.commands.options import (
    add_output_options,
    ask_about_programs,
    narrator,
    text_style,
    write_result,
)

if TYPE_CHECKING:
    from installer.acceptance.accept import Asked
    from installer.acceptance.carried import Carried
    from installer.acceptance.choice import Choice
    from installer.acceptance.result import Result

Value = TypeVar("Value")


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
    carried = _carried(asked, options)
    result = carried.result()
    form = options.format
    width, _, ascii_only = text_style(options) if form == "text" else (80, False, False)
    from installer.acceptance.report import render

    text = render(result, form, width)
    if ascii_only:
        from preflight.report.words import to_ascii

        text = to_ascii(text)
    write_result(text, options.output, overwrite=options.overwrite)
    narrator(options)(f"\nPage, figures and the identifiers of unclean transfers: {carried.folder}")
    return _code(result, strict=options.strict)


def _choice(options: argparse.Namespace) -> Choice:
    from installer.acceptance.choice import Choice
    from installer.acceptance.profile import Profile

    return Choice(
        options.hub,
        Profile(options.rate, options.steady, options.warm_up, options.ramp),
        options.processes,
        tuple(options.drill),
        token_file=options.admin_token_file,
        password_file=options.ledger_password_file,
        hub_name=options.hub_name,
        allowed_by=options.hub_in_use_allowed_by,
    )


def _asked(options: argparse.Namespace) -> Asked:
    """What is asked for, and its programs shown and allowed; raises InputProblem, Refused."""
    from installer.acceptance.choice import programs_of, read_choice, require_programs

    choice = _choice(options)
    asked = read_choice(choice)
    allow = options.allow_programs
    programs = programs_of(choice, asked)
    ask_about_programs(programs, "For this acceptance", allow=allow, where=str(options.hub))
    if not allow:
        require_programs(choice, asked)
    return asked


def _carried(asked: Asked, options: argparse.Namespace) -> Carried:
    """Carry it through on this terminal; ^C once stops it, twice leaves."""
    from installer.acceptance.carried import Carried, attend
    from installer.acceptance.report.live import Live

    tell = narrator(options)

    def say(text: str) -> None:
        with contextlib.suppress(OSError):  # it went away; all is taken back all the same
            tell(text)

    every = 5 if sys.stderr.isatty() else 30
    live = Live(asked.profile, asked.bounds, say, every)
    carried = Carried(asked, say, live.tick)
    attend(carried)
    return carried


def _code(result: Result, *, strict: bool) -> ExitCode:
    from installer.acceptance.result import Outcome, Verdict

    if result.verdict is Verdict.STOPPED:
        return ExitCode.INTERRUPTED
    if result.verdict is not Verdict.HELD:
        return ExitCode.NOT_READY
    left = any(one.outcome in (Outcome.UNKNOWN, Outcome.NOTED) for one in result.criteria)
    return ExitCode.NOT_READY if strict and (left or result.notes) else ExitCode.DONE


def _typed(read: Callable[[str], Value]) -> Callable[[str], Value]:
    """A reader of what is typed, whose sentence argparse tells."""

    def typed(text: str) -> Value:
        try:
            return read(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return typed


def _rate(text: str) -> float:
    from installer.acceptance.choice import read_rate

    return _typed(read_rate)(text)


def _seconds(text: str) -> float:
    from installer.acceptance.choice import read_seconds

    return _typed(read_seconds)(text)


def _processes(text: str) -> int:
    from installer.acceptance.choice import read_processes

    return _typed(read_processes)(text)

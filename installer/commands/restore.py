"""`sitewright restore`: a site onto a fresh first master, from a backup.

What it does is data: the operation `restore` of the solution.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from shlex import quote

from foundation.problems import ExitCode, InputProblem
from installer.commands.backup import (
    add_key_options,
    backup_name,
    backup_plan,
    key_secrets,
    key_values,
    key_words,
)
from installer.commands.install import add_run_options
from installer.commands.operate import carry_operation

_OPERATION = "restore"
_RECORD = re.compile(r"[a-z0-9.-]+-[0-9a-f]{10}")


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `sitewright restore`."""
    parser.add_argument("name", metavar="NAME", help="of the backup, as `backup list` has it")
    parser.add_argument("--site", type=Path, metavar="FILE", required=True,
                        help="the site file, with the new first master")  # fmt: skip
    parser.add_argument(
        "--of", metavar="RECORD", default="",
        help="the record whose backup it is, as the target's folder is called; else that of the "
        "site file",
    )  # fmt: skip
    add_key_options(parser)
    add_run_options(parser)


def run(options: argparse.Namespace) -> int:
    """Plan it, show it, ask, and carry it through."""
    name = backup_name(options.name, latest=False)
    if options.of and not _RECORD.fullmatch(options.of):
        raise InputProblem(
            f'"{options.of}" is no name of a record',
            where="--of",
            remedy="It ends in ten digits, as pm4ml-production-1a2b3c4d5e; `sitewright status` "
            "and the target's folders have it.",
        )
    values = {"name": name, **key_values(options)}
    planned = backup_plan(options.site, _OPERATION, values, of=options.of)
    named = f" --site {quote(str(options.site))}"
    of = f" --of {options.of}" if options.of else ""
    again = f"sitewright restore {name}{named}{of}{key_words(options)}"
    code = carry_operation(_OPERATION, planned, options, again=again, opens=key_secrets(options))
    if code == ExitCode.DONE and not (options.until or options.only):
        print(
            "\nWhat is left to you: the other machines join by the installation (sitewright install"
            f"{named}); Vault is unsealed; databases are restored by their operators; then Argo CD "
            "is told to go on, as was said above.",
            file=sys.stderr,
        )
    return code

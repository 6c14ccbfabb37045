"""`sitewright restore`: a site onto a fresh first master, or what Vault keeps, from a backup.

What it does is data: the operations `restore` and `restore-vault` of the solution.
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
_OF_VAULT = "restore-vault"
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
    parser.add_argument(
        "--vault", action="store_true",
        help="only what Vault keeps, into Vaults that are there and hold nothing",
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
    operation = _OF_VAULT if options.vault else _OPERATION
    planned = backup_plan(options.site, operation, values, of=options.of)
    named = f" --site {quote(str(options.site))}"
    of = f" --of {options.of}" if options.of else ""
    of += " --vault" if options.vault else ""
    again = f"sitewright restore {name}{named}{of}{key_words(options)}"
    code = carry_operation(operation, planned, options, again=again, opens=key_secrets(options))
    if code != ExitCode.DONE or options.until or options.only:
        return code
    if options.vault:
        left = f"those who hold its shares open Vault: sitewright unseal{named}"
    else:
        left = (
            f"the other machines join by the installation (sitewright install{named}); what Vault "
            "keeps comes back when its pods run on empty volumes (sitewright restore "
            f"{name}{named}{of} --vault), then it is unsealed; databases are restored by their "
            "operators; then Argo CD is told to go on, as was said above"
        )
    print(f"\nWhat is left to you: {left}.", file=sys.stderr)
    return code

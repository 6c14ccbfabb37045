"""`sitewright backup`: back a site up, have it backed up, see what there is and that it is good.

What each of them does is data: operations of the solution that say that they are of the backup.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any, Final

from foundation.problems import InputProblem
from foundation.secrets import Secret, secret_from_file
from installer.commands.install import add_run_options
from installer.commands.operate import carry_operation
from installer.commands.options import ask_secret

if TYPE_CHECKING:
    from installer.catalogue.solution import Solution
    from installer.plans.plan import Plan
    from installer.sites.site import Site

LATEST: Final = "latest"
_NAME: Final = re.compile(r"\d{8}T\d{6}Z")
_OPERATIONS: Final = {
    "make": "backup",
    "schedule": "backup-schedule",
    "list": "backup-list",
    "verify": "backup-verify",
}
_LOOKS_ONLY: Final = frozenset({"list", "verify"})
"""They change nothing but that the program is brought up to date, so that nothing is asked."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `sitewright backup`."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    for name, told in (
        ("make", "make one backup now: proven, sealed to the keys of the site file, sent"),
        ("schedule", "have one made every few hours by the first master itself"),
        ("list", "the backups at the target, and how old the last good one is"),
        ("verify", "open one with a private key and look at every byte of it"),
    ):
        action = actions.add_parser(name, help=told, description=told.capitalize() + ".")
        action.add_argument("--site", type=Path, metavar="FILE", required=True, help="a site file")
        if name == "verify":
            action.add_argument("--backup", metavar="NAME", default=LATEST, help="else the latest")
            add_key_options(action)
        add_run_options(action)


def add_key_options(parser: argparse.ArgumentParser) -> None:
    """What `verify` and `restore` share: with what a backup is opened."""
    parser.add_argument(
        "--key", type=Path, metavar="FILE",
        help="a private OpenPGP key of one who can open it; else those that your GnuPG has. It "
        "stays on this computer",
    )  # fmt: skip
    parser.add_argument("--key-passphrase-file", type=Path, metavar="FILE",
                        help="its passphrase, mode 0600")  # fmt: skip
    parser.add_argument("--ask-key-passphrase", action="store_true", help="ask for it")


def run(options: argparse.Namespace) -> int:
    """Plan it, show it, ask, and carry it through."""
    operation = _OPERATIONS[options.action]
    looks = options.action in _LOOKS_ONLY
    options.yes = options.yes or looks
    again = f"sitewright backup {options.action} --site {quote(str(options.site))}"
    values: dict[str, Any] = {}
    opens: dict[str, Secret] = {}
    if options.action == "verify":
        values = {"name": backup_name(options.backup, latest=True), **key_values(options)}
        opens = key_secrets(options)
        again += f" --backup {values['name']}" + key_words(options)
    planned = backup_plan(options.site, operation, values)
    return carry_operation(operation, planned, options, again=again, opens=opens)


def backup_plan(
    file: Path, operation: str, values: dict[str, Any], *, of: str = ""
) -> tuple[Site, Solution, Plan]:
    """The site, its solution and the plan of one operation of the backup; raises InputProblem."""
    from installer.catalogue.solution import load_solution
    from installer.planning.backups import backup_values
    from installer.planning.make import make_plan
    from installer.record.identity import site_key
    from installer.sites.site import load_site
    from installer.steps.stage_files import operations_of_backup

    site = load_site(file)
    if site.solution is None:
        raise InputProblem("the site file names no solution", where=str(file))
    solution = load_solution(site.solution)
    operations = operations_of_backup(solution)
    if operation not in operations:
        raise InputProblem(
            f"Sitewright knows no backup of {solution.title}",
            where=str(file),
            remedy="It backs up PM4ML.",
        )
    base = file.absolute().parent
    key = site_key(site)
    told = {**backup_values(site, base, key, of=of), "record": key, **values}
    plan = make_plan(
        solution, site, (), operation=operations[operation], knows={"backup": told}, base=base,
        where=str(file),
    )  # fmt: skip
    return site, solution, plan


def backup_name(text: str, *, latest: bool) -> str:
    """The name of a backup; raises InputProblem for what is none."""
    if _NAME.fullmatch(text) or (latest and text == LATEST):
        return text
    raise InputProblem(
        f'"{text}" is no name of a backup',
        where="the command line",
        remedy="Its name is when it was made, as 20261129T190000Z; `sitewright backup list` has "
        "them all.",
    )


def key_values(options: argparse.Namespace) -> dict[str, Any]:
    """Where the private key lies, for the plan; raises InputProblem."""
    if options.key is None:
        return {"key_file": ""}
    path = Path(options.key).expanduser().absolute()
    if not path.is_file():
        raise InputProblem("there is no such file", where=str(path), remedy="Name it with --key.")
    return {"key_file": str(path)}


def key_secrets(options: argparse.Namespace) -> dict[str, Secret]:
    """The passphrase of the private key, where one is given or asked for."""
    from installer.steps.opened import PASSPHRASE

    if options.key_passphrase_file is not None:
        return {PASSPHRASE: secret_from_file(options.key_passphrase_file)}
    if options.ask_key_passphrase:
        return {PASSPHRASE: ask_secret("passphrase of the private key: ")}
    return {}


def key_words(options: argparse.Namespace) -> str:
    """The words that name the same key in another command."""
    words = "" if options.key is None else f" --key {quote(str(options.key))}"
    if options.key_passphrase_file is not None:
        words += f" --key-passphrase-file {quote(str(options.key_passphrase_file))}"
    return words + (" --ask-key-passphrase" if options.ask_key_passphrase else "")

"""Options that several commands share: which machines, how to log in, how to write."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from foundation.hosts.connection import Become, Credentials
from foundation.hosts.model import LOCAL_ADDRESS, Host, Inventory
from foundation.problems import InputProblem
from foundation.secrets import Secret, secret_from_environment, secret_from_file
from foundation.terminal import styled, visible

if TYPE_CHECKING:
    from foundation.hosts.openssh.ssh_files import Program
    from installer.sites.site import Site

_LONGEST_NAME: Final = 120


def add_machine_options(parser: argparse.ArgumentParser) -> None:
    """The machines, and how to log in to them."""
    group = parser.add_argument_group("machines")
    group.add_argument(
        "machines",
        nargs="*",
        metavar="MACHINE",
        help="[name=][user@]host[:port], an alias of your ssh config, or `local`; "
        "without any: this machine",
    )
    group.add_argument("--site", type=Path, metavar="FILE", help="a site file")
    group.add_argument(
        "--inventory",
        type=Path,
        metavar="FILE",
        help="an Ansible inventory (INI or YAML), or a list with one machine a line",
    )
    login = parser.add_argument_group("login")
    login.add_argument("--user", metavar="NAME", help="login name where a machine states none")
    login.add_argument("--port", type=int, metavar="N", help="SSH port where a machine states none")
    login.add_argument(
        "--identity", type=Path, action="append", default=[], metavar="FILE", help="a private key"
    )
    login.add_argument("--bastion", metavar="USER@HOST", help="a machine to go through")
    login.add_argument(
        "--known-hosts",
        type=Path,
        metavar="FILE",
        help="trusted host keys (else Sitewright's own file, then OpenSSH's)",
    )
    login.add_argument("--ssh-config", type=Path, metavar="FILE", help="instead of ~/.ssh/config")
    add_login_options(login)
    login.add_argument(
        "--no-sudo", action="store_true", help="look with the rights of the login only"
    )
    login.add_argument(
        "--concurrency", type=_positive, default=64, metavar="N", help="logins at once (default 64)"
    )


def add_login_options(login: argparse._ActionsContainer) -> None:
    """How a login is done, whichever machines are meant: programs, secrets, patience."""
    add_programs_option(login)
    for name, what in (
        ("password", "the login password"),
        ("sudo-password", "the password that sudo asks for"),
        ("passphrase", "the passphrase of the private key"),
    ):
        login.add_argument(f"--ask-{name}", action="store_true", help=f"ask for {what}")
        login.add_argument(f"--{name}-file", type=Path, metavar="FILE", help=f"{what}, mode 0600")
    login.add_argument(
        "--connect-timeout", type=_seconds, default=15.0, metavar="S", help="seconds (default 15)"
    )


def add_programs_option(parser: argparse._ActionsContainer) -> None:
    """The word that what a site's files would start on this machine may be started."""
    parser.add_argument(
        "--allow-programs",
        action="store_true",
        help="start what the site's ssh config or an inventory names on this machine "
        "(ProxyCommand, Match exec)",
    )


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value <= 3600:
        raise argparse.ArgumentTypeError("seconds from 0 to 3600")
    return value


def _positive(text: str) -> int:
    value = int(text)
    if not 0 < value <= 1000:
        raise argparse.ArgumentTypeError("a number from 1 to 1000")
    return value


def add_output_options(
    parser: argparse.ArgumentParser, formats: tuple[str, ...] = ("text", "json", "html", "junit")
) -> None:
    """The form of a result and where it goes."""
    group = parser.add_argument_group("output")
    group.add_argument("--format", choices=formats, default=formats[0])
    group.add_argument("--output", type=Path, metavar="FILE", help="a file instead of the screen")
    add_overwrite_option(group)
    group.add_argument("--quiet", action="store_true", help="no narration while it works")
    if "text" in formats:
        group.add_argument("--color", choices=("auto", "always", "never"), default="auto")
        group.add_argument("--ascii", action="store_true", help="plain ASCII text")
        group.add_argument(
            "--width", type=int, metavar="COLUMNS", help="of the text (default: screen)"
        )


class _ByName(argparse.Action):
    """An option that is said by a person's name: noted with what it allows, and nothing without."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: object,
        option_string: str | None = None,
    ) -> None:
        name = visible(" ".join(str(values or "").split()))
        if not name or len(name) > _LONGEST_NAME:
            raise argparse.ArgumentError(
                self, f'it is noted by name; say who allows it: {option_string} "A. Name"'
            )
        setattr(namespace, self.dest, name)


def add_older_option(parser: argparse._ActionsContainer, what: str) -> None:
    """`--allow-older NAME`: `what` is meant ("an older bundle than the site had"), and by whom.

    The name is a string of one line, "" where nobody allows it.
    """
    parser.add_argument(
        "--allow-older", nargs="?", const="", default="", action=_ByName, metavar="NAME",
        help=f"{what} is meant, by the word of this person, who is noted",
    )  # fmt: skip


def add_overwrite_option(parser: argparse._ActionsContainer) -> None:
    """That a file which a person names may be replaced whatever it is."""
    parser.add_argument(
        "--overwrite", action="store_true", help="a file that stands there already may go"
    )


@dataclass(frozen=True, slots=True)
class Targets:
    """The machines of one command with everything needed to look at them."""

    inventory: Inventory
    credentials: Credentials
    become: Become
    site: Site | None = None
    site_file: Path | None = None


def read_targets(options: argparse.Namespace) -> Targets:
    """The machines that the options name; raises InputProblem where they contradict."""
    named = [bool(options.machines), options.site is not None, options.inventory is not None]
    if sum(named) > 1:
        raise InputProblem(
            "machines, --site and --inventory each name the machines; give one of them",
            where="the command line",
        )
    site = None
    if options.site is not None:
        from installer.sites.site import load_site

        site = load_site(options.site)
        inventory = site.inventory(options.site.parent)
    elif options.inventory is not None:
        from foundation.hosts.ansible.inventory import read_inventory_file

        read = read_inventory_file(options.inventory)
        inventory = Inventory(hosts=read.hosts, notes=read.notes, source=str(options.inventory))
    elif options.machines:
        from foundation.hosts.ansible.inventory import hosts_from_arguments

        inventory = Inventory(
            hosts=hosts_from_arguments(options.machines), source="the command line"
        )
    else:
        inventory = Inventory(
            hosts=(Host(name=os.uname().nodename, address=LOCAL_ADDRESS),), source="this machine"
        )
    from foundation.hosts.logins import user_fault

    if options.user is not None and (fault := user_fault(options.user)):
        raise InputProblem(
            fault, where="--user", remedy="Give the name with which you log in to the machines."
        )
    hosts = tuple(
        replace(
            host,
            user=host.user or options.user,
            port=host.own_port or options.port or host.port,
            port_stated=bool(host.own_port or options.port),
            identity_files=host.identity_files or tuple(options.identity),
            bastion=host.bastion or options.bastion,
        )
        for host in inventory
    )
    known_hosts = (options.known_hosts,) if options.known_hosts else inventory.known_hosts
    inventory = replace(
        inventory,
        hosts=hosts,
        known_hosts=known_hosts,
        ssh_config=options.ssh_config or inventory.ssh_config,
        # A file that the operator names on the command line is theirs.
        config_of_site=inventory.config_of_site and options.ssh_config is None,
        hosts_by_name={},
    )
    inventory = settle_programs(inventory, options)
    for note in (*inventory.notes, *_notes_of_config(inventory)):
        print(f"Note: {note}.", file=sys.stderr)
    return Targets(
        inventory=inventory,
        credentials=read_credentials(options),
        become=Become.LOGIN if options.no_sudo else Become.IF_ALLOWED,
        site=site,
        site_file=options.site,
    )


def _notes_of_config(inventory: Inventory) -> tuple[str, ...]:
    if all(host.local for host in inventory) or not inventory.use_ssh_config:
        return ()
    from foundation.hosts.openssh.ssh_config import config_notes

    return config_notes(inventory)


def settle_programs(inventory: Inventory, options: argparse.Namespace) -> Inventory:
    """The inventory, after what its files would start on this machine was shown or allowed."""
    settled = replace(inventory, programs_allowed=options.allow_programs, hosts_by_name={})
    _ask_about_programs(settled)
    return settled


def _ask_about_programs(inventory: Inventory) -> None:
    """Show once what the site's files would start on this machine, and keep a yes.

    Without a terminal nothing is asked: whoever connects then meets ProgramsNotAllowed.
    """
    if not (inventory.config_of_site or any(host.proxy_command for host in inventory)):
        return
    from foundation.hosts.openssh import allowed

    ask_about_programs(
        allowed.programs_of(inventory),
        "To reach the machines",
        allow=inventory.programs_allowed,
        where=inventory.source or None,
    )


def ask_about_programs(
    programs: Sequence[Program], why: str, *, allow: bool, where: str | None
) -> None:
    """Show once what somebody's files would start on this machine, and keep a yes.

    Without a terminal nothing is asked: whoever starts them then meets ProgramsNotAllowed.
    """
    from foundation.hosts.openssh import allowed

    if not programs or allowed.is_remembered(programs):
        return
    if allow:
        # Said on the command line once, it holds for the commands that have no such option.
        allowed.remember(programs)
        return
    if not sys.stdin.isatty():
        return
    print(f"{why}, these programs would be started on this machine:", file=sys.stderr)
    for program in programs:
        print(f"  {program.place}: {program.whole}", file=sys.stderr)
    from installer.commands.asking import choose

    if choose("Allow exactly these?") != "yes":
        raise allowed.ProgramsNotAllowed(programs, where=where)
    allowed.remember(programs)


def read_credentials(options: argparse.Namespace) -> Credentials:
    """The secrets that the options, the environment or the person give."""
    return Credentials(
        password=_secret(options, "password", "Password of the login: "),
        passphrase=_secret(options, "passphrase", "Passphrase of the private key: "),
        sudo_password=_secret(options, "sudo_password", "Password for sudo: "),
    )


def _secret(options: argparse.Namespace, name: str, prompt: str) -> Secret | None:
    file = getattr(options, f"{name}_file")
    if file is not None:
        return secret_from_file(file)
    if getattr(options, f"ask_{name}"):
        return ask_secret(prompt)
    return secret_from_environment(f"SITEWRIGHT_{name.upper()}")


def ask_secret(prompt: str) -> Secret:
    """A secret typed on the terminal, unseen; raises InputProblem where there is no terminal."""
    import getpass

    if not sys.stdin.isatty():
        raise InputProblem(
            f'a secret should be asked for ("{prompt.strip(": ")}"), and there is no terminal to '
            "ask on",
            where="the command line",
            remedy="Use the option that names a file of mode 0600 instead.",
        )
    return Secret(getpass.getpass(visible(prompt), stream=sys.stderr))


def write_result(
    text: str | Iterable[str],
    output: Path | None,
    *,
    private: bool = False,
    overwrite: bool = False,
    colored: bool = False,
) -> None:
    """A result to standard output or a file; raises InputProblem if the file cannot be written.

    A text may come in pieces. What is somebody else's stays where it is, unless it is said that it
    may be written over. Only of a text that a page of ours coloured are colours let through: others
    may hold a name from elsewhere that hides what stands behind it.
    """
    if output is None:
        piece = ""
        for piece in (text,) if isinstance(text, str) else text:
            if colored:
                styled(piece, sys.stdout)
            else:
                print(visible(piece), end="")
        print("" if piece.endswith("\n") else "\n", end="", flush=True)
        return
    from foundation.named_files import write_named

    write_named(output, text, mode=0o600 if private else 0o644, overwrite=overwrite)


Narrator = Callable[[str], None]


def narrator(options: argparse.Namespace) -> Narrator:
    """What says on standard error how the work goes, or keeps still with --quiet."""

    def say(text: str) -> None:
        if not options.quiet:
            print(text, file=sys.stderr, flush=True)

    return say


def text_style(options: argparse.Namespace) -> tuple[int, bool, bool]:
    """Width, colour and ASCII for a text result, from the options and the terminal."""
    import shutil

    to_screen = options.output is None and sys.stdout.isatty()
    width = options.width or (shutil.get_terminal_size((80, 24)).columns if to_screen else 80)
    color = options.color == "always" or (
        options.color == "auto"
        and to_screen
        and not os.environ.get("NO_COLOR")
        and os.environ.get("TERM") not in (None, "dumb")
    )
    encoding = (sys.stdout.encoding or "ascii").lower() if options.output is None else "utf-8"
    ascii_only = options.ascii or not encoding.startswith("utf")
    return max(60, min(width, 120)), color, ascii_only

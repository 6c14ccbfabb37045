"""`sitewright init`: a commented site file, complete but for what only a person can know."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from shlex import quote

from foundation.problems import ExitCode, InputProblem


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `sitewright init`."""
    parser.add_argument(
        "machines", nargs="*", metavar="MACHINE", help="[name=][user@]host[:port], or `local`"
    )
    parser.add_argument(
        "--solution", required=True, metavar="ID", help="see `sitewright solutions`"
    )
    parser.add_argument("--environment", metavar="NAME", help="production, staging, …")
    parser.add_argument("--sizing", metavar="ID", help="another published sizing table")
    parser.add_argument(
        "--inventory", type=Path, metavar="FILE", help="an Ansible inventory, or a list"
    )
    parser.add_argument(
        "--output", type=Path, default=Path("site.yaml"), metavar="FILE",
        help="a new file (default: site.yaml)",
    )  # fmt: skip


def run(options: argparse.Namespace) -> int:
    """Write the file, which must not be there, and tell what is left to be filled in."""
    from installer.new_site import new_site_text, refuse_words_for_ssh
    from installer.opened_before import remember_own
    from installer.site import load_site_text, unfilled
    from installer.solution import load_solution

    if options.machines and options.inventory:
        raise InputProblem(
            "machines and --inventory each name the machines; give one of them",
            where="the command line",
        )
    solution = load_solution(options.solution)
    needs = solution.needs(options.environment, options.sizing)
    hosts = []
    if options.inventory:
        from foundation.hosts.inventory import read_inventory_file

        read = read_inventory_file(options.inventory)
        refuse_words_for_ssh(read.hosts, options.inventory)
        hosts = list(read.hosts)
        for note in read.notes:
            print(f"Note: {note}.", file=sys.stderr)
    elif options.machines:
        from foundation.hosts.inventory import hosts_from_arguments

        hosts = list(hosts_from_arguments(options.machines))
    text = new_site_text(solution, needs, hosts)
    left = unfilled(load_site_text(text, str(options.output)))
    _write_new(options.output, text)
    remember_own(options.output)
    file = quote(str(options.output))
    print(f"{options.output} was written.")
    if left:
        print(f"What only you can know is to be filled in: {', '.join(left)}.")
    print(f"Then: sitewright trust --site {file}; sitewright preflight --site {file}")
    return ExitCode.DONE


def _write_new(path: Path, text: str) -> None:
    """Write a file that is not there yet; raises InputProblem, and never writes over anything."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        raise InputProblem(
            "there is something with this name already, and it is left as it is",
            where=str(path),
            remedy="Name a new file: --output FILE.",
        ) from error
    except OSError as error:
        raise InputProblem(
            f"the file cannot be written: {error.strerror or error}",
            where=str(path),
            remedy="Name a file in a folder that exists and that you may write to.",
        ) from error

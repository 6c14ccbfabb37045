"""`sitewright init`: a commented site file, complete but for what only a person can know."""

from __future__ import annotations

import argparse
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
    from installer.catalogue.solution import load_solution
    from installer.planning.new_site_file import write_new_site

    if options.machines and options.inventory:
        raise InputProblem(
            "machines and --inventory each name the machines; give one of them",
            where="the command line",
        )
    solution = load_solution(options.solution)
    needs = solution.needs(options.environment, options.sizing)
    hosts = []
    if options.inventory:
        from foundation.hosts.ansible.inventory import read_inventory_file

        read = read_inventory_file(options.inventory)
        hosts = list(read.hosts)
        for note in read.notes:
            print(f"Note: {note}.", file=sys.stderr)
    elif options.machines:
        from foundation.hosts.ansible.inventory import hosts_from_arguments

        hosts = list(hosts_from_arguments(options.machines))
    left = write_new_site(solution, needs, hosts, options.output).left
    file = quote(str(options.output))
    print(f"{options.output} was written.")
    if left:
        print(f"What only you can know is to be filled in: {', '.join(left)}.")
    print(f"Then: sitewright trust --site {file}; sitewright preflight --site {file}")
    return ExitCode.DONE

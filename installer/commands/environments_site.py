"""`sitewright environments site`: a site file whose machines are an environment's outputs."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from shlex import quote

from foundation.problems import ExitCode, InputProblem
from installer.commands.environments import asker_of, read_named, secrets_of


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `sitewright environments site`."""
    parser.add_argument("name", metavar="NAME", help="the environment")
    parser.add_argument("--centre", type=Path, default=Path(), metavar="FOLDER",
                        help="the control centre's folder (default: this one)")  # fmt: skip
    parser.add_argument("--solution", metavar="ID", help="see `sitewright solutions`")
    parser.add_argument("--environment", metavar="NAME", help="production, staging, …")
    parser.add_argument("--sizing", metavar="ID", help="another published sizing table")
    parser.add_argument(
        "--role", action="append", default=[], metavar="GROUP=ROLE",
        help="which role the machines of an output GROUP_hosts have",
    )  # fmt: skip
    parser.add_argument(
        "--output", type=Path, default=Path("site.yaml"), metavar="FILE",
        help="a new file (default: site.yaml)",
    )  # fmt: skip
    parser.add_argument(
        "--against", type=Path, metavar="FILE",
        help="write nothing: tell what this site file says otherwise",
    )  # fmt: skip
    parser.add_argument(
        "--secret-file", action="append", default=[], metavar="NAME=FILE",
        help="a secret of the environment, in a file of mode 0600",
    )  # fmt: skip


def run(options: argparse.Namespace) -> int:
    """Read the outputs, and write the file, or hold one against them."""
    from installer.environments.hosts import differences, machines_of
    from installer.environments.plans import ready_plan

    if options.against is None and not options.solution:
        raise InputProblem(
            "which solution the site is of is not said",
            where="--solution",
            remedy="See `sitewright solutions`, or hold a file against them: --against FILE.",
        )
    environment, tool = read_named(options)
    secrets = secrets_of(environment, ready_plan(environment, tool), options)
    text = asker_of(environment, tool, secrets).outputs()
    found = machines_of(text, where=environment.name, roles=_roles(options.role))
    for note in found.notes:
        print(f"Note: {note}.", file=sys.stderr)
    if options.against is not None:
        from installer.sites.site import load_site

        site = load_site(options.against)
        said = differences(found.hosts, site.hosts, site.ssh.user)
        print("\n".join(said) or "The site file names the machines of the outputs.")
        return ExitCode.NOT_READY if said else ExitCode.DONE
    from installer.catalogue.solution import load_solution
    from installer.planning.new_site_file import write_new_site

    solution = load_solution(options.solution)
    needs = solution.needs(options.environment, options.sizing)
    left = write_new_site(solution, needs, found.hosts, options.output).left
    file = quote(str(options.output))
    print(f"{options.output} was written, with {len(found.hosts)} of its machines.")
    if left:
        print(f"What only you can know is to be filled in: {', '.join(left)}.")
    print(f"Then: sitewright trust --site {file}; sitewright preflight --site {file}")
    return ExitCode.DONE


def _roles(words: list[str]) -> dict[str, str]:
    found = {}
    for word in words:
        group, equals, role = word.partition("=")
        if not equals or not group or not role:
            raise InputProblem(
                f'"{word}" says no role', where="--role", remedy="Write it as --role agent=worker."
            )
        found[group] = role
    return found

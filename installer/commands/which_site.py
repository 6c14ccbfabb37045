"""Which site a command is about: a site file, or the one kept for a solution on this machine."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

from foundation.paths import data_folder, write_private
from foundation.problems import InputProblem
from foundation.wording import counted

if TYPE_CHECKING:
    from installer.catalogue.solution import Solution
    from installer.sites.site import Site


def add_site_options(parser: argparse.ArgumentParser) -> None:
    """Name a site by its file, or by its solution where Sitewright keeps it."""
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--site", type=Path, metavar="FILE", help="a site file")
    which.add_argument(
        "--solution", metavar="ID", help="instead: the one of this solution that is kept here"
    )


def add_new_site_options(parser: argparse.ArgumentParser) -> None:
    """What makes a site without a file: a solution for one machine, and its settings."""
    parser.add_argument("--environment", metavar="ID", help="with --solution: instead of its own")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        dest="given",
        help="with --solution: a setting; see `sitewright solutions ID`",
    )
    parser.add_argument(
        "--machine",
        metavar="MACHINE",
        help="with --solution: [name=][user@]host[:port]; without it, that of the last time, or "
        "else this machine",
    )


def kept_site_file(solution: str) -> Path:
    """Where the site of a solution is kept that was made from options."""
    return data_folder() / "sites" / f"{solution}.yaml"


def as_named(options: argparse.Namespace) -> str:
    """The words that name the same site in another command: " --solution core-test-harness"."""
    if options.site is not None:
        return f" --site {quote(str(options.site))}"
    return f" --solution {quote(options.solution)}" if options.solution else ""


def site_file_of(options: argparse.Namespace) -> Path:
    """The site file that the options name; raises InputProblem."""
    if (options.site is None) == (options.solution is None):
        raise InputProblem(
            "neither a site file nor a solution is named"
            if options.site is None
            else "--site and --solution each name the site; give one of them",
            where="the command line",
            remedy=f"Give --site FILE, or --solution ID for what was installed here without one"
            f"{_such_as_kept()}.",
        )
    if options.site is not None:
        return Path(options.site)
    file = kept_site_file(_solution(options.solution).id)
    return file if file.exists() else _recorded_site_file(options.solution)


def _recorded_site_file(solution: str) -> Path:
    """The site file of what the record has of a solution, by the wizard most of all.

    Raises InputProblem where there is none, or where it may be one of several.
    """
    files = _recorded(solution)
    if not files:
        raise InputProblem(
            f"{solution} was not installed from here",
            where="--solution",
            remedy=f"Install it: sitewright install --solution {solution}; or give the "
            "site file: --site FILE.",
        )
    if len(files) > 1:
        raise InputProblem(
            f"{solution} was installed from here on {counted(len(files), 'site')}",
            where="--solution",
            remedy="Name the one that you mean: "
            + " or ".join(f"--site {quote(str(file))}" for file in files),
        )
    print(f"The site is that of its last installation: {files[0]}", file=sys.stderr)
    return files[0]


def _recorded(solution: str) -> list[Path]:
    """The site files of the last installations of a solution, one a site, the latest first."""
    from installer.record.runs import installed_sites, latest_run

    files = []
    for key in installed_sites():
        run = latest_run(key)
        try:
            if run is not None and run.site_file.is_file() and run.plan().solution == solution:
                files.append(run.site_file)
        except InputProblem:
            continue  # a plan that cannot be read is told by what asks for its site
    return files


def _such_as_kept() -> str:
    """The sites that are kept here, as words for the end of a sentence."""
    kept = sorted(file.stem for file in (data_folder() / "sites").glob("*.yaml"))
    return f": --solution {quote(kept[0])}" if len(kept) == 1 else ""


def new_site_file(options: argparse.Namespace) -> Path:
    """The site file of an installation, made from the options where they name a solution.

    The site that is kept is taken up again, with what the options say anew. Raises InputProblem.
    """
    if options.site is not None or options.solution is None:
        if options.given or options.machine or options.environment:
            raise InputProblem(
                "--set, --machine and --environment make a site, and a site file is one",
                where="the command line",
                remedy="Write them into the site file, or give --solution instead.",
            )
        return site_file_of(options)
    from installer.sites.site import dump_site, load_site
    from installer.supply.opened_before import remember_own

    solution = _solution(options.solution)
    file = kept_site_file(solution.id)
    # What the wizard installed is gone on with, where there is no doubt which.
    there = [file] if file.exists() else _recorded(solution.id)
    before = load_site(there[0]) if len(there) == 1 else None
    site = made_site(
        solution,
        before,
        environment=options.environment,
        machine=options.machine,
        given=options.given,
    )
    if before != site:
        write_private(file, dump_site(site))
        remember_own(file)
        print(f"The site is kept in {file}", file=sys.stderr)
    elif not options.machine:
        # Whoever means this machine must see where the last time's words lead.
        names = ", ".join(host.address for host in site.hosts)
        print(
            f"The site is that of the last time, kept in {file}: {names}. "
            "Another machine: --machine; this one: --machine local.",
            file=sys.stderr,
        )
    return file


def made_site(
    solution: Solution,
    before: Site | None,
    *,
    environment: str | None = None,
    machine: str | None = None,
    given: Sequence[str] = (),
) -> Site:
    """A site of one machine, from options and what was kept before; raises InputProblem."""
    from foundation.hosts.ansible.inventory import hosts_from_arguments
    from foundation.hosts.model import LOCAL_ADDRESS
    from installer.catalogue.settings import answers
    from installer.planning.make import load_settings
    from installer.sites.site import Site, SiteHost

    chosen = solution.environment(environment or (before.environment if before else None))
    if not chosen.single_machine:
        raise InputProblem(
            f"{solution.title} ({chosen.id}) needs several machines",
            where="--solution",
            remedy="Write a site file, or make one in the wizard: sitewright.",
        )
    roles = tuple(role.id for role in solution.roles)
    hosts = before.hosts if before else ()
    if machine is not None:
        (host,) = hosts_from_arguments([machine])
        hosts = (
            SiteHost(name=host.name, address=host.address, user=host.user, roles=roles,
                     port=host.own_port),
        )  # fmt: skip
    elif not hosts:
        name = os.uname().nodename.lower() or "this-machine"
        hosts = (SiteHost(name=name, address=LOCAL_ADDRESS, roles=roles),)
    settings: dict[str, Any] = dict(before.settings) if before else {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals:
            raise InputProblem(
                f'"{text}" is no setting', where="--set", remedy="Write it as --set name=value."
            )
        settings[name] = value
    answers(
        load_settings(solution),
        settings,
        where="--set",
        remedy=f"See what there is to set: sitewright solutions {solution.id}",
    )
    values: dict[str, Any] = before.model_dump(exclude_unset=True) if before else {}
    return Site.model_validate(
        {
            **values,
            "solution": solution.id,
            "environment": chosen.id,
            "hosts": [host.model_dump(exclude_unset=True) for host in hosts],
            "settings": settings,
        }
    )


def _solution(name: str) -> Solution:
    from installer.catalogue.solution import load_solution

    return load_solution(name)

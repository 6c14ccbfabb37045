"""What the commands about one machine of a site share: the site and the machine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from foundation.problems import InputProblem
from foundation.wording import listed, nearest

if TYPE_CHECKING:
    from installer.catalogue.solution import Solution
    from installer.sites.site import Site, SiteHost
    from installer.steps.stage_files import OfMachine


def site_of_file(file: Path) -> tuple[Site, Solution]:
    """The site of a file and its solution; raises InputProblem."""
    from installer.catalogue.solution import load_solution
    from installer.sites.site import load_site

    site = load_site(file)
    if site.solution is None:
        raise InputProblem("the site file names no solution", where=str(file))
    return site, load_solution(site.solution)


def host_of(site: Site, name: str, file: Path) -> SiteHost:
    """A machine of a site by its name; raises InputProblem."""
    for host in site.hosts:
        if host.name == name:
            return host
    names = [host.name for host in site.hosts]
    close = nearest(name, names)
    raise InputProblem(
        f'the site has no machine "{name}"' + (f'; did you mean "{close}"?' if close else ""),
        where=str(file),
        remedy=f"Its machines are {listed(names)}.",
    )


def by_hand(solution: Solution, host: SiteHost, able: Sequence[OfMachine], word: str) -> str:
    """What is to be done with a machine for which there is no operation; sentences."""
    said = [role.by_hand for role in solution.roles if role.id in host.roles and role.by_hand]
    roles = sorted({role for of in able for role in of.roles})
    can = f"It can {word} a machine that is {listed(roles, 'or')}" if roles else "Do it by hand"
    return " ".join([*said, f"{can}."])

"""Groups: the machines of a site as a plan knows them, and how playbooks know those.

A machine that is taken out of its site has no role in the plan any more, so that every group, and
what is written into the files of the others, does without it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from foundation.problems import InputProblem
from installer.catalogue.settings import load_settings
from installer.planning.wrong_answers import WrongAnswers

if TYPE_CHECKING:
    from installer.catalogue.solution import Solution
    from installer.sites.site import Site
    from preflight.assessment import Seen


@dataclass(frozen=True, slots=True)
class Machine:
    name: str
    address: str
    roles: tuple[str, ...]


def machines_of(site: Site, seen: Sequence[Seen], leaving: str = "") -> tuple[Machine, ...]:
    """The machines in the site's order; the one that is leaving has no role."""
    addresses = {one.host.name: one.host.address for one in seen}
    return tuple(
        Machine(
            host.name,
            addresses.get(host.name, host.address),
            () if host.name == leaving else host.roles,
        )
        for host in site.hosts
    )


def machine_of(machines: Sequence[Machine], name: str) -> dict[str, str]:
    """What a template may name of the machine that an operation is about; nothing where none is."""
    return next(({"name": m.name, "address": m.address} for m in machines if m.name == name), {})


def groups_of(solution: Solution, machines: Sequence[Machine]) -> dict[str, list[str]]:
    """The groups by which Ansible knows machines: their roles, and what playbooks call those."""
    groups = {name: list(members) for name, members in further_groups(solution, machines)}
    for role in solution.roles:
        members = groups.setdefault(role.id.replace("-", "_"), [])
        members += [m.name for m in machines if role.id in m.roles and m.name not in members]
    return groups


def further_groups(
    solution: Solution, machines: Sequence[Machine]
) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The groups by which customers' playbooks know the roles and clusters, with their machines."""
    groups: dict[str, list[str]] = {}
    for machine in machines:
        for role in solution.roles:
            for group in role.playbook_groups if role.id in machine.roles else ():
                if machine.name not in groups.setdefault(group, []):
                    groups[group].append(machine.name)
        for cluster in solution.file.clusters:
            if cluster.has(machine.roles):
                groups.setdefault(cluster.id.replace("-", "_"), []).append(machine.name)
    return tuple((name, tuple(hosts)) for name, hosts in groups.items())


def variables_of(solution: Solution, site: Site) -> tuple[tuple[str, dict[str, str]], ...]:
    """What each machine's roles say of it there, and the site, which says it of nothing else.

    Raises InputProblem where a variable of the site would speak over a setting, a secret or a role.
    """
    settings = {setting.name for setting in load_settings(solution).settings}
    found = []
    wrong = WrongAnswers()
    for host in site.hosts:
        values: dict[str, str | None] = {}
        for role in solution.roles:
            for name, value in role.playbook_variables.items() if role.id in host.roles else ():
                values[name] = value if values.get(name, value) == value else None
        known = {name: value for name, value in values.items() if value is not None}
        for name, given in host.variables.items():
            said = known.get(name, shown(given))
            if name in settings:
                wrong.add(_spoken_over(host.name, name, "a setting of the whole site"))
            elif said != shown(given):
                wrong.add(_spoken_over(host.name, name, f"{said} by the role of the machine"))
            known[name] = shown(given)
        if known:
            found.append((host.name, known))
    wrong.tell()
    return tuple(found)


def _spoken_over(host: str, name: str, what: str) -> InputProblem:
    return InputProblem(
        f'the variable "{name}" of the machine {host} is {what}',
        where=f"the site file, hosts, {host}, variables",
        remedy="Take it away there, and say it where it belongs: under `settings:`, or by the "
        "roles of the machine.",
    )


def shown(value: object) -> str:
    """A setting as a plan and a playbook have it."""
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)

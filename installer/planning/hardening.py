"""Hardening of a site: which check of its solution's list is put to which machine.

A site whose machines are set up by others may leave settings open; a check whose script names one
of them cannot be asked, and says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from foundation.problems import InputProblem
from installer.catalogue.hardening import HardeningCheck, load_hardening
from installer.catalogue.rendering import Renderer
from installer.catalogue.settings import Value, load_settings, objection, typed_value
from installer.planning.groups import machines_of
from installer.sites.site import FILL_IN
from preflight.findings import Severity
from preflight.hardening import Asked

if TYPE_CHECKING:
    from installer.catalogue.solution import Solution
    from installer.sites.site import Site


@dataclass(frozen=True, slots=True)
class Questions:
    """What is asked of a site: by machine, and what nobody can be asked."""

    of_machines: Mapping[str, tuple[Asked, ...]]
    of_nobody: tuple[Asked, ...]
    """Each says why (`unasked`)."""
    not_due: int
    """How many of the list are for other environments, or for settings that this site has not."""
    by_hand: tuple[str, ...]


def questions(solution: Solution, site: Site) -> Questions:
    """Every check of the list that is due on this site; raises InputProblem."""
    data = load_hardening(solution)
    if not data.checks:
        raise InputProblem(
            f"{solution.title} has no list of hardening checks", where=f"solution {solution.id}"
        )
    environment = solution.environment(site.environment).id
    values = _values(solution, site)
    everyone = machines_of(site, ())
    machines = [(machine.name, machine.roles) for machine in everyone]
    by_role = {
        role.id.replace("-", "_"): [
            {"name": one.name, "address": one.address} for one in everyone if role.id in one.roles
        ]
        for role in solution.roles
    }
    known = {**values, "environment": environment, "hosts_by_role": by_role}
    renderer = Renderer(known, solution.folder)
    of_machines: dict[str, list[Asked]] = {}
    of_nobody: list[Asked] = []
    not_due = 0
    for check in data.checks:
        if not _is_due(check, environment, values):
            not_due += 1
            continue
        asked = _asked(check, renderer, data.prelude)
        names = () if asked.unasked else _machines(check, machines)
        if not asked.unasked and not names:
            roles = " or ".join(check.on)
            asked = replace(asked, unasked=f"no machine of this site has the role {roles}")
        if asked.unasked:
            of_nobody.append(asked)
        for name in names:
            of_machines.setdefault(name, []).append(asked)
    return Questions(
        {name: tuple(found) for name, found in of_machines.items()},
        tuple(of_nobody),
        not_due,
        data.by_hand,
    )


def _machines(
    check: HardeningCheck, machines: list[tuple[str, tuple[str, ...]]]
) -> tuple[str, ...]:
    found = [name for role in check.on for name, roles in machines if role in roles]
    names = tuple(dict.fromkeys(found))
    return names[:1] if check.once else names


def _is_due(check: HardeningCheck, environment: str, values: Mapping[str, Value]) -> bool:
    if check.environments and environment not in check.environments:
        return False
    name = check.when.removeprefix("not ")
    return not name or bool(values.get(name)) is not check.when.startswith("not ")


def _asked(check: HardeningCheck, renderer: Renderer, prelude: str) -> Asked:
    where = f"hardening.yaml, {check.id}"
    asked = Asked(
        name=check.id,
        title=check.title,
        otherwise=check.otherwise,
        script="",
        expected=check.expected,
        see=check.see,
        remedy=check.remedy,
        source=check.source,
        severity=Severity(check.severity),
    )
    try:
        return replace(
            asked,
            script=renderer.script(f"{prelude}\n{check.script}", where=where),
            see=renderer.text(check.see, where=where),
            remedy=renderer.text(check.remedy, where=where),
        )
    except InputProblem as problem:
        return replace(asked, unasked=f"the site does not say what it needs: {problem.cause}")


def _values(solution: Solution, site: Site) -> dict[str, Value]:
    """The settings that the site gives or that have a default; what is open is left out."""
    values: dict[str, Value] = {}
    for setting in load_settings(solution).settings:
        given = site.settings.get(setting.name)
        text = ("yes" if given else "no") if isinstance(given, bool) else given
        text = setting.default if text is None or text == FILL_IN else str(text)
        if setting.type == "secret" or text is None:
            continue
        if text and (wrong := objection(setting, text)):
            raise InputProblem(
                f'"{setting.name}" is {text!r}: {wrong[0].lower()}{wrong[1:-1]}',
                where="the site's settings",
            )
        values[setting.name] = typed_value(setting, text)
    return values

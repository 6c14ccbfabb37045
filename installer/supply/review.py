"""Review: what a person sees of a plan beside its steps, in words that every face shows.

What is reviewed is what runs: what a site, its repository and its bundle bring that no step names
stands here, from the plan itself, and so under its hash.
"""

from __future__ import annotations

from collections.abc import Mapping

from foundation.problems import Problem
from foundation.wording import counted, human_size
from installer.plans.pinned_playbooks import SITE
from installer.plans.plan import Plan
from installer.supply.supplies import whose_word


def beside_the_steps(plan: Plan, *, full: bool = False, notes: bool = True) -> list[str]:
    """Sentences, the most telling first.

    `full` adds the settings as they are used, and what the roles of a machine bring by themselves;
    `notes` says whether what is only to be minded is there too.
    """
    lines = []
    for name, folder, pinned in plan.carries:
        if name == SITE:
            lines.append(
                f"Playbooks of your own run, from {folder}, as they are now ({pinned[:12]}). They "
                "are programs: what they do is theirs."
            )
    usual = frozenset() if full else _of_roles(plan)
    by_values: dict[str, list[str]] = {}
    for host, values in plan.variables:
        told = ", ".join(f"{n} = {value}" for n, value in values.items() if n not in usual)
        if told:
            by_values.setdefault(told, []).append(host)
    for told, hosts in by_values.items():
        lines.append(f"Variables of {', '.join(hosts)} for playbooks: {told}")
    for group, members in plan.groups if full else ():
        lines.append(f"Group of {', '.join(members)} for playbooks: {group}")
    lines += plan.ways
    supplies = dict(plan.supplies)
    if supplies:
        lines.append(
            f"Supplied from {supplies['bundle']}{_how_much(supplies)}, index "
            f"{supplies['index'][7:19]}; {whose_word(plan)}."
        )
        if supplies.get("older"):
            by = supplies.get("older_by")
            whose = f"by the word of {by}" if by else "(--allow-older)"
            lines.append(f"An older bundle than the site had is allowed {whose}.")
    lines += [f"Mind: {note}" for note in plan.notes if notes]
    if full and plan.settings:
        lines.append("Settings as they are used:")
        lines += [f"  {name} = {value}" for name, value in plan.settings if value]
    return lines


def _how_much(supplies: Mapping[str, str]) -> str:
    if not all(supplies.get(name, "").isdecimal() for name in ("items", "bytes")):
        return ""  # a plan of an earlier version does not say
    return f" ({counted(int(supplies['items']), 'item')}, {human_size(int(supplies['bytes']))})"


def _of_roles(plan: Plan) -> frozenset[str]:
    """The names of variables that the solution itself gives to the machines of a role."""
    from installer.catalogue.solution import load_solution

    try:
        roles = load_solution(plan.solution).roles
    except Problem:
        return frozenset()  # a plan of another version may be of a solution that we do not know
    return frozenset(name for role in roles for name in role.playbook_variables)

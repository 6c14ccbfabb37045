"""Review: what a person sees of a plan beside its steps, in words that every face shows.

What is reviewed is what runs: what a site, its repository and its bundle bring that no step names
stands here, from the plan itself, and so under its hash.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from installer.carried import SITE

if TYPE_CHECKING:
    from installer.supplies import whose_word
from installer.plan import Plan


def beside_the_steps(plan: Plan, *, full: bool = False) -> list[str]:
    """Sentences, the most telling first; `full` adds the settings as they are used."""
    lines = []
    for name, folder, pinned in plan.carries:
        if name == SITE:
            lines.append(
                f"Playbooks of your own run, from {folder}, as they are now ({pinned[:12]}). They "
                "are programs: what they do is theirs."
            )
    lines += [f"Mind: {note}" for note in plan.notes]
    for host, values in plan.variables:
        told = ", ".join(f"{name} = {value}" for name, value in values.items())
        lines.append(f"Variables of {host} for playbooks: {told}")
    for group, hosts in plan.groups:
        lines.append(f"Group of {', '.join(hosts)} for playbooks: {group}")
    supplies = dict(plan.supplies)
    if supplies:
        lines.append(
            f"Supplied from {supplies['bundle']}, index {supplies['index'][7:19]}; "
            f"{whose_word(plan)}."
        )
        if supplies.get("older"):
            lines.append("An older bundle than the site had is allowed (--allow-older).")
    if full and plan.settings:
        lines.append("Settings as they are used:")
        lines += [f"  {name} = {value}" for name, value in plan.settings if value]
    return lines

"""Selectors: which items of a bundle go to a machine, as `kind:glob`.

images:docker.io/mojaloop/*   debs:*   snaps:microk8s   files:kubectl   charts:*   git:site
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Sequence
from typing import Final

from bundles.deliver.on_machine.runtimes import RUNTIMES
from bundles.format import media
from bundles.format.layout import Item
from foundation.problems import InputProblem

KINDS: Final = {
    "images": media.IMAGE,
    "charts": media.CHART,
    "debs": "deb",
    "snaps": "snap",
    "wheels": "wheel",
    "git": "git",
    "files": "file",
}
"""The word of a selector, and the kind of item that it chooses."""

TARGETS: Final = {
    **dict.fromkeys(RUNTIMES, ("images",)),
    "apt": ("debs",),
    "snap": ("snaps",),
    "folder": ("files", "charts", "wheels", "git", "snaps", "debs"),
}
"""Where items may go, and what can go there."""


def parse_selector(text: str, *, where: str | None = None) -> tuple[str, str]:
    """A selector's kind of item and its glob; raises InputProblem."""
    word, colon, glob = text.partition(":")
    if not colon or not glob or word not in KINDS:
        raise InputProblem(
            f'"{text}" chooses nothing of a bundle',
            where=where,
            remedy=f"Write KIND:NAME, such as images:docker.io/*; kinds are {', '.join(KINDS)}.",
        )
    return KINDS[word], glob


def check_target(selectors: Sequence[str], target: str, *, where: str | None = None) -> None:
    """Raise InputProblem where something cannot go to a target."""
    if target not in TARGETS:
        raise InputProblem(
            f'nothing can be delivered to "{target}"',
            where=where,
            remedy=f"Choose one of: {', '.join(TARGETS)}.",
        )
    for selector in selectors:
        parse_selector(selector, where=where)
        word = selector.partition(":")[0]
        if word not in TARGETS[target]:
            raise InputProblem(
                f"{selector} cannot be delivered to {target}",
                where=where,
                remedy=f"{target} takes {', '.join(TARGETS[target])}.",
            )


def select(
    items: Iterable[Item], selectors: Sequence[str], *, where: str | None = None
) -> tuple[Item, ...]:
    """The items that the selectors choose, in the bundle's order.

    Raises InputProblem that names every selector for which the bundle has nothing.
    """
    all_items = tuple(items)
    chosen: set[int] = set()
    empty = []
    for selector in selectors:
        kind, glob = parse_selector(selector, where=where)
        found = [
            place
            for place, item in enumerate(all_items)
            if item.kind == kind and fnmatch.fnmatchcase(item.name, glob)
        ]
        if not found:
            empty.append(selector)
        chosen.update(found)
    if empty:
        raise InputProblem(
            f"the bundle has nothing for {', '.join(empty)}",
            where=where,
            remedy="See what it has with `sitewright bundle inspect BUNDLE`, and make it again "
            "with a recipe that names what is missing.",
        )
    return tuple(all_items[place] for place in sorted(chosen))

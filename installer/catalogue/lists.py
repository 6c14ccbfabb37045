"""Lists of a solution: things of one kind in their order, for each of which a step is done."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from pydantic import Field, RootModel

from foundation.documents import load_yaml
from foundation.problems import InputProblem
from installer.catalogue.stages import StrictData


class Entry(StrictData):
    """One thing of a list."""

    name: str = Field(pattern=r"^[a-z][a-z0-9-]*$")
    group: str = ""
    """With which of its neighbours it belongs together, as the document calls them."""
    minutes: float | None = Field(default=None, gt=0)
    """What it usually takes; None where the step's own time says it."""
    knows: dict[str, str] = Field(default_factory=dict)
    """What templates know of it besides, as `each.WORD`: a chart, a version, a namespace."""


class _File(RootModel[dict[str, tuple[Entry, ...]]]):
    """A file of lists; an Ansible playbook may read the same file as its variables."""


@cache
def entries_of(folder: Path, file: str, key: str) -> tuple[Entry, ...]:
    """A list of a solution's folder, in its order; raises InputProblem."""
    path = folder / file
    lists = load_yaml(_File, path).root
    if key not in lists:
        raise InputProblem(
            f'it has no list "{key}"', where=str(path), remedy=f"It has {', '.join(lists)}."
        )
    return once(lists[key], where=f"{path}, {key}")


def once(entries: tuple[Entry, ...], *, where: str) -> tuple[Entry, ...]:
    """The entries, each of whose names stands there once; raises InputProblem."""
    seen: set[str] = set()
    for entry in entries:
        if entry.name in seen:
            raise InputProblem(
                f'"{entry.name}" stands there twice', where=where, remedy="Take one of them away."
            )
        seen.add(entry.name)
    return entries

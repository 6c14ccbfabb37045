"""Use: what a solution's folder holds and nobody needs, and steps that leave something for good."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from foundation.bounded_files import read_text
from foundation.documents import SIZE_LIMIT
from installer.catalogue.settings import load_settings
from installer.catalogue.solution import Solution
from installer.planning.folder.reading import stages
from installer.planning.folder.wrong import Folder, Wrong
from installer.steps.kind import CHANGES_NOTHING, KINDS

_BROUGHT: Final = ("scripts", "templates")
"""Folders of files that a step, or another such file, has to name."""


def unused_roles(folder: Folder, solution: Solution) -> Iterator[Wrong]:
    """Roles of which no table says how large, and no step and no port what for."""
    sized = {row.role for table in solution.sizings for row in table.roles}
    named = {word.rpartition(":")[2] for _, stage, _ in stages(folder) for step in stage.steps
             for word in step.on}  # fmt: skip
    ports = {
        name
        for table in solution.port_tables
        for line in table.ports
        for name in (*line.on, *line.reached_from)
    }
    for at, role in enumerate(solution.roles):
        if role.id not in sized | named | ports:
            says = (
                f'the role "{role.id}" is in no table of sizes or ports, and no step is done on it'
            )
            remedy = "Say in sizing.yaml how large its machine is, or take the role away."
            yield folder.wrong("solution.yaml", ("roles", at), says, remedy)


def unused_settings(folder: Folder, solution: Solution) -> Iterator[Wrong]:
    """Settings that are asked for and come to nothing."""
    settings = load_settings(solution).settings
    of_others = {one.when.removeprefix("not ") for one in settings}
    of_others |= {one.demand.when.removeprefix("not ") for one in settings if one.demand}
    of_others |= {
        name for one in settings if one.disks for name in (one.disks.wiped, one.disks.group)
    }
    supplied = " ".join(one.supplied for one in settings)
    elsewhere = "\n".join(
        text for path, text in texts_of(solution).items() if path != folder.path / "settings.yaml"
    )
    for at, one in enumerate(settings):
        word = re.compile(rf"\b{one.name}\b")
        by_itself = one.disks is not None
        if by_itself or one.name in of_others or word.search(supplied) or word.search(elsewhere):
            continue
        says = f'the setting "{one.name}" is asked for, and nothing in the folder names it'
        remedy = "Use it in a step or a template, or take it away."
        yield folder.wrong("settings.yaml", ("settings", at), says, remedy)


def unused_files(folder: Folder, solution: Solution) -> Iterator[Wrong]:
    """Scripts and templates that no step and no other file names."""
    every = texts_of(solution)
    for top in _BROUGHT:
        for path in sorted((folder.path / top).rglob("*")):
            if not path.is_file() or "__pycache__" in path.parts:
                continue
            if not any(path.name in text for other, text in every.items() if other != path):
                name = str(path.relative_to(folder.path))
                remedy = "Name it in a step, or take it away."
                yield Wrong(name, 0, "no step and no other file names it", remedy)


def left_for_good(folder: Folder) -> Iterator[Wrong]:
    """Steps that change something, and do not say how that is taken back."""
    for file, stage, installs in stages(folder):
        for at, step in enumerate(stage.steps if installs else ()):
            says_it = step.undo or step.irreversible or step.by_hand
            if says_it or step.kind in CHANGES_NOTHING or KINDS[step.kind].knows_undo:
                continue
            yield folder.wrong(
                file,
                ("stage", "steps", at),
                f'the step "{step.id}" does not say how it is taken back',
                "Give it `undo`; or say why it cannot be (`irreversible`), or how a person does "
                "it (`by_hand`).",
            )


def texts_of(solution: Solution) -> Mapping[Path, str]:
    """Every text of a solution's folder and of its playbooks, by where it lies."""
    found = {}
    tops = {solution.folder, solution.playbooks}
    for path in sorted({path for top in tops if top.is_dir() for path in top.rglob("*")}):
        if path.is_file() and "__pycache__" not in path.parts:
            try:
                found[path] = read_text(path, SIZE_LIMIT)
            except (OSError, UnicodeDecodeError):
                continue  # a program or an archive names no setting
    return found

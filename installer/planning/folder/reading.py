"""Reading: every file of a solution's folder by itself; one that is broken hides no other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel

from foundation.documents import load_yaml
from foundation.problems import InputProblem
from foundation.wording import nearest
from installer.catalogue.calculators import FILE as CALCULATORS
from installer.catalogue.hardening import FILE as HARDENING
from installer.catalogue.hardening import read_hardening
from installer.catalogue.lines import FILE as LINES
from installer.catalogue.lines import LinesFile
from installer.catalogue.releases import SUPPORT, SupportFile
from installer.catalogue.solution_files import PortsFile, SizingFile, SolutionFile
from installer.catalogue.stages import Settings
from installer.planning.folder.wrong import Folder, Wrong
from installer.steps.stage_files import Stage, read_operation, read_stage

BASIC: Final[dict[str, type[BaseModel]]] = {
    "solution.yaml": SolutionFile,
    "sizing.yaml": SizingFile,
    "ports.yaml": PortsFile,
}
"""Without these there is no solution."""
_OTHERS: Final = ("settings.yaml", CALCULATORS, "bundle.yaml", HARDENING, LINES, SUPPORT)
"""Further files of its top that somebody reads."""


def broken(folder: Folder) -> Iterator[Wrong]:
    """What is wrong in each file alone: its YAML, its keys, its values."""
    for name, model in BASIC.items():
        yield from _read(folder, name, partial(load_yaml, model))
    if (folder.path / "settings.yaml").exists():
        yield from _read(folder, "settings.yaml", partial(load_yaml, Settings))
    if (folder.path / LINES).exists():
        yield from _read(folder, LINES, partial(load_yaml, LinesFile))
    if (folder.path / SUPPORT).exists():
        yield from _read(folder, SUPPORT, partial(load_yaml, SupportFile))
    if (folder.path / HARDENING).exists():
        yield from _read(folder, HARDENING, read_hardening)
    for path in sorted(folder.path.glob("stages/*.yaml")):
        yield from _read(folder, f"stages/{path.name}", read_stage)
    for path in sorted(folder.path.glob("operations/*.yaml")):
        yield from _read(folder, f"operations/{path.name}", read_operation)
    for path in sorted(folder.path.rglob("*.yml")):
        if path.parent in (folder.path, folder.path / "stages", folder.path / "operations"):
            name = str(path.relative_to(folder.path))
            yield Wrong(name, 0, "nobody reads it", f"Call it {path.stem}.yaml.")


def unread(folder: Folder, lists: set[str]) -> Iterator[Wrong]:
    """Files of the top that nobody reads; `lists` are those that steps name."""
    known = {*BASIC, *_OTHERS, *lists}
    for path in sorted(folder.path.glob("*.yaml")):
        if path.name not in known:
            close = nearest(path.name, sorted(known))
            remedy = f"Did you mean {close}?" if close else "Take it away, or have a step name it."
            yield Wrong(path.name, 0, "nobody reads it", remedy)


def stages(folder: Folder) -> Iterator[tuple[str, Stage, bool]]:
    """Every stage and operation by its file, with whether it is a stage of the installation."""
    for path in sorted(folder.path.glob("stages/*.yaml")):
        yield f"stages/{path.name}", read_stage(path), True
    for path in sorted(folder.path.glob("operations/*.yaml")):
        yield f"operations/{path.name}", read_operation(path).operation, False


def _read(folder: Folder, name: str, read: Callable[[Path], Any]) -> Iterator[Wrong]:
    try:
        read(folder.path / name)
    except InputProblem as problem:
        yield from folder.of_problem(problem, name)

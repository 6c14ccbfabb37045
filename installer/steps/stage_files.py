"""Stage files: the stages and operations of a solution's folder, each a YAML file read once."""

from __future__ import annotations

import functools
import operator
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field

from foundation.documents import load_yaml
from foundation.problems import InputProblem
from installer.catalogue.stages import StepData, StrictData
from installer.steps.kind import KINDS, step_kind

if TYPE_CHECKING:
    from installer.catalogue.solution import Solution


if TYPE_CHECKING:
    Step = StepData
else:
    _models = functools.reduce(operator.or_, (step_kind(name).model for name in KINDS))
    Step = Annotated[_models, Field(discriminator="kind")]


class Stage(StrictData):
    """A part of an installation that is worth a line on the rail."""

    id: str = Field(pattern=r"^[a-z][a-z0-9-]*$")
    title: str
    why: str
    """One sentence: why this stage exists."""
    source: str
    """The document and section."""
    needs: tuple[str, ...] = ()
    """Stages that must be done before."""
    when: str = ""
    recheck: tuple[str, ...] = ()
    """Preflight checks (ids, or areas with a star) that must still hold when it starts."""
    steps: Annotated[tuple[Step, ...], Field(min_length=1)]


class _StageFile(BaseModel):
    """The one key of a stage file."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)
    stage: Stage


class OfMachine(StrictData):
    """What an operation on one machine of a site says besides; its steps know it as `machine`."""

    roles: Annotated[tuple[str, ...], Field(min_length=1)]
    """The roles that it is for: a machine has one of them."""
    beside: tuple[str, ...] = ()
    """Roles that it may have besides: one with any other is none for it."""
    dead: bool = False
    """Whether the machine is one that is dead and is replaced; else it lives, and is taken out."""
    then: tuple[str, ...] = ()
    """Stages of the installation that are done again afterwards, for the machines that stay."""
    left: str = ""
    """What is left to a person once it is done, sentences."""

    def fits(self, roles: Sequence[str]) -> bool:
        """Whether it is for a machine of these roles."""
        return bool(set(roles) & set(self.roles)) and set(roles) <= {*self.roles, *self.beside}


class EachMachine(StrictData):
    """What an operation does with one machine after another, each a stage of its own behind it.

    Its steps and its title know the machine as `machine`.
    """

    roles: Annotated[tuple[str, ...], Field(min_length=1)]
    """The roles whose machines it is for, in this order; who has several comes with the last."""
    title: str
    why: str
    steps: Annotated[tuple[Step, ...], Field(min_length=1)]


class OperationFile(BaseModel):
    """An operation's file; an operation is made like a stage."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)
    operation: Stage
    of_machine: OfMachine | None = None
    each: EachMachine | None = None
    of_backup: bool = False
    """Whether it is a part of `sitewright backup` or `restore`; its steps know `backup`."""


def load_stages(solution: Solution) -> tuple[Stage, ...]:
    """The stages of a solution in the order of their files; raises InputProblem."""
    return _read_stages(solution.folder / "stages")


def read_stage(path: Path) -> Stage:
    """The one stage of a file; raises InputProblem."""
    return load_yaml(_StageFile, path).stage


def read_operation(path: Path) -> OperationFile:
    """The one operation of a file, with what it says besides; raises InputProblem."""
    return load_yaml(OperationFile, path)


@cache
def _read_stages(folder: Path) -> tuple[Stage, ...]:
    stages = []
    for path in sorted(folder.glob("*.yaml")):
        stage = load_yaml(_StageFile, path).stage
        if path.stem.partition("-")[2] != stage.id:
            raise InputProblem(
                f'the stage is "{stage.id}" and its file is called {path.name}',
                where=str(path),
                remedy=f"Call the file NN-{stage.id}.yaml.",
            )
        _once("step", [step.id for step in stage.steps], path)
        stages.append(stage)
    _once("stage", [stage.id for stage in stages], folder)
    return tuple(stages)


def load_operations(solution: Solution) -> dict[str, Stage]:
    """What can be done with an installation later (start, stop, remove …); raises InputProblem."""
    files = _read_operations(solution.folder / "operations")
    return {
        name: file.operation
        for name, file in files.items()
        if file.of_machine is None and not file.of_backup
    }


def operations_of_backup(solution: Solution) -> dict[str, Stage]:
    """What is done with the backup of an installation; raises InputProblem."""
    files = _read_operations(solution.folder / "operations")
    return {name: file.operation for name, file in files.items() if file.of_backup}


def operations_of_machines(solution: Solution) -> dict[str, tuple[Stage, OfMachine]]:
    """What can be done with one machine of an installation; raises InputProblem."""
    files = _read_operations(solution.folder / "operations")
    return {n: (one.operation, one.of_machine) for n, one in files.items() if one.of_machine}


def each_machine_of(solution: Solution, operation: str) -> EachMachine | None:
    """What an operation does with one machine after another; None where it does no such thing."""
    file = _read_operations(solution.folder / "operations").get(operation)
    return file.each if file is not None else None


@cache
def _read_operations(folder: Path) -> dict[str, OperationFile]:
    operations = {}
    for path in sorted(folder.glob("*.yaml")):
        file = load_yaml(OperationFile, path)
        operation = file.operation
        if path.stem != operation.id:
            raise InputProblem(
                f'the operation is "{operation.id}" and its file is called {path.name}',
                where=str(path),
                remedy=f"Call the file {operation.id}.yaml.",
            )
        _once("step", [step.id for step in operation.steps], path)
        if file.each is not None:
            _once("step", [step.id for step in file.each.steps], path)
        operations[operation.id] = file
    return operations


def _once(kind: str, names: list[str], path: Path) -> None:
    for name in names:
        if names.count(name) > 1:
            raise InputProblem(
                f'two {kind}s are called "{name}"', where=str(path), remedy="Rename one of them."
            )

"""Hardening lists: what a solution asks of its machines once it runs, as data.

`hardening.yaml` of a solution's folder. How its checks are put to machines is
`preflight.hardening`; for which machines of a site, `installer.planning.hardening`.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, field_validator

from foundation.documents import load_yaml
from installer.catalogue.stages import StrictData

if TYPE_CHECKING:
    from installer.catalogue.solution import Solution

FILE = "hardening.yaml"


class HardeningCheck(StrictData):
    """One check: a piece of shell that only looks, and what it means."""

    id: str = Field(pattern=r"^[a-z][a-z0-9-]*$")
    title: str
    """What is so where it holds."""
    otherwise: str
    """What is so where it does not."""
    on: Annotated[tuple[str, ...], Field(min_length=1)]
    """The roles whose machines are asked."""
    once: bool = False
    """Whether one machine speaks for all: the first that the site has, in the order of `on`."""
    when: str = ""
    """A setting that must be true (or, with "not " before it, false)."""
    environments: tuple[str, ...] = ()
    """Where it is asked; empty is everywhere."""
    script: str
    """It ends with `holds`, `fails WHY` or `untold WHY`, and may begin with `need PROGRAM` and
    `root`. A template; values stand in it quoted. Any other end cannot be told."""
    expected: str
    see: str
    remedy: str
    source: str
    severity: Literal["fail", "warn"] = "fail"


class HardeningFile(StrictData):
    """`hardening.yaml`."""

    prelude: str = ""
    """Shell that stands before each script: functions that several share."""
    by_hand: tuple[str, ...] = ()
    """What the documents ask that no program can see; sentences."""
    checks: tuple[HardeningCheck, ...]

    @field_validator("checks")
    @classmethod
    def _once_each(cls, checks: tuple[HardeningCheck, ...]) -> tuple[HardeningCheck, ...]:
        names = [check.id for check in checks]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f'the check "{name}" stands twice')
        return checks


def load_hardening(solution: Solution) -> HardeningFile:
    """The list of a solution; an empty one where it has none. Raises InputProblem."""
    return read_hardening(solution.folder / FILE)


@cache
def read_hardening(path: Path) -> HardeningFile:
    """The list in a file; an empty one where there is no file. Raises InputProblem."""
    return load_yaml(HardeningFile, path) if path.exists() else HardeningFile(checks=())

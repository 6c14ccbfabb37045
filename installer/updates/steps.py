"""Steps that an upgrade may take, by what its makers say of its data; and of its releases."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict

from bundles.format.reference import parse_reference
from foundation.documents import load_yaml
from foundation.problems import InputProblem
from foundation.wording import listed

_FILE: Final = Path(__file__).parents[1] / "common/updates/steps.yaml"
_NUMBERS: Final = re.compile(r"[vV]?(\d{1,9})(?:\.(\d{1,9}))?(?![\d])", re.ASCII)


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class Steps(_Part):
    """Which steps one kind of program may take."""

    title: str
    repositories: tuple[str, ...]
    lines: tuple[str, ...] = ()
    """Its release lines, the oldest first: from each to the next alone."""
    apart: bool = False
    """Whether no major version reads what another one wrote."""
    around: str
    """What is done instead, a sentence."""
    source: str


class Release(_Part):
    """What the makers of a group of images say of single ones."""

    title: str
    repositories: tuple[str, ...]
    """First parts of their names."""
    says: str
    source: str


class _File(_Part):
    steps: tuple[Steps, ...]
    releases: tuple[Release, ...]


@cache
def _read() -> _File:
    return load_yaml(_File, _FILE)


def against_step(before: str, after: str) -> str:
    """Why a step from one image to another is none that may be taken; "" where nothing is known."""
    try:
        old, new = parse_reference(before), parse_reference(after)
    except InputProblem:
        return ""
    name = old.repository.rpartition("/")[2]
    found = next((one for one in _read().steps if name in one.repositories), None)
    if found is None:
        return ""
    why = _why(found, _numbers(old.tag), _numbers(new.tag))
    return f"{why}. {found.around} ({found.source})" if why else ""


def migration_of(before: str, after: str) -> str:
    """The program that brings its data to another form by this step; "" where none is known to."""
    try:
        old, new = parse_reference(before), parse_reference(after)
    except InputProblem:
        return ""
    name = old.repository.rpartition("/")[2]
    for one in _read().steps:
        if name in one.repositories:
            first, then = (_line(one.lines, _numbers(each.tag)) for each in (old, new))
            if first is not None and then is not None and first != then:
                return f"{one.title} {one.lines[then]}"
    return ""


def _why(steps: Steps, old: tuple[int, ...], new: tuple[int, ...]) -> str:
    if not old or not new:
        return f"which step of {steps.title} it would be does not stand in its tags"
    if steps.apart:
        return "" if old[:1] == new[:1] else f"no {steps.title} {new[0]} reads what {old[0]} wrote"
    first, then = _line(steps.lines, old), _line(steps.lines, new)
    if first is None or then is None:
        return "" if old[:2] == new[:2] else f"whether {steps.title} takes that step is not known"
    if then - first <= 1:
        return ""
    between = listed(steps.lines[first + 1 : then])
    way = f"from {steps.lines[first]} to {steps.lines[then]}"
    return f"{steps.title} does not go {way} but by {between}"


def _line(lines: Sequence[str], numbers: tuple[int, ...]) -> int | None:
    for place, line in enumerate(lines):
        parts = tuple(map(int, line.split(".")))
        if numbers[: len(parts)] == parts:
            return place
    return None


def _numbers(tag: str | None) -> tuple[int, ...]:
    found = _NUMBERS.match(tag or "")
    return tuple(int(part) for part in found.groups() if part is not None) if found else ()


def said_of_release(image: str) -> str:
    """What the makers of an image say of single updates; "" where nothing is known."""
    try:
        repository = parse_reference(image).repository
    except InputProblem:
        return ""
    first = repository.partition("/")[0]
    found = next((one for one in _read().releases if first in one.repositories), None)
    return f"{found.says} ({found.source})" if found else ""

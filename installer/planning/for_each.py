"""For each: a step that is done for several things, made into a step for each of them.

What is planned so has a title, a state and a time of its own, so that one that fails is tried again
alone and a run that was cut off goes on at it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from foundation.problems import InputProblem
from foundation.wording import nearest
from installer.catalogue.lists import Entry, entries_of, once

if TYPE_CHECKING:
    from installer.catalogue.stages import ForEach, StepData

NOTHING_ALONE = Entry.model_construct(name="")
"""What `each` is where all are done at once."""


def names_in(value: object) -> tuple[str, ...]:
    """The names of a setting that takes several, parted by commas."""
    return tuple(word for part in str(value or "").split(",") if (word := part.strip()))


def entries(asked: ForEach, folder: Path, settings: Mapping[str, object]) -> tuple[Entry, ...]:
    """What a step is done for on this site, in order; raises InputProblem."""
    if asked.setting:
        every = _of_setting(asked, names_in(settings.get(asked.setting)))
    else:
        chosen = f"/{settings.get(asked.file_of)}.yaml" if asked.file_of else ""
        every = entries_of(folder, f"{asked.file}{chosen}", asked.key)
    left_out = names_in(settings.get(asked.without)) if asked.without else ()
    known = [entry.name for entry in every]
    for name in left_out:
        if name not in known:
            close = nearest(name, known)
            hint = f'; did you mean "{close}"?' if close else ""
            raise InputProblem(
                f'there is no {asked.what} "{name}"{hint}',
                where=f"setting {asked.without}",
                remedy=f"They are {', '.join(known)}.",
            )
    found = tuple(entry for entry in every if entry.name not in left_out)
    return found[::-1] if asked.backwards else found


def _of_setting(asked: ForEach, names: Sequence[str]) -> tuple[Entry, ...]:
    where = f"setting {asked.setting}"
    found = []
    for name in names:
        try:
            found.append(Entry(name=name))
        except ValidationError as error:
            raise InputProblem(
                f'"{name}" is no name of one {asked.what}',
                where=where,
                remedy="A name has small letters, digits and hyphens, and begins with a letter.",
            ) from error
    return once(tuple(found), where=where)


def parted(step: StepData, found: Sequence[Entry]) -> Iterator[tuple[StepData, Entry]]:
    """The step for each thing alone, its name as id; with its own time where the step says none."""
    said = "expected_minutes" in step.model_fields_set
    for entry in found:
        minutes = step.expected_minutes if said or entry.minutes is None else entry.minutes
        alone = {"for_each": None, "id": entry.name, "expected_minutes": minutes}
        yield step.model_copy(update=alone), entry


def whole(step: StepData, found: Sequence[Entry]) -> tuple[StepData, Entry]:
    """The step for all of them at once, with the time of all."""
    minutes = sum(one.expected_minutes for one, _ in parted(step, found))
    return step.model_copy(update={"for_each": None, "expected_minutes": minutes}), NOTHING_ALONE

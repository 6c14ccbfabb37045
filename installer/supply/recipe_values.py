"""The values that a site gives to the recipe of its solution, before the rest of it is known.

A bundle is often made before a site is: so a setting that nobody gave counts by its default, one
without a default is left out, and secrets have no place in a recipe at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from bundles.format.recipe import RECIPE_NAME, Recipe, load_recipe
from foundation.problems import InputProblem
from foundation.wording import nearest
from installer.catalogue.settings import (
    Given,
    Value,
    applies,
    load_settings,
    objection,
    typed_value,
)

if TYPE_CHECKING:
    from installer.catalogue.solution import Solution


def solution_recipe(
    solution: Solution,
    environment: str,
    given: Mapping[str, Given],
    *,
    more: Iterable[Path] = (),
    where: str | None = None,
) -> Recipe:
    """The recipe of a solution for a site's settings, with the lines of recipes of its own.

    Raises InputProblem where the solution has none, or the recipe asks for more.
    """
    if not (solution.folder / RECIPE_NAME).exists():
        raise InputProblem(
            f"no recipe is known for {solution.title}"
            + (f": {why}" if (why := solution.file.no_bundle.rstrip(".")) else ""),
            where=solution.id,
            remedy="Write a recipe of your own and name it with --recipe FILE.",
        )
    values = recipe_values(solution, given, where=where)
    recipe = load_recipe(solution.folder, values, environment=environment)
    for file in more:
        recipe = recipe.together_with(load_recipe(file, given, environment=environment))
    return recipe


def recipe_values(
    solution: Solution, given: Mapping[str, Given], *, where: str | None = None
) -> dict[str, Value]:
    """The settings of a solution by name, those that are known; raises InputProblem."""
    settings = load_settings(solution).settings
    names = [setting.name for setting in settings]
    values: dict[str, Value] = {}
    for name in given:
        if name not in names:
            close = nearest(name, names)
            raise InputProblem(
                f'there is no setting "{name}"' + (f'; "{close}" may be meant' if close else ""),
                where=where,
            )
    for setting in settings:
        if setting.type == "secret":
            continue
        if not applies(setting, values):
            # What hangs on a setting that is off is off, and not unknown.
            if setting.type == "yes-no":
                values[setting.name] = False
            continue
        said = given.get(setting.name, setting.default)
        if said is None:
            continue
        text = ("yes" if said else "no") if isinstance(said, bool) else str(said)
        wrong = objection(setting, text)
        if wrong:
            raise InputProblem(f"{setting.name}: {wrong}", where=where)
        values[setting.name] = typed_value(setting, text)
    return values

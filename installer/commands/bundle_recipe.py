"""The recipe that a bundle command is about: a solution's or a file, with the site's settings."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from foundation.problems import InputProblem

if TYPE_CHECKING:
    from bundles.format.recipe import Recipe
    from installer.sites.site import Site


def add_value_options(parser: argparse.ArgumentParser) -> None:
    """What a recipe may be given."""
    parser.add_argument(
        "--site", type=Path, metavar="FILE", help="take the settings that the recipe asks for here"
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        type=_setting,
        metavar="NAME=VALUE",
        help="give the recipe one setting of the site",
    )
    parser.add_argument(
        "--with",
        dest="more",
        action="append",
        default=[],
        type=Path,
        metavar="FILE",
        help="add the lines of a recipe of your own",
    )
    parser.add_argument(
        "--without",
        action="append",
        default=[],
        metavar="IMAGE",
        help="leave out what charts and manifests name and the site does without: docker.io/a/*",
    )


def recipe_of(options: argparse.Namespace) -> tuple[Recipe | None, str | None, Path]:
    """The recipe that the options name, its environment and its folder; none where a lock is."""
    from bundles.format.recipe import load_recipe

    if options.lock:
        return None, options.environment, Path.cwd()
    site, given = given_by(options)
    if options.recipe:
        file: Path = options.recipe
        environment = options.environment
        recipe = load_recipe(file, given, environment=environment)
        for more in options.more:
            recipe = recipe.together_with(load_recipe(more, given, environment=environment))
        folder = file if file.is_dir() else file.parent
        return recipe.doing_without(options.without), environment, folder
    from installer.catalogue.solution import load_solution
    from installer.supply.recipe_values import solution_recipe

    solution = load_solution(_solution(options.solution, site))
    named = options.environment or (site.environment if site else None)
    environment = solution.environment(named).id
    where = str(options.site) if options.site else None
    recipe = solution_recipe(solution, environment, given, more=options.more, where=where)
    return recipe.doing_without(options.without), environment, solution.folder


def _solution(named: str | None, site: Site | None) -> str:
    of_site = site.solution if site else None
    if named and of_site and named != of_site:
        raise InputProblem(f"the site is one of {of_site}, and {named} was named")
    found = named or of_site
    if found is None:
        raise InputProblem(
            "it was not said what the bundle is for",
            remedy="Name the site (--site FILE), a solution (--solution ID), a recipe of your own "
            "(--recipe FILE), or the lock of a bundle that was made before (--lock FILE).",
        )
    return found


def given_by(options: argparse.Namespace) -> tuple[Site | None, dict[str, Any]]:
    """The site that the options name, and the settings that it and they give."""
    if not options.site:
        return None, dict(options.set)
    from installer.sites.site import load_site

    site = load_site(options.site)
    return site, {**site.settings, **dict(options.set)}


def _setting(text: str) -> tuple[str, str]:
    name, found, value = text.partition("=")
    if not found or not name:
        raise argparse.ArgumentTypeError("NAME=VALUE, such as git_url=https://git.example.org/x")
    return name, value

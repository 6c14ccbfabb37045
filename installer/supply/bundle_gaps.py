"""What the bundle of a site lacks for it: for the recipe with its settings, and its machines."""

from __future__ import annotations

from pathlib import Path

from bundles.format.recipe import RECIPE_NAME
from bundles.read.completeness import Gap, find_gaps, read_contents
from installer.catalogue.solution import Solution
from installer.sites.site import Site
from installer.supply.bundle_targets import targets_asked_for
from installer.supply.recipe_values import solution_recipe
from installer.supply.supplies import judged, keys_of, own_keys_of


def gaps_of_site(site: Site, site_file: Path, solution: Solution) -> tuple[Gap, ...]:
    """What is missing, none where the site has no bundle; raises BundleProblem, InputProblem.

    It judges the signature, then reads the index and the charts, and none of the large blobs.
    """
    base = site_file.absolute().parent
    path = site.bundle_path(base)
    if path is None:
        return ()
    environment = solution.environment(site.environment).id
    recipe = None
    if (solution.folder / RECIPE_NAME).exists():
        recipe = solution_recipe(solution, environment, site.settings, where=str(site_file))
        recipe = recipe.for_environment(environment)
    with judged(path, keys_of(site, base), own_keys_of(site, base)) as (bundle, _, structure):
        contents = read_contents(bundle, structure, recipe)
    return find_gaps(contents, recipe, targets_asked_for(solution.needs(environment)))

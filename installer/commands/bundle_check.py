"""`sitewright bundle check`: what a bundle lacks for its recipe, its charts and the machines."""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from foundation.problems import ExitCode, InputProblem
from foundation.wording import counted
from installer.commands.bundle_recipe import add_value_options, given_by
from installer.commands.options import write_result

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bundles.format.layout import BundleIndex
    from bundles.format.recipe import Recipe
    from bundles.read.completeness import Contents, Gap, Target
    from bundles.read.signers import Signer
    from bundles.read.structure import Structure


def add_check_options(parser: argparse.ArgumentParser) -> None:
    """The options of `sitewright bundle check`, without those that all bundle commands share."""
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--recipe", type=Path, metavar="FILE", help="instead of the solution's")
    parser.add_argument("--environment", metavar="NAME", help="else the one it was made for")
    add_value_options(parser)
    parser.add_argument(
        "--facts",
        type=Path,
        metavar="FILE",
        help="the machines, as `sitewright facts` saved them; else what the solution asks of them",
    )
    parser.add_argument(
        "--strict",
        action="store_true",
        help="end with 3 as well where something could not be told when it was made",
    )


def check(options: argparse.Namespace, signers: Sequence[Signer]) -> int:
    """Tell what is missing: 0 where it is nothing, 3 where it is something."""
    from bundles.format.untold import serious, untold_dicts
    from bundles.read.completeness import find_gaps, read_contents
    from bundles.read.opened import open_bundle
    from bundles.read.structure import read_structure
    from bundles.read.verify import check_signature

    with open_bundle(options.bundle) as bundle:
        signer = check_signature(bundle, signers)
        structure = read_structure(bundle)
        index = structure.index
        recipe, targets = _wanted(options, index)
        contents = read_contents(bundle, structure, recipe)
    gaps = find_gaps(contents, recipe, targets)
    age = _age(options, structure)
    if options.format == "json":
        value = _as_dict(options.bundle, gaps, targets)
        value["maintained_until"] = index.maintained_until or None
        value["counter"] = index.counter
        value["older"] = bool(age.older)
        value["untold"] = untold_dicts(contents.untold)
        value |= {"index": structure.index_digest, "signer": signer.name if signer else None}
        write_result(
            json.dumps(value, indent=2, ensure_ascii=False),
            options.output,
            overwrite=options.overwrite,
        )
    else:
        write_result(
            "\n".join([_as_text(options.bundle, contents, gaps, targets), *age.lines]),
            options.output,
            overwrite=options.overwrite,
        )
    doubt = options.strict and serious(contents.untold)
    return ExitCode.NOT_READY if gaps or doubt or age.older else ExitCode.DONE


@dataclass(frozen=True, slots=True)
class _Age:
    """What is to be said of a bundle's age."""

    until: str
    older: str

    @property
    def lines(self) -> list[str]:
        """Sentences; none where there is nothing to say."""
        return [one for one in (self.until, self.older) if one]


def _age(options: argparse.Namespace, structure: Structure) -> _Age:
    """Until when it is looked after; and where a site is named, whether that had a newer one."""
    from bundles.read.age import looked_after, stamp_of
    from installer.sites.site import load_site
    from installer.supply.bundle_order import OlderBundle
    from installer.supply.supplies import refuse_for_site

    older = ""
    if options.site:
        try:
            refuse_for_site(
                load_site(options.site), stamp_of(structure.index, structure.index_digest),
                str(options.bundle),
            )  # fmt: skip
        except OlderBundle as problem:
            older = f"The site would refuse it: {problem.cause}."
    return _Age(looked_after(structure.index.maintained_until), older)


def _wanted(options: argparse.Namespace, index: BundleIndex) -> tuple[Recipe, tuple[Target, ...]]:
    from bundles.format.recipe import load_recipe
    from installer.catalogue.solution import load_solution, solution_ids

    site, given = given_by(options)
    environment = options.environment or index.environment
    name = site.solution if site and site.solution else index.solution
    if name != index.solution:
        raise InputProblem(
            f"the bundle was made for {index.solution}, and the site is one of {name}",
            where=str(options.bundle),
            remedy="Name the bundle that was made for this solution.",
        )
    known = name in solution_ids()
    if options.recipe:
        recipe = load_recipe(options.recipe, given, environment=environment)
        for more in options.more:
            recipe = recipe.together_with(load_recipe(more, given, environment=environment))
    elif known:
        from installer.supply.recipe_values import solution_recipe

        where = str(options.site) if options.site else None
        solution = load_solution(name)
        recipe = solution_recipe(solution, environment, given, more=options.more, where=where)
    else:
        raise InputProblem(
            f'there is no solution "{name}" here, so its recipe is not known',
            where=str(options.bundle),
            remedy="Name the recipe that the bundle was made from with --recipe FILE.",
        )
    recipe = recipe.doing_without(options.without).for_environment(environment)
    return recipe, _targets(options, name if known else None, environment)


def _targets(
    options: argparse.Namespace, solution: str | None, environment: str
) -> tuple[Target, ...]:
    from installer.catalogue.solution import load_solution
    from installer.supply.bundle_targets import targets_asked_for, targets_seen

    if options.facts:
        from preflight.recorded import load_facts

        return targets_seen(load_facts(options.facts))
    if solution is None:
        return ()
    return targets_asked_for(load_solution(solution).needs(environment))


def _as_dict(path: Path, gaps: Sequence[Gap], targets: Sequence[Target]) -> dict[str, Any]:
    return {
        "schema": "sitewright.bundle-check/1",
        "bundle": str(path),
        "complete": not gaps,
        "machines": [
            {"name": one.name, "release": one.release, "architecture": one.architecture}
            for one in targets
        ],
        "missing": [
            {"kind": gap.kind, "name": gap.name, "needed_by": gap.by, "remedy": gap.remedy}
            for gap in gaps
        ],
    }


def _as_text(path: Path, contents: Contents, gaps: Sequence[Gap], targets: Sequence[Target]) -> str:
    from bundles.format.untold import untold_lines

    index = contents.index
    machines = ", ".join(
        one.name + (f" ({', '.join(kind)})" if (kind := _kind(one)) else "") for one in targets
    )
    head = f"{path}: {index.solution} {index.version}, {counted(len(index.items), 'item')}"
    lines = [head, f"machines: {machines or 'none were named (--facts FILE)'}", ""]
    if not gaps:
        lines.append("Nothing is missing.")
        return "\n".join([*lines, *untold_lines(contents.untold)])
    lines.append(f"{len(gaps)} missing:")
    remedies = list(dict.fromkeys(gap.remedy for gap in gaps))
    for remedy in remedies:
        lines += [f"  {gap}" for gap in gaps if gap.remedy == remedy]
        lines.append(f"    Do: {remedy}")
    return "\n".join([*lines, *untold_lines(contents.untold)])


def _kind(target: Target) -> list[str]:
    return [word for word in (target.release, target.architecture) if word]

"""`sitewright checks`: every question that preflight asks, by its id."""

from __future__ import annotations

import argparse
import json

from foundation.problems import ExitCode
from installer.commands.options import add_output_options, write_result
from preflight.checks.check import Listed
from preflight.checks.registry import CHECKS, CLUSTER_CHECKS, ELSEWHERE, SITE_CHECKS
from preflight.findings import Severity


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `sitewright checks`."""
    add_output_options(parser, formats=("text", "json", "markdown"))


def run(options: argparse.Namespace) -> int:
    """Print every check; a waiver names one by its id, or an area with a star."""
    if options.format == "json":
        text = json.dumps([_as_dict(one) for one in every()], indent=2)
    elif options.format == "markdown":
        text = page()
    else:
        rows = [(name, one.title) for one in every() for name in one.ids]
        width = max(len(name) for name, _ in rows)
        text = "\n".join(f"{name:<{width}}  {title}" for name, title in rows)
    write_result(text, options.output, overwrite=options.overwrite)
    return ExitCode.DONE


def every() -> tuple[Listed, ...]:
    """All that preflight can find: of machines, between them, of settings, of connections."""
    return (*CHECKS, *SITE_CHECKS, *CLUSTER_CHECKS, *_demands(), *ELSEWHERE)


def _demands() -> tuple[Listed, ...]:
    """What documents demand of settings, by the solutions' own data."""
    from installer.catalogue.settings import load_settings
    from installer.catalogue.solution import load_solution, solution_ids

    found = {}
    for solution in map(load_solution, solution_ids()):
        for setting in load_settings(solution).settings:
            if setting.demand is not None:
                found[setting.demand.check] = Listed(
                    (setting.demand.check,),
                    f"Given, as a document demands: {setting.title}",
                    frozenset((Severity.WARN, Severity.FAIL)),
                )
    return tuple(found.values())


def _ends(one: Listed) -> list[str]:
    return [severity.value for severity in Severity if severity in one.severities]


def _as_dict(one: Listed) -> dict[str, object]:
    return {
        "ids": list(one.ids),
        "area": one.area,
        "title": one.title,
        "severities": _ends(one),
        "waivable": one.waivable,
    }


def page() -> str:
    """The page docs/checks.md."""
    lines = [
        "# The checks",
        "Made by `sitewright checks --format markdown`. A waiver names a check by its id, or an",
        "area with a star (`disk.*`). What a check asks for comes from the solution's tables; each",
        "finding names its source, the command that shows it, the remedy and how to undo it.",
        "",
        "| check | what it asks | how it may end | may be waived |",
        "|---|---|---|---|",
    ]
    for one in every():
        names = ", ".join(f"`{name}`" for name in one.ids)
        may = "yes" if one.waivable else "no"
        lines.append(f"| {names} | {one.title} | {', '.join(_ends(one))} | {may} |")
    return "\n".join(lines) + "\n"

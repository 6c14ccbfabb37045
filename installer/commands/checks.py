"""`sitewright checks`: every question that preflight asks, by its id."""

from __future__ import annotations

import argparse
import json
from typing import Any

from foundation.problems import ExitCode
from installer.commands.options import add_output_options, write_result
from preflight.checks.check import Check
from preflight.checks.registry import CHECKS, CLUSTER_CHECKS, SITE_CHECKS
from preflight.findings import Severity

_OTHERS = (
    ("mesh.reach", "A port that another machine needs is reached", "pass, warn, fail, unknown"),
    (
        "egress.*",
        "What is fetched can be fetched (--egress; before a run)",
        "pass, warn, fail, unknown",
    ),
    ("mesh.closed", "A port is closed to machines that have no business there", "pass, warn"),
    ("host.reachable", "The machine was seen", "unknown"),
    ("cluster.reachable", "The cluster was seen (--cluster)", "unknown"),
)
"""Findings that are made of connections rather than of facts; the last two cannot be waived."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `sitewright checks`."""
    add_output_options(parser, formats=("text", "json", "markdown"))


def run(options: argparse.Namespace) -> int:
    """Print every check; a waiver names one by its id, or an area with a star."""
    if options.format == "json":
        text = json.dumps([_as_dict(check) for check in _every()], indent=2)
    elif options.format == "markdown":
        text = page()
    else:
        rows = [(name, check.title) for check in _every() for name in check.ids]
        rows += [(name, title) for name, title, _ in _OTHERS]
        width = max(len(name) for name, _ in rows)
        text = "\n".join(f"{name:<{width}}  {title}" for name, title in rows)
    write_result(text, options.output, overwrite=options.overwrite)
    return ExitCode.DONE


def _every() -> tuple[Check[Any], ...]:
    return (*CHECKS, *SITE_CHECKS, *CLUSTER_CHECKS)


def _as_dict(check: Check[Any]) -> dict[str, object]:
    return {
        "ids": list(check.ids),
        "area": check.area,
        "title": check.title,
        "severities": [severity.value for severity in Severity if severity in check.severities],
        "waivable": check.waivable,
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
    for check in _every():
        names = ", ".join(f"`{name}`" for name in check.ids)
        ends = ", ".join(severity.value for severity in Severity if severity in check.severities)
        lines.append(f"| {names} | {check.title} | {ends} | {'yes' if check.waivable else 'no'} |")
    lines += [
        f"| `{name}` | {title} | {ends} | {'no' if name.endswith('.reachable') else 'yes'} |"
        for name, title, ends in _OTHERS
    ]
    return "\n".join(lines) + "\n"

"""`sitewright schema`: the JSON schema of a site file, of the facts, or of the preflight's JSON."""

from __future__ import annotations

import argparse
import json

from foundation.problems import ExitCode
from installer.commands.options import write_result


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `sitewright schema`."""
    parser.add_argument("what", choices=("site", "preflight"), nargs="?", default="site")


def run(options: argparse.Namespace) -> int:
    """Print the schema, for an editor or a program that checks."""
    if options.what == "site":
        from installer.sites.site import Site

        schema = Site.model_json_schema()
    else:
        from preflight.report.schema import preflight_schema

        schema = preflight_schema()
    write_result(json.dumps(schema, indent=2), None)
    return ExitCode.DONE

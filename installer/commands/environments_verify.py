"""`sitewright environments verify`: does one stand, the earliest fault first."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import sys
import textwrap
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from foundation.problems import ExitCode, InputProblem
from installer.commands.environments import asker_of, read_named, secrets_of
from installer.commands.options import (
    add_output_options,
    add_programs_option,
    ask_about_programs,
    text_style,
    write_result,
)

if TYPE_CHECKING:
    from foundation.hosts.model import Host
    from installer.catalogue.lines import Line
    from installer.environments.verifying import Stands


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `sitewright environments verify`."""
    parser.add_argument("name", metavar="NAME", help="the environment")
    parser.add_argument("--centre", type=Path, default=Path(), metavar="FOLDER",
                        help="the control centre's folder (default: this one)")  # fmt: skip
    parser.add_argument(
        "--kubeconfig", type=Path, metavar="FILE",
        help="of its cluster; without one the cluster is not asked",
    )  # fmt: skip
    parser.add_argument("--cluster", metavar="CONTEXT", help="a context of it, else its current")
    parser.add_argument(
        "--secret-file", action="append", default=[], metavar="NAME=FILE",
        help="a secret of the environment, in a file of mode 0600",
    )  # fmt: skip
    add_programs_option(parser)
    add_output_options(parser, formats=("text", "json"))


def run(options: argparse.Namespace) -> int:
    """Ask each layer, up to the first that does not stand."""
    from installer.environments.centre import CENTRE
    from installer.environments.hosts import machines_of
    from installer.environments.lines import line_of
    from installer.environments.plans import ready_plan
    from installer.environments.verifying import earliest, in_words

    environment, tool = read_named(options)
    line = line_of(environment.centre.line, where=str(environment.roof / CENTRE))
    secrets = secrets_of(environment, ready_plan(environment, tool), options)
    text = asker_of(environment, tool, secrets).outputs()
    hosts: tuple[Host, ...] = ()
    try:
        hosts = machines_of(text, where=environment.name, roles={}).hosts
    except InputProblem as problem:
        print(f"Note: {problem.sentence}", file=sys.stderr)
    found = asyncio.run(_verified(line, hosts, options))
    if options.format == "json":
        told = {"schema": "sitewright.environment-verify/1", "environment": environment.name,
                "layers": [asdict(one) for one in found]}  # fmt: skip
        result = json.dumps(told, indent=2, ensure_ascii=False)
    else:
        result = _text(found, line, text_style(options)[0])
    write_result(result, options.output, overwrite=options.overwrite)
    print(in_words(found), file=sys.stderr)
    failed = earliest(found)
    whole = all(one.good for one in found)
    return ExitCode.DONE if failed is None and whole else ExitCode.NOT_READY


async def _verified(
    line: Line, hosts: Sequence[Host], options: argparse.Namespace
) -> tuple[Stands, ...]:
    from installer.environments.verifying import verify

    if options.kubeconfig is None:
        return await verify(line.layers, hosts, None)
    from foundation.clusters.https import HttpsApi, require_allowed
    from foundation.clusters.kubeconfig import kubeconfig_files, read_access

    access = read_access(kubeconfig_files(options.kubeconfig, os.environ), options.cluster)
    if access.program is not None:
        ask_about_programs(
            (access.program.shown,), "To log in to the cluster",
            allow=options.allow_programs, where=access.source,
        )  # fmt: skip
    require_allowed(access, allowed=options.allow_programs)
    async with contextlib.AsyncExitStack() as held:
        api = await held.enter_async_context(HttpsApi(access))
        return await verify(line.layers, hosts, api)


def _text(found: Sequence[Stands], line: Line, width: int) -> str:
    marks = {True: "ok  ", False: "FAIL", None: "?   "}
    lines = []
    for one in found:
        lines.append(f"{marks[one.good]}  {one.title}")
        for said in one.said:
            lines += textwrap.wrap(said, width, initial_indent="      ",
                                   subsequent_indent="        ")  # fmt: skip
        if one.good is False and one.remedy:
            lines += textwrap.wrap(f"Do: {one.remedy}", width, initial_indent="      ",
                                   subsequent_indent="      ", break_long_words=False)  # fmt: skip
    left = line.layers[len(found) :]
    if left:
        titles = ", ".join(one.title[0].lower() + one.title[1:] for one in left)
        lines.append(f"Not asked, since they stand on it: {titles}.")
    return "\n".join(lines)

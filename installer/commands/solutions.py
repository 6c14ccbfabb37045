"""`sitewright solutions`: what can be judged and installed, and what each asks for; `check`."""

from __future__ import annotations

import argparse
import json
import textwrap
from collections.abc import Sequence
from pathlib import Path
from shlex import quote
from typing import Final

from foundation.problems import ExitCode, InputProblem
from foundation.wording import counted
from installer.catalogue.settings import load_settings
from installer.catalogue.solution import Solution, load_solution, solution_ids
from installer.catalogue.stages import Setting
from installer.commands.options import add_output_options, text_style, write_result
from preflight.needs import RoleNeed
from preflight.sizing import machines_told

_CHECK: Final = "check"
"""The word instead of an id with which a folder is checked."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `sitewright solutions`."""
    parser.add_argument(
        "solution", nargs="?", metavar="ID", help="one of them in full; or `check`, and a FOLDER"
    )
    parser.add_argument(
        "folder", nargs="?", type=Path, metavar="FOLDER", help="a solution's, to be checked"
    )
    add_output_options(parser, formats=("text", "json"))


def run(options: argparse.Namespace) -> int:
    """Print the solutions, one of them with its tables, or what is wrong in a folder."""
    if options.solution == _CHECK:
        return _check(options)
    if options.folder is not None:
        raise InputProblem(
            f'a folder is for "{_CHECK}" alone',
            where="the command line",
            remedy=f"sitewright solutions {_CHECK} {quote(str(options.folder))}",
        )
    chosen = [options.solution] if options.solution else list(solution_ids())
    solutions = [load_solution(name) for name in chosen]
    if options.format == "json":
        text = json.dumps([_as_dict(one) for one in solutions], indent=2, ensure_ascii=False)
    else:
        width, _, _ = text_style(options)
        text = "\n\n".join(_as_text(one, width, bool(options.solution)) for one in solutions)
    write_result(text, options.output, overwrite=options.overwrite)
    return ExitCode.DONE


def _check(options: argparse.Namespace) -> int:
    """What is wrong in a folder, a line each: 0 where it is nothing, 3 where it is something."""
    from installer.planning.folder.check import check_folder

    if options.folder is None:
        raise InputProblem(
            "no folder is named",
            where="the command line",
            remedy=f"sitewright solutions {_CHECK} FOLDER: the one with solution.yaml in it.",
        )
    found = check_folder(options.folder)
    if options.format == "json":
        wrong = [
            {"file": one.file, "line": one.line or None, "says": one.says, "remedy": one.remedy}
            for one in found
        ]
        value = {"folder": str(options.folder.resolve()), "good": not found, "wrong": wrong}
        text = json.dumps(value, indent=2, ensure_ascii=False)
    else:
        lines = [f"{one.place}: {one.says}. {one.remedy}".strip() for one in found]
        count = counted(len(found), "thing")
        lines.append(f"{count} to be mended." if found else "Nothing is wrong in it.")
        text = "\n".join(lines)
    write_result(text, options.output, overwrite=options.overwrite)
    return ExitCode.NOT_READY if found else ExitCode.DONE


def _as_dict(solution: Solution) -> dict[str, object]:
    return {
        "id": solution.id,
        "title": solution.title,
        "summary": solution.summary,
        "installable": solution.installable,
        "proven": solution.file.proven,
        "environments": [
            {
                "id": environment.id,
                "why_not": environment.why_not,
                "clusters": [
                    one.model_dump(mode="json") for one in solution.needs(environment.id).clusters
                ],
                "sizing": solution.needs(environment.id).sizing.model_dump(mode="json"),
            }
            for environment in solution.environments
        ],
        "settings": [
            setting.model_dump(mode="json") for setting in load_settings(solution).settings
        ],
    }


def _as_text(solution: Solution, width: int, full: bool) -> str:
    lines = [f"{solution.id}  {solution.title}"]
    lines += textwrap.wrap(solution.summary, width, initial_indent="  ", subsequent_indent="  ")
    if full and solution.file.proven:
        lines += textwrap.wrap(
            solution.file.proven, width, initial_indent="  ", subsequent_indent="  "
        )
    for environment in solution.environments:
        needs = solution.needs(environment.id)
        lines += textwrap.wrap(
            f"--environment {environment.id}: {machines_told(needs)}",
            width,
            initial_indent="  ",
            subsequent_indent="    ",
        )
        if full:
            lines += _table(needs.sizing.roles, width)
            lines += textwrap.wrap(
                f"Source: {needs.sizing.source}",
                width,
                initial_indent="    ",
                subsequent_indent="    ",
            )
    if full:
        lines += _settings(load_settings(solution).settings, width)
    return "\n".join(lines)


def _settings(settings: Sequence[Setting], width: int) -> list[str]:
    """Each setting with what it is unless said otherwise, and what it means."""
    if not settings:
        return []
    head = "Settings, in the site file under `settings:`, or --set NAME=VALUE with --solution:"
    lines = textwrap.wrap(head, width, initial_indent="  ", subsequent_indent="  ")
    for setting in settings:
        what = _unless_said(setting)
        if setting.when:
            what += f"; only with {setting.when.replace('not ', 'no ', 1)}"
        lines += textwrap.wrap(
            f"{setting.name}: {what}", width, initial_indent="    ", subsequent_indent=" " * 12
        )
        if setting.choices:
            said = f"{setting.title}: {', '.join(setting.choices)}. {setting.help}"
        else:
            said = f"{setting.title}. {setting.help}"
        lines += textwrap.wrap(
            said, width, initial_indent=" " * 8, subsequent_indent=" " * 8, break_on_hyphens=False
        )
    return lines


def _unless_said(setting: Setting) -> str:
    if setting.type == "secret":
        return "secret, asked for when it begins"
    if setting.default is None:
        return "must be given" + (f", for example {setting.example}" if setting.example else "")
    return setting.default or "empty"


def _table(rows: tuple[RoleNeed, ...], width: int) -> list[str]:
    lines = []
    for row in rows:
        for shape in row.shapes:
            count = f"{row.count.min}" + ("+" if row.count.max is None else "")
            parts = [
                f"{shape.cpu} CPU" if shape.cpu else "",
                f"{shape.memory_gb:g} GB" if shape.memory_gb else "",
                *(
                    f"{disk.count} x {disk.size_gb} GB {'/'.join(disk.kinds) or 'disk'}"
                    for disk in shape.disks
                ),
            ]
            label = row.role + (f" ({shape.id})" if shape.id else "")
            text = f"{count:>3} {label}: " + ", ".join(part for part in parts if part)
            if row.optional or row.of_cluster:
                text += " (of the cluster)" if row.of_cluster else " (optional)"
            lines += textwrap.wrap(text, width, initial_indent="    ", subsequent_indent="        ")
    return lines

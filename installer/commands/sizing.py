"""`sitewright sizing`: how large a site must be, reckoned from numbers of a day."""

from __future__ import annotations

import argparse
import json
import shlex
import textwrap
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

from foundation.problems import ExitCode, InputProblem
from installer.commands.options import add_output_options, text_style, write_result

if TYPE_CHECKING:
    from installer.catalogue.calculators import Calculators, Part, Size
    from preflight.needs import SolutionNeeds

_NUMBERS: Final = {
    "registrations": "registrations a day",
    "authentications": "authentications a day",
    "preregistrations": "pre-registrations a day (default: as many as registrations)",
    "population": "people who get a number, for what is stored",
}


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `sitewright sizing`."""
    parser.add_argument("solution", metavar="ID", help="the system: mosip")
    for name, words in _NUMBERS.items():
        parser.add_argument(f"--{name}", type=int, metavar="N", help=words)
    add_output_options(parser, formats=("text", "json"))


def run(options: argparse.Namespace) -> int:
    """Print the size with every step by which it came about."""
    from installer.catalogue.calculators import calculate, calculators_of, table_id
    from installer.catalogue.solution import load_solution

    solution = load_solution(options.solution)
    data = calculators_of(solution.folder)
    if data is None:
        raise InputProblem(
            f"nothing is published by which the size of {solution.title} could be reckoned",
            where="the command line",
            remedy=f"See the tables that are: sitewright solutions {solution.id}",
        )
    given = {name: n for name in _NUMBERS if (n := getattr(options, name)) is not None}
    size = calculate(data, given)
    name = table_id(data, given)
    needs = solution.needs(data.environment, name)
    if options.format == "json":
        text = json.dumps(_as_dict(size, needs), indent=2, ensure_ascii=False)
    else:
        width, _, _ = text_style(options)
        text = "\n".join(_as_text(data, size, needs, width))
    write_result(text, options.output, overwrite=options.overwrite)
    return ExitCode.DONE


def _as_dict(size: Size, needs: SolutionNeeds) -> dict[str, object]:
    return {
        "schema": "sitewright.sizing/1",
        "solution": needs.solution,
        "environment": needs.environment,
        "numbers": dict(size.numbers),
        "parts": [
            {
                "id": part.calculator.id,
                "source": part.calculator.source,
                "a_day": part.a_day,
                "peak_hour": part.peak_hour,
                "services": [asdict(line) for line in part.lines],
                "cpu": part.cpu,
                "memory_gb": part.memory_gb,
                "storage": [asdict(one) for one in part.storage],
            }
            for part in size.parts
        ],
        "cpu": size.cpu,
        "memory_gb": size.memory_gb,
        "nodes": size.nodes,
        "bound_by": size.bound_by,
        "sizing": needs.sizing.model_dump(mode="json"),
    }


def _as_text(data: Calculators, size: Size, needs: SolutionNeeds, width: int) -> Iterator[str]:
    from installer.catalogue.calculators import told_numbers, totals
    from preflight.sizing import machines_told, role_lines

    yield needs.title
    given = {one.name: one for one in data.inputs}
    for title, number in told_numbers(data, size):
        why = next((o.else_words for o in given.values() if o.title == title and o.otherwise), "")
        taken = why if size.numbers.get("registrations") == number and why else ""
        yield from _wrapped(f"{number} {title}{f' ({taken})' if taken else ''}", width, 2)
    for part in size.parts:
        yield ""
        yield from _part(part, width)
    yield ""
    yield "All together"
    yield from _wrapped(totals(data, size), width, 2)
    yield from _wrapped(
        f"Overheads: {data.overhead_source}. Never less than {data.least_nodes} nodes: "
        f"{data.least_nodes_source}.",
        width,
        2,
    )
    yield from _wrapped(f"{machines_told(needs)}:", width, 2)
    for count, role, words in role_lines(needs):
        yield f"  {count:>4} {role}: {words}"
    for note in needs.sizing.notes:
        yield from _wrapped(note, width, 2)
    yield ""
    yield "Judge machines by it:"
    goal = ["--solution", needs.solution, "--environment", needs.environment]
    yield f"  sitewright preflight {shlex.join([*goal, '--sizing', needs.sizing.id])} …"


def _part(part: Part, width: int) -> Iterator[str]:
    peak = f", {part.peak_hour} in the busiest hour" if part.peak_hour else ""
    yield f"{part.calculator.title}: {part.a_day} a day{peak}"
    yield from _wrapped(f"Source: {part.calculator.source}", width, 2)
    for line in part.lines:
        pods = f"{line.pods} x " if line.pods is not None else ""
        yield f"  {pods:>7}{line.title:<32} {line.cpu:>8g} CPU {line.memory_gb:>8g} GB"
    yield f"  {'in all':<39} {part.cpu:>8g} CPU {part.memory_gb:>8g} GB"
    for one in part.storage:
        amount = "say --population" if one.gb is None else f"{one.gb:g} GB"
        yield from _wrapped(f"{one.title}: {amount} ({one.words})", width, 2)


def _wrapped(text: str, width: int, indent: int) -> list[str]:
    return textwrap.wrap(
        text, width, initial_indent=" " * indent, subsequent_indent=" " * (indent + 2)
    )

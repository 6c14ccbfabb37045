"""`sitewright guide`: which way of deploying suits whom, on which machines?"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from foundation.problems import ExitCode, InputProblem
from installer.commands.options import (
    add_machine_options,
    add_output_options,
    read_targets,
    text_style,
    write_result,
)

if TYPE_CHECKING:
    from installer.guide.advice import Wishes
    from preflight.assessment import Seen

ANSWERS: Final = ("purpose", "system", "quality", "where", "internet")
"""The questions, in the order in which they are asked."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `sitewright guide`."""
    add_machine_options(parser)
    group = parser.add_argument_group(
        "answers", "without any of them, the questions are asked on a terminal"
    )
    group.add_argument("--purpose", metavar="WORD", help="experiment, develop, ci, run")
    group.add_argument("--system", metavar="WORD", help="mojaloop, pm4ml, mosip")
    group.add_argument("--quality", metavar="WORD", help="poc, production")
    group.add_argument(
        "--where",
        metavar="WORD",
        help="one-cloud, several-clouds, cloud-and-site, private-cloud, bare-metal, site-and-cloud",
    )
    group.add_argument("--internet", metavar="WORD", help="yes, no: will there be any?")
    group = parser.add_argument_group("what to look at")
    group.add_argument(
        "--facts", type=Path, metavar="FILE", help="machines that `sitewright facts` saved"
    )
    group.add_argument("--no-look", action="store_true", help="do not look at any machine")
    group.add_argument("--map", action="store_true", help="print the whole map")
    group.add_argument("--option", metavar="ID", help="everything about one option of the map")
    add_output_options(parser, formats=("text", "json"))


def run(options: argparse.Namespace) -> int:
    """Print the advice, the map, or one option."""
    from installer.guide.guide import load_map

    chart = load_map()
    style = text_style(options)
    if options.option is not None:
        from installer.commands.guide_text import option_json, option_text

        option = chart.option(options.option)
        text = (
            option_json(chart, option)
            if options.format == "json"
            else option_text(chart, option, *style)
        )
    elif options.map:
        from installer.commands.guide_text import map_json, map_text

        text = map_json(chart) if options.format == "json" else map_text(chart, *style)
    else:
        from installer.commands.guide_text import advice_json, advice_text
        from installer.guide.advice import advise

        wishes = read_wishes(options)
        if _asks(options):
            from installer.commands.guide_questions import ask_wishes

            wishes = ask_wishes(chart)
        seen, named = _look(options)
        today = datetime.now(UTC).astimezone().date()
        advice = advise(chart, wishes, seen, named=named, today=today)
        text = (
            advice_json(chart, advice, seen)
            if options.format == "json"
            else advice_text(chart, advice, seen, *style)
        )
    write_result(text, options.output, overwrite=options.overwrite, colored=True)
    return ExitCode.DONE


def read_wishes(options: argparse.Namespace) -> Wishes:
    """The answers that the options give; raises InputProblem that names the nearest word."""
    from installer.guide.advice import USE_CASE_OF, Purpose, Wishes
    from installer.guide.guide import load_map
    from installer.guide.option_files import Quality, System

    places = [case.id for case in load_map().use_cases if case.id not in USE_CASE_OF.values()]
    purpose = word(options.purpose, [one.value for one in Purpose], "--purpose")
    system = word(options.system, [one.value for one in System], "--system")
    quality = word(options.quality, [one.value for one in Quality], "--quality")
    where = word(options.where, places, "--where")
    internet = word(options.internet, ["yes", "no"], "--internet")
    if where is not None and purpose not in (None, Purpose.RUN.value):
        raise InputProblem(
            f"--where belongs to --purpose run, and the purpose is {purpose}",
            where="the command line",
            remedy="Leave one of them out.",
        )
    if where is not None:
        purpose = Purpose.RUN.value
    return Wishes(
        purpose=Purpose(purpose) if purpose else None,
        quality=Quality(quality) if quality else None,
        where=where,
        system=System(system) if system else None,
        internet=None if internet is None else internet == "yes",
    )


def word(given: str | None, words: Sequence[str], option: str) -> str | None:
    """The word of a list that was given, or begun so that it is clear; raises InputProblem."""
    if given is None or given in words:
        return given
    holding = [one for one in words if given and given.lower() in one]
    if len(holding) == 1 and holding[0].startswith(given.lower()):
        return holding[0]
    from foundation.wording import nearest

    close = nearest(given, words)
    meant = " or ".join(f'"{one}"' for one in holding) or (f'"{close}"' if close else "")
    hint = f"; did you mean {meant}?" if meant else ""
    raise InputProblem(
        f'{option} cannot be "{given}"{hint}',
        where="the command line",
        remedy=f"The words are {', '.join(words)}.",
    )


def _asks(options: argparse.Namespace) -> bool:
    """Whether a person is there to be asked, and has said nothing yet."""
    return (
        options.format == "text"
        and options.output is None
        and all(getattr(options, name) is None for name in ANSWERS)
        and sys.stdin.isatty()
        and sys.stdout.isatty()
    )


def _look(options: argparse.Namespace) -> tuple[Sequence[Seen], bool]:
    """What is known of the machines, and whether a person named them."""
    named = bool(options.machines or options.site or options.inventory or options.facts)
    if options.no_look and named:
        raise InputProblem(
            "--no-look looks at nothing, and machines are named",
            where="the command line",
            remedy="Leave one of them out.",
        )
    if options.no_look:
        return (), False
    if options.facts is not None:
        if options.machines or options.site or options.inventory:
            raise InputProblem(
                "--facts is what was seen before, so it takes no machines",
                where="the command line",
                remedy="Leave one of them out.",
            )
        from preflight.recorded import load_facts

        return load_facts(options.facts), True
    # Facts of before, the map and a single option need no event loop, whose import takes time.
    import asyncio

    return asyncio.run(_survey(options)), named


async def _survey(options: argparse.Namespace) -> list[Seen]:
    from foundation.hosts.pool import Pool
    from preflight.survey import SurveyOptions, survey

    targets = read_targets(options)
    hosts = list(targets.inventory)
    order = {host.name: place for place, host in enumerate(hosts)}
    async with Pool(
        targets.inventory,
        credentials=targets.credentials,
        concurrency=options.concurrency,
        connect_timeout=options.connect_timeout,
    ) as pool:
        found: Iterable[Seen] = [
            entry async for entry in survey(pool, hosts, SurveyOptions(become=targets.become))
        ]
    return sorted(found, key=lambda entry: order[entry.host.name])

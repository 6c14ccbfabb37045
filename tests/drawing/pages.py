"""The documentation of every option, written from the map: `python -m tests.drawing.pages DIR`.

For maintainers. The pages and the picture in docs/ are what this writes; a test holds them to it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from installer.guide.advice import QUALITY_WORDS
from installer.guide.chart import SYSTEM_TITLES, chart_of, mark
from installer.guide.guide import load_map
from preflight.sizing import count_words, shape_words
from tests.drawing.picture import map_picture

if TYPE_CHECKING:
    from installer.guide.guide import Map, Option
    from installer.guide.option_files import Said
    from preflight.needs import PlatformNeeds, PortNeed, SizingTable, SolutionNeeds

MADE: Final = "<!-- Written by `python -m tests.drawing.pages docs` from installer/options/. -->"
ABOUT: Final = (
    "Which way of deploying suits whom, what it needs, and how it fares today. `sitewright guide` "
    "asks a few questions, looks at your machines and answers with one of these; the goal step of "
    "the wizard is the same map to walk through."
)
ALT: Final = "The map: options in lines, use cases in columns, PoC or production in words"
DATA: Final = "../../installer/solutions"


def pages(chart: Map) -> dict[str, str]:
    """Every page and picture by its place below docs/."""
    made = {f"options/{option.id}.md": option_page(chart, option) for option in chart.options}
    made["options/README.md"] = index_page(chart)
    made["options/sources.md"] = sources_page(chart)
    made["pictures/map.svg"] = map_picture(chart)
    return made


def write_pages(folder: Path) -> None:
    """Write them all below a folder, and remove pages of options that are no more."""
    made = pages(load_map())
    for old in (folder / "options").glob("*.md"):
        if f"options/{old.name}" not in made:
            old.unlink()
    for name, text in made.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


# ---- the index


def index_page(chart: Map) -> str:
    """The map: who is served by what."""
    table = chart_of(chart)
    lines = [
        "# The map of deployment options",
        MADE,
        "",
        ABOUT,
        "",
        f"![{ALT}](../pictures/map.svg)",
        "",
        "## Who is served by what",
    ]
    heads = ["Option", *(case.title for case in table.columns), "State today", "Installed by"]
    rows = [
        [
            f"[{line.option.file.short}]({line.option.id}.md)",
            *line.marks,
            line.option.file.state_words,
            line.option.by(),
        ]
        for _, section in table.sections
        for line in section
    ]
    lines += [*_table(heads, rows), ""]
    lines += ["## The use cases", ""]
    for case in chart.use_cases:
        served = [
            f"[{option.file.title}]({option.id}.md) ({mark(option, case)})"
            for option in chart.options
            if mark(option, case)
        ]
        qualities = " and ".join(QUALITY_WORDS[quality] for quality in case.qualities)
        lines += [
            f"### {case.name}",
            f"{case.description} Qualities: {qualities}.",
            "",
            f"- In 2023: {case.then} {_small(chart, case.source)}",
            f"- Today: {', '.join(served)}.",
            "",
        ]
    lines.append("Every statement has its source; [all of them](sources.md).")
    return _page(lines)


def sources_page(chart: Map) -> str:
    """Every source with its version and where it can be read."""
    lines = ["# Sources of the map", MADE, ""]
    rows = [
        [f'<a id="{source.id}"></a>{source.title}', source.version, source.where]
        for source in chart.sources
    ]
    return _page([*lines, *_table(["Title", "Version", "Where"], rows)])


# ---- one option


def option_page(chart: Map, option: Option) -> str:
    """Everything about one option."""
    file = option.file
    lines = [
        f"# {file.title}",
        MADE,
        "",
        f"{file.summary} Part of [the map](README.md).",
        "",
        *_table(
            ["", ""],
            [
                ["What it gives", SYSTEM_TITLES[file.system]],
                ["Good for", file.good_for],
                ["Not for", file.not_for],
                ["State today", file.state_words],
                ["Quality", _cited(chart, file.production)],
                ["Kept by", _cited(chart, file.maintained_by)],
                ["Without internet", _offline(chart, option)],
                ["Time", _cited(chart, file.time)],
                ["Installed by", _installed_by(option)],
            ],
        ),
        "",
        "## Use cases",
        *_table(
            ["Way", "Quality", "For"],
            [
                [
                    way.title,
                    QUALITY_WORDS[way.quality] + (", a part beside others" * way.only_part),
                    ", ".join(chart.use_case(name).name for name in way.serves),
                ]
                for way in file.ways
            ],
        ),
        "",
        "## What the documents say",
        *(f"- {_cited(chart, said)}" for said in file.document),
        "",
        "## What is so today",
        *(f"- {_cited(chart, said)}" for said in file.today),
        "",
        "## Requirements",
        *_requirements(chart, option),
        "",
        "## Install",
        *_steps(chart, option),
        "",
        "## Ports",
        *_ports(chart, option),
        "",
        "## Verify",
        *_verify(chart, option),
        "",
        "## Troubleshooting",
        *_troubles(chart, option),
    ]
    return _page(lines)


def _offline(chart: Map, option: Option) -> str:
    bundle = " Sitewright makes a bundle of what it needs." if option.bundled else ""
    return _cited(chart, option.file.offline_words) + bundle


def _installed_by(option: Option) -> str:
    if option.installable:
        ours = [way.title for way in option.file.ways if option.installs(way)]
        part = f" ({', '.join(ours)})" if len(ours) < len(option.file.ways) else ""
        return f"Sitewright{part}, or by hand"
    why = option.solution.why_not if option.solution is not None else ""
    return f"By hand. {why or 'Sitewright has no tables for it.'}"


def _requirements(chart: Map, option: Option) -> list[str]:
    lines: list[str] = []
    seen: list[PlatformNeeds] = []
    for way in option.file.ways:
        needs = option.needs(way)
        lines += [f"### {way.title[:1].upper()}{way.title[1:]}"]
        if needs is None:
            lines += [f"Machines: {way.machines}.", ""]
            continue
        lines += _sizing(needs)
        if needs.platform not in seen:
            seen.append(needs.platform)
            lines += ["", *_platform(needs.platform)]
        lines.append("")
    lines += ["### Besides"]
    return [*lines, *(f"- {_cited(chart, said)}" for said in option.file.needs)]


def _sizing(needs: SolutionNeeds) -> list[str]:
    table = needs.sizing
    lines = _sizes(table)
    lines += [
        "",
        f"Source: {table.source}. [The table as data]({DATA}/{needs.solution}/sizing.yaml).",
    ]
    if table.notes:
        lines += ["", *(f"- {note}" for note in table.notes)]
    if needs.other_sizings:
        others = "; ".join(f"{other.title} ({other.source})" for other in needs.other_sizings)
        lines += ["", f"Other tables, which disagree and are not used: {others}."]
    return lines


def _sizes(table: SizingTable) -> list[str]:
    rows: list[list[str]] = []
    for row in table.roles:
        title = row.title or row.role
        if row.optional and "optional" not in title.lower():
            title += " (optional)"
        if row.of_cluster:
            title += " (of the cluster)"
        for number, shape in enumerate(row.shapes):
            line = [count_words(row.count) if number == 0 else "or", title, shape_words(shape)]
            # Roles that share their machines have one title and one line.
            if line not in rows:
                rows.append(line)
    return _table(["Count", "Role", "Each has"], rows)


def _platform(platform: PlatformNeeds) -> list[str]:
    lines = []
    if platform.os:
        systems = ", ".join(f"{one.id} {' or '.join(one.versions)}".strip() for one in platform.os)
        lines.append(f"- System: {systems} ({platform.os_source})")
    architectures = ", ".join(platform.architectures)
    lines.append(f"- Architecture: {architectures} ({platform.architecture_source})")
    if platform.cpu_flags:
        flags = ", ".join(platform.cpu_flags)
        lines.append(f"- CPU: {flags} ({platform.cpu_flags_source})")
    if platform.commands:
        lines.append(f"- There before: {', '.join(platform.commands)} ({platform.commands_source})")
    if platform.docker is not None:
        need = platform.docker
        versions = f"Engine {need.engine_min} and Compose {need.compose_min} or newer"
        brought = ", ".join(f"{one.id} {' and '.join(one.versions)}" for one in need.installed_on)
        lines.append(f"- Docker {versions}; brought along on {brought} ({need.source})")
    if platform.internet:
        hosts = dict.fromkeys(
            urlsplit(url).hostname or "" for urls in platform.internet.values() for url in urls
        )
        lines.append(f"- Fetches from: {', '.join(hosts)}")
    return lines


def _steps(chart: Map, option: Option) -> list[str]:
    lines = []
    solution = option.solution
    if solution is not None:
        way = option.file.ways[0]
        goal = f"--solution {solution.id} --environment {way.id}"
        lines += ["First see what the machines can carry; that changes nothing:", ""]
        lines += _commands([f"sitewright preflight {goal} <machine> …"])
    if option.installable:
        ours = [way for way in option.file.ways if option.installs(way)]
        part = len(ours) < len(option.file.ways)
        how = f", as `{', '.join(way.id for way in ours)}` alone" if part else ""
        lines += ["", f"Then install it in the wizard, or by the command{how}:", ""]
        lines += _commands(_install_commands(option))
        if option.bundled and solution is not None:
            lines += [
                "",
                "Where there is no internet, a bundle brings what it needs; make it where",
            ]
            lines += [
                "there is some, and name it in the site file (`supplies: {bundle: DIR}`):",
                "",
            ]
            made = f"sitewright bundle create --solution {solution.id}"
            site = "" if solution.default_environment.single_machine else " --site site.yaml"
            lines += _commands([f"{made}{site} --output DIR", "sitewright bundle verify DIR"])
        lines += ["", "The same by hand:"]
    else:
        lines += ["", "Sitewright does not carry this out; these are the steps by hand:"]
    for number, step in enumerate(option.file.steps, 1):
        lines += ["", f"{number}. **{step.title}.** {step.text}".rstrip()]
        if step.commands:
            lines += ["", *_commands(step.commands, indent="   ")]
        lines += ["", f"   {_small(chart, step.source)}"]
    return lines


def _install_commands(option: Option) -> list[str]:
    """How Sitewright installs it, verifies it, and what it can do with it later."""
    solution = option.solution
    if solution is None:
        return []
    if not solution.default_environment.single_machine:
        return ["sitewright install --site site.yaml", "sitewright verify --site site.yaml"]
    which = f"--solution {solution.id}"
    later = [
        f"sitewright {name} {which}"
        for name in ("services", "stop", "start", "remove")
        if (solution.folder / "operations" / f"{name}.yaml").is_file()
    ]
    return [f"sitewright install {which}", f"sitewright verify {which}", *later]


def _ports(chart: Map, option: Option) -> list[str]:
    file = option.file
    if file.no_ports:
        return [file.no_ports]
    if file.ports:
        rows = [[one.port, one.purpose, _small(chart, one.source)] for one in file.ports]
        return _table(["Port", "For", "Source"], rows)
    lines: list[str] = []
    told: set[tuple[str, ...]] = set()
    for way in file.ways:
        needs = option.needs(way)
        if needs is None or not needs.ports.ports:
            continue
        key = tuple(f"{one.port}/{one.protocol}/{one.purpose}" for one in needs.ports.ports)
        if key in told:
            continue
        told.add(key)
        rows = [_port_row(one) for one in needs.ports.ports]
        lines += _table(["Port", "For", "On", "Reached from", "When", "Source"], rows)
        lines += ["", *(f"- {note}" for note in needs.ports.notes), ""]
    if option.solution is not None:
        lines.append(f"[The tables as data]({DATA}/{option.solution.id}/ports.yaml).")
    return lines


def _port_row(line: PortNeed) -> list[str]:
    purpose = line.purpose
    if line.correction is not None:
        real = ", ".join(line.correction.ports)
        purpose += f". In reality {real}: {line.correction.reason}"
    if line.corrects:
        purpose += f" (what {line.corrects} of the document really is)"
    return [
        f"{line.port}/{line.protocol}",
        purpose,
        ", ".join(line.on),
        ", ".join(line.reached_from) or ("nobody outside" if line.closed_to else "-"),
        line.when or "always",
        line.source,
    ]


def _verify(chart: Map, option: Option) -> list[str]:
    lines: list[str] = []
    for check in option.file.verify:
        lines += ["", f"**{check.title}.** {check.expect}"]
        if check.commands:
            lines += ["", *_commands(check.commands)]
        lines += ["", _small(chart, check.source)]
    return lines[1:]


def _troubles(chart: Map, option: Option) -> list[str]:
    lines: list[str] = []
    for trouble in option.file.troubleshooting:
        lines += ["", f"### {trouble.symptom.rstrip('.')}"]
        lines += [f"{trouble.cause} {trouble.remedy}"]
        if trouble.commands:
            lines += ["", *_commands(trouble.commands)]
        lines += ["", _small(chart, trouble.source)]
    return lines[1:]


# ---- Markdown


def _cited(chart: Map, said: Said) -> str:
    return f"{said.text} {_small(chart, said.source)}"


def _small(chart: Map, reference: str) -> str:
    """A reference as a small link to its source, with the place in it."""
    source, place = chart.source(reference)
    return f"<sub>[{source.title}{', ' + place if place else ''}](sources.md#{source.id})</sub>"


def _commands(commands: Iterable[str], indent: str = "") -> list[str]:
    return [f"{indent}    {command}" for command in commands]


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A table; a bar in a text would end its cell."""
    lines = [_line(heads), "|" + "---|" * len(heads)]
    return [*lines, *(_line(row) for row in rows)]


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def _page(lines: Sequence[str]) -> str:
    """The lines as a page, with an empty line after every heading and never two in a row."""
    result: list[str] = []
    for line in lines:
        if line == "" and (not result or result[-1] == ""):
            continue
        if result and result[-1].startswith("#") and line and not line.startswith("<!--"):
            result.append("")
        result.append(line)
    return "\n".join(result).rstrip() + "\n"


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m tests.drawing.pages FOLDER")
    write_pages(Path(sys.argv[1]))

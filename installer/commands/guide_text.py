"""The advice, the map and an option of it, as text and as JSON."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from foundation.wording import nearest
from installer.guide.advice import (
    ORDER,
    PURPOSE_WORDS,
    QUALITY_WORDS,
    SYSTEM_WORDS,
    USE_CASE_OF,
    Advice,
    Fit,
    Purpose,
    Ranked,
    Wishes,
)
from installer.guide.chart import chart_of
from installer.guide.option_files import Quality, System
from preflight.report.layout import Page, Style, pad, wrap
from preflight.sizing import role_lines

if TYPE_CHECKING:
    from installer.guide.guide import Map, Option
    from installer.guide.option_files import Said
    from preflight.assessment import Seen

LABEL: Final = 10
BUNDLED: Final = " Sitewright makes a bundle of what it needs."
NAME: Final = 24
"""The width of an option's name in the map."""


# ---- the advice


def advice_text(
    chart: Map,
    advice: Advice,
    seen: Sequence[Seen],
    width: int,
    color: bool,
    ascii_only: bool,
) -> str:
    """The recommendation, its reasons, and the alternatives with what each lacks."""
    page = Page(width, color=color, ascii_only=ascii_only)
    page.paragraph(_understood(chart, advice.wishes), hang=0)
    page.paragraph(_looked_at(chart, seen), hang=0)
    best = advice.best
    if best is None:
        page.heading("Nothing on the map is for this")
        page.paragraph("Say less, or look at the whole map: sitewright guide --map")
        return page.text()
    word = "Take" if advice.fits else "Nearest, and not without a lack"
    if best.mendable:
        word = "Take, once mended"
    page.heading(f"{word}: {best.name}")
    page.paragraph(best.option.file.summary, indent=2, hang=2)
    page.blank()
    for place, reason in enumerate(best.reasons):
        page.field("" if place else "why", reason, indent=2, label_width=LABEL)
    for place, lack in enumerate(best.lacks):
        page.field("" if place else "lacks", lack + ".", indent=2, label_width=LABEL)
    for place, mind in enumerate(best.measured.minds[:3]):
        page.field("" if place else "mind", mind, indent=2, label_width=LABEL)
    if len(best.measured.minds) > 3:
        page.field("", f"… and {len(best.measured.minds) - 3} more.", indent=2, label_width=LABEL)
    page.commands("next", "\n".join(next_commands(best)), indent=2, label_width=LABEL)
    _alternatives(page, advice)
    for remark in advice.remarks:
        page.blank()
        page.paragraph(remark)
    page.blank()
    page.paragraph("The whole map: sitewright guide --map", style=Style.DIM)
    return page.text()


def next_commands(one: Ranked) -> tuple[str, ...]:
    """What to type next for a choice."""
    shown = (f"sitewright guide --option {one.option.id}",)
    if one.goal is None:
        return shown
    solution, environment = one.goal
    goal = f"--solution {shlex.quote(solution)} --environment {shlex.quote(environment)}"
    commands = [f"sitewright preflight {goal}"]
    needs = one.option.needs(one.way)
    if one.option.installs(one.way) and needs is not None and needs.single_machine:
        commands.append(f"sitewright install --solution {shlex.quote(solution)}")
    return (*commands, *shown)


def _understood(chart: Map, wishes: Wishes) -> str:
    said = []
    if wishes.purpose is not None:
        said.append(PURPOSE_WORDS[wishes.purpose])
    if wishes.system is not None:
        said.append(SYSTEM_WORDS[wishes.system])
    if wishes.quality is not None:
        said.append(QUALITY_WORDS[wishes.quality])
    if wishes.where is not None:
        said.append(chart.use_case(wishes.where).name.lower())
    if wishes.internet is not None:
        said.append("with the internet" if wishes.internet else "without the internet")
    return f"For: {'; '.join(said)}." if said else "For: anybody; nothing was said."


def _looked_at(chart: Map, seen: Sequence[Seen]) -> str:
    if not seen:
        return "No machine was looked at."
    names = ", ".join(one.host.name for one in seen[:4])
    more = f" and {len(seen) - 4} more" if len(seen) > 4 else ""
    silent = [one.host.name for one in seen if not one.reachable]
    missed = f" Not seen: {', '.join(silent)}." if silent else ""
    # Whoever types a word of the map where machines are named has named no machine.
    typed = [one.host.name for one in seen if one.host.name == one.host.address]
    hints = "".join(
        f' "{name}" was taken for a machine; did you mean {meant}?'
        for name in typed
        if name in silent and (meant := _word_of_the_map(chart, name)) is not None
    )
    return f"Looked at: {names}{more}.{missed}{hints}"


def _word_of_the_map(chart: Map, name: str) -> str | None:
    """The option of the command, with its word, that a machine's name most likely meant."""
    words = {option.id: f"--option {option.id}" for option in chart.options}
    places = (case.id for case in chart.use_cases if case.id not in USE_CASE_OF.values())
    words |= {place: f"--where {place}" for place in places}
    for option, said in (("purpose", Purpose), ("quality", Quality), ("system", System)):
        words |= {one.value: f"--{option} {one.value}" for one in said}
    close = nearest(name.lower(), words)
    return None if close is None else words[close]


_FIT_WORDS: Final = {
    Fit.READY: "carried here",
    Fit.WARNINGS: "carried here",
    Fit.MENDABLE: "can be mended",
    Fit.SHORT: "does not fit here",
    Fit.UNKNOWN: "",
}


def _alternatives(page: Page, advice: Advice) -> None:
    """The other ways; a part that belongs to a whole is no alternative to it."""
    whole = [one for one in advice.ranked[1:] if not one.way.only_part]
    parts = [one for one in advice.ranked[1:] if one.way.only_part]
    _ways(page, "Alternatives, best first", whole, first=2)
    _ways(page, "Parts that belong to a whole, and are nothing alone", parts)


def _ways(page: Page, heading: str, ways: Sequence[Ranked], *, first: int | None = None) -> None:
    if not ways:
        return
    page.heading(heading)
    for place_in, one in enumerate(ways):
        bullet = "-" if first is None else f"{place_in + first:>2}"
        # Why Sitewright cannot, and what is short, in one breath.
        words = [f"{one.option.by(one.way)}", one.option.file.state_words]
        if one.measured.fit is not Fit.UNKNOWN:
            words.append(_FIT_WORDS[one.measured.fit])
        page.item(bullet, f"{one.name} ({'; '.join(words)})", indent=4)
        for place, lack in enumerate(one.lacks):
            page.field("" if place else "lacks", lack + ".", indent=4, label_width=8)
        if not one.lacks and one.measured.asks:
            page.field("asks", one.measured.asks, indent=4, label_width=8)


def advice_json(chart: Map, advice: Advice, seen: Sequence[Seen]) -> str:
    """The advice as JSON: sitewright.guide/1."""
    wishes = advice.wishes
    value = {
        "schema": "sitewright.guide/1",
        "wishes": {
            "purpose": wishes.purpose,
            "system": wishes.system,
            "quality": wishes.quality,
            "where": wishes.where,
            "internet": wishes.internet,
        },
        "machines": [
            {"name": one.host.name, "address": one.host.address, "reachable": one.reachable}
            for one in seen
        ],
        "fits": advice.fits,
        "recommendation": _ranked(advice.best) if advice.best else None,
        "alternatives": [_ranked(one) for one in advice.ranked[1:]],
        "remarks": list(advice.remarks),
        "order": list(ORDER),
    }
    return json.dumps(value, indent=2, ensure_ascii=False)


def _ranked(one: Ranked) -> dict[str, Any]:
    return {
        "option": one.option.id,
        "way": one.way.id,
        "title": one.name,
        "quality": one.way.quality,
        "state": one.option.file.state,
        "installable": one.option.installs(one.way),
        "solution": one.goal[0] if one.goal else None,
        "environment": one.goal[1] if one.goal else None,
        "carried": one.measured.fit,
        "reasons": list(one.reasons),
        "lacks": list(one.lacks),
        "warnings": list(one.measured.minds),
        "next": list(next_commands(one)),
    }


# ---- the map


def map_text(chart: Map, width: int, color: bool, ascii_only: bool) -> str:
    """The map as a table that fits 80 columns."""
    page = Page(width, color=color, ascii_only=ascii_only)
    table = chart_of(chart)
    page.heading("The map of deployment options")
    page.blank()
    heads = pad("", NAME)
    for title, number in table.groups:
        heads += " " + pad(title, number * 5 - 1)
    page.lines.append(page.styled(page.plain(heads).rstrip(), Style.DIM))
    names = pad("", NAME) + "".join(" " + pad(case.short, 4) for case in table.columns)
    page.lines.append(page.styled(page.plain(names).rstrip(), Style.DIM))
    for title, lines in table.sections:
        page.lines.append(page.styled(page.plain(title), Style.STRONG))
        for line in lines:
            file = line.option.file
            marks = "".join(" " + pad(word or "·", 4) for word in line.marks)
            who = "Sitewright" if line.option.installable else "by hand"
            page.lines.append(page.plain(f"{pad('  ' + file.short, NAME)}{marks} {who}"))
    page.blank()
    page.paragraph(
        "PoC: proof of concept. prod: production quality, as somebody who publishes it says. "
        "both: one way of it for each."
    )
    page.heading("The use cases")
    for case in table.columns:
        page.item(case.short, case.name, indent=7)
        page.paragraph(case.description, indent=7, hang=7)
        page.paragraph(f"In 2023: {case.then}", indent=7, hang=7, style=Style.DIM)
    page.heading("State today")
    for option in chart.options:
        text = pad(f"  {option.file.short}", NAME + 1) + option.file.state_words
        page.lines.append(page.plain(text))
    page.blank()
    page.paragraph("One of them in full: sitewright guide --option ID, where ID is one of")
    page.paragraph(", ".join(option.id for option in chart.options), indent=2, hang=2)
    return page.text()


def map_json(chart: Map) -> str:
    """The map as JSON: sitewright.map/1."""
    value = {
        "schema": "sitewright.map/1",
        "use_cases": [case.model_dump(mode="json") for case in chart.use_cases],
        "options": [
            {**option.file.model_dump(mode="json"), "installable": option.installable}
            for option in chart.options
        ],
        "sources": [source.model_dump(mode="json") for source in chart.sources],
    }
    return json.dumps(value, indent=2, ensure_ascii=False)


# ---- one option


def option_text(chart: Map, option: Option, width: int, color: bool, ascii_only: bool) -> str:
    """Everything about one option."""
    page = Page(width, color=color, ascii_only=ascii_only)
    file = option.file
    page.heading(file.title)
    page.paragraph(file.summary)
    page.blank()
    for label, text in (
        ("good for", file.good_for),
        ("not for", file.not_for),
        ("state", file.state_words),
        ("install", _who_installs(option)),
        ("quality", file.production.text),
        ("kept by", file.maintained_by.text),
        ("offline", file.offline_words.text + BUNDLED * option.bundled),
        ("time", file.time.text),
    ):
        page.field(label, text, indent=0, label_width=LABEL)
    _said(page, chart, "What the documents say", file.document)
    _said(page, chart, "What is so today", file.today)
    _sizes(page, option)
    _said(page, chart, "What it needs besides", file.needs)
    page.heading("Steps by hand" if not option.installable else "The same by hand")
    for number, step in enumerate(file.steps, 1):
        page.item(f"{number}.", step.title, indent=4)
        if step.text:
            page.paragraph(step.text, indent=4, hang=4)
        for command in step.commands:
            page.lines.append("      " + page.plain(command))
    page.heading("How to see that it works")
    for check in file.verify:
        page.item("-", check.title, indent=4)
        for command in check.commands:
            page.lines.append("      " + page.plain(command))
        page.paragraph(check.expect, indent=4, hang=4)
    page.heading("When something goes wrong")
    for trouble in file.troubleshooting:
        page.item("-", trouble.symptom, indent=4)
        page.paragraph(f"{trouble.cause} {trouble.remedy}", indent=4, hang=4)
        for command in trouble.commands:
            page.lines.append("      " + page.plain(command))
        page.paragraph(chart.cite(trouble.source), indent=4, hang=4, style=Style.DIM)
    return page.text()


def _who_installs(option: Option) -> str:
    ours = [way.title for way in option.file.ways if option.installs(way)]
    if ours and len(ours) < len(option.file.ways):
        return f"Sitewright installs it in one way ({', '.join(ours)}); the others are by hand."
    if ours:
        return "Sitewright installs it; the steps below are the same by hand."
    ways = option.file.ways
    why = option.solution.why_not_in(ways[0].id) if option.solution is not None and ways else ""
    return f"Sitewright cannot install it; the steps below are by hand. {why}".strip()


def _said(page: Page, chart: Map, title: str, statements: Sequence[Said]) -> None:
    page.heading(title)
    for one in statements:
        page.item("-", one.text, indent=2, style=Style.PLAIN)
        for line in wrap(page.plain(chart.cite(one.source)), page.width - 4):
            page.lines.append("    " + page.styled(line, Style.DIM))


def _sizes(page: Page, option: Option) -> None:
    page.heading("Machines")
    for way in option.file.ways:
        needs = option.needs(way)
        title = f"{way.title} ({QUALITY_WORDS[way.quality]})"
        if needs is None:
            page.item("-", f"{title}: {way.machines}", indent=2, style=Style.PLAIN)
            continue
        page.item("-", title, indent=2)
        for count, role, text in role_lines(needs):
            page.paragraph(f"{count} {role}: {text}" if role else f"or {text}", indent=4, hang=8)
        page.paragraph(needs.sizing.source, indent=4, hang=4, style=Style.DIM)


def option_json(chart: Map, option: Option) -> str:
    """One option as JSON, its sources with it."""
    names = {reference.partition(" ")[0] for reference in option.file.references()}
    value = {
        "schema": "sitewright.option/1",
        **option.file.model_dump(mode="json"),
        "installable": option.installable,
        "sources": [s.model_dump(mode="json") for s in chart.sources if s.id in names],
    }
    return json.dumps(value, indent=2, ensure_ascii=False)

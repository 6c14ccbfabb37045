"""The goal step's texts, for what is under the cursor on the map and in the list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from rich.console import Group
from rich.table import Table
from rich.text import Text

from foundation.wording import counted
from preflight.sizing import machines_needed

if TYPE_CHECKING:
    from installer.guide.advice import Advice, Ranked
    from installer.guide.guide import Map
    from installer.guide.option_files import UseCase
    from preflight.needs import SolutionNeeds
    from screens.services.services import EnvironmentChoice, SolutionChoice

CARRY: Final = "carry"
"""The key of the question what this machine can carry."""
RECOMMENDED: Final = "*"
"""Stands before what is recommended; the text below says it in words."""

CARRY_TEXT: Final = (
    "It is looked at, and compared with every solution that fits on one machine. The least "
    "demanding comes first. Nothing else is needed: no address, no login."
)


def recommended(advice: Advice) -> tuple[Ranked, ...]:
    """What is recommended: the first of all on one machine, else of each system and quality.

    Nothing that lacks something is recommended, unless a few commands mend it.
    """
    from installer.guide.advice import USE_CASE_OF, system_of

    purpose = advice.wishes.purpose
    alone = purpose is None or purpose in USE_CASE_OF
    firsts: dict[object, Ranked] = {}
    for one in advice.ranked:
        kind = None if alone else (system_of(one.option, one.way), one.way.quality)
        firsts.setdefault(kind, one)
    return tuple(one for one in firsts.values() if not one.lacks or one.mendable)


def here_words(one: Ranked) -> tuple[str, str]:
    """How the machine at hand measures: a word or two, and their tone."""
    from installer.guide.advice import Fit

    match one.measured.fit:
        case Fit.READY:
            return "fits here", "pass"
        case Fit.WARNINGS:
            return "fits, warnings", "warn"
        case Fit.MENDABLE:
            return "can be mended", "warn"
        case Fit.SHORT:
            return "does not fit", "fail"
    needs = one.option.needs(one.way)
    if needs is None:
        return "not measured", "muted"
    if needs.sizing.standing_clusters:
        return asked_words(needs), "muted"
    number = needs.sizing.fewest_machines
    if number == 1:
        return ("not known yet" if needs.single_machine else "1 machine"), "muted"
    return counted(number, "machine"), "muted"


def asked_words(needs: SolutionNeeds) -> str:
    """What must be there, in two words: the clusters that stand already, else the machines."""
    clusters = needs.sizing.standing_clusters
    return counted(clusters, "cluster") if clusters else machines_needed(needs)


def _fits(one: Ranked) -> bool:
    """Whether the machine at hand was measured and carries it."""
    from installer.guide.advice import Fit

    return one.measured.fit in (Fit.READY, Fit.WARNINGS, Fit.MENDABLE)


def carry_text(advice: Advice | None = None, machine: str = "") -> Group:
    """What the question about this machine means, and what is known already."""
    parts = [Text("This machine, against everything that fits on one", "bold"), Text(CARRY_TEXT)]
    if advice is not None and machine:
        parts.append(Text())
        parts += [
            Text(f"{one.name}: {here_words(one)[0]}" + _lacking(one))
            for one in advice.ranked
            if one.option.solution is not None
        ]
    return Group(*parts)


def _lacking(one: Ranked) -> str:
    return f" ({'; '.join(one.measured.lacks)})" if one.measured.lacks else ""


def about_case(case: UseCase, advice: Advice | None, machine: str) -> Group:
    """A use case: what it is, what is recommended for it, what the document said."""
    parts = [Text(case.description)]
    if advice is None:
        parts.append(Text("Looking at what serves it…"))
        return Group(*parts)
    best = recommended(advice)
    where = f" on {machine}" if machine and any(map(_fits, advice.ranked)) else ""
    if best:
        names = "; ".join(one.option.name(one.way) for one in best)
        parts.append(Text(f"{RECOMMENDED} Recommended{where}: {names}.", "bold"))
        parts += [
            Text(f"To be mended first: {'; '.join(one.lacks)}.") for one in best if one.mendable
        ]
    elif advice.best is not None:
        lacks = "; ".join(advice.best.lacks)
        parts.append(Text(f"Nothing fits{where} as it is. Nearest: {advice.best.name} ({lacks})."))
    parts.append(Text(f"In 2023 the document named for it: {case.then}"))
    return Group(*parts)


def about_way(chart: Map, advice: Advice, one: Ranked, machine: str) -> Group:
    """An option: whether it is recommended and why, its state, what it asks for."""
    from installer.guide.advice import QUALITY_WORDS

    file = one.option.file
    first = one in recommended(advice)
    title = Text(one.name, "bold")
    if first:
        title.append(f"  {RECOMMENDED} recommended" + (f" on {machine}" if _fits(one) else ""))
    who = "Sitewright installs it" if one.option.installs(one.way) else "by hand"
    parts: list[Text | Table] = [
        title,
        Text(f"{QUALITY_WORDS[one.way.quality]} · {who} · {file.state_words}"),
    ]
    if one.lacks:
        word = "To be mended first" if one.mendable else "Lacks"
        parts.append(Text(f"{word}: {'; '.join(one.lacks)}."))
    parts.append(Text(f"{file.summary} Good for: {_lower(file.good_for)}"))
    parts += [Text(), Text("Why here", "bold"), *(Text(f"- {text}") for text in one.reasons)]
    parts += [Text(f"- Mind: {text}") for text in one.measured.minds]
    needs = one.option.needs(one.way)
    parts += [Text(), Text("Machines", "bold")]
    if needs is None:
        parts.append(Text(one.way.machines))
    else:
        parts += [sizes(needs), Text(f"Source: {needs.sizing.source}")]
    parts += [Text(), Text("Today", "bold")]
    parts += [Text(f"- {said.text} ({chart.cite(said.source)})") for said in file.today]
    parts += [Text(), Text("In the documents", "bold")]
    parts += [Text(f"- {said.text} ({chart.cite(said.source)})") for said in file.document]
    if not one.option.installs(one.way):
        parts += [Text(), Text("Space shows its steps by hand.")]
    return Group(*parts)


def _lower(sentence: str) -> str:
    """A sentence to stand after a colon; a name keeps its capital."""
    second = sentence[1:2]
    return sentence if second.isupper() else sentence[:1].lower() + sentence[1:]


def sizes(needs: SolutionNeeds) -> Table:
    """A sizing table: count, role, what each machine must have."""
    from preflight.sizing import role_lines

    table = Table.grid(padding=(0, 1, 0, 0), expand=True)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(ratio=1)
    for count, role, text in role_lines(needs):
        table.add_row(Text(count), Text(role, "bold"), Text(text))
    return table


def asks_text(solution: SolutionChoice, environment: EnvironmentChoice) -> Group:
    """What a solution asks of its machines, and who says so."""
    needs = environment.needs
    parts: list[Text | Table] = [
        Text(f"{solution.title}, {environment.title or environment.id}", "bold"),
        Text(solution.summary),
        Text(),
        sizes(needs),
        Text(),
        Text(f"Source: {needs.sizing.source}"),
    ]
    parts += [Text(note) for note in needs.sizing.notes]
    if needs.other_sizings:
        parts.append(Text(f"Other tables, not used: {'; '.join(other_tables(needs))}"))
    if why_not := needs.not_installed or ("" if solution.installable else solution.note):
        parts += [Text(), Text(f"It can be judged, and not installed yet. {why_not}")]
    return Group(*parts)


def other_tables(needs: SolutionNeeds) -> tuple[str, ...]:
    """The tables that are not used, each told apart: by its source where titles are the same."""
    every = [needs.sizing.title, *(other.title for other in needs.other_sizings)]
    return tuple(
        f"{one.title} ({one.source})" if every.count(one.title) > 1 else one.title
        for one in needs.other_sizings
    )


def without_goal(one: Ranked) -> str:
    """Why an option without tables cannot be gone on with, and what to do instead."""
    words: Sequence[str] = (
        f"{one.name} is taken by hand: Sitewright has no tables for it.",
        "Space shows its steps.",
    )
    return " ".join(words)

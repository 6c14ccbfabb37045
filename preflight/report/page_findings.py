"""The findings as the HTML report takes them: things to do, and rows of tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from preflight.assessment import Assessment
from preflight.findings import Finding
from preflight.report.areas import area_title, mark_of
from preflight.report.grouping import BETWEEN, Entry, check_name, names, sources
from preflight.report.words import Colored, capital, name_list, severity_word


@dataclass(frozen=True, slots=True)
class Told:
    """A text, and of which machines it is told where they differ."""

    text: str
    hosts: str


@dataclass(frozen=True, slots=True)
class Head:
    """One title of a thing, and a line about its machines beneath."""

    title: str
    also: str = ""
    between: bool = False
    """Whether it is of no machine alone."""


@dataclass(frozen=True, slots=True)
class Thing:
    """One thing to know or to mend."""

    number: int
    heads: Sequence[Head]
    expected: Sequence[Told]
    actual: Sequence[Told]
    source: Sequence[Told]
    remedy: Sequence[Told]
    evidence: Sequence[Told]
    undo: Sequence[Told]
    result: Colored
    check: str


@dataclass(frozen=True, slots=True)
class Line:
    """A finding as a row of a table."""

    result: Colored
    check: str
    title: str
    evidence: str
    expected: str
    actual: str
    number: int | None
    """Of its source among those that the page lists."""


@dataclass(frozen=True, slots=True)
class UnseenMachine:
    """A machine or cluster that could not be seen, why, and the way out."""

    title: str
    at: str
    why: str
    remedy: str


def things(entries: Iterable[Entry]) -> list[Thing]:
    """Things to know or to mend, numbered."""
    return [_thing(entry, number) for number, entry in enumerate(entries, 1)]


def _thing(entry: Entry, number: int) -> Thing:
    finding = entry.finding
    return Thing(
        number=number,
        heads=[_head(hosts, title) for hosts, title in entry.titles()],
        expected=_told(entry, lambda f: f.expected),
        actual=_told(entry, lambda f: f.actual),
        source=_told(entry, lambda f: f.source),
        remedy=_told(entry, lambda f: f.remedy),
        evidence=_told(entry, lambda f: f.evidence),
        undo=_told(entry, lambda f: f.undo),
        result=_result(finding),
        check=f"{area_title(finding.area)}: {check_name(finding)}",
    )


def _head(hosts: Sequence[str], title: str) -> Head:
    if not hosts:
        return Head(title, capital(BETWEEN), between=True)
    if not names(title, hosts[0]):
        return Head(title, f"On {name_list(hosts)}")
    return Head(title, f"Likewise {name_list(hosts[1:])}" if hosts[1:] else "")


def _told(entry: Entry, tell: Callable[[Finding], str]) -> list[Told]:
    return [
        Told(text, name_list(hosts) if hosts else "")
        for hosts, text in entry.told_apart(tell)
        if text
    ]


def _result(finding: Finding) -> Colored:
    return Colored(severity_word(finding), mark_of(finding).value)


def unseen(assessment: Assessment) -> list[UnseenMachine]:
    """What could not be seen, each with the reason and the way out."""
    made = []
    for target in assessment.targets:
        if target.seen.reachable:
            continue
        problem = target.seen.problem
        what = problem.title if problem else "It was not looked at"
        made.append(
            UnseenMachine(
                f"{target.name}: {what}",
                target.endpoint,
                problem.cause if problem else "",
                (problem.remedy or "") if problem else "",
            )
        )
    return made


def numbers_of_sources(assessment: Assessment) -> dict[str, int]:
    """The number under which the page lists each document."""
    return {source: number for source, (number, _) in sources(assessment).items()}


def lines(findings: Iterable[Finding], numbers: Mapping[str, int]) -> list[Line]:
    """Findings with what was expected and found, their evidence, and the number of the source."""
    return [
        Line(
            _result(finding),
            check_name(finding),
            finding.title,
            finding.evidence,
            finding.expected,
            finding.actual,
            numbers.get(finding.source),
        )
        for finding in findings
    ]

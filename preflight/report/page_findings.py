"""The findings in the HTML report: as things to do, and as tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from preflight.assessment import Assessment
from preflight.findings import Finding
from preflight.report.areas import area_title, mark_of
from preflight.report.grouping import BETWEEN, Entry, check_name, names, sources
from preflight.report.markup import (
    capital,
    command_block,
    definitions,
    instructions,
    paragraph,
    safe,
    scrolling,
    section,
    table,
    word,
)
from preflight.report.words import name_list, severity_word


def entries(title: str, entries: Sequence[Entry], *, edge: str = "") -> str:
    """A section of things to know or to mend; `edge` names a colour, and numbers the things."""
    if not entries:
        return ""
    numbered = bool(edge)
    articles = [
        _entry(entry, edge, f"{number}. " if numbered else "")
        for number, entry in enumerate(entries, 1)
    ]
    return section(f"{title} ({len(entries)})", *articles)


def _entry(entry: Entry, edge: str, number: str) -> str:
    finding = entry.finding
    heads: list[str] = []
    for hosts, title in entry.titles():
        level = "h3" if not heads else "h4"
        heads.append(f"<{level}>{safe(number)}{safe(title)}</{level}>")
        number = ""
        if not hosts:
            heads.append(f'<p class="also dim">{safe(capital(BETWEEN))}</p>')
        elif not names(title, hosts[0]):
            heads.append(f'<p class="also">On {safe(name_list(hosts))}</p>')
        elif hosts[1:]:
            heads.append(f'<p class="also">Likewise {safe(name_list(hosts[1:]))}</p>')
    named = word(severity_word(finding), mark_of(finding).value)
    check = safe(f"{area_title(finding.area)}: {check_name(finding)}")
    visible = definitions(
        [
            ("Expected", _told(entry, lambda f: f.expected, paragraph)),
            ("Found", _told(entry, lambda f: f.actual, paragraph)),
            ("Demanded by", _told(entry, lambda f: f.source, paragraph)),
            ("What to do", _told(entry, lambda f: f.remedy, instructions)),
            ("Check", f"{named} {check}"),
        ]
    )
    hidden = definitions(
        [
            ("See it", _told(entry, lambda f: f.evidence, command_block)),
            ("Take back", _told(entry, lambda f: f.undo, instructions)),
        ]
    )
    if hidden:
        hidden = f"<details><summary>Evidence and how to take it back</summary>{hidden}</details>"
    return f'<article class="entry {edge}">{"".join(heads)}{visible}{hidden}</article>'


def _told(entry: Entry, tell: Callable[[Finding], str], write: Callable[[str], str]) -> str:
    said = []
    for hosts, text in entry.told_apart(tell):
        if not text:
            continue
        if not hosts:
            said.append(write(text))
        elif write is paragraph:
            said.append(paragraph(f"{text} ({name_list(hosts)})"))
        else:
            said.append(f'<p class="dim">On {safe(name_list(hosts))}:</p>{write(text)}')
    return "".join(said)


def unseen(assessment: Assessment) -> str:
    """The machines that could not be seen, each with the reason and the way out."""
    hosts = [host for host in assessment.hosts if not host.seen.reachable]
    articles = []
    for host in hosts:
        problem = host.seen.problem
        what = problem.title if problem else "It was not looked at"
        fields = [("At", safe(host.seen.host.endpoint))]
        if problem is not None:
            fields += [
                ("Why", paragraph(problem.cause)),
                ("What to do", instructions(problem.remedy or "")),
            ]
        articles.append(
            f'<article class="entry"><h3>{safe(f"{host.seen.host.name}: {what}")}</h3>'
            f"{definitions(fields)}</article>"
        )
    if not articles:
        return ""
    return section(f"Machines that could not be seen ({len(articles)})", *articles)


def between(assessment: Assessment) -> str:
    """The findings between machines, passes too."""
    if not assessment.findings:
        return ""
    label = "Between the machines"
    listed = findings_table(assessment.findings, label, numbers_of_sources(assessment))
    return section(label, listed)


def numbers_of_sources(assessment: Assessment) -> dict[str, int]:
    """The number under which the page lists each document."""
    return {source: number for source, (number, _) in sources(assessment).items()}


def findings_table(findings: Iterable[Finding], label: str, numbers: Mapping[str, int]) -> str:
    """Findings with what was expected and found, their evidence, and the number of the source."""
    rows = []
    for finding in findings:
        number = numbers.get(finding.source)
        evidence = f"<br><code>{safe(finding.evidence)}</code>" if finding.evidence else ""
        rows.append(
            [
                word(severity_word(finding), mark_of(finding).value),
                safe(f"{check_name(finding)}"),
                safe(finding.title) + evidence,
                safe(finding.expected),
                safe(finding.actual),
                f'<a href="#source-{number}">[{number}]</a>' if number else "",
            ]
        )
    head = ["Result", "Check", "What it says, and what shows it", "Expected", "Found", "Source"]
    return scrolling(table(head, rows, name="findings", heads=False), label)

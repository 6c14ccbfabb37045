"""The report as one HTML file that needs nothing else: for the screen, the printer, the auditor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from preflight.assessment import Assessment
from preflight.findings import Severity
from preflight.report import clusters, grouping
from preflight.report.areas import Mark, grid
from preflight.report.next_steps import next_steps
from preflight.report.page_findings import lines, numbers_of_sources, things, unseen
from preflight.report.page_machines import machines
from preflight.report.page_waivers import risks, waivers
from preflight.report.pages import rendered
from preflight.report.words import (
    Colored,
    capital,
    moment,
    name_list,
    numbers_of,
    subject_sentence,
    target_noun,
    verdict_word,
)
from preflight.sizing import table_notes

CELL_WORDS = {
    Mark.NONE: "–",
    Mark.OK: "ok",
    Mark.WAIVED: "waived",
    Mark.WARN: "warn",
    Mark.UNKNOWN: "unknown",
    Mark.FAIL: "FAIL",
}


def render_page(assessment: Assessment) -> str:
    """The report as HTML: no script, nothing loaded from anywhere, everything escaped."""
    needs = assessment.needs
    return rendered(
        "preflight.html",
        subject=subject_sentence(assessment),
        verdict=verdict_word(assessment.verdict),
        sentence=grouping.sentence(assessment),
        cover=_cover(assessment),
        areas=_areas(assessment),
        roles=_roles(assessment),
        carries=[
            Carries(f"{one.title or one.solution}, {one.environment}", verdict_word(one.verdict),
                    one.sentence)
            for one in assessment.carries
        ],
        failures=things(grouping.failures(assessment)),
        unseen=unseen(assessment),
        unknown=things(grouping.of_severity(assessment, Severity.UNKNOWN)),
        warnings=things(grouping.of_severity(assessment, Severity.WARN)),
        between=lines(assessment.findings, numbers_of_sources(assessment)),
        waivers=waivers(assessment),
        risks=risks(assessment),
        notes=table_notes(needs),
        sources=[
            Source(number, source, ", ".join(ids))
            for source, (number, ids) in grouping.sources(assessment).items()
        ],
        tables=[
            (f"{one.title} ({one.id})", one.version, one.source) for one in needs.other_sizings
        ],
        next="\n".join(next_steps(assessment)),
        machines=machines(assessment),
        clusters=clusters.clusters(assessment),
        noun=target_noun(assessment),
        made=(
            f"Made {moment(assessment.made_at)} by Sitewright "
            f"{assessment.extra.get('version', '')}".strip()
        ),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Carries:
    """Whether this machine can carry a solution."""

    solution: str
    verdict: Colored
    why: str


@dataclass(frozen=True, slots=True)
class Source:
    """A document, its number on the page, and the checks that it demands."""

    number: int
    source: str
    checks: str


@dataclass(frozen=True, slots=True)
class AreaRow:
    """A machine, its verdict, and a mark for each area; or why it was not seen."""

    machine: str
    verdict: Colored
    marks: Sequence[Colored]
    unseen: str


@dataclass(frozen=True, slots=True)
class Areas:
    """The machines by area."""

    titles: Sequence[str]
    rows: Sequence[AreaRow]


def _cover(assessment: Assessment) -> list[tuple[str, str]]:
    needs, extra = assessment.needs, assessment.extra
    sizing = needs.sizing
    seen = sum(host.seen.reachable for host in assessment.hosts)
    alone = bool(assessment.hosts) or not assessment.clusters
    totals = numbers_of(assessment.all_findings)
    results = [
        f"{totals['fail']} failed",
        f"{totals['unknown']} unknown",
        f"{totals['warn']} with a warning",
        f"{totals['waived']} waived",
        f"{totals['pass']} passed",
    ]
    return [
        ("Site", extra.get("site", "")),
        ("Facts from", extra.get("facts", "")),
        ("Date", moment(assessment.made_at)),
        ("Solution", f"{subject_sentence(assessment)} ({needs.solution})"),
        ("Sizing table", f"{sizing.title} ({sizing.id}), version {sizing.version}"),
        ("Demanded by", sizing.source),
        ("Machines", f"{len(assessment.hosts)} named, {seen} seen" if alone else ""),
        *clusters.rows(assessment),
        ("Checks", ", ".join(results)),
        ("Made by", f"Sitewright {extra.get('version', '')}".strip()),
        *(
            (capital(key), value)
            for key, value in extra.items()
            if key not in {"site", "facts", "version", "next"}
        ),
    ]


def _areas(assessment: Assessment) -> Areas:
    summary = grid(assessment)
    rows = []
    for row in summary.rows:
        seen = row.target.seen
        marks = [Colored(CELL_WORDS[mark], _mark_class(mark)) for mark in row.marks]
        why = f"not seen: {seen.problem.title}" if seen.problem else "not seen"
        rows.append(
            AreaRow(
                row.target.name,
                verdict_word(row.target.verdict),
                marks if seen.reachable else (),
                "" if seen.reachable else why,
            )
        )
    return Areas(
        [capital(target_noun(assessment)), "Verdict", *(area.title for area in summary.columns)],
        rows,
    )


def _mark_class(mark: Mark) -> str:
    return "dim" if mark is Mark.NONE else mark.value


def _roles(assessment: Assessment) -> list[tuple[str, ...]]:
    if len(assessment.hosts) < 2 or not any(host.roles for host in assessment.hosts):
        return []
    rows: list[tuple[str, ...]] = []
    for row in assessment.needs.sizing.roles:
        playing = [h.seen.host.name for h in assessment.hosts if row.role in h.roles]
        asked = str(row.count.min)
        if row.count.max != row.count.min:
            asked += " or more" if row.count.max is None else f" to {row.count.max}"
        if grouping.external(row):
            asked += ", outside the site"
        if row.optional or row.count.max == 0:
            asked = "optional"
        rows.append((row.title or row.role, asked, str(len(playing)), name_list(playing)))
    without = [h.seen.host.name for h in assessment.hosts if not h.roles]
    if without:
        rows.append(("no role", "", str(len(without)), name_list(without)))
    return rows

"""The report as one HTML file that needs nothing else: for the screen, the printer, the auditor."""

from __future__ import annotations

import hashlib
from base64 import b64encode

from preflight.assessment import Assessment
from preflight.findings import Severity
from preflight.report import grouping
from preflight.report.areas import Mark, grid
from preflight.report.markup import (
    VERDICT_CLASSES,
    capital,
    command_block,
    definitions,
    safe,
    scrolling,
    section,
    table,
    verdict_word,
    word,
)
from preflight.report.next_steps import next_steps
from preflight.report.page_findings import between, entries, unseen
from preflight.report.page_machines import machines
from preflight.report.page_style import STYLE
from preflight.report.page_waivers import risks, waivers
from preflight.report.words import (
    VERDICT_WORDS,
    counted,
    moment,
    name_list,
    subject_sentence,
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
    digest = b64encode(hashlib.sha256(STYLE.encode()).digest()).decode("ascii")
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    title = f"Preflight: {subject_sentence(assessment)}"
    parts = [
        "<!DOCTYPE html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="referrer" content="no-referrer">',
        f"<title>{safe(title)}</title>",
        f"<style>{STYLE}</style>",
        "</head>",
        "<body>",
        _cover(assessment),
        "<main>",
        _summary(assessment),
        _roles(assessment),
        _carries(assessment),
        entries("What must be done", grouping.failures(assessment), edge="fail-edge"),
        unseen(assessment),
        entries("What could not be told", grouping.of_severity(assessment, Severity.UNKNOWN)),
        entries("Warnings", grouping.of_severity(assessment, Severity.WARN)),
        between(assessment),
        waivers(assessment),
        risks(assessment),
        _notes(assessment),
        _sources(assessment),
        _next(assessment),
        machines(assessment),
        "</main>",
        _footer(assessment),
        "</body>",
        "</html>",
    ]
    return "\n".join(part for part in parts if part) + "\n"


def _cover(assessment: Assessment) -> str:
    needs, extra = assessment.needs, assessment.extra
    sizing = needs.sizing
    seen = sum(host.seen.reachable for host in assessment.hosts)
    totals = counted(assessment.all_findings)
    results = [
        f"{totals['fail']} failed",
        f"{totals['unknown']} unknown",
        f"{totals['warn']} with a warning",
        f"{totals['waived']} waived",
        f"{totals['pass']} passed",
    ]
    verdict = assessment.verdict
    return (
        "<header><h1>Preflight report</h1>"
        f'<p class="verdict"><strong class="{VERDICT_CLASSES[verdict]}">'
        f"{VERDICT_WORDS[verdict]}</strong> {safe(capital(grouping.sentence(assessment)))}</p>"
        + definitions(
            [
                ("Site", safe(extra.get("site", ""))),
                ("Facts from", safe(extra.get("facts", ""))),
                ("Date", safe(moment(assessment.made_at))),
                ("Solution", safe(f"{subject_sentence(assessment)} ({needs.solution})")),
                ("Sizing table", safe(f"{sizing.title} ({sizing.id}), version {sizing.version}")),
                ("Demanded by", safe(sizing.source)),
                ("Machines", safe(f"{len(assessment.hosts)} named, {seen} seen")),
                ("Checks", safe(", ".join(results))),
                ("Made by", safe(f"Sitewright {extra.get('version', '')}".strip())),
                *(
                    (safe(capital(key)), safe(value))
                    for key, value in extra.items()
                    if key not in {"site", "facts", "version", "next"}
                ),
            ]
        )
        + "</header>"
    )


def _summary(assessment: Assessment) -> str:
    summary = grid(assessment)
    if not summary.rows:
        return ""
    head = ["Machine", "Verdict", *(area.title for area in summary.columns)]
    rows = []
    for number, row in enumerate(summary.rows, 1):
        host = row.host
        verdict = verdict_word(host.verdict)
        cells = [f'<a href="#machine-{number}">{safe(host.seen.host.name)}</a>', verdict]
        if host.seen.reachable:
            cells += [word(CELL_WORDS[mark], _mark_class(mark)) for mark in row.marks]
            rows.append(cells)
        else:
            problem = host.seen.problem
            why = f"not seen: {problem.title}" if problem else "not seen"
            rows.append([*cells, word(why, "unknown")])
    spans = {place: len(summary.columns) for place, row in enumerate(rows) if len(row) < len(head)}
    return section(
        "Machines by area",
        scrolling(table(head, rows, name="grid", spans=spans), "Machines by area"),
    )


def _mark_class(mark: Mark) -> str:
    return "dim" if mark is Mark.NONE else mark.value


def _roles(assessment: Assessment) -> str:
    if len(assessment.hosts) < 2 or not any(host.roles for host in assessment.hosts):
        return ""
    rows = []
    for row in assessment.needs.sizing.roles:
        playing = [h.seen.host.name for h in assessment.hosts if row.role in h.roles]
        asked = str(row.count.min)
        if row.count.max != row.count.min:
            asked += " or more" if row.count.max is None else f" to {row.count.max}"
        if grouping.external(row):
            asked += ", outside the site"
        if row.optional or row.count.max == 0:
            asked = "optional"
        rows.append(
            [safe(row.title or row.role), asked, str(len(playing)), safe(name_list(playing))]
        )
    without = [h.seen.host.name for h in assessment.hosts if not h.roles]
    if without:
        rows.append(["no role", "", str(len(without)), safe(name_list(without))])
    return section(
        "Roles", scrolling(table(["Role", "Asked for", "Given", "Machines"], rows), "Roles")
    )


def _carries(assessment: Assessment) -> str:
    rows = [
        [
            safe(f"{one.title or one.solution}, {one.environment}"),
            verdict_word(one.verdict),
            safe(one.sentence),
        ]
        for one in assessment.carries
    ]
    if not rows:
        return ""
    listed = table(["Solution", "Verdict", "Why"], rows)
    return section("What this machine can carry", scrolling(listed, "What it can carry"))


def _notes(assessment: Assessment) -> str:
    notes = "".join(f"<li>{safe(note)}</li>" for note in table_notes(assessment.needs))
    if not notes:
        return ""
    return section("What the tables say that no check can", f"<ul>{notes}</ul>")


def _sources(assessment: Assessment) -> str:
    rows = [
        [f'<span id="source-{number}">[{number}]</span>', safe(source), safe(", ".join(ids))]
        for source, (number, ids) in grouping.sources(assessment).items()
    ]
    parts = []
    if rows:
        parts.append(scrolling(table(["No.", "Document", "Checks"], rows), "Who demands what"))
    if assessment.needs.other_sizings:
        parts.append("<h3>Other published sizing tables that disagree (not used here)</h3>")
        others = [
            [safe(f"{one.title} ({one.id})"), safe(one.version), safe(one.source)]
            for one in assessment.needs.other_sizings
        ]
        parts.append(scrolling(table(["Table", "Version", "Source"], others), "Other tables"))
    return section("Who demands what", *parts) if parts else ""


def _next(assessment: Assessment) -> str:
    return section("What to run next", command_block("\n".join(next_steps(assessment))))


def _footer(assessment: Assessment) -> str:
    made = f"Made {moment(assessment.made_at)} by Sitewright {assessment.extra.get('version', '')}"
    return f"<footer>{safe(made.strip())}. Nothing was changed on any machine.</footer>"

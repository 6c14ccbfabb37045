"""The report as text for a person: what must be done first, each thing once, at any width."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from preflight.assessment import Assessment, Target
from preflight.findings import Finding, Severity, Verdict
from preflight.report import clusters, grouping, text_table
from preflight.report.grouping import BETWEEN, Entry, check_name, names
from preflight.report.layout import Page, Style, widest, wrap
from preflight.report.next_steps import next_steps
from preflight.report.words import (
    VERDICT_WORDS,
    capital,
    clean,
    count,
    is_waived,
    moment,
    name_list,
    numbers_of,
    severity_word,
    subject_sentence,
    target_noun,
)
from preflight.sizing import table_notes

_LABEL = 10
_INDENT = 4

VERDICT_STYLES = {
    Verdict.READY: Style.OK,
    Verdict.READY_WITH_WARNINGS: Style.WARN,
    Verdict.NOT_READY: Style.FAIL,
    Verdict.INCOMPLETE: Style.UNKNOWN,
}


def render_text(
    assessment: Assessment, *, width: int = 80, color: bool = False, ascii_only: bool = False
) -> str:
    """The report as text; only commands to be copied may be wider than `width` cells."""
    page = Page(width, color=color, ascii_only=ascii_only)
    _verdict(page, assessment)
    _subject(page, assessment)
    text_table.roles(page, assessment)
    text_table.machines(page, assessment)
    _carries(page, assessment)
    tell_entries(page, "What must be done", grouping.failures(assessment), numbered=True)
    _unseen(page, assessment)
    tell_entries(page, "What could not be told", grouping.of_severity(assessment, Severity.UNKNOWN))
    tell_entries(page, "Warnings", grouping.of_severity(assessment, Severity.WARN))
    _between(page, assessment)
    _waivers(page, assessment)
    _risks(page, assessment)
    _notes(page, assessment)
    _other_sizings(page, assessment)
    _next(page, assessment)
    return page.text()


def _verdict(page: Page, assessment: Assessment) -> None:
    word = VERDICT_WORDS[assessment.verdict]
    sentence = page.plain(grouping.sentence(assessment))
    lines = wrap(f"{word}: {sentence}", page.width)
    # The word is coloured where it stands whole on the first line, which it does at any sane width.
    lines[0] = lines[0].replace(word, page.styled(word, VERDICT_STYLES[assessment.verdict]), 1)
    page.lines += lines
    page.blank()


def _subject(page: Page, assessment: Assessment) -> None:
    needs, extra = assessment.needs, assessment.extra
    sizing = needs.sizing
    version = f" by Sitewright {extra['version']}" if "version" in extra else ""
    rows = [
        ("Site", extra.get("site", "")),
        ("Facts from", extra.get("facts", "")),
        ("Solution", f"{subject_sentence(assessment)} ({needs.solution})"),
        ("Sizing", f"{sizing.title} ({sizing.id}), version {sizing.version}" * bool(sizing.roles)),
        ("Source", sizing.source * bool(sizing.roles)),
        *_machines(assessment),
        *clusters.rows(assessment),
        ("Judged", (moment(assessment.made_at) + version).strip()),
    ]
    rows += [
        (key.capitalize(), value)
        for key, value in extra.items()
        if key not in {"site", "facts", "version", "next"}
    ]
    label_width = min(widest(page.plain(label) for label, value in rows if value) + 2, 20)
    for label, value in rows:
        if value:
            page.field(label, value, indent=0, label_width=label_width)


def _machines(assessment: Assessment) -> list[tuple[str, str]]:
    """How many machines, or which one."""
    seen = sum(host.seen.reachable for host in assessment.hosts)
    named = len(assessment.hosts)
    if named == 1:
        host = assessment.hosts[0].seen.host
        return [("Machine", host.name if host.local else f"{host.name}, {host.endpoint}")]
    if not named and assessment.clusters:
        return []
    return [
        ("Machines", f"{named}, all seen" if seen == named else f"{named}, of which {seen} seen")
    ]


def _carries(page: Page, assessment: Assessment) -> None:
    if not assessment.carries:
        return
    page.heading("What this machine can carry")
    for carries in assessment.carries:
        word = VERDICT_WORDS[carries.verdict]
        title = page.plain(f"{carries.title or carries.solution}, {carries.environment}")
        word_width = widest(VERDICT_WORDS[c.verdict] for c in assessment.carries) + 2
        pieces = wrap(title, page.width - word_width)
        styled = page.styled(word, VERDICT_STYLES[carries.verdict])
        page.lines.append(styled + " " * (word_width - len(word)) + (pieces[0] if pieces else ""))
        page.lines += [" " * word_width + piece for piece in pieces[1:]]
        page.paragraph(carries.sentence, indent=word_width)


def tell_entries(
    page: Page, title: str, entries: Sequence[Entry], *, numbered: bool = False
) -> None:
    """A heading with how many there are, and each with all that is said of it; nothing for none."""
    if not entries:
        return
    page.heading(f"{title} ({len(entries)})")
    for number, entry in enumerate(entries, 1):
        page.blank()
        _entry(page, entry, f"{number}." if numbered else "-")


def _entry(page: Page, entry: Entry, bullet: str) -> None:
    finding = entry.finding
    lead = bullet
    for hosts, title in entry.titles():
        page.item(lead, title, indent=_INDENT)
        lead = ""
        if not hosts:
            _told(page, "where", [((), BETWEEN)])
        elif names(title, hosts[0]):
            _told(page, "likewise", [((), name_list(hosts[1:]))])
        else:
            _told(page, "on", [((), name_list(hosts))])
    _told(page, "expected", entry.told_apart(lambda f: f.expected))
    _told(page, "found", entry.told_apart(lambda f: f.actual))
    _told(page, "why", entry.told_apart(lambda f: f.source))
    _instructed(page, "see", entry.told_apart(lambda f: f.evidence), page.commands)
    _instructed(page, "do", entry.told_apart(lambda f: f.remedy), page.instructions)
    _instructed(page, "undo", entry.told_apart(lambda f: f.undo), page.instructions)
    _told(page, "check", [((), check_name(finding))])


def _told(page: Page, label: str, told: Sequence[tuple[tuple[str, ...], str]]) -> None:
    for hosts, text in told:
        if text:
            shown = f"{text} ({name_list(hosts)})" if hosts else text
            page.field(label, shown, indent=_INDENT, label_width=_LABEL)
            label = ""


def _instructed(
    page: Page,
    label: str,
    told: Sequence[tuple[tuple[str, ...], str]],
    write: Callable[..., None],
) -> None:
    for hosts, text in told:
        if not text:
            continue
        if hosts:
            page.field(label, f"on {name_list(hosts)}:", indent=_INDENT, label_width=_LABEL)
            label = ""
        write(label, text, indent=_INDENT, label_width=_LABEL)
        label = ""


def _unseen(page: Page, assessment: Assessment) -> None:
    unseen = [target for target in assessment.targets if not target.seen.reachable]
    if not unseen:
        return
    noun = capital(target_noun(assessment))
    page.heading(f"{noun}s that could not be seen ({len(unseen)})")
    for target in unseen:
        page.blank()
        _unseen_target(page, target)


def _unseen_target(page: Page, target: Target) -> None:
    problem = target.seen.problem
    name = clean(target.name)
    title = f"{name}: {problem.title}." if problem else f"{name}: it was not looked at."
    page.item("-", title, indent=_INDENT)
    page.field("at", target.endpoint, indent=_INDENT, label_width=_LABEL)
    if problem is not None:
        _told(page, "why", [((), problem.cause)])
        _instructed(page, "do", [((), problem.remedy or "")], page.instructions)


def _between(page: Page, assessment: Assessment) -> None:
    if not assessment.findings:
        return
    page.heading("Between the machines")
    totals = numbers_of(assessment.findings)
    if totals["pass"]:
        page.paragraph(f"{count(totals['pass'], 'check')} passed.")
    shown = [f for f in assessment.findings if f.severity is not Severity.PASS]
    width = widest(map(severity_word, shown)) + 2
    for finding in sorted(shown, key=_severity_order):
        word = severity_word(finding)
        start = page.styled(word, _word_style(finding)) + " " * (width - len(word))
        for line in wrap(page.plain(finding.title), page.width - width) or [""]:
            page.lines.append((start + line).rstrip())
            start = " " * width


def _severity_order(finding: Finding) -> int:
    return ("FAIL", "UNKNOWN", "WARN", "WAIVED", "PASS").index(severity_word(finding))


def _word_style(finding: Finding) -> Style:
    return {"FAIL": Style.FAIL, "UNKNOWN": Style.UNKNOWN, "PASS": Style.OK}.get(
        severity_word(finding), Style.WARN
    )


def _waivers(page: Page, assessment: Assessment) -> None:
    given = grouping.given_waivers(assessment)
    if not given:
        return
    page.heading(f"Waivers ({len(given)})")
    for one in given:
        page.blank()
        waiver = one.waiver
        place = f"on {waiver.host}" if waiver.host else "on every machine"
        page.item("-", f"{waiver.check} {place}", indent=_INDENT)
        _told(page, "by", [((), waiver.by)])
        _told(page, "reason", [((), waiver.reason)])
        _told(page, "until", [((), f"{waiver.until.isoformat()}, {one.phrase}")])
        covered = (f for f in assessment.all_findings if is_waived(f) and f.waiver == waiver)
        _told(page, "covers", [((), f"{f.title} ({f.id})") for f in covered])


def _risks(page: Page, assessment: Assessment) -> None:
    risks = grouping.risk_acceptances(assessment)
    if not risks:
        return
    page.heading("Formal risk acceptance")
    for risk in risks:
        text = f"{risk.host} plays {' and '.join(risk.roles)} on one machine."
        page.item("-", text, indent=_INDENT)
        _told(page, "why", [((), risk.source)])
        signed = [f"{w.by}: {w.reason} (until {w.until.isoformat()})" for w in risk.accepted_by]
        for text in signed or ["nobody yet; it needs a name, a reason and a last day as a waiver"]:
            _told(page, "accepted", [((), text)])


def _notes(page: Page, assessment: Assessment) -> None:
    notes = table_notes(assessment.needs)
    if not notes:
        return
    page.heading("What the tables say that no check can")
    for note in notes:
        page.item("-", note, indent=_INDENT, style=Style.PLAIN)


def _other_sizings(page: Page, assessment: Assessment) -> None:
    others = assessment.needs.other_sizings
    if not others:
        return
    page.heading("Other published sizing tables that disagree (not used here)")
    for table in others:
        text = f"{table.title} ({table.id}), version {table.version}: {table.source}"
        page.item("-", text, indent=_INDENT, style=Style.PLAIN)


def _next(page: Page, assessment: Assessment) -> None:
    page.blank()
    ready = assessment.verdict in {Verdict.READY, Verdict.READY_WITH_WARNINGS}
    page.paragraph("Next:" if ready else "Next, when that is done:", style=Style.HEADING)
    for step in next_steps(assessment):
        if step.startswith("sitewright"):
            page.lines.append("  " + page.plain(step))
        else:
            page.paragraph(step, indent=2)

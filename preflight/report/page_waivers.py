"""What people accepted, in the HTML report: the waivers, and the paper to be signed."""

from __future__ import annotations

from preflight.assessment import Assessment
from preflight.report import grouping
from preflight.report.markup import safe, scrolling, section, table
from preflight.report.words import is_waived, name_list


def waivers(assessment: Assessment) -> str:
    """Every waiver that was given, with what became of it."""
    rows = []
    for given in grouping.given_waivers(assessment):
        waiver = given.waiver
        covered = [f.title for f in assessment.all_findings if is_waived(f) and f.waiver == waiver]
        rows.append(
            [
                safe(f"{waiver.check} on {waiver.host or 'every machine'}"),
                safe(waiver.by),
                safe(waiver.reason),
                f"<time>{waiver.until.isoformat()}</time>",
                safe(given.phrase) + "".join(f"<br>{safe(title)}" for title in covered),
            ]
        )
    if not rows:
        return ""
    head = ["Waived", "By", "Reason", "Last day", "What became of it"]
    return section(f"Waivers ({len(rows)})", scrolling(table(head, rows), "Waivers"))


def risks(assessment: Assessment) -> str:
    """The deviations that somebody accepts, with lines to sign on."""
    asked = grouping.risk_acceptances(assessment)
    covered = grouping.waived(assessment)
    if not asked and not covered:
        return ""
    items = []
    for risk in asked:
        signed = [f"{w.by}: {w.reason} (until {w.until.isoformat()})" for w in risk.accepted_by]
        items.append(
            f"<li>{safe(risk.host)} plays {safe(' and '.join(risk.roles))} on one machine"
            f" ({safe(risk.source)}). {safe('; '.join(signed) or 'Not accepted by anybody yet.')}"
            "</li>"
        )
    for entry in covered:
        for hosts, title in entry.titles():
            also = f" Likewise {name_list(hosts[1:])}." if hosts[1:] else ""
            items.append(f"<li>{safe(title + also)}</li>")
    people = dict.fromkeys(w.by for risk in asked for w in risk.accepted_by)
    for finding in assessment.all_findings:
        if finding.waiver is not None and is_waived(finding):
            people[finding.waiver.by] = None
    lines = [*([safe(name), "", ""] for name in people), ["", "", ""]]
    signatures = table(["Name", "Date", "Signature"], lines, name="signatures", heads=False)
    return section(
        "Formal risk acceptance",
        "<p>The undersigned accept these deviations from what the documents demand:</p>",
        f"<ul>{''.join(items)}</ul>",
        signatures,
        name="keep",
    )

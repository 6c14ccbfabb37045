"""What people accepted, as the HTML report takes it: the waivers, and the paper to be signed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from preflight.assessment import Assessment
from preflight.report import grouping
from preflight.report.words import is_waived, name_list


@dataclass(frozen=True, slots=True)
class GivenWaiver:
    """A waiver that was given, with what became of it."""

    waived: str
    by: str
    reason: str
    until: str
    phrase: str
    covered: Sequence[str]


@dataclass(frozen=True, slots=True)
class Risks:
    """The deviations that somebody accepts, and the lines to sign on."""

    lines: Sequence[str]
    people: Sequence[str]


def waivers(assessment: Assessment) -> list[GivenWaiver]:
    """Every waiver that was given, with what became of it."""
    made = []
    for given in grouping.given_waivers(assessment):
        waiver = given.waiver
        covered = [f.title for f in assessment.all_findings if is_waived(f) and f.waiver == waiver]
        made.append(
            GivenWaiver(
                f"{waiver.check} on {waiver.host or 'every machine'}",
                waiver.by,
                waiver.reason,
                waiver.until.isoformat(),
                given.phrase,
                covered,
            )
        )
    return made


def risks(assessment: Assessment) -> Risks | None:
    """The deviations that somebody accepts; nothing where there are none."""
    asked = grouping.risk_acceptances(assessment)
    covered = grouping.waived(assessment)
    if not asked and not covered:
        return None
    lines = []
    for risk in asked:
        signed = [f"{w.by}: {w.reason} (until {w.until.isoformat()})" for w in risk.accepted_by]
        lines.append(
            f"{risk.host} plays {' and '.join(risk.roles)} on one machine"
            f" ({risk.source}). {'; '.join(signed) or 'Not accepted by anybody yet.'}"
        )
    for entry in covered:
        for hosts, title in entry.titles():
            also = f" Likewise {name_list(hosts[1:])}." if hosts[1:] else ""
            lines.append(title + also)
    people = dict.fromkeys(w.by for risk in asked for w in risk.accepted_by)
    for finding in assessment.all_findings:
        if finding.waiver is not None and is_waived(finding):
            people[finding.waiver.by] = None
    return Risks(lines, [*people, ""])

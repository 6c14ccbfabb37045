"""Waivers: which finding a person's word covers, and what is wrong with the word itself."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date

from preflight.checks.registry import find_check
from preflight.findings import Finding, Severity, Waiver

SOURCE = "Sitewright: a waiver has a name, a reason and a last day, and covers what it names"

NEVER_WAIVABLE = frozenset({"host.key"})
"""What is no finding, and that nobody may waive either: to whom we spoke."""


def matches(waiver: Waiver, finding: Finding) -> bool:
    """Whether a waiver speaks of a finding, whatever the day: by id or area.*, and by machine.

    A waiver without a machine speaks of every machine and of the findings between them; one with
    a machine of that machine's findings only.
    """
    if waiver.host is not None and waiver.host != finding.host:
        return False
    if waiver.check.endswith(".*"):
        return finding.id.startswith(waiver.check[:-1])
    return waiver.check == finding.id


def waivable(finding: Finding) -> bool:
    """Whether a person may accept it: some checks guard what no acceptance makes work."""
    return not never_waivable(finding.id)


def never_waivable(check_id: str) -> bool:
    """Whether an id belongs to a check that nobody may waive: an identity, an architecture."""
    check = find_check(check_id)
    return check_id in NEVER_WAIVABLE or (check is not None and not check.waivable)


def in_force(waiver: Waiver, today: date) -> bool:
    """Whether its last day has not passed; the last day counts."""
    return today <= waiver.until


def apply_waivers(
    findings: Iterable[Finding], waivers: Sequence[Waiver], today: date
) -> tuple[Finding, ...]:
    """The findings, each that is not a pass with the first waiver in force that covers it."""
    live = [waiver for waiver in waivers if in_force(waiver, today)]
    if not live:
        return tuple(findings)
    return tuple(_covered(finding, live) for finding in findings)


def _covered(finding: Finding, live: Sequence[Waiver]) -> Finding:
    if finding.severity is Severity.PASS or not waivable(finding):
        return finding
    for waiver in live:
        if matches(waiver, finding):
            return replace(finding, waiver=waiver)
    return finding


def judge_waivers(
    findings: Sequence[Finding], waivers: Sequence[Waiver], today: date
) -> tuple[Finding, ...]:
    """What is wrong with the waivers themselves, given all findings of the site."""
    said: list[Finding] = []
    for waiver in waivers:
        whole = f"{waiver.check}{f' on {waiver.host}' if waiver.host else ''}"
        spoken_of = [f for f in findings if matches(waiver, f)]
        open_ones = [f for f in spoken_of if f.severity is not Severity.PASS]
        allowed = [f for f in open_ones if waivable(f)]
        if not in_force(waiver, today):
            said.append(
                _about(
                    waiver,
                    "waiver.expired",
                    f"The waiver of {whole} by {waiver.by} ended on {waiver.until.isoformat()} and"
                    " no longer counts.",
                    expected=f"a last day on or after {today.isoformat()}",
                    actual=waiver.until.isoformat(),
                    remedy="Mend what it covered, or have it accepted again with a new last day.",
                )
            )
        elif (open_ones and not allowed) or never_waivable(waiver.check):
            said.append(
                _about(
                    waiver,
                    "waiver.not-allowed",
                    f"{whole} cannot be waived: no acceptance makes an installation work there.",
                    expected="a check that may be waived",
                    actual=waiver.check,
                    remedy="Mend the finding itself and take the waiver out of the site file.",
                )
            )
        elif not open_ones:
            why = "what it names is in order" if spoken_of else "this preflight does not find it"
            said.append(
                _about(
                    waiver,
                    "waiver.unused",
                    f"The waiver of {whole} by {waiver.by} covers nothing: {why}.",
                    expected="a finding that it covers",
                    actual="none",
                    remedy="Take it out of the site file, or correct the check's id or the"
                    " machine's name in it.",
                )
            )
    return tuple(said)


def _about(
    waiver: Waiver, check_id: str, title: str, *, expected: str, actual: str, remedy: str
) -> Finding:
    return Finding(
        id=check_id,
        severity=Severity.WARN,
        title=title,
        expected=expected,
        actual=actual,
        source=SOURCE,
        evidence="sitewright preflight --site FILE --format json (under waivers)",
        remedy=remedy,
        undo="Put the waiver back as it was.",
        subject=f"{waiver.check}{f'@{waiver.host}' if waiver.host else ''}",
    )
